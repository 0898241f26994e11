"""Records of one Zeek log as columns, whichever way they were written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import cast

import msgspec
import numpy as np
import pyarrow as pa

from medwarden.sensors.logs.gathering import Gathering, ip_or_none
from medwarden.sensors.logs.text_columns import Words, words_of
from medwarden.sensors.logs.times import Nanoseconds, ns_column, ns_of_value

Column = Sequence[object]

_LINE_END, _OPENING, _CLOSING = b"\n{}"


class Rows(msgspec.Struct):
    """Records of one log of one block of lines.

    ``lines`` are the places of the records among the lines of the block, ``columns`` what was asked for, by
    Zeek's names; a field that is unset is None.
    """

    kind: str
    lines: Sequence[int]
    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(self.lines)

    def keep(self, sound: Sequence[bool]) -> None:
        """Keep only those records whose place in ``sound`` is true."""
        self.lines = [line for line, kept in zip(self.lines, sound, strict=True) if kept]
        for name, column in self.columns.items():
            self.columns[name] = [value for value, kept in zip(column, sound, strict=True) if kept]


def words(rows: Rows, name: str) -> Words:
    """Return a column that was decoded as text by its distinct values."""
    return words_of(rows.columns[name])


Reject = Callable[[int, str], None]
"""Rejects the record on a line of the block, with the reason."""


class Lines:
    """The lines of one block, and where each begins when one of them has to be named."""

    def __init__(self, block: bytes, offset: int, gathering: Gathering) -> None:
        self.block = block
        self._offset = offset
        self._gathering = gathering
        self._offsets: list[int] | None = None

    @cached_property
    def texts(self) -> list[bytes]:
        """The lines without their line feeds; the last is empty where the block ends with one."""
        return self.block.split(b"\n")

    def objects(self) -> int:
        """Return how many lines there are if every one begins and ends with a brace, 0 if not.

        Within one JSON value a comma stands between two objects and no string has a line end, so that
        then no value reaches over the end of its line: as many values as lines are one on each.
        """
        if not (self.block.startswith(b"{") and self.block.endswith((b"}", b"}\n"))):
            return 0
        octets = np.frombuffer(self.block, np.uint8)
        octets = octets[: len(octets) - self.block.endswith(b"\n")]
        ends = np.flatnonzero(octets == _LINE_END)
        framed = (octets[ends - 1] == _CLOSING).all() and (octets[ends + 1] == _OPENING).all()
        return len(ends) + 1 if framed else 0

    def reject(self, line: int, reason: str) -> None:
        """Count the record on ``line`` as rejected."""
        if self._offsets is None:
            self._offsets, at = [], self._offset
            for text in self.texts:
                self._offsets.append(at)
                at += len(text) + 1
        self._gathering.reject(self._offsets[line], reason)


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


def numbers(rows: Rows, name: str) -> pa.Array:
    """Return a column that was decoded as whole numbers, 0 where it is unset."""
    column = pa.array(rows.columns[name], pa.int64())
    return column.fill_null(0) if column.null_count else column


def canonical(column: Sequence[str | None]) -> tuple[Sequence[str | None], list[bool] | None]:
    """Return addresses in their canonical form, and, where not all records have one, which do."""
    forms = {text: None if text is None else ip_or_none(text) for text in set(column)}
    addresses = column
    if any(text != form for text, form in forms.items()):
        addresses = [forms[text] for text in column]
    return addresses, [ip is not None for ip in addresses] if None in forms.values() else None
