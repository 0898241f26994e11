"""The company devices keep: what each is to others by its own evidence, and whose services it uses.

Both are stored with the identity of a device, in its transaction: what company tells of the others follows
from these rows and is never taken from verdicts that company had a part in.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Index, Q, UniqueConstraint

from medwarden.store.models.inventory import Device
from medwarden.store.models.tenancy import Scoped


class CompanyMember(Scoped):
    """What others may conclude from a device that was identified (:mod:`medwarden.inventory.company`).

    ``due``: its company tells something else of it by now than when it was last identified. ``unmatched``: it
    was identified, and what follows from it (vulnerabilities, recalls) was not looked for since.
    """

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="+")
    device_class = models.CharField(max_length=16)
    category = models.CharField(max_length=64, null=True)
    vendor = models.CharField(max_length=200, null=True)
    due = models.BooleanField(default=False)
    unmatched = models.BooleanField(default=True)

    class Meta:
        indexes = [
            Index(fields=["site", "device"], condition=Q(due=True), name="company_due"),
            Index(fields=["site", "device"], condition=Q(unmatched=True), name="company_unmatched"),
        ]

    def __str__(self) -> str:
        return f"{self.device_id}: {self.category or self.device_class}"


class ServiceUse(Scoped):
    """That a device uses a service of another (``server``: its id, else its address), such as ``tcp/443``.

    Kept of devices that were identified, and of services that can tell what their users are.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+", db_index=False)
    server = models.CharField(max_length=45)
    service = models.CharField(max_length=16)

    class Meta:
        constraints = [UniqueConstraint(fields=["device", "server", "service"], name="service_use_key")]
        indexes = [Index(fields=["server", "service", "device"], name="service_use_server")]

    def __str__(self) -> str:
        return f"{self.device_id} uses {self.service} of {self.server}"
