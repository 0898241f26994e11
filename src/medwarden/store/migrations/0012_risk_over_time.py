"""Scores, factors, rules and groups over time: spans of what held, instead of every factor with every score."""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import Any, ClassVar

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def _key() -> models.BigAutoField[int, int]:
    return models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


def _to(table: str, *, null: bool = False, cascade: bool = False) -> models.ForeignKey[Any, Any]:
    on_delete = django.db.models.deletion.CASCADE if cascade else django.db.models.deletion.PROTECT
    return models.ForeignKey(db_index=False, null=null, on_delete=on_delete, related_name="+", to=table)


def carry_over(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Turn the factors that were stored with every score into spans, and scores into spans of their own."""
    scores = apps.get_model("store", "RiskScore")._default_manager.order_by("device_id", "at_ns", "pk")
    factors: Any = apps.get_app_config("store").get_model("riskfactor")._default_manager
    spans = apps.get_model("store", "FactorSpan")._default_manager
    for _, rows in groupby(scores.iterator(), key=lambda row: row.device_id):
        history = list(rows)
        for row, after in pairwise(history):
            row.until_ns = after.at_ns
        held: dict[str, Any] = {}
        for row in history:
            now = {f.factor: f for f in factors.filter(score_id=row.pk)}
            row.points = {name: [f.points, 0] for name, f in now.items()}
            for name, span in list(held.items()):
                fresh = now.get(name)
                if fresh is None or (fresh.raw_points, fresh.why) != (span.raw_points, span.why):
                    span.until_ns = row.at_ns
                    span.save()
                    del held[name]
                else:
                    span.points = fresh.points
            for name in [name for name in now if name not in held]:
                f = now[name]
                held[name] = spans.model(
                    tenant_id=f.tenant_id, site_id=f.site_id, device_id=row.device_id, factor=name,
                    title=f.title[:200], group=f.group, points=f.points, raw_points=f.raw_points, why=f.why,
                    evidence=f.evidence, since_ns=row.at_ns,
                )  # fmt: skip
            row.save(update_fields=["until_ns", "points"])
        for span in held.values():
            span.save()


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0011_recalls")]
    operations: ClassVar = [
        migrations.CreateModel(
            "FactorSpan",
            [
                ("id", _key()),
                ("factor", models.CharField(max_length=80)),
                ("title", models.CharField(max_length=200)),
                ("group", models.CharField(max_length=20)),
                ("points", models.SmallIntegerField()),
                ("raw_points", models.FloatField()),
                ("why", models.TextField()),
                ("evidence", models.JSONField(default=list)),
                ("since_ns", models.BigIntegerField()),
                ("until_ns", models.BigIntegerField(null=True)),
                ("cause", models.CharField(blank=True, max_length=200)),
                ("device", _to("store.device", cascade=True)),
                ("site", _to("store.site")),
                ("tenant", _to("store.tenant")),
            ],
        ),
        migrations.CreateModel(
            "GroupRisk",
            [
                ("id", _key()),
                ("kind", models.CharField(max_length=12)),
                ("name", models.CharField(max_length=200)),
                ("at_ns", models.BigIntegerField()),
                ("score", models.SmallIntegerField()),
                ("level", models.CharField(max_length=8)),
                ("devices", models.IntegerField()),
                ("by_level", models.JSONField(default=dict)),
                ("worst", models.JSONField(default=list)),
                ("cause", models.CharField(blank=True, max_length=200)),
                ("site", _to("store.site", null=True)),
                ("tenant", _to("store.tenant")),
            ],
        ),
        migrations.CreateModel(
            "RiskRules",
            [
                ("id", _key()),
                ("version", models.CharField(max_length=80)),
                ("weights", models.TextField()),
                ("since_ns", models.BigIntegerField()),
                ("site", _to("store.site", null=True)),
                ("tenant", _to("store.tenant")),
            ],
        ),
        migrations.AddField("device", "risk_impact", models.SmallIntegerField(db_default=0, default=0)),
        migrations.AddField("device", "risk_likelihood", models.SmallIntegerField(db_default=0, default=0)),
        migrations.AddField("device", "score_due_ns", models.BigIntegerField(null=True)),
        migrations.AddField(
            "riskscore", "cause", models.CharField(blank=True, db_default="", default="", max_length=200)
        ),
        migrations.AddField("riskscore", "impact", models.SmallIntegerField(db_default=0, default=0)),
        migrations.AddField("riskscore", "likelihood", models.SmallIntegerField(db_default=0, default=0)),
        migrations.AddField("riskscore", "points", models.JSONField(default=dict)),
        migrations.AddField("riskscore", "until_ns", models.BigIntegerField(null=True)),
        migrations.AddField("vulnerabilityweight", "vectors", models.JSONField(default=list)),
        migrations.RunPython(carry_over, migrations.RunPython.noop),
        migrations.DeleteModel("RiskFactor"),
        migrations.AddIndex(
            "device",
            models.Index(
                condition=models.Q(("score_due_ns__isnull", False)),
                fields=["site", "id"],
                name="device_score_due",
            ),
        ),
        migrations.AddIndex("factorspan", models.Index(fields=["device", "since_ns"], name="factor_history")),
        migrations.AddIndex(
            "factorspan",
            models.Index(
                condition=models.Q(("until_ns", None)), fields=["tenant", "factor"], name="factor_now"
            ),
        ),
        migrations.AddConstraint(
            "factorspan",
            models.UniqueConstraint(
                condition=models.Q(("until_ns", None)), fields=("device", "factor"), name="factor_current"
            ),
        ),
        migrations.AddIndex(
            "grouprisk", models.Index(fields=["tenant", "kind", "name", "at_ns"], name="group_history")
        ),
        migrations.AddConstraint(
            "riskrules", models.UniqueConstraint(fields=("tenant", "version"), name="risk_rules")
        ),
    ]
