"""When devices stop being supported: lists that a hospital keeps, and what was found of each device.

A list is replaced as a whole by each import of its name; taking an import back brings the one before into
force again. What is said of a device is kept as spans of time with the cause of each change; times are
nanoseconds since the Unix epoch (UTC), days are ISO 8601.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Index, Q, UniqueConstraint

from medwarden.store.models.inventory import Device
from medwarden.store.models.tenancy import Scoped, TenantScoped


class SupportListImport(TenantScoped):
    """One import of a list of ends of support. The latest of a name that is not taken back is in force.

    ``digest`` is the SHA-256 of the file, ``columns`` pairs of its headings and our fields, ``rejected`` how
    many of its lines could not be used.
    """

    name = models.CharField(max_length=120)
    number = models.IntegerField()
    file = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    columns = models.JSONField(default=list)
    rows = models.IntegerField()
    rejected = models.IntegerField(default=0)
    at_ns = models.BigIntegerField()
    actor = models.CharField(max_length=150)
    undone_ns = models.BigIntegerField(null=True)

    class Meta:
        constraints = [UniqueConstraint(fields=["tenant", "name", "number"], name="support_list_number")]

    def __str__(self) -> str:
        return f"{self.name} {self.number}"


class SupportListRow(TenantScoped):
    """One row of a list: what of a maker's model ends on which day (model ``EndOfSupport``)."""

    source = models.ForeignKey(
        SupportListImport, on_delete=models.CASCADE, related_name="+", db_index=False, db_column="import_id"
    )
    line = models.IntegerField()
    vendor = models.CharField(max_length=200)
    model = models.CharField(max_length=300)
    version = models.CharField(max_length=200, blank=True)
    ending = models.CharField(max_length=10)
    day = models.CharField(max_length=10)
    url = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes = [Index(fields=["source", "line"], name="support_list_row")]

    def __str__(self) -> str:
        return f"{self.vendor} {self.model} {self.ending} {self.day}"


class DeviceSupport(Scoped):
    """An end of sale, support, security updates or life of a device, from ``since_ns`` until ``until_ns``.

    ``notice`` is the id of what says so, ``subject`` whether it is the model, its firmware or its system;
    ``state`` whether it is meant (confirmed) or may be (potential), with the sentence and what it rests on.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+", db_index=False)
    notice = models.CharField(max_length=40)
    subject = models.CharField(max_length=10)
    ending = models.CharField(max_length=10)
    day = models.CharField(max_length=10)
    state = models.CharField(max_length=14)
    reason = models.TextField()
    aspects = models.JSONField(default=list)
    source = models.CharField(max_length=300)
    url = models.CharField(max_length=500, blank=True)
    seen = models.CharField(max_length=10, blank=True)
    since_ns = models.BigIntegerField()
    until_ns = models.BigIntegerField(null=True)
    cause = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(
                fields=["device", "notice"], condition=Q(until_ns=None), name="device_support_current"
            ),
        ]
        indexes = [Index(fields=["device", "since_ns"], name="device_support_history")]

    def __str__(self) -> str:
        return f"{self.device_id} {self.ending} {self.day}"
