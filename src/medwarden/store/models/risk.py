"""Risk over time: scores, the spans for which a factor held, the rules that were in force, groups of devices.

Only what changed is written. A score is a row from ``at_ns`` until ``until_ns`` (null: it counts now) with
the whole points of its factors; a factor is a row as long as its raw points and its sentence stay the same,
over as many scores as that may be. Together they say what was computed at any date and why.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Index, Q, UniqueConstraint

from medwarden.store.models.inventory import Device
from medwarden.store.models.tenancy import Scoped, TenantScoped


class RiskScore(Scoped):
    """The score of a device from ``at_ns`` on; a new row for every change, one of them current.

    ``points`` maps the id of a factor to its whole points and its share of its sub-score; ``cause`` says
    what made it change.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+", db_index=False)
    at_ns = models.BigIntegerField()
    until_ns = models.BigIntegerField(null=True)
    score = models.SmallIntegerField()
    likelihood = models.SmallIntegerField(default=0, db_default=0)
    impact = models.SmallIntegerField(default=0, db_default=0)
    level = models.CharField(max_length=8)
    points = models.JSONField(default=dict)
    rules_version = models.CharField(max_length=80)
    cause = models.CharField(max_length=200, default="", db_default="", blank=True)
    current = models.BooleanField()

    class Meta:
        constraints = [
            UniqueConstraint(fields=["device"], condition=Q(current=True), name="risk_current"),
        ]
        indexes = [
            Index(fields=["device", "at_ns"], name="risk_history"),
            Index(fields=["tenant", "at_ns"], name="risk_time"),
        ]

    def __str__(self) -> str:
        return f"{self.device_id} {self.score}"


class FactorSpan(Scoped):
    """A factor held for a device from ``since_ns`` until ``until_ns`` (null: now) with these raw points.

    ``points`` are its whole points now; what they were at a date stands in the score of that date.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+", db_index=False)
    factor = models.CharField(max_length=80)
    title = models.CharField(max_length=200)
    group = models.CharField(max_length=20)
    points = models.SmallIntegerField()
    raw_points = models.FloatField()
    why = models.TextField()
    evidence = models.JSONField(default=list)
    since_ns = models.BigIntegerField()
    until_ns = models.BigIntegerField(null=True)
    cause = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["device", "factor"], condition=Q(until_ns=None), name="factor_current"),
        ]
        indexes = [
            Index(fields=["device", "since_ns"], name="factor_history"),
            Index(fields=["tenant", "factor"], condition=Q(until_ns=None), name="factor_now"),
        ]

    def __str__(self) -> str:
        return f"{self.factor} {self.points:+d}"


class RiskRules(TenantScoped):
    """The weights by which scores of a ``version`` were made, word for word."""

    version = models.CharField(max_length=80)
    weights = models.TextField()
    since_ns = models.BigIntegerField()

    class Meta:
        constraints = [UniqueConstraint(fields=["tenant", "version"], name="risk_rules")]

    def __str__(self) -> str:
        return self.version


class GroupRisk(TenantScoped):
    """The score of a group of devices from ``at_ns`` on: ``kind`` is organisation, site, department,
    category or model. ``by_level`` counts its devices; ``worst`` are those that make most of the score.
    """

    kind = models.CharField(max_length=12)
    name = models.CharField(max_length=200)
    at_ns = models.BigIntegerField()
    score = models.SmallIntegerField()
    level = models.CharField(max_length=8)
    devices = models.IntegerField()
    by_level = models.JSONField(default=dict)
    worst = models.JSONField(default=list)
    cause = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [Index(fields=["tenant", "kind", "name", "at_ns"], name="group_history")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.score}"
