"""Policies and all their versions."""

from __future__ import annotations

from django.db import models
from django.db.models import Index

from medwarden.store.models.tenancy import Scoped


class Policy(Scoped):
    """A policy as it stands; its rules are those of version ``version``."""

    id = models.CharField(primary_key=True, max_length=40)
    subject_kind = models.CharField(max_length=16)
    subject = models.CharField(max_length=80)
    title = models.TextField()
    state = models.CharField(max_length=16)
    version = models.IntegerField()
    rules_count = models.IntegerField()
    devices_count = models.IntegerField()
    updated_ns = models.BigIntegerField()

    class Meta:
        indexes = [Index(fields=["tenant", "subject_kind", "subject"], name="policy_subject")]

    def __str__(self) -> str:
        return self.title


class PolicyVersion(Scoped):
    """One version or state of a policy, whole, as it was saved (model ``Policy`` as JSON)."""

    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="versions", db_index=False)
    version = models.IntegerField()
    state = models.CharField(max_length=16)
    document = models.JSONField()
    at_ns = models.BigIntegerField()
    actor = models.CharField(max_length=150)
    reason = models.TextField()

    class Meta:
        indexes = [Index(fields=["policy", "version", "at_ns"], name="policy_version")]

    def __str__(self) -> str:
        return f"{self.policy_id} version {self.version} ({self.state})"
