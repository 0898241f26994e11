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
