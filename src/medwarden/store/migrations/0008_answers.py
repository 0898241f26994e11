"""What people confirmed of devices, and the models trained on it."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0007_books")]
    operations: ClassVar = []
