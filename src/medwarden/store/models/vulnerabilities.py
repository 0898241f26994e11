"""Verdicts on vulnerabilities over time: devices alike share a profile, and a profile its verdicts.

Which profile a device had when, and which verdict a profile had when, are kept as spans of time with the
cause of each change; together they say what was known of a device at any date. Times are nanoseconds since
the Unix epoch (UTC); ``until_ns`` is null for what counts now.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Index, Q, UniqueConstraint

from medwarden.store.models.inventory import Device
from medwarden.store.models.tenancy import Scoped, TenantScoped


class MatchProfile(TenantScoped):
    """What matching looks at of devices: maker, model, firmware, system, programs. ``edition`` is the newest
    edition of knowledge that it was judged by, ``rules_version`` the rules.
    """

    id = models.CharField(primary_key=True, max_length=40)
    facts = models.JSONField()
    edition = models.BigIntegerField(default=-1)
    rules_version = models.CharField(max_length=80, blank=True)
    judged_ns = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.id


class ProfileMember(Scoped):
    """A device had a profile from ``since_ns`` until ``until_ns``."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+", db_index=False)
    profile = models.ForeignKey(MatchProfile, on_delete=models.PROTECT, related_name="+", db_index=False)
    since_ns = models.BigIntegerField()
    until_ns = models.BigIntegerField(null=True)
    cause = models.CharField(max_length=200)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["device"], condition=Q(until_ns=None), name="member_current"),
        ]
        indexes = [
            Index(fields=["device", "since_ns"], name="member_history"),
            Index(fields=["profile", "until_ns"], name="member_profile"),
        ]

    def __str__(self) -> str:
        return f"{self.device_id} {self.profile_id}"


class VulnerabilityVerdict(TenantScoped):
    """What was said of a profile and a vulnerability from ``since_ns`` until ``until_ns``, and why."""

    profile = models.ForeignKey(MatchProfile, on_delete=models.CASCADE, related_name="+", db_index=False)
    vulnerability = models.CharField(max_length=60)
    advisory = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=14)
    reason = models.TextField()
    aspects = models.JSONField(default=list)
    rules_version = models.CharField(max_length=80)
    since_ns = models.BigIntegerField()
    until_ns = models.BigIntegerField(null=True)
    cause = models.CharField(max_length=200)

    class Meta:
        constraints = [
            UniqueConstraint(
                fields=["profile", "vulnerability"], condition=Q(until_ns=None), name="verdict_current"
            ),
        ]
        indexes = [
            Index(fields=["profile", "vulnerability", "since_ns"], name="verdict_history"),
            Index(fields=["tenant", "vulnerability", "until_ns"], name="verdict_vulnerability"),
        ]

    def __str__(self) -> str:
        return f"{self.profile_id} {self.vulnerability} {self.state}"


class VulnerabilityWeight(TenantScoped):
    """How much a vulnerability matters: CVSS base score, whether it is exploited, how probably it will be.

    ``exploited`` is by CISA's catalogue or CISA's own word, ``exploits`` tells of public exploit code,
    ``exploit_count`` how many distinct exploits are known and ``exploits_by`` how many of each source.
    ``vectors`` are the CVSS vectors as published, one for each version of CVSS, with who scored;
    ``weaknesses`` CWE ids.
    """

    vulnerability = models.CharField(max_length=60)
    score = models.FloatField(null=True)
    exploited = models.BooleanField(default=False)
    exploits = models.BooleanField(default=False)
    exploit_count = models.IntegerField(default=0, db_default=0)
    exploits_by = models.JSONField(default=dict)
    epss = models.FloatField(null=True)
    vectors = models.JSONField(default=list)
    weaknesses = models.JSONField(default=list)
    title = models.TextField(blank=True)
    remedy = models.TextField(blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["tenant", "vulnerability"], name="vulnerability_weight"),
        ]

    def __str__(self) -> str:
        return self.vulnerability


class Irrelevance(TenantScoped):
    """A person's word that a vulnerability is irrelevant for a device, or for all devices of a profile.

    It ends at ``expires_ns``, or when a person takes it back (``ended_ns``). ``said`` is the verdict that it
    stands for: irrelevant, or what an imported statement says (``source`` is then its id, ``author`` whose
    word it is). ``justification`` is one of the words of VEX for why a product is not affected.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+", db_index=False, null=True)
    profile = models.ForeignKey(
        MatchProfile, on_delete=models.CASCADE, related_name="+", db_index=False, null=True
    )
    vulnerability = models.CharField(max_length=60)
    reason = models.TextField()
    actor = models.CharField(max_length=150)
    at_ns = models.BigIntegerField()
    expires_ns = models.BigIntegerField()
    ended_ns = models.BigIntegerField(null=True)
    said = models.CharField(max_length=14, default="irrelevant", db_default="irrelevant")
    justification = models.CharField(max_length=60, default="", db_default="", blank=True)
    author = models.CharField(max_length=200, default="", db_default="", blank=True)
    source = models.CharField(max_length=40, default="", db_default="", blank=True)

    class Meta:
        indexes = [
            Index(fields=["tenant", "vulnerability", "ended_ns"], name="irrelevance_open"),
        ]

    def __str__(self) -> str:
        return f"{self.vulnerability} {self.reason}"
