"""Active query and capture on demand: what people allowed, what they protect, and all that was done."""

from __future__ import annotations

from django.db import models
from django.db.models import Index

from medwarden.store.models.tenancy import Scoped, TenantScoped


class DoNotProbe(TenantScoped):
    """An entry of the do-not-probe registry: by device, MAC, IP, subnet, category, vendor or model.

    Without a site it protects at every site of the tenant. An entry is never deleted: ``removed_ns`` and
    ``removed_by`` say that it no longer holds.
    """

    id = models.CharField(primary_key=True, max_length=40)
    kind = models.CharField(max_length=8)
    value = models.CharField(max_length=200)
    reason = models.TextField()
    who = models.CharField(max_length=150)
    since_ns = models.BigIntegerField()
    until_ns = models.BigIntegerField(null=True)
    removed_ns = models.BigIntegerField(null=True)
    removed_by = models.CharField(max_length=150, blank=True)

    class Meta:
        indexes = [Index(fields=["tenant", "removed_ns", "kind"], name="protected_kind")]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


class ProbeSubnet(Scoped):
    """A subnet of a site in which active query is on; ``removed_ns`` says that it is off again.

    ``probers`` and ``categories`` are lists of names, ``hours`` the hours of the day (UTC).
    """

    id = models.CharField(primary_key=True, max_length=40)
    network = models.CharField(max_length=49)
    probers = models.JSONField(default=list)
    categories = models.JSONField(default=list)
    hours = models.JSONField(default=list)
    per_minute = models.IntegerField()
    reason = models.TextField()
    who = models.CharField(max_length=150)
    since_ns = models.BigIntegerField()
    until_ns = models.BigIntegerField(null=True)
    removed_ns = models.BigIntegerField(null=True)
    removed_by = models.CharField(max_length=150, blank=True)

    class Meta:
        indexes = [Index(fields=["tenant", "site", "removed_ns"], name="probesubnet_on")]

    def __str__(self) -> str:
        return self.network


class Override(Scoped):
    """A person's decision to act on a device in spite of what protects it; ends by itself.

    ``device`` is a device id, or an address where no device is known.
    """

    id = models.CharField(primary_key=True, max_length=40)
    device = models.CharField(max_length=45)
    actions = models.JSONField(default=list)
    lifts = models.JSONField(default=list)
    reason = models.TextField()
    who = models.CharField(max_length=150)
    since_ns = models.BigIntegerField()
    until_ns = models.BigIntegerField()
    revoked_ns = models.BigIntegerField(null=True)
    revoked_by = models.CharField(max_length=150, blank=True)

    class Meta:
        indexes = [Index(fields=["tenant", "device", "until_ns"], name="override_device")]

    def __str__(self) -> str:
        return f"{self.who}: {self.device}"


class ProbeLog(Scoped):
    """One probe: sent (written before it is sent, completed afterwards) or refused, and why.

    ``outcome`` is one word: ``sending`` until the answer is in, an outcome of the prober, or ``refused``.
    """

    id = models.BigAutoField(primary_key=True)
    at_ns = models.BigIntegerField()
    run = models.CharField(max_length=40)
    device = models.CharField(max_length=40, blank=True)
    label = models.CharField(max_length=512, blank=True)
    ip = models.CharField(max_length=45)
    port = models.IntegerField()
    prober = models.CharField(max_length=40)
    outcome = models.CharField(max_length=16)
    protects = models.CharField(max_length=32, blank=True)
    by = models.CharField(max_length=150, blank=True)
    reason = models.TextField(blank=True)
    permit = models.CharField(max_length=32, blank=True)
    grant = models.CharField(max_length=40, blank=True)
    override = models.CharField(max_length=40, blank=True)
    actor = models.CharField(max_length=150)
    sent_bytes = models.IntegerField(default=0)
    received_bytes = models.IntegerField(default=0)
    took_ns = models.BigIntegerField(default=0)
    facts = models.IntegerField(default=0)

    class Meta:
        indexes = [
            Index(fields=["tenant", "at_ns"], name="probelog_time"),
            Index(fields=["tenant", "device", "at_ns"], name="probelog_device"),
        ]

    def __str__(self) -> str:
        return f"{self.prober} {self.ip} {self.outcome}"


class CaptureJob(Scoped):
    """A capture of one device on demand: who asked, why, its limits, and what became of it."""

    id = models.CharField(primary_key=True, max_length=40)
    device = models.CharField(max_length=40)
    label = models.CharField(max_length=512)
    interface = models.CharField(max_length=64)
    macs = models.JSONField(default=list)
    ips = models.JSONField(default=list)
    seconds = models.IntegerField()
    megabytes = models.IntegerField()
    packets_limit = models.BigIntegerField(null=True)
    folder = models.TextField()
    reason = models.TextField()
    who = models.CharField(max_length=150)
    state = models.CharField(max_length=10)
    stop_asked = models.BooleanField(default=False)
    ended_by = models.CharField(max_length=32, blank=True)
    error = models.TextField(blank=True)
    process = models.IntegerField(default=0)
    created_ns = models.BigIntegerField()
    ended_ns = models.BigIntegerField(null=True)
    packets = models.BigIntegerField(default=0)
    dropped = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    files = models.JSONField(default=list)

    class Meta:
        indexes = [
            Index(fields=["tenant", "created_ns"], name="capturejob_time"),
            Index(fields=["tenant", "device", "created_ns"], name="capturejob_device"),
        ]

    def __str__(self) -> str:
        return f"{self.label} {self.state}"
