"""What devices are to each other: members of a company, and the services that they use."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


def _scope() -> list[tuple[str, models.ForeignKey[models.Model, models.Model]]]:
    return [
        (
            name,
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=f"store.{name}",
            ),
        )
        for name in ("site", "tenant")
    ]


class Migration(migrations.Migration):
    dependencies: ClassVar = [("store", "0016_weaknesses")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="CompanyMember",
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
                ("device_class", models.CharField(max_length=16)),
                ("category", models.CharField(max_length=64, null=True)),
                ("vendor", models.CharField(max_length=200, null=True)),
                ("due", models.BooleanField(default=False)),
                ("unmatched", models.BooleanField(default=True)),
                *_scope(),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("due", True)), fields=["site", "device"], name="company_due"
                    ),
                    models.Index(
                        condition=models.Q(("unmatched", True)),
                        fields=["site", "device"],
                        name="company_unmatched",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ServiceUse",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("server", models.CharField(max_length=45)),
                ("service", models.CharField(max_length=16)),
                (
                    "device",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="store.device",
                    ),
                ),
                *_scope(),
            ],
            options={
                "indexes": [models.Index(fields=["server", "service", "device"], name="service_use_server")],
                "constraints": [
                    models.UniqueConstraint(fields=("device", "server", "service"), name="service_use_key")
                ],
            },
        ),
    ]
