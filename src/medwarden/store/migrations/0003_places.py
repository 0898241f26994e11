"""Places: where a device is, and the plan that says so."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0002_search"),
    ]

    operations = [
        migrations.AddField(
            model_name="device",
            name="place",
            field=models.JSONField(null=True),
        ),
        migrations.CreateModel(
            name="FloorPlanRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=16)),
                ("key", models.CharField(max_length=420)),
                ("building", models.CharField(blank=True, max_length=200)),
                ("floor", models.CharField(blank=True, max_length=200)),
                ("room", models.CharField(blank=True, max_length=200)),
                ("department", models.CharField(blank=True, max_length=200)),
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
                    models.UniqueConstraint(fields=("site", "kind", "key"), name="floor_plan_key")
                ],
            },
        ),
    ]
