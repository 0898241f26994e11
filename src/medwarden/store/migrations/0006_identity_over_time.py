"""Identities that make up one device, decisions and proposals about them, moves, and changes of verdicts."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0005_evidence_field")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="DeviceElsewhere",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("other", models.CharField(max_length=40)),
                ("other_site", models.CharField(max_length=64)),
                ("because", models.JSONField(default=list)),
                ("since_ns", models.BigIntegerField()),
                ("until_ns", models.BigIntegerField()),
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
                "indexes": [models.Index(fields=["other"], name="device_elsewhere_other")],
                "constraints": [
                    models.UniqueConstraint(fields=("device", "other"), name="device_elsewhere_key")
                ],
            },
        ),
        migrations.CreateModel(
            name="Identity",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("device", models.CharField(db_column="device_id", max_length=40)),
                ("kind", models.CharField(max_length=8)),
                ("gateway", models.BooleanField()),
                ("vlans", models.JSONField(default=list)),
                ("first_seen", models.BigIntegerField()),
                ("last_seen", models.BigIntegerField()),
                ("parked", models.JSONField(null=True)),
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
                "indexes": [models.Index(fields=["site", "device"], name="identity_device")],
            },
        ),
        migrations.CreateModel(
            name="IdentityActivity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("device", models.CharField(db_column="device_id", max_length=40)),
                ("hour", models.BigIntegerField()),
                ("flows", models.BigIntegerField()),
                ("packets", models.BigIntegerField()),
                ("bytes_sent", models.BigIntegerField()),
                ("bytes_received", models.BigIntegerField()),
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
                "constraints": [
                    models.UniqueConstraint(fields=("device", "hour"), name="identity_activity_key")
                ],
            },
        ),
        migrations.CreateModel(
            name="IdentityAddress",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("device", models.CharField(db_column="device_id", max_length=40)),
                ("first_seen", models.BigIntegerField()),
                ("last_seen", models.BigIntegerField()),
                ("mac", models.CharField(blank=True, max_length=17)),
                ("ip", models.CharField(max_length=45)),
                ("address_order", models.CharField(max_length=33)),
                ("source", models.CharField(max_length=8)),
                ("current", models.BooleanField()),
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
                "constraints": [
                    models.UniqueConstraint(fields=("device", "ip", "mac"), name="identity_address_key")
                ],
            },
        ),
        migrations.CreateModel(
            name="IdentityConversation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("device", models.CharField(db_column="device_id", max_length=40)),
                ("first_seen", models.BigIntegerField()),
                ("last_seen", models.BigIntegerField()),
                ("role", models.CharField(max_length=8)),
                ("peer_device", models.CharField(blank=True, max_length=40)),
                ("peer_ip", models.CharField(blank=True, max_length=45)),
                ("peer_name", models.CharField(max_length=255, null=True)),
                ("scope", models.CharField(max_length=16)),
                ("transport", models.CharField(max_length=8)),
                ("port", models.IntegerField()),
                ("application", models.CharField(max_length=80, null=True)),
                ("flows", models.BigIntegerField()),
                ("packets", models.BigIntegerField()),
                ("bytes_sent", models.BigIntegerField()),
                ("bytes_received", models.BigIntegerField()),
                ("established", models.BooleanField()),
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
                "indexes": [models.Index(fields=["peer_device"], name="identity_conversation_peer")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("device", "role", "peer_device", "peer_ip", "transport", "port"),
                        name="identity_conversation_key",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="IdentityDecision",
            fields=[
                ("number", models.BigAutoField(primary_key=True, serialize=False)),
                ("action", models.CharField(max_length=8)),
                ("left", models.JSONField(default=list)),
                ("right", models.JSONField(default=list)),
                ("shown", models.JSONField(default=list)),
                ("automatic", models.BooleanField(default=False)),
                ("at_ns", models.BigIntegerField()),
                ("actor", models.CharField(max_length=150)),
                ("reason", models.TextField()),
                ("evidence", models.JSONField(default=list)),
                ("undone_ns", models.BigIntegerField(null=True)),
                ("undone_by", models.CharField(blank=True, max_length=150)),
                ("undone_why", models.TextField(blank=True)),
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
                "indexes": [models.Index(fields=["tenant", "site", "number"], name="identity_decision_site")],
            },
        ),
        migrations.CreateModel(
            name="IdentityEvidence",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("device", models.CharField(db_column="device_id", max_length=40)),
                ("first_seen", models.BigIntegerField()),
                ("last_seen", models.BigIntegerField()),
                ("source", models.CharField(max_length=40)),
                ("field", models.CharField(max_length=80)),
                ("value", models.CharField(max_length=512)),
                ("sensor", models.CharField(max_length=80)),
                ("count", models.BigIntegerField()),
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("device", "field", "value", "source", "sensor"), name="identity_evidence_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="IdentityInterface",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("device", models.CharField(db_column="device_id", max_length=40)),
                ("first_seen", models.BigIntegerField()),
                ("last_seen", models.BigIntegerField()),
                ("mac", models.CharField(max_length=17)),
                ("randomised", models.BooleanField()),
                ("virtual", models.BooleanField()),
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
                "constraints": [
                    models.UniqueConstraint(fields=("device", "mac"), name="identity_interface_key")
                ],
            },
        ),
        migrations.CreateModel(
            name="IdentityProposal",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=16)),
                ("left", models.CharField(max_length=40)),
                ("right", models.CharField(max_length=40)),
                ("odds", models.FloatField()),
                ("supporting", models.JSONField(default=list)),
                ("against", models.JSONField(default=list)),
                ("state", models.CharField(default="open", max_length=10)),
                ("at_ns", models.BigIntegerField()),
                ("decided_ns", models.BigIntegerField(null=True)),
                ("decided_by", models.CharField(blank=True, max_length=150)),
                ("reason", models.TextField(blank=True)),
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
                    models.Index(fields=["tenant", "state", "odds"], name="identity_proposal_state"),
                    models.Index(fields=["site", "state"], name="identity_proposal_site"),
                ],
            },
        ),
        migrations.CreateModel(
            name="IdentityService",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("device", models.CharField(db_column="device_id", max_length=40)),
                ("first_seen", models.BigIntegerField()),
                ("last_seen", models.BigIntegerField()),
                ("transport", models.CharField(max_length=8)),
                ("port", models.IntegerField()),
                ("application", models.CharField(max_length=80, null=True)),
                ("clients", models.IntegerField()),
                ("flows", models.BigIntegerField()),
                ("bytes", models.BigIntegerField()),
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("device", "transport", "port"), name="identity_service_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="VerdictChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("level", models.CharField(max_length=16)),
                ("old", models.CharField(blank=True, max_length=200)),
                ("new", models.CharField(blank=True, max_length=200)),
                ("confidence", models.FloatField()),
                ("at_ns", models.BigIntegerField()),
                ("heard_ns", models.BigIntegerField()),
                ("because", models.JSONField(default=list)),
                ("version", models.CharField(blank=True, max_length=120)),
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
                "indexes": [models.Index(fields=["device", "at_ns"], name="verdict_change_device")],
            },
        ),
    ]
