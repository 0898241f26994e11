"""What people confirmed of devices, and the models trained on it."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0007_books")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Answer",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("number", models.IntegerField()),
                ("cluster", models.CharField(blank=True, max_length=40)),
                ("labels", models.JSONField()),
                ("shared", models.JSONField(default=list)),
                ("rule", models.JSONField(null=True)),
                ("effects", models.JSONField(default=dict)),
                ("at_ns", models.BigIntegerField()),
                ("actor", models.CharField(max_length=150)),
                ("reason", models.TextField(blank=True)),
                ("undone_ns", models.BigIntegerField(null=True)),
                ("undone_by", models.CharField(blank=True, max_length=150)),
                ("undone_reason", models.TextField(blank=True)),
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
            name="AnsweredDevice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "answer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="devices",
                        to="store.answer",
                    ),
                ),
                (
                    "device",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="store.device",
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
            name="LocalModel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.IntegerField()),
                ("answer", models.IntegerField()),
                ("rules", models.JSONField(default=list)),
                ("file", models.CharField(blank=True, max_length=120)),
                ("digest", models.CharField(blank=True, max_length=64)),
                ("figures", models.JSONField(default=dict)),
                ("at_ns", models.BigIntegerField()),
                ("actor", models.CharField(max_length=150)),
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
        ),
        migrations.AddIndex(
            model_name="answer",
            index=models.Index(fields=["tenant", "site", "number"], name="answer_site"),
        ),
        migrations.AddConstraint(
            model_name="answer",
            constraint=models.UniqueConstraint(fields=("tenant", "number"), name="answer_number"),
        ),
        migrations.AddIndex(
            model_name="answereddevice",
            index=models.Index(fields=["device"], name="answered_device"),
        ),
        migrations.AddConstraint(
            model_name="answereddevice",
            constraint=models.UniqueConstraint(fields=("answer", "device"), name="answered_once"),
        ),
        migrations.AddConstraint(
            model_name="localmodel",
            constraint=models.UniqueConstraint(fields=("tenant", "number"), name="local_model_number"),
        ),
    ]
