"""Identities joined and split by hand, and when interfaces were replaced."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0005_evidence_field")]
    operations: ClassVar = []
