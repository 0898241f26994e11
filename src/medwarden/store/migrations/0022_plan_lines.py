"""On which line of the imported table a row of a plan stood."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0021_owed_work")]

    operations: ClassVar = [
        migrations.AddField("floorplanrow", "line", models.PositiveIntegerField(db_default=0, default=0)),
    ]
