"""Which tokens a model knows, and devices as vectors over them.

A vector has three parts: what a device says of itself, how its network stack is built, and how it behaves.
Each is brought to a fixed length before they are added, and the whole to length one, so that a talkative
device is no stronger than a silent one, and what it says outranks its stack, which outranks its behaviour.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from medwarden.inventory.labels.example import Example
from medwarden.inventory.labels.tokens import (
    amount_step,
    behaviour_tokens,
    is_stack,
    step_tokens,
    token_number,
    words_of,
)

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

Lengths = tuple[float, float, float]

_REMEMBERED = 200_000
SAID, BUILT, DONE = 0, 1, 2
"""The three parts of a vector."""


class Known:
    """The known tokens of one piece of evidence: columns and signs; and how many tokens it has at all."""

    __slots__ = ("columns", "signs", "tokens")

    def __init__(self, columns: Sequence[int], signs: Sequence[int], tokens: int) -> None:
        self.tokens = tokens
        self.columns = np.array(columns, np.int32)
        self.signs = np.array(signs, np.float32)


class Vector:
    """A device over a vocabulary: its columns, ascending, and their values."""

    __slots__ = ("columns", "values")

    def __init__(self, columns: Ints, values: Floats) -> None:
        self.columns = columns
        self.values = values


class Reading(Vector):
    """A vector that remembers which piece of evidence each token came from.

    ``owner`` and ``place`` run over all tokens of all pieces: the piece, and the place in ``columns``;
    ``known`` is the share of what it says that the vocabulary knows.
    """

    def __init__(self, vector: Vector, owner: Ints, place: Ints, known: float) -> None:
        self.known = known
        super().__init__(vector.columns, vector.values)
        self.owner = owner
        self.place = place

    def by_piece(self, contributions: Floats, pieces: int) -> npt.NDArray[np.float64]:
        """Return what each piece of evidence contributes, from what each column does.

        A token that several pieces have is divided among them, so that the sum stays the same.
        """
        each = contributions[self.place] / self._shared
        sums: npt.NDArray[np.float64] = np.bincount(self.owner, each, minlength=pieces).astype(np.float64)
        return sums

    @cached_property
    def _shared(self) -> npt.NDArray[np.int64]:
        """Return for each token in how many pieces it is."""
        shared: npt.NDArray[np.int64] = np.bincount(self.place, minlength=len(self.columns))[self.place]
        return shared


def numbers_of(example: Example) -> dict[int, tuple[int, int]]:
    """Return the token numbers of an example: number to (sign, part)."""
    found: dict[int, tuple[int, int]] = {}
    for field, value in example.entries:
        part = BUILT if is_stack(field) else SAID
        for token in words_of(field, value):
            number, sign = token_number(token)
            found.setdefault(number, (sign, part))
    for token in behaviour_tokens(example.behaviour):
        number, sign = token_number(token)
        found.setdefault(number, (sign, DONE))
    return found


class Vocabulary:
    """Token numbers in ascending order; a number's place is its column.

    ``rarity`` is the inverse document frequency of each, ``part`` which part of a vector it is in,
    ``lengths`` how long the three parts are.
    """

    def __init__(
        self, numbers: npt.NDArray[np.uint32], rarity: Floats, part: npt.NDArray[np.uint8], lengths: Lengths
    ) -> None:
        self.numbers = numbers
        self.rarity = rarity
        self.part = part
        self.lengths = lengths
        self._column = {int(number): place for place, number in enumerate(numbers)}
        self.said = lru_cache(maxsize=_REMEMBERED)(self._said)
        self.done = lru_cache(maxsize=_REMEMBERED)(self._done)

    def __len__(self) -> int:
        """Return how many tokens are known."""
        return len(self.numbers)

    def _said(self, field: str, value: str) -> Known:
        return self._known(words_of(field, value))

    def _done(self, name: str, step: int) -> Known:
        return self._known(step_tokens(name, step))

    def _known(self, tokens: Iterable[str]) -> Known:
        found: dict[int, int] = {}
        given = tuple(tokens)
        for token in given:
            number, sign = token_number(token)
            column = self._column.get(number)
            if column is not None:
                found.setdefault(column, sign)
        return Known(list(found.keys()), list(found.values()), len(given))

    def read(
        self, entries: Iterable[tuple[str, str]], behaviour: Iterable[tuple[str, float]] = ()
    ) -> Reading:
        """Return a device's vector with the pieces it came from, numbered entries first."""
        pieces = [self.said(*entry) for entry in entries]
        said = sum(piece.tokens for piece in pieces)
        known = sum(len(piece.columns) for piece in pieces) / said if said else 1.0
        pieces += [self.done(name, amount_step(name, amount)) for name, amount in behaviour]
        if not pieces:
            nothing = np.empty(0, np.int32)
            return Reading(Vector(nothing, np.empty(0, np.float32)), nothing, nothing, known)
        columns = np.concatenate([piece.columns for piece in pieces])
        signs = np.concatenate([piece.signs for piece in pieces])
        heard = np.zeros(len(self.numbers), np.int8)
        heard[columns[::-1]] = signs[::-1]  # of tokens that share a number the first gives its sign
        own = np.flatnonzero(heard).astype(np.int32)
        rank = np.empty(len(self.numbers), np.int32)
        rank[own] = np.arange(len(own), dtype=np.int32)
        owner = np.repeat(np.arange(len(pieces), dtype=np.int32), [len(piece.columns) for piece in pieces])
        return Reading(self.weighed(own, heard[own].astype(np.float32)), owner, rank[columns], known)

    def weighed(self, columns: Ints, signs: Floats) -> Vector:
        """Return the vector of columns with these signs (1 or -1): rare tokens count more."""
        values = signs * self.rarity[columns]
        parts = self.part[columns]
        sums = np.bincount(parts, values * values, minlength=len(self.lengths)).tolist()
        whole = math.sqrt(sum(length**2 for length, square in zip(self.lengths, sums, strict=True) if square))
        factors = [
            length / math.sqrt(square) / whole if square and whole else 0.0
            for length, square in zip(self.lengths, sums, strict=True)
        ]
        return Vector(columns, (values * np.array(factors, np.float32)[parts]).astype(np.float32))


