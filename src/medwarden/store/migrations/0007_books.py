"""Books of equipment and what their reconciliation says; attributes of the hospital's own."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0006_identity_over_time")]
    operations: ClassVar = []
