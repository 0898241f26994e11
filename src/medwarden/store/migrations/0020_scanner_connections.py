"""Scanners whose interfaces are asked for reports; what was found of the signatures of VEX documents."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0019_exploit_counts")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="ScannerConnection",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=80)),
                ("interface", models.CharField(max_length=40)),
                ("address", models.CharField(max_length=300)),
                ("sealed", models.TextField(blank=True)),
                ("authorities", models.TextField(blank=True)),
                ("fingerprint", models.CharField(blank=True, max_length=64)),
                ("proxy", models.CharField(blank=True, max_length=200)),
                ("chosen", models.JSONField(default=list)),
                ("every_hours", models.IntegerField(default=0)),
                ("created_ns", models.BigIntegerField()),
                ("removed_ns", models.BigIntegerField(null=True)),
                ("state", models.JSONField(default=dict)),
                ("begun_ns", models.BigIntegerField(default=0)),
                ("ended_ns", models.BigIntegerField(default=0)),
                ("well_ns", models.BigIntegerField(default=0)),
                ("tries", models.IntegerField(default=0)),
                ("pid", models.IntegerField(default=0)),
                ("doing", models.CharField(blank=True, max_length=160)),
                ("done", models.IntegerField(default=0)),
                ("total", models.IntegerField(default=0)),
                ("brought", models.IntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("failures", models.JSONField(default=list)),
                (
                    "site",
                    models.ForeignKey(
                        db_index=False,
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
        ),
        migrations.AddConstraint(
            model_name="scannerconnection",
            constraint=models.UniqueConstraint(
                condition=models.Q(removed_ns=None),
                fields=("tenant", "name"),
                name="scanner_connection_name",
            ),
        ),
        migrations.AddField(
            "vexdocument", "checked", models.CharField(blank=True, default="", max_length=400)
        ),
        migrations.AddField(
            "vexdocument", "fingerprint", models.CharField(blank=True, default="", max_length=64)
        ),
        migrations.AddField(
            "vexdocument", "signer", models.CharField(blank=True, default="", max_length=200)
        ),
    ]
