"""Verdicts on vulnerabilities over time, by profiles that devices share."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("store", "0009_doubts"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="MatchProfile",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("facts", models.JSONField()),
                ("edition", models.BigIntegerField(default=-1)),
                ("rules_version", models.CharField(blank=True, max_length=80)),
                ("judged_ns", models.BigIntegerField(default=0)),
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
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Irrelevance",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("vulnerability", models.CharField(max_length=60)),
                ("reason", models.TextField()),
                ("actor", models.CharField(max_length=150)),
                ("at_ns", models.BigIntegerField()),
                ("expires_ns", models.BigIntegerField()),
                ("ended_ns", models.BigIntegerField(null=True)),
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
                (
                    "profile",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="store.matchprofile",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "vulnerability", "ended_ns"], name="irrelevance_open")
                ],
            },
        ),
        migrations.CreateModel(
            name="ProfileMember",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("since_ns", models.BigIntegerField()),
                ("until_ns", models.BigIntegerField(null=True)),
                ("cause", models.CharField(max_length=200)),
                (
                    "device",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="store.device",
                    ),
                ),
                (
                    "profile",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="store.matchprofile",
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
            options={
                "indexes": [
                    models.Index(fields=["device", "since_ns"], name="member_history"),
                    models.Index(fields=["profile", "until_ns"], name="member_profile"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("until_ns", None)), fields=("device",), name="member_current"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="VulnerabilityVerdict",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("vulnerability", models.CharField(max_length=60)),
                ("advisory", models.CharField(blank=True, max_length=120)),
                ("state", models.CharField(max_length=14)),
                ("reason", models.TextField()),
                ("aspects", models.JSONField(default=list)),
                ("rules_version", models.CharField(max_length=80)),
                ("since_ns", models.BigIntegerField()),
                ("until_ns", models.BigIntegerField(null=True)),
                ("cause", models.CharField(max_length=200)),
                (
                    "profile",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="store.matchprofile",
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
                "indexes": [
                    models.Index(fields=["profile", "vulnerability", "since_ns"], name="verdict_history"),
                    models.Index(
                        fields=["tenant", "vulnerability", "until_ns"], name="verdict_vulnerability"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("until_ns", None)),
                        fields=("profile", "vulnerability"),
                        name="verdict_current",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="VulnerabilityWeight",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("vulnerability", models.CharField(max_length=60)),
                ("score", models.FloatField(null=True)),
                ("exploited", models.BooleanField(default=False)),
                ("exploits", models.BooleanField(default=False)),
                ("epss", models.FloatField(null=True)),
                ("title", models.TextField(blank=True)),
                ("remedy", models.TextField(blank=True)),
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
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "vulnerability"), name="vulnerability_weight")
                ],
            },
        ),
    ]
