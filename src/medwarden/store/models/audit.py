"""The audit chain: one row per decision, each bound to the one before it."""

from __future__ import annotations

from django.db import models
from django.db.models import Index

from medwarden.store.models.tenancy import TenantScoped


class AuditEntry(TenantScoped):
    """Who did what to which object, what it was before and after, why, by which rule version.

    ``before`` and ``after`` are canonical JSON text (empty: nothing there). ``digest`` is the SHA-256
    of the row with ``previous``, the digest of the row before; see :mod:`medwarden.store.chain`.
    """

    sequence = models.BigIntegerField(primary_key=True)
    at_ns = models.BigIntegerField()
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=200)
    before = models.TextField(blank=True)
    after = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    version = models.CharField(max_length=120, blank=True)
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        indexes = [
            Index(fields=["tenant", "subject", "sequence"], name="audit_subject"),
            Index(fields=["tenant", "action", "sequence"], name="audit_action"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.action} {self.subject}"
