"""Rows that are written at once hold what Django would have written one by one."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import Field, Model
from tests.store.conftest import home, migrated, store  # noqa: F401 - fixtures

from medwarden.store.bulk import _column, _values
from medwarden.store.open import Store


class Word(StrEnum):
    """A text that is no plain one."""

    ONE = "one"


VALUES: tuple[object, ...] = (None, "", "Größe", Word.ONE, 0, -1, 2**62, True, False, 1.5, 3.0, b"x", [1])


@pytest.mark.usefixtures("store")
def test_what_goes_as_it_is_is_what_django_would_store() -> None:
    compared = 0
    for model in apps.get_app_config("store").get_models():
        for field in model._meta.concrete_fields:
            name, plain, _ = _column(field)
            for value in VALUES:
                row = model()
                setattr(row, name, value)
                if type(value) in plain:
                    stored = field.get_db_prep_save(value, connection)
                    assert _values([row], [field]) == [[stored]], (model, name, value)
                    compared += 1
    assert compared > 1000


def differs(row: Model, field: Field[Any, Any]) -> bool:
    return _values([row], [field]) != [[field.get_db_prep_save(getattr(row, field.attname), connection)]]


def test_structures_and_words_go_through_django(store: Store) -> None:  # noqa: F811
    del store
    from medwarden.store.models import Device

    row = Device(id="d-1", tenant_id="default", site_id="main", vendor=Word.ONE, macs=["00:11"], names=[])
    assert not any(differs(row, field) for field in Device._meta.concrete_fields)
