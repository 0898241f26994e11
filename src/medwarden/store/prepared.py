"""Reads whose statement is built once, and bound to other values at each call.

Django builds the statement of a query anew each time it is asked, which takes ten times as long as SQLite
takes to answer for one device. What is kept here is the text alone: rows are never kept, so nothing that is
read by it can be out of date. The text follows from the models, which do not change while a process runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.expressions import RawSQL

from medwarden.kernel.errors import InternalError

Value = str | int
"""One value of a call."""

Row = TypeVar("Row", bound=Model)
_AT_ONCE = 2000


class _Place(msgspec.Struct, frozen=True):
    """Stands in the parameters of a statement where a value of a call goes; ``many``: one that is keys."""

    number: int
    many: bool = False

    def bound(self, values: Sequence[Value | Iterable[str]]) -> Value:
        """Return the value as SQLite takes it. Raises InternalError where it is of the other kind."""
        value = values[self.number]
        if isinstance(value, str | int) is self.many:
            raise InternalError(
                f"value {self.number} of a prepared query must be {'keys' if self.many else 'one'}"
            )
        return value if isinstance(value, str | int) else msgspec.json.encode(list(value)).decode()


class _Statement(msgspec.Struct, frozen=True):
    """A query as text; ``converters`` are what Django applies to some of its columns, with the columns."""

    text: str
    parameters: tuple[Any, ...]
    converters: tuple[tuple[int, tuple[Callable[..., Any], ...], Any], ...]


def one_of(keys: RawSQL) -> RawSQL:
    """Return what goes after ``__in`` for a value that stands for many keys: they are one parameter."""
    (place,) = keys.params
    return RawSQL("SELECT value FROM json_each(%s)", (msgspec.structs.replace(place, many=True),))


class Prepared:
    """A query for ``columns``, given by what returns it.

    That is called once, with expressions in place of values. One that stands for many keys goes through
    :func:`one_of` and after ``__in``: ``Table.objects.filter(pk__in=one_of(keys), tenant_id=tenant)``.
    """

    def __init__(self, build: Callable[..., QuerySet[Any]], *columns: str) -> None:
        self._build = build
        self._columns = columns
        self._made: _Statement | None = None

    def __call__(self, *values: Value | Iterable[str]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows for these values as the query itself would; read while they are taken."""
        made = self._made
        if made is None:
            made = self._made = self._prepare()
        bound = [p.bound(values) if isinstance(p, _Place) else p for p in made.parameters]
        with connection.cursor() as cursor:
            cursor.execute(made.text, bound)
            while rows := cursor.fetchmany(_AT_ONCE):
                yield from _converted(rows, made) if made.converters else rows
                if len(rows) < _AT_ONCE:
                    return

    def _prepare(self) -> _Statement:
        number = len(inspect.signature(self._build).parameters)
        values = [RawSQL("%s", (_Place(n),)) for n in range(number)]
        chosen = self._build(*values).values_list(*self._columns)
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
    """The same for rows of ``model`` as instances of it, whole or of some fields."""

    def __init__(self, model: type[Row], build: Callable[..., QuerySet[Row]], *fields: str) -> None:
        self._model = model
        self._names = fields or tuple(field.attname for field in model._meta.concrete_fields)
        self._read = Prepared(build, *self._names)

    def __call__(self, *values: Value | Iterable[str]) -> Iterator[Row]:
        """Yield the rows for these values."""
        for row in self._read(*values):
            yield self._model.from_db(connection.alias, self._names, row)
