"""Reads whose statement is built once, and bound to other values at each call.

Django builds the statement of a query anew each time it is asked, which takes ten times as long as SQLite
takes to answer for one device. What is kept here is the text alone: rows are never kept, so nothing that is
read by it can be out of date. The text follows from the models, which do not change while a process runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import msgspec
from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.expressions import RawSQL

Value = str | int | None
"""One value of a call."""

Row = TypeVar("Row", bound=Model)
_AT_ONCE = 2000


class _Place(msgspec.Struct, frozen=True):
    """Stands in the parameters of a statement where a value of a call goes."""

    number: int


class _Statement(msgspec.Struct, frozen=True):
    """A query as text; ``converters`` are what Django applies to some of its columns, with the columns."""

    text: str
    parameters: tuple[Any, ...]
    converters: tuple[tuple[int, tuple[Callable[..., Any], ...], Any], ...]


class Prepared:
    """A query for ``columns``, given by what returns it: ``lambda keys, tenant: Table.objects.filter(...)``.

    That is called once, with expressions in place of values: the first stands for many keys and goes after
    ``__in``, each of the others for one value. It must return a query without a limit.
    """

    def __init__(self, build: Callable[..., QuerySet[Any]], *columns: str) -> None:
        self._build = build
        self._columns = columns
        self._made: _Statement | None = None

    def __call__(self, keys: Iterable[str], *values: Value) -> Iterator[tuple[Any, ...]]:
        """Yield the rows for these keys and values as the query itself would; read while they are taken."""
        made = self._made
        if made is None:
            made = self._made = self._prepare()
        bound: tuple[Value, ...] = (msgspec.json.encode(list(keys)).decode(), *values)
        with connection.cursor() as cursor:
            cursor.execute(
                made.text, [bound[p.number] if isinstance(p, _Place) else p for p in made.parameters]
            )
            while rows := cursor.fetchmany(_AT_ONCE):
                yield from _converted(rows, made) if made.converters else rows
                if len(rows) < _AT_ONCE:
                    return

    def _prepare(self) -> _Statement:
        number = len(inspect.signature(self._build).parameters)
        keys = RawSQL("SELECT value FROM json_each(%s)", (_Place(0),))
        values = [RawSQL("%s", (_Place(n),)) for n in range(1, number)]
        chosen = self._build(keys, *values).values_list(*self._columns)
        compiler = chosen.query.get_compiler(connection=connection)
        text, parameters = compiler.as_sql()
        columns = [column for column, *_ in compiler.select[: compiler.col_count]]
        converters = compiler.get_converters(columns)
        return _Statement(
            text, tuple(parameters), tuple((at, tuple(each), of) for at, (each, of) in converters.items())
        )


def _converted(rows: Iterable[tuple[Any, ...]], made: _Statement) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        values = list(row)
        for at, converters, column in made.converters:
            for convert in converters:
                values[at] = convert(values[at], column, connection)
        yield tuple(values)


class PreparedRows(Generic[Row]):
    """The same for whole rows of ``model``, as instances of it."""

    def __init__(self, model: type[Row], build: Callable[..., QuerySet[Row]]) -> None:
        self._model = model
        self._names = [field.attname for field in model._meta.concrete_fields]
        self._read = Prepared(build, *self._names)

    def __call__(self, keys: Iterable[str], *values: Value) -> Iterator[Row]:
        """Yield the rows for these keys and values."""
        for row in self._read(keys, *values):
            yield self._model.from_db(connection.alias, self._names, row)
