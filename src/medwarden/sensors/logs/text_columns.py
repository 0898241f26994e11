"""Columns of text that repeats: what one means is found once for each that differs, not for each record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class Words(NamedTuple):
    """A column of text as its distinct values, and for each record the place of its own among them."""

    values: list[str | None]
    places: npt.NDArray[np.int64]

    def meaning(self, meanings: Sequence[int]) -> npt.NDArray[np.int64]:
        """Return for each record the number that its text means; ``meanings`` follow the values."""
        return np.array(meanings, np.int64)[self.places]

    def such(self, which: Callable[[str | None], object]) -> npt.NDArray[np.bool_]:
        """Tell for each record whether its text is such a one."""
        return np.array([bool(which(text)) for text in self.values], np.bool_)[self.places]

    def reading(self, readings: Sequence[str | None]) -> pa.Array:
        """Return for each record how its text reads; ``readings`` follow the values."""
        return chosen(readings, self.places)


def words_of(column: Sequence[object]) -> Words:
    """Return a column of texts by its distinct values. Raises ArrowTypeError for anything but text."""
    coded = pa.array(column, pa.string()).dictionary_encode(null_encoding="encode")
    return Words(coded.dictionary.to_pylist(), coded.indices.to_numpy().astype(np.int64))


def chosen(texts: Sequence[str | None], places: npt.NDArray[np.integer[Any]]) -> pa.Array:
    """Return the texts at ``places`` as a column."""
    return pa.array(texts, pa.string()).take(pa.array(places))
