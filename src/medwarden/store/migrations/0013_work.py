"""The work on risk: what to do about what, its history, accepted risks, imported VEX statements."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("store", "0012_risk_over_time"),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="irrelevance",
            name="author",
            field=models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AddField(
            model_name="irrelevance",
            name="justification",
            field=models.CharField(blank=True, db_default="", default="", max_length=60),
        ),
        migrations.AddField(
            model_name="irrelevance",
            name="said",
            field=models.CharField(db_default="irrelevant", default="irrelevant", max_length=14),
        ),
        migrations.AddField(
            model_name="irrelevance",
            name="source",
            field=models.CharField(blank=True, db_default="", default="", max_length=40),
        ),
        migrations.CreateModel(
            name="VexDocument",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("form", models.CharField(max_length=10)),
                ("document", models.CharField(max_length=300)),
                ("version", models.CharField(blank=True, max_length=40)),
                ("author", models.CharField(max_length=200)),
                ("published", models.CharField(blank=True, max_length=40)),
                ("source", models.CharField(max_length=255)),
                ("digest", models.CharField(max_length=64)),
                ("actor", models.CharField(max_length=150)),
                ("at_ns", models.BigIntegerField()),
                ("by_vendor", models.BooleanField(default=False)),
                ("problems", models.JSONField(default=list)),
                ("undone_ns", models.BigIntegerField(null=True)),
                ("undone_by", models.CharField(blank=True, max_length=150)),
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
            name="VexStatement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("place", models.CharField(max_length=200)),
                ("vulnerability", models.CharField(max_length=60)),
                ("product", models.CharField(max_length=400)),
                ("vendor", models.CharField(blank=True, max_length=200)),
                ("says", models.CharField(max_length=20)),
                ("justification", models.CharField(blank=True, max_length=60)),
                ("text", models.TextField(blank=True)),
                ("names", models.JSONField(default=list)),
                ("claim", models.JSONField(default=dict)),
                ("state", models.CharField(max_length=10)),
                ("effect", models.JSONField(default=list)),
                ("devices", models.IntegerField(default=0)),
                ("decided_by", models.CharField(blank=True, max_length=150)),
                ("decided_ns", models.BigIntegerField(null=True)),
                ("reason", models.TextField(blank=True)),
                (
                    "document",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="statements",
                        to="store.vexdocument",
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
            name="WorkAction",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=40)),
                ("kind", models.CharField(max_length=12)),
                ("title", models.CharField(max_length=400)),
                ("shown", models.JSONField(default=dict)),
                ("severity", models.CharField(max_length=8)),
                ("severity_rank", models.SmallIntegerField()),
                ("priority", models.IntegerField()),
                ("exploited", models.BooleanField(default=False)),
                ("devices", models.IntegerField()),
                ("findings", models.IntegerField()),
                ("known_ns", models.BigIntegerField()),
                ("due_ns", models.BigIntegerField(null=True)),
                ("own_due_ns", models.BigIntegerField(null=True)),
                ("state", models.CharField(max_length=16)),
                ("owner", models.CharField(blank=True, max_length=150)),
                ("team", models.BooleanField(default=False)),
                ("work_order", models.CharField(blank=True, max_length=80)),
                ("labels", models.JSONField(default=list)),
                ("present", models.BooleanField(default=True)),
                ("opened_ns", models.BigIntegerField()),
                ("changed_ns", models.BigIntegerField()),
                ("claimed_ns", models.BigIntegerField(null=True)),
                ("closed_ns", models.BigIntegerField(null=True)),
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
            name="RiskAcceptance",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("state", models.CharField(max_length=10)),
                ("scope", models.CharField(max_length=8)),
                ("devices", models.JSONField(default=list)),
                ("vendor", models.CharField(blank=True, max_length=200)),
                ("model", models.CharField(blank=True, max_length=200)),
                ("subjects", models.JSONField(default=list)),
                ("conditions", models.TextField(blank=True)),
                ("subnet", models.CharField(blank=True, max_length=49)),
                ("reason", models.TextField()),
                ("asked_by", models.CharField(max_length=150)),
                ("asked_ns", models.BigIntegerField()),
                ("approver", models.CharField(blank=True, max_length=150)),
                ("decided_ns", models.BigIntegerField(null=True)),
                ("decided_reason", models.TextField(blank=True)),
                ("expires_ns", models.BigIntegerField()),
                ("ended_ns", models.BigIntegerField(null=True)),
                ("ended_by", models.CharField(blank=True, max_length=150)),
                ("ended_reason", models.TextField(blank=True)),
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
                    "action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="acceptances",
                        to="store.workaction",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="WorkEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at_ns", models.BigIntegerField()),
                ("actor", models.CharField(max_length=150)),
                ("what", models.CharField(max_length=16)),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
                ("reason", models.TextField(blank=True)),
                ("batch", models.CharField(max_length=40)),
                ("undone_ns", models.BigIntegerField(null=True)),
                ("undone_by", models.CharField(blank=True, max_length=150)),
                (
                    "action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="store.workaction",
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
            name="WorkRemedy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("vulnerability", models.CharField(max_length=60)),
                ("key", models.CharField(max_length=40)),
                ("choice", models.JSONField()),
                ("edition", models.BigIntegerField()),
                ("rules", models.CharField(max_length=40)),
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
        ),
        migrations.AddIndex(
            model_name="vexdocument",
            index=models.Index(fields=["tenant", "at_ns"], name="vex_document_time"),
        ),
        migrations.AddIndex(
            model_name="vexstatement",
            index=models.Index(fields=["tenant", "state", "vulnerability"], name="vex_statement_state"),
        ),
        migrations.AddIndex(
            model_name="workaction",
            index=models.Index(fields=["tenant", "present", "priority"], name="work_action_order"),
        ),
        migrations.AddIndex(
            model_name="workaction",
            index=models.Index(
                condition=models.Q(("present", True)), fields=["tenant", "due_ns"], name="work_action_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="workaction",
            constraint=models.UniqueConstraint(fields=("site", "key"), name="work_action_key"),
        ),
        migrations.AddIndex(
            model_name="riskacceptance",
            index=models.Index(fields=["tenant", "state", "expires_ns"], name="risk_acceptance_open"),
        ),
        migrations.AddIndex(
            model_name="workevent",
            index=models.Index(fields=["tenant", "batch"], name="work_event_batch"),
        ),
        migrations.AddIndex(
            model_name="workremedy",
            index=models.Index(fields=["tenant", "key"], name="work_remedy_action"),
        ),
        migrations.AddConstraint(
            model_name="workremedy",
            constraint=models.UniqueConstraint(fields=("profile", "vulnerability"), name="work_remedy_key"),
        ),
    ]
