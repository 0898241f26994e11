"""Recalls and notices: verdicts over time, the work they make, and letters to makers."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("store", "0010_vulnerabilities"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="MakerLetter",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("maker", models.CharField(max_length=200)),
                ("model", models.CharField(blank=True, max_length=200)),
                ("firmware", models.CharField(blank=True, max_length=200)),
                ("vulnerabilities", models.JSONField(default=list)),
                ("devices", models.JSONField(default=list)),
                ("text", models.TextField()),
                ("state", models.CharField(max_length=12)),
                ("owner", models.CharField(blank=True, max_length=150)),
                ("sent_ns", models.BigIntegerField(null=True)),
                ("sent_to", models.CharField(blank=True, max_length=300)),
                ("due_ns", models.BigIntegerField(null=True)),
                ("reminders", models.JSONField(default=list)),
                ("answer", models.JSONField(default=list)),
                ("answered_ns", models.BigIntegerField(null=True)),
                ("document", models.CharField(blank=True, max_length=300)),
                ("created_ns", models.BigIntegerField()),
                ("changed_ns", models.BigIntegerField()),
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
        migrations.CreateModel(
            name="MakerLetterEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at_ns", models.BigIntegerField()),
                ("actor", models.CharField(max_length=150)),
                ("kind", models.CharField(max_length=12)),
                ("before", models.JSONField(null=True)),
                ("note", models.TextField(blank=True)),
                ("undone_ns", models.BigIntegerField(null=True)),
                (
                    "letter",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="store.makerletter",
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
        ),
        migrations.CreateModel(
            name="RecallFacts",
            fields=[
                (
                    "device",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="store.device",
                    ),
                ),
                ("facts", models.JSONField()),
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
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="RecallNotice",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("number", models.CharField(max_length=120)),
                ("origin", models.CharField(max_length=20)),
                ("recall_class", models.CharField(max_length=12)),
                ("maker", models.CharField(blank=True, max_length=300)),
                ("title", models.CharField(max_length=400)),
                ("begun", models.CharField(blank=True, max_length=10)),
                ("ongoing", models.BooleanField(default=True)),
                ("body", models.JSONField()),
                ("version", models.IntegerField(default=1)),
                ("withdrawn", models.BooleanField(default=False)),
                ("added_ns", models.BigIntegerField()),
                ("owner", models.CharField(blank=True, max_length=150)),
                ("contact", models.TextField(blank=True)),
                ("note", models.TextField(blank=True)),
                ("closed_ns", models.BigIntegerField(null=True)),
                ("closure", models.JSONField(null=True)),
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
        migrations.CreateModel(
            name="RecallCase",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("device", models.CharField(max_length=40)),
                ("label", models.CharField(max_length=200)),
                ("step", models.CharField(max_length=16)),
                ("owner", models.CharField(blank=True, max_length=150)),
                ("due_ns", models.BigIntegerField(null=True)),
                ("work_order", models.CharField(blank=True, max_length=120)),
                ("opened_ns", models.BigIntegerField()),
                ("changed_ns", models.BigIntegerField()),
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
                (
                    "notice",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cases",
                        to="store.recallnotice",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RecallNoticeVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.IntegerField()),
                ("body", models.JSONField()),
                ("at_ns", models.BigIntegerField()),
                ("actor", models.CharField(max_length=150)),
                ("reason", models.TextField(blank=True)),
                (
                    "notice",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="store.recallnotice",
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
        ),
        migrations.CreateModel(
            name="RecallStanding",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("edition", models.BigIntegerField(default=-1)),
                ("notices_ns", models.BigIntegerField(default=0)),
                ("rules_version", models.CharField(blank=True, max_length=40)),
                ("judged_ns", models.BigIntegerField(default=0)),
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
            name="RecallStep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at_ns", models.BigIntegerField()),
                ("actor", models.CharField(max_length=150)),
                ("kind", models.CharField(max_length=12)),
                ("before", models.CharField(blank=True, max_length=200)),
                ("after", models.CharField(blank=True, max_length=200)),
                ("evidence", models.TextField(blank=True)),
                ("references", models.JSONField(default=list)),
                ("undone_ns", models.BigIntegerField(null=True)),
                ("undone_by", models.CharField(blank=True, max_length=150)),
                (
                    "case",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="steps",
                        to="store.recallcase",
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
            name="RecallVerdict",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("state", models.CharField(max_length=16)),
                ("reason", models.TextField()),
                ("aspects", models.JSONField(default=list)),
                ("rules_version", models.CharField(max_length=40)),
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
                    "notice",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="store.recallnotice",
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
            model_name="makerletter",
            index=models.Index(fields=["tenant", "state", "due_ns"], name="maker_letter_state"),
        ),
        migrations.AddIndex(
            model_name="makerletterevent",
            index=models.Index(fields=["letter", "at_ns"], name="maker_letter_event"),
        ),
        migrations.AddIndex(
            model_name="recallnotice",
            index=models.Index(fields=["tenant", "origin"], name="recall_notice_origin"),
        ),
        migrations.AddConstraint(
            model_name="recallnotice",
            constraint=models.UniqueConstraint(fields=("tenant", "number"), name="recall_notice_number"),
        ),
        migrations.AddIndex(
            model_name="recallcase",
            index=models.Index(fields=["device"], name="recall_case_device"),
        ),
        migrations.AddIndex(
            model_name="recallcase",
            index=models.Index(fields=["tenant", "step", "due_ns"], name="recall_case_step"),
        ),
        migrations.AddConstraint(
            model_name="recallcase",
            constraint=models.UniqueConstraint(fields=("notice", "device"), name="recall_case_key"),
        ),
        migrations.AddConstraint(
            model_name="recallnoticeversion",
            constraint=models.UniqueConstraint(fields=("notice", "number"), name="recall_notice_version"),
        ),
        migrations.AddConstraint(
            model_name="recallstanding",
            constraint=models.UniqueConstraint(fields=("site",), name="recall_standing_site"),
        ),
        migrations.AddIndex(
            model_name="recallstep",
            index=models.Index(fields=["case", "at_ns"], name="recall_step_case"),
        ),
        migrations.AddIndex(
            model_name="recallverdict",
            index=models.Index(fields=["device", "notice", "since_ns"], name="recall_verdict_history"),
        ),
        migrations.AddIndex(
            model_name="recallverdict",
            index=models.Index(fields=["notice", "until_ns", "state"], name="recall_verdict_notice"),
        ),
        migrations.AddConstraint(
            model_name="recallverdict",
            constraint=models.UniqueConstraint(
                condition=models.Q(("until_ns", None)),
                fields=("device", "notice"),
                name="recall_verdict_current",
            ),
        ),
    ]
