"""Where the answers about a device cease to be sure, and why."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0008_answers")]
    operations: ClassVar = [
        migrations.AddField(
            "device", "unsure", models.CharField(blank=True, db_default="", default="", max_length=8)
        ),
        migrations.AddField(
            "device", "doubts", models.CharField(blank=True, db_default="", default="", max_length=120)
        ),
        migrations.AddIndex(
            "device",
            models.Index(fields=["tenant", "unsure", "subnet", "doubts"], name="device_unsure"),
        ),
    ]
