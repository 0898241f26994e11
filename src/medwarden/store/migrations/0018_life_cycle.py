"""When support of devices ends: lists of a hospital, what was found of each device, and the first day of it."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


def _key() -> models.BigAutoField[int, int]:
    return models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


def _scope(to: str, *, null: bool = False) -> models.ForeignKey[models.Model, models.Model]:
    return models.ForeignKey(
        db_index=False,
        null=null,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to=to,
    )


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0017_company")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="SupportListImport",
            fields=[
                ("id", _key()),
                ("name", models.CharField(max_length=120)),
                ("number", models.IntegerField()),
                ("file", models.CharField(max_length=255)),
                ("digest", models.CharField(max_length=64)),
                ("columns", models.JSONField(default=list)),
                ("rows", models.IntegerField()),
                ("rejected", models.IntegerField(default=0)),
                ("at_ns", models.BigIntegerField()),
                ("actor", models.CharField(max_length=150)),
                ("undone_ns", models.BigIntegerField(null=True)),
                ("site", _scope("store.site", null=True)),
                ("tenant", _scope("store.tenant")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "name", "number"), name="support_list_number")
                ],
            },
        ),
        migrations.CreateModel(
            name="SupportListRow",
            fields=[
                ("id", _key()),
                ("line", models.IntegerField()),
                ("vendor", models.CharField(max_length=200)),
                ("model", models.CharField(max_length=300)),
                ("version", models.CharField(blank=True, max_length=200)),
                ("ending", models.CharField(max_length=10)),
                ("day", models.CharField(max_length=10)),
                ("url", models.CharField(blank=True, max_length=500)),
                (
                    "source",
                    models.ForeignKey(
                        db_column="import_id",
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="store.supportlistimport",
                    ),
                ),
                ("site", _scope("store.site", null=True)),
                ("tenant", _scope("store.tenant")),
            ],
            options={
                "indexes": [models.Index(fields=["source", "line"], name="support_list_row")],
            },
        ),
        migrations.CreateModel(
            name="DeviceSupport",
            fields=[
                ("id", _key()),
                ("notice", models.CharField(max_length=40)),
                ("subject", models.CharField(max_length=10)),
                ("ending", models.CharField(max_length=10)),
                ("day", models.CharField(max_length=10)),
                ("state", models.CharField(max_length=14)),
                ("reason", models.TextField()),
                ("aspects", models.JSONField(default=list)),
                ("source", models.CharField(max_length=300)),
                ("url", models.CharField(blank=True, max_length=500)),
                ("seen", models.CharField(blank=True, max_length=10)),
                ("since_ns", models.BigIntegerField()),
                ("until_ns", models.BigIntegerField(null=True)),
                ("cause", models.CharField(blank=True, max_length=200)),
                (
                    "device",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="store.device",
                    ),
                ),
                ("site", _scope("store.site")),
                ("tenant", _scope("store.tenant")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("until_ns", None)),
                        fields=("device", "notice"),
                        name="device_support_current",
                    )
                ],
                "indexes": [models.Index(fields=["device", "since_ns"], name="device_support_history")],
            },
        ),
        migrations.AddField("device", "support_ends", models.CharField(max_length=10, null=True)),
        migrations.AddIndex(
            "device", models.Index(fields=["tenant", "support_ends", "id"], name="device_support_ends")
        ),
    ]
