"""Disclosure statements of makers (MDS2), and which devices they are of by hand."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("store", "0013_work"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="DisclosureAttachment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("series", models.CharField(max_length=40)),
                ("vendor", models.CharField(blank=True, max_length=200)),
                ("model", models.CharField(blank=True, max_length=200)),
                ("belongs", models.BooleanField()),
                ("reason", models.TextField()),
                ("actor", models.CharField(max_length=150)),
                ("at_ns", models.BigIntegerField()),
                ("ended_ns", models.BigIntegerField(null=True)),
                ("ended_by", models.CharField(blank=True, max_length=150)),
                (
                    "device",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="store.device",
                    ),
                ),
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
            options={
                "indexes": [models.Index(fields=["device"], name="disclosure_device")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("device__isnull", True), ("ended_ns", None)),
                        fields=("tenant", "series", "vendor", "model"),
                        name="disclosure_of_model",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DisclosureForm",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("series", models.CharField(max_length=40)),
                ("edition", models.CharField(max_length=20)),
                ("vendor", models.CharField(max_length=200)),
                ("model", models.CharField(max_length=500)),
                ("document", models.CharField(blank=True, max_length=200)),
                ("released", models.CharField(blank=True, max_length=10)),
                ("header", models.JSONField(default=dict)),
                ("answers", models.JSONField(default=list)),
                ("ports", models.JSONField(default=list)),
                ("problems", models.JSONField(default=list)),
                ("read_from", models.CharField(max_length=40)),
                ("source", models.CharField(max_length=255)),
                ("digest", models.CharField(max_length=64)),
                ("actor", models.CharField(max_length=150)),
                ("at_ns", models.BigIntegerField()),
                ("withdrawn_ns", models.BigIntegerField(null=True)),
                ("withdrawn_by", models.CharField(blank=True, max_length=150)),
                ("withdrawn_why", models.TextField(blank=True)),
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
            options={
                "indexes": [models.Index(fields=["tenant", "series", "released"], name="disclosure_series")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "series", "digest"), name="disclosure_file")
                ],
            },
        ),
    ]
