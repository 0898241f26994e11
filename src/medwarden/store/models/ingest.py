"""Where facts come from: sensors and the inputs they read, with exact accounting."""

from __future__ import annotations

from django.db import models
from django.db.models import Index, UniqueConstraint

from medwarden.store.models.tenancy import Scoped


class Sensor(Scoped):
    """A source of facts. ``counters`` are its running totals (model ``PacketCount`` and more)."""

    id = models.CharField(primary_key=True, max_length=80)
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=200)
    counters = models.JSONField(default=dict)
    first_seen = models.BigIntegerField()
    heartbeat_ns = models.BigIntegerField()

    def __str__(self) -> str:
        return self.name


class InputLedger(Scoped):
    """One input by its content: how far it is acknowledged and what became of its packets.

    ``next_batch`` is the number of the first batch that is not acknowledged; ``report`` is a model
    ``InputReport``; ``times_seen`` counts how often the same content was offered.
    """

    content = models.CharField(max_length=120)
    path = models.TextField()
    format = models.CharField(max_length=40)
    sensor = models.ForeignKey(Sensor, on_delete=models.PROTECT, related_name="inputs", db_index=False)
    status = models.CharField(max_length=10)
    next_batch = models.IntegerField(default=0)
    report = models.JSONField(default=dict)
    error = models.TextField(null=True)
    times_seen = models.IntegerField(default=1)
    first_ns = models.BigIntegerField()
    last_ns = models.BigIntegerField()

    class Meta:
        constraints = [UniqueConstraint(fields=["tenant", "site", "content"], name="input_content")]
        indexes = [Index(fields=["tenant", "last_ns"], name="input_last")]

    def __str__(self) -> str:
        return self.path
