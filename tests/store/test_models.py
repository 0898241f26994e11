from __future__ import annotations

import io

from django.apps import apps
from django.core.management import call_command
from django.db import connection

from medwarden.store.models import Site, Tenant, User
from medwarden.store.open import Store
from medwarden.store.sqlite import PRAGMAS


def test_every_table_has_tenant_and_site() -> None:
    for label in ("store", "web"):
        for model in apps.get_app_config(label).get_models():
            if model in (Tenant, Site, User):
                continue
            columns = {field.column for field in model._meta.concrete_fields}
            assert {"tenant_id", "site_id"} <= columns, model


def test_migrations_are_complete(store: Store) -> None:
    out = io.StringIO()
    call_command("makemigrations", "store", check=True, dry_run=True, stdout=out)
    assert "No changes" in out.getvalue()


def test_a_commit_is_durable(store: Store) -> None:
    with connection.cursor() as cursor:
        values = {}
        for name, _ in PRAGMAS:
            cursor.execute(f"PRAGMA {name}")
            values[name] = cursor.fetchone()[0]
    assert (values["journal_mode"], values["synchronous"]) == ("wal", 2)
