"""How near the nearest training device is: what tells a kind that was never seen from one that was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medwarden.inventory.labels.vocabulary import Floats, Ints, Vector


class _Rows:
    """Prototypes of one category as one sparse matrix of rows of length one."""

    __slots__ = ("columns", "models", "starts", "values")

    def __init__(self, columns: Ints, values: Floats, starts: Ints, models: Ints) -> None:
        self.columns = columns
        self.values = values
        self.starts = starts
        self.models = models


class Nearest:
    """Prototypes by category."""

    def __init__(
        self,
        prototypes: Sequence[Vector],
        kinds: npt.NDArray[np.int16],
        models: npt.NDArray[np.int16],
        width: int,
    ) -> None:
        self._width = width
        groups: dict[int, list[int]] = {}
        for row, kind in enumerate(kinds.tolist()):
            if len(prototypes[row].columns):
                groups.setdefault(kind, []).append(row)
        self._rows = {kind: _gather(prototypes, rows, models) for kind, rows in groups.items()}

    def similarities(self, vector: Vector, kind: int, model: int) -> tuple[float, float]:
        """Return the cosine with the nearest prototype of a category and with that of a model in it.

        0 where there is none; category -1 stands for prototypes of which no category is known.
        """
        rows = self._rows.get(kind)
        norm = float(np.linalg.norm(vector.values))
        if rows is None or norm == 0.0:
            return 0.0, 0.0
        whole = np.zeros(self._width, np.float32)
        whole[vector.columns] = vector.values / norm
        near = np.add.reduceat(whole[rows.columns] * rows.values, rows.starts)
        same = near[rows.models == model]
        return _bounded(float(near.max())), _bounded(float(same.max())) if len(same) else 0.0


def _gather(prototypes: Sequence[Vector], rows: Sequence[int], models: npt.NDArray[np.int16]) -> _Rows:
    chosen = [prototypes[row] for row in rows]
    lengths = [len(vector.columns) for vector in chosen]
    values = [vector.values / max(float(np.linalg.norm(vector.values)), 1e-12) for vector in chosen]
    return _Rows(
        np.concatenate([vector.columns for vector in chosen]),
        np.concatenate(values).astype(np.float32),
        np.cumsum([0, *lengths[:-1]]).astype(np.int32),
        models[list(rows)].astype(np.int32),
    )


def _bounded(similarity: float) -> float:
    return min(1.0, max(0.0, similarity))
