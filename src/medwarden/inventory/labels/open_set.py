"""Measuring whether devices of a kind that was never seen are told from those that were."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def auroc(strange: Sequence[float], known: Sequence[float]) -> float | None:
    """Return the area under the ROC curve of telling ``strange`` by a higher score; None without both.

    Equal scores count half (Mann-Whitney).
    """
    if not strange or not known:
        return None
    scores = np.concatenate([np.array(strange, float), np.array(known, float)])
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2.0)[place]
    above = float(ranks[: len(strange)].sum()) - len(strange) * (len(strange) + 1) / 2.0
    return above / (len(strange) * len(known))


USUAL = 0.99
"""Share of devices of known kinds whose openness is called usual."""


def usual_openness(known: Sequence[float]) -> float:
    """Return the openness that devices of known kinds seldom exceed; ``known`` were not trained on.

    Raises ValueError without any.
    """
    if not known:
        raise ValueError("no device of a known kind to measure by")
    return float(np.quantile(np.array(known, float), USUAL))


def beyond_usual(openness: float, usual: float) -> float:
    """Return by how much a device is more open than known ones are; 0 where it is no more than they.

    How known two known devices are differs for reasons of its own (how often a kind was trained on, how much
    it says), and says nothing of whether a third is new.
    """
    return max(0.0, openness - usual)
