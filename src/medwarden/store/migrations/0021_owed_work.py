"""What is owed after a commit, and how often a device was marked as to be judged."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0020_scanner_connections")]

    operations: ClassVar = [
        migrations.AddField("device", "marks", models.BigIntegerField(db_default=0, default=0)),
        migrations.CreateModel(
            name="OwedWork",
            fields=[
                ("id", models.CharField(max_length=160, primary_key=True, serialize=False)),
                ("work", models.CharField(max_length=16)),
                ("mark", models.BigIntegerField()),
                (
                    "site",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="store.site",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="store.tenant",
                    ),
                ),
            ],
            options={"abstract": False},
        ),
    ]
