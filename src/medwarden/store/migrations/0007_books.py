"""Books of equipment and what their reconciliation says; attributes of the hospital's own; components."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0006_identity_over_time")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="AttributeDefinition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=64)),
                ("title", models.CharField(max_length=120)),
                ("kind", models.CharField(max_length=8)),
                ("choices", models.JSONField(default=list)),
                ("editors", models.JSONField(default=list)),
                ("position", models.IntegerField(default=0)),
                ("created_ns", models.BigIntegerField()),
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
            name="AttributeRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                ("position", models.IntegerField()),
                ("value", models.CharField(max_length=400)),
                ("conditions", models.JSONField(default=dict)),
                ("created_ns", models.BigIntegerField()),
                (
                    "attribute",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rules",
                        to="store.attributedefinition",
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
            name="AttributeValue",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("value", models.CharField(max_length=400)),
                ("number", models.FloatField(null=True)),
                ("rule", models.CharField(blank=True, max_length=80)),
                ("why", models.TextField(blank=True)),
                ("actor", models.CharField(max_length=150)),
                ("at_ns", models.BigIntegerField()),
                (
                    "attribute",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="store.attributedefinition",
                    ),
                ),
                (
                    "device",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
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
            name="Book",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=80)),
                ("system", models.CharField(default="generic", max_length=40)),
                ("columns", models.JSONField(default=list)),
                ("own", models.JSONField(default=dict)),
                ("version", models.IntegerField(default=0)),
                ("created_ns", models.BigIntegerField()),
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
            name="BookDecision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=200)),
                ("decision", models.CharField(max_length=8)),
                ("actor", models.CharField(max_length=150)),
                ("reason", models.TextField(blank=True)),
                ("at_ns", models.BigIntegerField()),
                (
                    "book",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="store.book",
                    ),
                ),
                (
                    "device",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
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
            name="BookMatch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=200)),
                ("state", models.CharField(max_length=16)),
                ("log_odds", models.FloatField()),
                ("margin", models.FloatField()),
                ("evidence", models.JSONField(default=list)),
                ("disagrees", models.CharField(blank=True, max_length=300)),
                ("since_ns", models.BigIntegerField()),
                (
                    "book",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="store.book",
                    ),
                ),
                (
                    "device",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
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
            name="BookRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=200)),
                ("line", models.IntegerField()),
                ("since", models.IntegerField()),
                ("until", models.IntegerField(null=True)),
                ("since_ns", models.BigIntegerField()),
                ("said", models.JSONField(default=dict)),
                ("status", models.CharField(blank=True, max_length=40)),
                ("twins", models.CharField(blank=True, max_length=60)),
                (
                    "book",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rows",
                        to="store.book",
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
            name="BookVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.IntegerField()),
                ("at_ns", models.BigIntegerField()),
                ("actor", models.CharField(max_length=150)),
                ("source", models.CharField(max_length=255)),
                ("digest", models.CharField(max_length=64)),
                ("columns", models.JSONField(default=list)),
                ("before_columns", models.JSONField(default=list)),
                ("rows", models.IntegerField()),
                ("new", models.IntegerField()),
                ("changed", models.IntegerField()),
                ("gone", models.IntegerField()),
                ("rejected", models.IntegerField()),
                ("problems", models.JSONField(default=list)),
                ("undone_ns", models.BigIntegerField(null=True)),
                (
                    "book",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="store.book",
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
            name="ComponentList",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("vendor", models.CharField(blank=True, max_length=200)),
                ("model", models.CharField(blank=True, max_length=200)),
                ("firmware", models.CharField(blank=True, max_length=200)),
                ("format", models.CharField(max_length=40)),
                ("name", models.CharField(max_length=255)),
                ("version", models.CharField(blank=True, max_length=120)),
                ("source", models.CharField(max_length=255)),
                ("digest", models.CharField(max_length=64)),
                ("said_at", models.CharField(blank=True, max_length=40)),
                ("components", models.IntegerField()),
                ("skipped", models.IntegerField(default=0)),
                ("actor", models.CharField(max_length=150)),
                ("at_ns", models.BigIntegerField()),
                (
                    "device",
                    models.ForeignKey(
                        db_constraint=False,
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
        ),
        migrations.CreateModel(
            name="SoftwareComponent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.IntegerField()),
                ("ref", models.CharField(max_length=512)),
                ("kind", models.CharField(blank=True, max_length=40)),
                ("name", models.CharField(max_length=400)),
                ("version", models.CharField(blank=True, max_length=200)),
                ("supplier", models.CharField(blank=True, max_length=255)),
                ("purl", models.CharField(blank=True, max_length=700)),
                ("cpe", models.CharField(blank=True, max_length=400)),
                ("licences", models.JSONField(default=list)),
                ("hashes", models.JSONField(default=dict)),
                ("depends", models.JSONField(default=list)),
                (
                    "bill",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rows",
                        to="store.componentlist",
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
        migrations.AddConstraint(
            model_name="attributedefinition",
            constraint=models.UniqueConstraint(fields=("tenant", "name"), name="attribute_name"),
        ),
        migrations.AddIndex(
            model_name="attributerule",
            index=models.Index(fields=["tenant", "attribute", "position"], name="attribute_rule_order"),
        ),
        migrations.AddConstraint(
            model_name="attributerule",
            constraint=models.UniqueConstraint(fields=("attribute", "name"), name="attribute_rule_name"),
        ),
        migrations.AddIndex(
            model_name="attributevalue",
            index=models.Index(fields=["attribute", "value", "device"], name="attribute_value_find"),
        ),
        migrations.AddConstraint(
            model_name="attributevalue",
            constraint=models.UniqueConstraint(fields=("device", "attribute"), name="attribute_value_key"),
        ),
        migrations.AddConstraint(
            model_name="book",
            constraint=models.UniqueConstraint(fields=("site", "name"), name="book_name"),
        ),
        migrations.AddConstraint(
            model_name="bookdecision",
            constraint=models.UniqueConstraint(fields=("book", "key", "device"), name="book_decision_key"),
        ),
        migrations.AddIndex(
            model_name="bookmatch",
            index=models.Index(fields=["device", "state"], name="book_match_device"),
        ),
        migrations.AddConstraint(
            model_name="bookmatch",
            constraint=models.UniqueConstraint(fields=("book", "key", "device"), name="book_match_key"),
        ),
        migrations.AddConstraint(
            model_name="bookrow",
            constraint=models.UniqueConstraint(fields=("book", "key", "since"), name="book_row_key"),
        ),
        migrations.AddConstraint(
            model_name="bookrow",
            constraint=models.UniqueConstraint(
                condition=models.Q(("until", None)), fields=("book", "key"), name="book_row_current"
            ),
        ),
        migrations.AddConstraint(
            model_name="bookversion",
            constraint=models.UniqueConstraint(fields=("book", "number"), name="book_version_number"),
        ),
        migrations.AddIndex(
            model_name="componentlist",
            index=models.Index(fields=["tenant", "vendor", "model"], name="component_list_model"),
        ),
        migrations.AddIndex(
            model_name="softwarecomponent",
            index=models.Index(fields=["tenant", "name", "version"], name="software_component_name"),
        ),
        migrations.AddConstraint(
            model_name="softwarecomponent",
            constraint=models.UniqueConstraint(fields=("bill", "position"), name="software_component_key"),
        ),
    ]
