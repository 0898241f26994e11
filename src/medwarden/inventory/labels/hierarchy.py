"""One joint probability over the kinds of device that training saw, and what follows for each level.

A path is (class, category, vendor, model); a level may be open in it. Paths get probabilities that add up
to one; a label gets that of the paths through it. Answers are chosen from the top: the category within
the class, the model within category and vendor. So a class is never less probable than the category
answered, nor a category or a vendor less probable than the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from medwarden.inventory.labels.linear import Doubles, softmax

PATH_LEVELS = ("class", "category", "vendor", "model")

Path = tuple[int, int, int, int]
"""Places of the labels of a path in the lists of labels of each level; -1 where the level is open."""

Chosen = dict[str, tuple[int, float]]
"""Answers by level: place of the label and its probability."""

_WITHIN = {"class": (), "category": ("class",), "vendor": (), "model": ("category", "vendor")}


class Hierarchy:
    """The paths of a model and the sums over them."""

    def __init__(self, paths: Sequence[Sequence[int]], sizes: Mapping[str, int]) -> None:
        self.paths = np.array(paths, np.int32).reshape(-1, len(PATH_LEVELS))
        self.sizes = {level: sizes[level] for level in PATH_LEVELS}
        self._through: dict[str, npt.NDArray[np.int32]] = {
            level: np.where(self.paths[:, place] >= 0, self.paths[:, place], self.sizes[level])
            for place, level in enumerate(PATH_LEVELS)
        }
        self._whole = frozenset(
            level for level, places in self._through.items() if not (places == self.sizes[level]).any()
        )

    def joint(self, scores: Mapping[str, Doubles], sharpness: float) -> Doubles:
        """Return the probability of each path, rows as in ``scores`` (rows x labels of the level).

        Scores of the levels add up along a path; an open level adds the mean of its scores.
        """
        rows = next(iter(scores.values())).shape[0]
        total = np.zeros((rows, len(self.paths)))
        for level, places in self._through.items():
            given = scores[level]
            if level in self._whole:
                total += given[:, places]
                continue
            mean = given.mean(axis=1, keepdims=True) if given.shape[1] else np.zeros((rows, 1))
            total += np.hstack([given, mean])[:, places]
        return softmax(sharpness * total)

    def choose(self, joint: Doubles) -> Chosen:
        """Return the answer at each level that has labels, from the probabilities of all paths."""
        chosen: Chosen = {}
        inside: dict[str, npt.NDArray[np.bool_]] = {}
        for level, places in self._through.items():
            size = self.sizes[level]
            if not size:
                continue
            share = joint
            for above in _WITHIN[level]:
                if above in inside:
                    share = np.where(inside[above], share, 0.0)
            sums = np.bincount(places, share, minlength=size + 1)[:size]
            best = int(sums.argmax())
            chosen[level] = best, float(sums[best])
            inside[level] = places == best
        return chosen
