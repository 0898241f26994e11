"""Imported reports of vulnerability scanners and what they saw on which device."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("store", "0014_mds2"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Scan",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("scanner", models.CharField(max_length=40)),
                ("form", models.CharField(max_length=40)),
                ("title", models.CharField(blank=True, max_length=120)),
                ("source", models.CharField(max_length=255)),
                ("digest", models.CharField(max_length=64)),
                ("started_ns", models.BigIntegerField()),
                ("ended_ns", models.BigIntegerField()),
                ("imported_ns", models.BigIntegerField()),
                ("actor", models.CharField(max_length=150)),
                ("hosts", models.IntegerField()),
                ("known", models.IntegerField()),
                ("sightings", models.IntegerField()),
                ("rejected", models.IntegerField(default=0)),
                ("problems", models.JSONField(default=list)),
                ("removed_ns", models.BigIntegerField(null=True)),
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
        migrations.CreateModel(
            name="ScanHost",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("device", models.CharField(blank=True, max_length=40)),
                ("how", models.CharField(max_length=200)),
                ("ips", models.JSONField(default=list)),
                ("macs", models.JSONField(default=list)),
                ("names", models.JSONField(default=list)),
                ("os", models.CharField(blank=True, max_length=200)),
                ("credentialed", models.BooleanField(null=True)),
                ("seen_ns", models.BigIntegerField()),
                ("current", models.BooleanField(default=True)),
                ("software", models.JSONField(default=list)),
                ("updates", models.JSONField(default=list)),
                ("refuted", models.JSONField(default=list)),
                ("information", models.IntegerField(default=0)),
                (
                    "scan",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="store.scan"
                    ),
                ),
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
        migrations.CreateModel(
            name="ScannerSighting",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("device", models.CharField(max_length=40)),
                ("scanner", models.CharField(max_length=40)),
                ("vulnerability", models.CharField(max_length=60)),
                ("check_id", models.CharField(max_length=200)),
                ("title", models.CharField(blank=True, max_length=300)),
                ("outcome", models.CharField(max_length=14)),
                ("credentialed", models.BooleanField(null=True)),
                ("score", models.FloatField(null=True)),
                ("port", models.IntegerField(default=0)),
                ("transport", models.CharField(blank=True, max_length=8)),
                ("installed", models.CharField(blank=True, max_length=60)),
                ("fixed", models.CharField(blank=True, max_length=60)),
                ("remedy", models.CharField(blank=True, max_length=600)),
                ("seen_ns", models.BigIntegerField()),
                ("since_ns", models.BigIntegerField()),
                ("until_ns", models.BigIntegerField(null=True)),
                ("ended_by", models.CharField(blank=True, max_length=200)),
                ("ended_scan", models.CharField(blank=True, max_length=40)),
                (
                    "host",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="store.scanhost"
                    ),
                ),
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
        migrations.AddIndex(
            model_name="scan",
            index=models.Index(fields=["tenant", "imported_ns"], name="scan_imported"),
        ),
        migrations.AddConstraint(
            model_name="scan",
            constraint=models.UniqueConstraint(
                condition=models.Q(("removed_ns", None)), fields=("site", "digest"), name="scan_once"
            ),
        ),
        migrations.AddIndex(
            model_name="scanhost",
            index=models.Index(fields=["device", "current"], name="scan_host_device"),
        ),
        migrations.AddIndex(
            model_name="scannersighting",
            index=models.Index(fields=["device", "until_ns"], name="sighting_device"),
        ),
        migrations.AddIndex(
            model_name="scannersighting",
            index=models.Index(fields=["tenant", "vulnerability", "until_ns"], name="sighting_vulnerability"),
        ),
    ]
