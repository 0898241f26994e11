"""Read and write many rows of a model with one prepared statement.

Django's ``bulk_update`` builds a CASE of all rows for every column and spends a hundred times what
SQLite does; these build one statement and bind the rows to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import NoneType
from typing import Any

import msgspec
from django.db import connection
from django.db.models import (
    BigIntegerField,
    BooleanField,
    CharField,
    Field,
    FloatField,
    ForeignKey,
    IntegerField,
    Model,
    TextField,
)
from django.db.models.expressions import RawSQL


def among(keys: Iterable[str]) -> RawSQL:
    """Return what ``field__in`` takes to look up many keys at once: one parameter in place of hundreds.

    Django prepares and SQLite parses each key of a list; over a large site that costs more than the rows.
    """
    return RawSQL("SELECT value FROM json_each(%s)", (msgspec.json.encode(list(keys)).decode(),))


Stored = str | int | float | bytes | None
_AS_THEY_ARE: dict[type[Field[Any, Any]], frozenset[type]] = {
    CharField: frozenset({str, NoneType}),
    TextField: frozenset({str, NoneType}),
    IntegerField: frozenset({int, NoneType}),
    BigIntegerField: frozenset({int, NoneType}),
    FloatField: frozenset({float, NoneType}),
    BooleanField: frozenset({bool, NoneType}),
}
"""Fields of Django's own whose values of these very types are stored as they are."""


def _column(field: Field[Any, Any]) -> tuple[str, frozenset[type], Callable[[Any, Any], Any]]:
    """Return where a row holds a field, values of which types go as they are, and what prepares others."""
    held: Field[Any, Any] = field
    while isinstance(held, ForeignKey):
        held = held.target_field
    return field.attname, _AS_THEY_ARE.get(type(held), frozenset()), field.get_db_prep_save


def _values(rows: Sequence[Model], fields: Iterable[Field[Any, Any]]) -> list[list[Stored]]:
    """Return what is stored of rows.

    Most values are texts and numbers that go as they are: Django's way through them takes as long as SQLite.
    """
    columns = [_column(field) for field in fields]
    return [
        [
            value if type(value := getattr(row, name)) in plain else prepare(value, connection)
            for name, plain, prepare in columns
        ]
        for row in rows
    ]


def update_rows(rows: Sequence[Model], names: Sequence[str]) -> None:
    """Store the fields ``names`` of rows that are there already."""
    if not rows:
        return
    meta = rows[0]._meta
    fields = [meta.get_field(name) for name in names]
    chosen = [field for field in fields if isinstance(field, Field)]
    key = meta.pk
    changes = ", ".join(f'"{field.column}" = %s' for field in chosen)
    statement = f'UPDATE "{meta.db_table}" SET {changes} WHERE "{key.column}" = %s'  # noqa: S608
    with connection.cursor() as cursor:
        cursor.executemany(statement, _values(rows, (*chosen, key)))


def insert_rows(rows: Sequence[Model], *, unique: str = "", update: Sequence[str] = ()) -> None:
    """Insert rows whose keys the database makes or that carry their own.

    Where ``unique`` names a field, a row that has its value already takes over the fields ``update``.
    The keys that the database made are not read back.
    """
    if not rows:
        return
    meta = rows[0]._meta
    fields = [field for field in meta.concrete_fields if not (field.primary_key and rows[0].pk is None)]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    statement = f'INSERT INTO "{meta.db_table}" ({columns}) VALUES ({", ".join(["%s"] * len(fields))})'  # noqa: S608
    if unique:
        by_name = {field.name: field.column for field in meta.concrete_fields}
        changes = ", ".join(f'"{by_name[name]}" = excluded."{by_name[name]}"' for name in update)
        statement += f' ON CONFLICT ("{by_name[unique]}") DO UPDATE SET {changes}'
    with connection.cursor() as cursor:
        cursor.executemany(statement, _values(rows, fields))
