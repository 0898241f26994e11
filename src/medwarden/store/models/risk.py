"""Risk scores over time, each with the factors that add up to it."""

from __future__ import annotations

from django.db import models
from django.db.models import Index, Q, UniqueConstraint

from medwarden.store.models.inventory import Device
from medwarden.store.models.tenancy import Scoped


class RiskScore(Scoped):
    """The score of a device from ``at_ns`` on; a new row for every change, one of them current."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+", db_index=False)
    at_ns = models.BigIntegerField()
    score = models.SmallIntegerField()
    level = models.CharField(max_length=8)
    rules_version = models.CharField(max_length=80)
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


class RiskFactor(Scoped):
    """One reason for a score; the points of a score's factors add up to it exactly."""

    score = models.ForeignKey(RiskScore, on_delete=models.CASCADE, related_name="factors")
    position = models.SmallIntegerField()
    factor = models.CharField(max_length=80)
    title = models.TextField()
    group = models.CharField(max_length=20)
    points = models.SmallIntegerField()
    raw_points = models.FloatField()
    why = models.TextField()
    evidence = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.factor} {self.points:+d}"
