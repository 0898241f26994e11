"""What is trained on: devices as vectors with their labels, equal ones joined, no more than are needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from medwarden.inventory.labels.example import LEARNT, Example, canonical
from medwarden.inventory.labels.model import LabelModel
from medwarden.inventory.labels.vocabulary import Vector, Vocabulary


class Row(msgspec.Struct):
    """One training device. ``local`` tells a hospital's own from what came with the model.

    ``whole`` is False for a piece of evidence without its device.
    """

    vector: Vector
    labels: dict[str, str]
    group: str
    weight: float
    local: bool = False
    whole: bool = True


def rows_of(examples: Iterable[Example], vocabulary: Vocabulary, *, local: bool = False) -> list[Row]:
    """Return examples as rows; equal ones of one group are joined and their weights added."""
    joined: dict[tuple[bytes, tuple[tuple[str, str], ...], str], Row] = {}
    for example in examples:
        vector = vocabulary.read(example.entries, example.behaviour)
        labels = canonical(example.labels)
        if not labels or not len(vector.columns):
            continue
        key = vector.columns.tobytes(), tuple(sorted(labels.items())), example.group
        row = joined.get(key)
        if row is None:
            joined[key] = Row(vector, labels, example.group, example.weight, local, example.whole)
        else:
            row.weight += example.weight
    return list(joined.values())


def rows_of_model(model: LabelModel, vocabulary: Vocabulary) -> list[Row]:
    """Return the prototypes of a model as rows over a vocabulary that holds all of its tokens."""
    moved = np.searchsorted(vocabulary.numbers, model.vocabulary.numbers).astype(np.int32)
    known = model.arrays["known"].tolist()
    start, signed = model.arrays["start"].tolist(), model.arrays["signed"]
    shipped = len(known) - model.about.local
    rows = []
    for number, places in enumerate(known):
        tokens = signed[start[number] : start[number + 1]].astype(np.int32)
        vector = vocabulary.weighed(moved[np.abs(tokens) - 1], np.sign(tokens).astype(np.float32))
        labels = {
            level: model.labels(level)[place]
            for level, place in zip(LEARNT, places, strict=True)
            if place >= 0
        }
        weight = float(model.arrays["counted"][number])
        rows.append(Row(vector, labels, f"prototype {number}", weight, number >= shipped))
    return rows


def choose_rows(rows: Sequence[Row], most: int, rng: np.random.Generator) -> list[Row]:
    """Return at most ``most`` rows, as many of each kind as of any other where there are enough.

    A kind is a set of labels. Each row left takes over an equal part of the weight of its kind.
    """
    if len(rows) <= most:
        return list(rows)
    kinds: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for number in rng.permutation(len(rows)).tolist():
        kinds.setdefault(tuple(sorted(rows[number].labels.items())), []).append(number)
    kept: list[int] = []
    depth = 0
    while len(kept) < most:
        layer = [numbers[depth] for numbers in kinds.values() if len(numbers) > depth]
        kept += layer[: most - len(kept)]
        depth += 1
    chosen = set(kept)
    result = []
    for numbers in kinds.values():
        left = [number for number in numbers if number in chosen]
        whole = sum(rows[number].weight for number in numbers)
        result += [(number, whole / len(left)) for number in left]
    return [msgspec.structs.replace(rows[number], weight=weight) for number, weight in sorted(result)]


def signed_tokens(rows: Sequence[Row]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int16]]:
    """Return rows as a model keeps prototypes: where each starts, and columns + 1 with the token's sign."""
    starts = np.cumsum([0, *(len(row.vector.columns) for row in rows)]).astype(np.uint32)
    tokens = [(row.vector.columns + 1) * np.sign(row.vector.values).astype(np.int32) for row in rows]
    return starts, np.concatenate(tokens).astype(np.int16) if tokens else np.empty(0, np.int16)
