"""Records of one Zeek log as columns, whichever way they were written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import msgspec
import numpy as np
import pyarrow as pa

from medwarden.sensors.logs._columns import line_starts
from medwarden.sensors.logs.gathering import Gathering, ip_or_none
from medwarden.sensors.logs.plain_lines import Places, PlainLines
from medwarden.sensors.logs.text_columns import Words, words_of
from medwarden.sensors.logs.times import Nanoseconds, ns_column, ns_of_value

Column = Sequence[object]

Heard = tuple[int, int, int]
"""When a record was first and last heard, and how many there were of it."""


class Rows(msgspec.Struct):
    """Records of one log of one block of lines.

    ``lines`` are the places of the records among the lines of the block, ``columns`` what was asked for, by
    Zeek's names; a field that is unset is None. Records of plain lines are in ``plain`` instead; where some
    stand for others that say the same, ``heard`` tells of how many. Of both, times and addresses are sound.
    """

    kind: str
    lines: Sequence[int]
    columns: dict[str, Column]
    plain: PlainLines | None = None
    heard: Sequence[Heard] | None = None

    def __len__(self) -> int:
        return len(self.lines)

    def keep(self, sound: Sequence[bool]) -> None:
        """Keep only those records whose place in ``sound`` is true."""
        self.lines = [line for line, kept in zip(self.lines, sound, strict=True) if kept]
        for name, column in self.columns.items():
            self.columns[name] = [value for value, kept in zip(column, sound, strict=True) if kept]


def words(rows: Rows, name: str) -> Words:
    """Return a column that was decoded as text by its distinct values."""
    return words_of(rows.columns[name]) if rows.plain is None else rows.plain.words(name)


Reject = Callable[[int, str], None]
"""Rejects the record on a line of the block, with the reason."""


class Lines:
    """The lines of one block, and where each begins in the input."""

    def __init__(self, block: bytes, offset: int, gathering: Gathering) -> None:
        self.block = block
        self._offset = offset
        self._gathering = gathering
        self.starts = line_starts(block)

    def __len__(self) -> int:
        return len(self.starts)

    def all(self) -> Places:
        """Return the places of all lines."""
        return np.arange(len(self.starts))

    def text(self, line: int) -> bytes:
        """Return a line without its line feed."""
        start = int(self.starts[line])
        end = int(self.starts[line + 1]) - 1 if line + 1 < len(self.starts) else len(self.block)
        return self.block[start:end].removesuffix(b"\n")

    def first(self) -> bytes | None:
        """Return the first line that is not blank, None where all are."""
        return next((text for text in map(self.text, range(len(self))) if text.strip()), None)

    def reject(self, line: int, reason: str) -> None:
        """Count the record on ``line`` as rejected."""
        self._gathering.reject(self._offset + int(self.starts[line]), reason)


def times_of(rows: Rows, column: str, zone: str, reject: Reject) -> Nanoseconds:
    """Return the times of records, those without a sound one rejected and taken out of ``rows``."""
    values = rows.columns[column]
    whole = ns_column(values, zone)
    if whole is not None:
        return whole
    single = [ns_of_value(value, zone) for value in values]
    drop_unsound(rows, [ns is not None for ns in single], "no time, or one outside 1970 to 2262", reject)
    return np.array([ns for ns in single if ns is not None], np.int64)


def drop_unsound(rows: Rows, sound: Sequence[bool], reason: str, reject: Reject) -> None:
    """Reject the records that are not sound and take them out of ``rows``."""
    for line, kept in zip(rows.lines, sound, strict=True):
        if not kept:
            reject(line, reason)
    rows.keep(sound)


def texts(rows: Rows, name: str) -> Sequence[str | None]:
    """Return a column that was decoded as text."""
    return cast("Sequence[str | None]", rows.columns[name])


def told(rows: Rows, name: str, type_: pa.DataType) -> pa.Array:
    """Return a column that was decoded as numbers, null where it is unset."""
    return pa.array(rows.columns[name], type_) if rows.plain is None else rows.plain.numbers(type_, name)


def numbers(rows: Rows, name: str) -> pa.Array:
    """Return a column that was decoded as whole numbers, 0 where it is unset."""
    column = told(rows, name, pa.int64())
    return column.fill_null(0) if column.null_count else column


def canonical(column: Sequence[str | None]) -> tuple[Sequence[str | None], list[bool] | None]:
    """Return addresses in their canonical form, and, where not all records have one, which do."""
    forms = {text: None if text is None else ip_or_none(text) for text in set(column)}
    addresses = column
    if any(text != form for text, form in forms.items()):
        addresses = [forms[text] for text in column]
    return addresses, [ip is not None for ip in addresses] if None in forms.values() else None
