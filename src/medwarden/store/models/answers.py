"""What people confirmed of devices, and the versions of the local model that learnt from it.

Times are nanoseconds since the Unix epoch (UTC).
"""

from __future__ import annotations

from django.db import models
from django.db.models import Index, UniqueConstraint

from medwarden.store.models.inventory import Device
from medwarden.store.models.tenancy import Scoped, TenantScoped


class Answer(Scoped):
    """One answer of a person about some devices: labels by level, and who gave it why.

    ``number`` counts up within the tenant; ``cluster`` is the queue's id of the question, if it came from
    there. ``shared`` is the evidence the devices had in common, as field and value; ``rule`` the
    fingerprint by which the answer is passed on, null where there is none. ``effects`` counts what it
    changed. ``undone_ns`` is set when the answer was withdrawn.
    """

    id = models.CharField(primary_key=True, max_length=40)
    number = models.IntegerField()
    cluster = models.CharField(max_length=40, blank=True)
    labels = models.JSONField()
    shared = models.JSONField(default=list)
    rule = models.JSONField(null=True)
    effects = models.JSONField(default=dict)
    at_ns = models.BigIntegerField()
    actor = models.CharField(max_length=150)
    reason = models.TextField(blank=True)
    undone_ns = models.BigIntegerField(null=True)
    undone_by = models.CharField(max_length=150, blank=True)
    undone_reason = models.TextField(blank=True)

    class Meta:
        constraints = [UniqueConstraint(fields=["tenant", "number"], name="answer_number")]
        indexes = [Index(fields=["tenant", "site", "number"], name="answer_site")]

    def __str__(self) -> str:
        return f"answer {self.number}"


class AnsweredDevice(Scoped):
    """A device an answer was given for. It is named without a constraint, because devices merge and split."""

    answer = models.ForeignKey(Answer, on_delete=models.CASCADE, related_name="devices", db_index=False)
    device = models.ForeignKey(
        Device, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )

    class Meta:
        constraints = [UniqueConstraint(fields=["answer", "device"], name="answered_once")]
        indexes = [Index(fields=["device"], name="answered_device")]

    def __str__(self) -> str:
        return f"{self.answer_id} {self.device_id}"


class LocalModel(TenantScoped):
    """One version of what was learnt from answers, in the order they were made.

    ``answer`` is the number of the answer after which it was trained, 0 where all were taken back;
    ``rules`` are the fingerprints in force, ``file`` the trained model's file beneath ``models/`` of the
    data folder (empty: the shipped model alone) and ``digest`` its SHA-256. ``figures`` holds what was
    measured when it was made.
    """

    number = models.IntegerField()
    answer = models.IntegerField()
    rules = models.JSONField(default=list)
    file = models.CharField(max_length=120, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    figures = models.JSONField(default=dict)
    at_ns = models.BigIntegerField()
    actor = models.CharField(max_length=150)

    class Meta:
        constraints = [UniqueConstraint(fields=["tenant", "number"], name="local_model_number")]

    def __str__(self) -> str:
        return f"local model {self.number}"
