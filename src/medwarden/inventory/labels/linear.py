"""The distilled model: one linear score per label, fitted by regularised least squares.

Least squares on indicator columns classify hashed text about as well as logistic regression and have a
closed form (Rifkin and Klautau, 2004): one factorisation serves all labels, the same input gives the
same weights, and a hospital's machine needs seconds. Scores become probabilities only by calibration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]


def balanced(labels: Sequence[str | None], weights: Doubles) -> Doubles:
    """Return weights with which a frequent label counts as the square root of its number, not as it."""
    counts: dict[str | None, float] = {}
    for label, weight in zip(labels, weights.tolist(), strict=True):
        counts[label] = counts.get(label, 0.0) + weight
    evened: Doubles = weights * np.array([counts[label] ** -0.5 for label in labels])
    result: Doubles = evened / evened.mean()
    return result


def solve(kernel: Doubles, targets: Doubles, weights: Doubles, ridge: float) -> Doubles:
    """Return dual coefficients (examples x labels) that map a row of the kernel to scores.

    Minimises the weighted squared error plus ``ridge`` times the squared weights.
    """
    system = kernel + ridge * np.diag(1.0 / weights)
    coefficients: Doubles = np.linalg.solve(system, targets).astype(np.float64)
    return coefficients


def solve_levels(
    kernel: Doubles,
    weights: Doubles,
    ridge: float,
    wanted: Mapping[str, tuple[npt.NDArray[np.intp], Doubles]],
) -> dict[str, Doubles]:
    """Return the dual coefficients of each level from its rows and targets; equal rows are solved at once."""
    alike: dict[bytes, list[str]] = {}
    for level, (chosen, _) in wanted.items():
        alike.setdefault(chosen.tobytes(), []).append(level)
    found: dict[str, Doubles] = {}
    for levels in alike.values():
        chosen = wanted[levels[0]][0]
        targets = np.hstack([wanted[level][1] for level in levels])
        dual = solve(kernel[np.ix_(chosen, chosen)], targets, weights[chosen], ridge)
        ends = np.cumsum([wanted[level][1].shape[1] for level in levels])
        found |= dict(zip(levels, np.split(dual, ends[:-1], axis=1), strict=True))
    return found


def targets_of(labels: Sequence[str], known: Sequence[str], weights: Doubles) -> tuple[Doubles, Doubles]:
    """Return the centred indicator columns of labels and the means that were taken off them."""
    place = {label: column for column, label in enumerate(known)}
    targets = np.zeros((len(labels), len(known)))
    targets[np.arange(len(labels)), [place[label] for label in labels]] = 1.0
    means: Doubles = (weights @ targets).astype(np.float64) / float(weights.sum())
    return targets - means, means


def quantise(weights: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """Return weights (labels x columns) as whole numbers of -127 to 127 with a scale for each label."""
    largest = np.abs(weights).max(axis=1, initial=0.0)
    scale = np.where(largest > 0.0, largest / 127.0, 1.0).astype(np.float32)
    return np.rint(weights / scale[:, None]).astype(np.int8), scale


def softmax(scores: Doubles) -> Doubles:
    """Return the rows of ``scores`` as probabilities."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: Doubles = shifted / shifted.sum(axis=-1, keepdims=True)
    return result
