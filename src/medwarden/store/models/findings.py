"""Findings and every step of their life, with who took it and why."""

from __future__ import annotations

from django.db import models
from django.db.models import Index

from medwarden.model.finding import FindingState
from medwarden.store.models.inventory import Device
from medwarden.store.models.tenancy import Scoped


class Finding(Scoped):
    """The present state of a finding; the steps that led there are its events."""

    id = models.CharField(primary_key=True, max_length=40)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="findings", db_index=False)
    kind = models.CharField(max_length=20)
    type = models.CharField(max_length=80)
    severity = models.CharField(max_length=8)
    severity_rank = models.SmallIntegerField()
    state = models.CharField(max_length=16, default=FindingState.OPEN.value)
    title = models.TextField()
    detail = models.TextField()
    fix = models.TextField()
    evidence = models.JSONField(default=list)
    mitre = models.JSONField(default=list)
    rule_version = models.CharField(max_length=80, blank=True)
    first_seen = models.BigIntegerField()
    last_seen = models.BigIntegerField()
    opened_ns = models.BigIntegerField()
    changed_ns = models.BigIntegerField()
    accepted_until_ns = models.BigIntegerField(null=True)
    approver = models.CharField(max_length=150, blank=True)

    class Meta:
        indexes = [
            Index(fields=["device", "state"], name="finding_device"),
            Index(fields=["tenant", "state", "severity_rank", "last_seen"], name="finding_state"),
            Index(fields=["tenant", "type", "state"], name="finding_type"),
        ]

    def __str__(self) -> str:
        return self.title


class FindingEvent(Scoped):
    """One step: from one state to another (``before`` is empty for the first), by whom and why."""

    finding = models.ForeignKey(Finding, on_delete=models.CASCADE, related_name="events")
    at_ns = models.BigIntegerField()
    actor = models.CharField(max_length=150)
    before = models.CharField(max_length=16, blank=True)
    after = models.CharField(max_length=16)
    reason = models.TextField()
    rule_version = models.CharField(max_length=80, blank=True)

    def __str__(self) -> str:
        return f"{self.before or 'new'} -> {self.after}"
