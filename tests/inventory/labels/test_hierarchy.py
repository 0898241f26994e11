"""Whatever the scores, a class is at least as probable as its category and a category as its model."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.labels.hierarchy import PATH_LEVELS, Hierarchy

PATHS = [(0, 0, 0, 0), (0, 0, 1, 1), (0, 1, 1, 2), (1, 2, 2, 3), (1, 2, -1, -1), (1, 3, 0, 4)]
SIZES = {"class": 2, "category": 4, "vendor": 3, "model": 5}
SCORES = st.lists(st.floats(-30, 30), min_size=14, max_size=14)


def _scores(values: list[float]) -> dict[str, np.ndarray]:
    scores, start = {}, 0
    for level in PATH_LEVELS:
        scores[level] = np.array([values[start : start + SIZES[level]]])
        start += SIZES[level]
    return scores


@given(SCORES, st.floats(0.05, 3))
def test_levels_are_consistent(values: list[float], sharpness: float) -> None:
    hierarchy = Hierarchy(PATHS, SIZES)
    joint = hierarchy.joint(_scores(values), sharpness)[0]
    chosen = hierarchy.choose(joint)
    assert abs(joint.sum() - 1.0) < 1e-9
    slack = 1e-12
    assert chosen["class"][1] + slack >= chosen["category"][1] >= chosen["model"][1] - slack
    assert chosen["vendor"][1] + slack >= chosen["model"][1]


@given(SCORES)
def test_answers_lie_on_one_path(values: list[float]) -> None:
    hierarchy = Hierarchy(PATHS, SIZES)
    chosen = hierarchy.choose(hierarchy.joint(_scores(values), 1.0)[0])
    assert (chosen["class"][0], chosen["category"][0]) in {path[:2] for path in PATHS}
    if chosen["model"][1] > 0.0:
        whole = tuple(chosen[level][0] for level in PATH_LEVELS)
        assert whole[1:] in {path[1:] for path in PATHS}


def test_levels_without_labels_are_not_answered() -> None:
    hierarchy = Hierarchy(
        [(-1, -1, -1, 0), (-1, -1, -1, 1)], {"class": 0, "category": 0, "vendor": 0, "model": 2}
    )
    scores = {level: np.zeros((1, 0)) for level in PATH_LEVELS} | {"model": np.array([[0.0, 2.0]])}
    assert list(hierarchy.choose(hierarchy.joint(scores, 1.0)[0])) == ["model"]
