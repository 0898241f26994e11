"""Read and write many rows of a model with one prepared statement.

Django's ``bulk_update`` builds a CASE of all rows for every column and spends a hundred times what
SQLite does; these build one statement and bind the rows to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from django.db import connection
from django.db.models import Field, Model
from django.db.models.expressions import RawSQL


def among(keys: Iterable[str]) -> RawSQL:
    """Return what ``field__in`` takes to look up many keys at once: one parameter in place of hundreds.

    Django prepares and SQLite parses each key of a list; over a large site that costs more than the rows.
    """
    return RawSQL("SELECT value FROM json_each(%s)", (msgspec.json.encode(list(keys)).decode(),))


def _prepared(field: Field[Any, Any], row: Model) -> str | int | float | bytes | None:
    value: str | int | float | bytes | None = field.get_db_prep_save(getattr(row, field.attname), connection)
    return value


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
        cursor.executemany(statement, [tuple(_prepared(f, row) for f in (*chosen, key)) for row in rows])


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
        cursor.executemany(statement, [tuple(_prepared(f, row) for f in fields) for row in rows])
