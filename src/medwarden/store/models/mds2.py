"""Disclosure statements of makers (MDS2): forms in versions, and which devices they are of by hand."""

from __future__ import annotations

from django.db import models
from django.db.models import Index, Q, UniqueConstraint

from medwarden.store.models.inventory import Device
from medwarden.store.models.tenancy import TenantScoped


class DisclosureForm(TenantScoped):
    """A form as it was read from a file, under the maker and model it is of.

    Forms of one maker and model are a ``series``; the newest by its own day that was not withdrawn counts.
    """

    id = models.CharField(primary_key=True, max_length=40)
    series = models.CharField(max_length=40)
    edition = models.CharField(max_length=20)
    vendor = models.CharField(max_length=200)
    model = models.CharField(max_length=500)
    document = models.CharField(max_length=200, blank=True)
    released = models.CharField(max_length=10, blank=True)
    header = models.JSONField(default=dict)
    answers = models.JSONField(default=list)
    ports = models.JSONField(default=list)
    problems = models.JSONField(default=list)
    read_from = models.CharField(max_length=40)
    source = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    actor = models.CharField(max_length=150)
    at_ns = models.BigIntegerField()
    withdrawn_ns = models.BigIntegerField(null=True)
    withdrawn_by = models.CharField(max_length=150, blank=True)
    withdrawn_why = models.TextField(blank=True)

    class Meta:
        constraints = [UniqueConstraint(fields=["tenant", "series", "digest"], name="disclosure_file")]
        indexes = [Index(fields=["tenant", "series", "released"], name="disclosure_series")]

    def __str__(self) -> str:
        return f"{self.vendor} {self.model} {self.released}"


class DisclosureAttachment(TenantScoped):
    """A person's word that a series of forms is of a device or of a maker's model, or that it is not.

    It counts until another word takes its place or it is taken back (``ended_ns``). Two devices that turn out
    to be one bring theirs with them.
    """

    series = models.CharField(max_length=40)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+", db_index=False, null=True)
    vendor = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True)
    belongs = models.BooleanField()
    reason = models.TextField()
    actor = models.CharField(max_length=150)
    at_ns = models.BigIntegerField()
    ended_ns = models.BigIntegerField(null=True)
    ended_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(
                fields=["tenant", "series", "vendor", "model"],
                condition=Q(ended_ns=None, device__isnull=True),
                name="disclosure_of_model",
            ),
        ]
        indexes = [Index(fields=["device"], name="disclosure_device")]

    def __str__(self) -> str:
        return f"{self.series} {'is' if self.belongs else 'is not'} of {self.device_id or self.model}"
