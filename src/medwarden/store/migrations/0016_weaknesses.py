"""Which kinds of flaw a matched vulnerability is."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0015_scans")]
    operations: ClassVar = [
        migrations.AddField("vulnerabilityweight", "weaknesses", models.JSONField(default=list)),
    ]
