"""Records that say the same, told as one: gathered over many blocks of lines, looked at once.

What differs between records in most logs are times, ports and ids that nothing is made of; a network asks for
the same names and sends the same headers all day. Of each block only which values stand together is kept, as
numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from medwarden.sensors.logs.plain_lines import Groups, Places, PlainLines, groups_of
from medwarden.sensors.logs.times import Nanoseconds

Path = tuple[str, ...]
_Numbers = npt.NDArray[np.int32]

ABSENT = object()
"""What a record has in a column that it does not have, where None is a value."""

_MOST_RECORDS = 1 << 18
_MOST_VALUES = 1 << 17


class Sorts:
    """Plain records of one kind since they were last taken.

    ``paths`` are the columns of text that make a difference, ``time`` the one of the time. Further columns
    are whole numbers below a bound, by name. ``none`` stands for what a record does not have.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        time: Path,
        bounds: Mapping[str, int] | None = None,
        none: object = None,
    ) -> None:
        self._paths = tuple(paths)
        self._time = time
        self._bounds = dict(bounds or {})
        self._none = none
        self._begin()

    def _begin(self) -> None:
        self._numbers: list[dict[bytes, int]] = [{} for _ in self._paths]
        self._values: list[list[object]] = [[self._none] for _ in self._paths]
        self._texts: list[dict[str, int]] = [{} for _ in self._paths]
        self._blocks: list[tuple[list[_Numbers], Nanoseconds]] = []
        self._records = 0

    def __len__(self) -> int:
        """Return how many records wait."""
        return self._records

    @property
    def due(self) -> bool:
        """Tell whether so much has gathered that it should be taken now."""
        return self._records >= _MOST_RECORDS or any(len(n) >= _MOST_VALUES for n in self._numbers)

    def add(self, plain: PlainLines, numbers: Mapping[str, Places] | None = None) -> None:
        """Take in the records of a block."""
        columns = [self._numbered(column, *plain.distinct(*path)) for column, path in enumerate(self._paths)]
        columns += [(numbers or {})[name].astype(np.int32) for name in self._bounds]
        self._blocks.append((columns, plain.whole(*self._time)))
        self._records += len(plain)

    def _numbered(
        self, column: int, raw: Sequence[bytes], values: Sequence[object], places: Places
    ) -> _Numbers:
        """Return a column of a block by the numbers that its values have over all blocks, 0 for none."""
        known = self._numbers[column]
        numbers = np.zeros(len(raw) + 1, np.int32)
        for place, text in enumerate(raw, 1):
            number = known.get(text)
            if number is None:
                number = known[text] = self._number_of(column, values[place - 1])
            numbers[place] = number
        found: _Numbers = numbers[places]
        return found

    def _number_of(self, column: int, value: object) -> int:
        """Return the number of a value; what reads alike is one, however it was written."""
        kept = self._values[column]
        if type(value) is not str:
            kept.append(value)
            return len(kept) - 1
        number = self._texts[column].setdefault(value, len(kept))
        if number == len(kept):
            kept.append(value)
        return number

    def take(self) -> tuple[dict[Path, list[object]], dict[str, list[int]], Groups]:
        """Return one record of each sort, by column, and when and how often it was heard; begin anew."""
        blocks, values = self._blocks, self._values
        columns = [
            np.concatenate([block[column] for block, _ in blocks]) if blocks else np.zeros(0, np.int32)
            for column in range(len(self._paths) + len(self._bounds))
        ]
        times = np.concatenate([times for _, times in blocks]) if blocks else np.zeros(0, np.int64)
        self._begin()
        bounds = [*map(len, values), *self._bounds.values()]
        groups = groups_of([(c.astype(np.int64), b) for c, b in zip(columns, bounds, strict=True)], times)
        chosen = [column[groups.places].tolist() for column in columns]
        texts = {
            path: [kept[number] for number in numbers]
            for path, kept, numbers in zip(self._paths, values, chosen, strict=False)
        }
        return texts, dict(zip(self._bounds, chosen[len(values) :], strict=True)), groups
