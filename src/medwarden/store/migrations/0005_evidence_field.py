"""Find the devices that said a field without reading the whole ledger."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0004_probing"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="evidenceentry",
            index=models.Index(fields=["field", "device"], name="evidence_field"),
        ),
    ]