def build_vocabulary(
    examples: Sequence[Example], *, most: int, least: int = 2, lengths: Lengths = (1.0, 1.0, 1.0)
) -> Vocabulary:
    """Return the vocabulary of examples: tokens of at least ``least`` of them, at most ``most``.

    Where there are more, those go that are nearly everywhere or nearly nowhere: what a linear model can
    use least.
    """
    seen: Counter[int] = Counter()
    parts: dict[int, int] = {}
    for example in examples:
        numbers = numbers_of(example)
        seen.update(numbers.keys())
        for number, (_, part) in numbers.items():
            parts.setdefault(number, part)
    total = len(examples)
    kept = [number for number, count in seen.items() if count >= least]
    if len(kept) > most:
        kept.sort(key=lambda number: (-_spread(seen[number], total), number))
        kept = kept[:most]
    kept.sort()
    rarity = [math.log((1 + total) / (1 + seen[number])) + 1.0 for number in kept]
    return Vocabulary(
        np.array(kept, np.uint32),
        np.array(rarity, np.float32),
        np.array([parts[number] for number in kept], np.uint8),
        lengths,
    )


def _spread(count: int, total: int) -> float:
    share = count / total
    return share * (1.0 - share)


def dense(vectors: Sequence[Vector], width: int) -> Floats:
    """Return vectors as the rows of a matrix."""
    matrix = np.zeros((len(vectors), width), np.float32)
    for row, vector in enumerate(vectors):
        matrix[row, vector.columns] = vector.values
    return matrix
