"""Blocks of lines as columns, where lines have the plain form that programs write.

Whatever is unusual about a line, it is only told apart here: its own parser takes it, and so comes to the
same as if all lines had gone that way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from medwarden.sensors.logs._columns import COUNT, MOMENT, ODD, REAL, SOUND, WORD, Columns
from medwarden.sensors.logs.text_columns import Words
from medwarden.sensors.logs.times import Nanoseconds

__all__ = ["COUNT", "MOMENT", "REAL", "WORD", "LineForm", "PlainLines", "Wanted", "groups_of"]

Places = npt.NDArray[np.int64]
Reader = Callable[[bytes], object]
Read = tuple[npt.NDArray[np.uint8], Places, npt.NDArray[np.uint8], list[list[bytes] | None]]

_MOST_KNOWN = 1 << 16
_MOST_KEYS = 1 << 62
_NO_READING = object()
BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)
"""What a reader of values raises for one that is not of its column."""


class Wanted(NamedTuple):
    """One column: the keys that lead to it, what is made of it, and whether every line must have it.

    ``reads`` makes the value of a ``WORD`` of its bytes, or raises; ``most`` is the largest ``COUNT``;
    ``nullable`` says that null may stand where a number or a time is looked for.
    """

    path: tuple[str, ...]
    made: int = WORD
    reads: Reader = bytes.decode
    needed: bool = False
    most: int = (1 << 63) - 1
    nullable: bool = True


class PlainLines:
    """The plain ones of some lines of a ``form``, as columns by the path of each; ``odd`` are the others."""

    def __init__(self, form: LineForm, lines: Places, read: Read) -> None:
        states, values, present, raw = read
        sound = states == SOUND
        readings: dict[int, list[object]] = {}
        for number, wanted in enumerate(form.wanted):
            if wanted.made == COUNT and wanted.most < _MOST_KEYS:
                sound &= values[number] <= wanted.most
            distinct = raw[number]
            if distinct is None:
                continue
            known = readings[number] = form.readings(number, distinct)
            wrong = [place for place, value in enumerate(known) if value is _NO_READING]
            if wrong:
                sound &= ~(np.isin(values[number], wrong) & (present[number] > 0))
                for place in wrong:
                    known[place] = None
        self.form = form
        self.odd = lines[(states == ODD) | ((states == SOUND) & ~sound)]
        if not sound.all():
            lines, values, present = lines[sound], values[:, sound], present[:, sound]
        self.lines = lines
        self._values, self._present, self._readings, self._raw = values, present, readings, raw

    def __len__(self) -> int:
        return len(self.lines)

    def words(self, *path: str) -> Words:
        """Return a column of ``WORD`` by its distinct values, None where it is not there.

        They are of the type that the column's reader makes.
        """
        number = self.form.numbers[path]
        places = np.where(self._present[number], self._values[number] + 1, 0)
        return Words([None, *cast("list[str | None]", self._readings[number])], places)

    def distinct(self, *path: str) -> tuple[Sequence[bytes], Sequence[object], Places]:
        """Return the different texts of a column of ``WORD``, what they read as, and each line's.

        A line has the place of its text among them, beginning with 1, and 0 where it has none.
        """
        number = self.form.numbers[path]
        places = np.where(self._present[number], self._values[number] + 1, 0)
        return self._raw[number] or (), self._readings[number], places

    def present(self, *path: str) -> npt.NDArray[np.bool_]:
        """Tell in which lines a column is there."""
        present: npt.NDArray[np.bool_] = self._present[self.form.numbers[path]] > 0
        return present

    def whole(self, *path: str) -> npt.NDArray[np.int64]:
        """Return a column of ``COUNT``, or of ``MOMENT`` in nanoseconds, 0 where it is not there."""
        values: npt.NDArray[np.int64] = self._values[self.form.numbers[path]]
        return values

    def numbers(self, type_: pa.DataType, *path: str) -> pa.Array:
        """Return a column of numbers, null where it is not there."""
        made = self.form.wanted[self.form.numbers[path]].made
        if made == WORD:
            words = self.words(*path)
            return pa.array(words.values, type_).take(pa.array(words.places))
        values, missing = self.whole(*path), ~self.present(*path)
        mask = missing if missing.any() else None
        return pa.array(values.view(np.float64) if made == REAL else values, type_, mask=mask)


class LineForm:
    """What is read of each line of one kind of record."""

    def __init__(self, *wanted: Wanted) -> None:
        self.wanted = wanted
        self.numbers = {column.path: number for number, column in enumerate(wanted)}
        self._columns = Columns(
            [tuple(key.encode() for key in column.path) for column in wanted],
            [column.made for column in wanted],
            [column.needed for column in wanted],
            [column.nullable for column in wanted],
        )
        self._known: list[dict[bytes, object]] = [{} for _ in wanted]

    def of_json(self, block: bytes, lines: Places, starts: Places, *, head: bool = False) -> PlainLines:
        """Read JSON ``lines`` of a block in which all lines begin at ``starts``.

        With ``head`` only as far as the columns reach.
        """
        return PlainLines(self, lines, self._columns.of_json(block, starts[lines], head))

    def of_tabbed(
        self, block: bytes, lines: Places, starts: Places, places: Sequence[int], unset: bytes
    ) -> PlainLines:
        """Read ``lines`` of text with tabs; ``places`` tells for each field its column, -1 for none."""
        read = self._columns.of_tabbed(block, starts[lines], places, len(places), unset)
        return PlainLines(self, lines, read)

    def readings(self, number: int, distinct: Sequence[bytes]) -> list[object]:
        """Return the values of a column, a mark of ours in the place of one that is not of it."""
        known = self._known[number]
        if len(known) > _MOST_KNOWN:
            known.clear()
        reads = self.wanted[number].reads
        found: list[object] = []
        for raw in distinct:
            value = known.get(raw)
            if value is None:
                try:
                    value = reads(raw)
                except BROKEN:
                    value = _NO_READING
                known[raw] = value
            found.append(value)
        return found


class Groups(NamedTuple):
    """Lines that say the same: one of each sort (its place among the lines), the times and how many."""

    places: Places
    first: Nanoseconds
    last: Nanoseconds
    counts: Places

    def heard(self) -> list[tuple[int, int, int]]:
        """Return when each was first and last heard, and how often."""
        return list(zip(self.first.tolist(), self.last.tolist(), self.counts.tolist(), strict=True))


def groups_of(columns: Sequence[tuple[Places, int]], times: Nanoseconds) -> Groups:
    """Return what differs in any of ``columns``, in the order in which it first comes.

    A column is a number below its bound for each line.
    """
    keys: Places = np.zeros(len(times), np.int64)
    kinds = 1
    for column, bound in columns:
        if kinds * bound > _MOST_KEYS:
            distinct, keys = np.unique(keys, return_inverse=True)
            kinds = len(distinct)
        keys = keys * bound + column
        kinds *= bound
    order = np.argsort(keys, kind="stable")
    keys, times = keys[order], times[order]
    begins = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))[: len(keys)])
    if not len(begins):
        return Groups(begins, times, times, begins)
    first, last = np.minimum.reduceat(times, begins), np.maximum.reduceat(times, begins)
    counts = np.diff(begins, append=len(keys))
    heads = order[begins]
    as_they_come = np.argsort(heads)
    return Groups(heads[as_they_come], first[as_they_come], last[as_they_come], counts[as_they_come])
