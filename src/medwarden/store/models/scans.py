"""Imported reports of vulnerability scanners: the hosts they looked at and what they saw there.

A sighting counts from its import until a later report of the same scanner does without it, the report is
taken back, or it grows old. Times are nanoseconds since the Unix epoch (UTC).
"""

from __future__ import annotations

from django.db import models
from django.db.models import Index, Q, UniqueConstraint

from medwarden.store.models.tenancy import Scoped


class Scan(Scoped):
    """One report: from which file, by whom, what was in it; ``removed_ns`` when it was taken back.

    ``known`` of its ``hosts`` are devices of ours. ``digest`` is the SHA-256 of the file: the same file is
    taken in once.
    """

    id = models.CharField(primary_key=True, max_length=40)
    scanner = models.CharField(max_length=40)
    form = models.CharField(max_length=40)
    title = models.CharField(max_length=120, blank=True)
    source = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    started_ns = models.BigIntegerField()
    ended_ns = models.BigIntegerField()
    imported_ns = models.BigIntegerField()
    actor = models.CharField(max_length=150)
    hosts = models.IntegerField()
    known = models.IntegerField()
    sightings = models.IntegerField()
    rejected = models.IntegerField(default=0)
    problems = models.JSONField(default=list)
    removed_ns = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["site", "digest"], condition=Q(removed_ns=None), name="scan_once"),
        ]
        indexes = [Index(fields=["tenant", "imported_ns"], name="scan_imported")]

    def __str__(self) -> str:
        return f"{self.scanner} {self.source}"


class ScanHost(Scoped):
    """One host of a report. ``device`` is empty where it could not be told, ``how`` says why or by what.

    ``current`` holds for the latest word of each scanner on a device: its programs, updates and what it
    ``refuted`` (vulnerabilities that it tried and did not find).
    """

    id = models.CharField(primary_key=True, max_length=40)
    scan = models.ForeignKey(Scan, on_delete=models.CASCADE, related_name="+")
    device = models.CharField(max_length=40, blank=True)
    how = models.CharField(max_length=200)
    ips = models.JSONField(default=list)
    macs = models.JSONField(default=list)
    names = models.JSONField(default=list)
    os = models.CharField(max_length=200, blank=True)
    credentialed = models.BooleanField(null=True)
    seen_ns = models.BigIntegerField()
    current = models.BooleanField(default=True)
    software = models.JSONField(default=list)
    updates = models.JSONField(default=list)
    refuted = models.JSONField(default=list)
    information = models.IntegerField(default=0)

    class Meta:
        indexes = [Index(fields=["device", "current"], name="scan_host_device")]

    def __str__(self) -> str:
        return self.device or ", ".join(self.ips)


class ScannerSighting(Scoped):
    """A scanner saw a vulnerability on a device, from ``since_ns`` (import) until ``until_ns``.

    ``vulnerability`` is the CVE id, or scanner and check where the check names none; ``seen_ns`` is when the
    scanner looked. ``ended_scan`` is the report that ended it, so that taking that back brings it back.
    """

    host = models.ForeignKey(ScanHost, on_delete=models.CASCADE, related_name="+")
    device = models.CharField(max_length=40)
    scanner = models.CharField(max_length=40)
    vulnerability = models.CharField(max_length=60)
    check_id = models.CharField(max_length=200)
    title = models.CharField(max_length=300, blank=True)
    outcome = models.CharField(max_length=14)
    credentialed = models.BooleanField(null=True)
    score = models.FloatField(null=True)
    port = models.IntegerField(default=0)
    transport = models.CharField(max_length=8, blank=True)
    installed = models.CharField(max_length=60, blank=True)
    fixed = models.CharField(max_length=60, blank=True)
    remedy = models.CharField(max_length=600, blank=True)
    seen_ns = models.BigIntegerField()
    since_ns = models.BigIntegerField()
    until_ns = models.BigIntegerField(null=True)
    ended_by = models.CharField(max_length=200, blank=True)
    ended_scan = models.CharField(max_length=40, blank=True)

    class Meta:
        indexes = [
            Index(fields=["device", "until_ns"], name="sighting_device"),
            Index(fields=["tenant", "vulnerability", "until_ns"], name="sighting_vulnerability"),
        ]

    def __str__(self) -> str:
        return f"{self.scanner} {self.vulnerability} {self.device}"


class ScannerConnection(Scoped):
    """A scanner whose interface is asked for reports: where, by what, how often, and how it went last.

    ``sealed`` are its credentials (:mod:`medwarden.store.sealed`); ``authorities`` certificates in PEM and
    ``fingerprint`` a SHA-256, by which its own is believed. ``state`` is what the connector remembers.
    ``begun_ns`` without a later ``ended_ns`` is a pull under way by the process ``pid``, or one that was
    killed. ``tries`` counts the pulls that failed one after another.
    """

    id = models.CharField(primary_key=True, max_length=40)
    name = models.CharField(max_length=80)
    interface = models.CharField(max_length=40)
    address = models.CharField(max_length=300)
    sealed = models.TextField(blank=True)
    authorities = models.TextField(blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    proxy = models.CharField(max_length=200, blank=True)
    chosen = models.JSONField(default=list)
    every_hours = models.IntegerField(default=0)
    created_ns = models.BigIntegerField()
    removed_ns = models.BigIntegerField(null=True)
    state = models.JSONField(default=dict)
    begun_ns = models.BigIntegerField(default=0)
    ended_ns = models.BigIntegerField(default=0)
    well_ns = models.BigIntegerField(default=0)
    tries = models.IntegerField(default=0)
    pid = models.IntegerField(default=0)
    doing = models.CharField(max_length=160, blank=True)
    done = models.IntegerField(default=0)
    total = models.IntegerField(default=0)
    brought = models.IntegerField(default=0)
    error = models.TextField(blank=True)
    failures = models.JSONField(default=list)

    class Meta:
        constraints = [
            UniqueConstraint(
                fields=["tenant", "name"], condition=Q(removed_ns=None), name="scanner_connection_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name
