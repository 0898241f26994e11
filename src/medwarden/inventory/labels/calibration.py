"""Making a confidence mean what it says: of answers given with 0.8, eight in ten are right.

Isotonic regression by pooling adjacent violators (Zadrozny and Elkan, 2002), with a little prior so that
a bin without a mistake does not promise certainty.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import msgspec

_PRIOR = 1.0
_FEWEST = 8


class Calibration(msgspec.Struct, frozen=True):
    """A rising map from a raw confidence to a share of right answers, straight between its knots.

    Without knots it changes nothing.
    """

    raw: tuple[float, ...] = ()
    right: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse knots that do not rise or lie outside 0 to 1; raises ValueError."""
        values = (*self.raw, *self.right)
        if len(self.raw) != len(self.right) or any(not 0.0 <= value <= 1.0 for value in values):
            raise ValueError("knots of a calibration are pairs between 0 and 1")
        if any(b <= a for a, b in pairwise(self.raw)) or any(b < a for a, b in pairwise(self.right)):
            raise ValueError("knots of a calibration rise")

    def __call__(self, confidence: float) -> float:
        """Return the calibrated confidence."""
        if not self.raw:
            return confidence
        place = bisect_right(self.raw, confidence)
        if place == 0:
            return self.right[0]
        if place == len(self.raw):
            return self.right[-1]
        low, high = self.raw[place - 1], self.raw[place]
        share = (confidence - low) / (high - low)
        return self.right[place - 1] + share * (self.right[place] - self.right[place - 1])


class _Block:
    __slots__ = ("confidence", "count", "right")

    def __init__(self, confidence: float, right: float, count: float) -> None:
        self.confidence = confidence  # sum over the block
        self.right = right
        self.count = count

    def share(self) -> float:
        return self.right / self.count


def fit_calibration(
    answers: Sequence[tuple[float, bool]], weights: Sequence[float] | None = None, *, fewest: int = _FEWEST
) -> Calibration:
    """Return the calibration of answers (raw confidence, was it right); none for too few of them.

    Blocks hold at least ``fewest`` answers' weight, each with one imagined answer that is right as often
    as the block's mean confidence says.
    """
    if len(answers) < fewest * 2:
        return Calibration()
    given = [1.0] * len(answers) if weights is None else list(weights)
    alike: dict[float, _Block] = {}
    for (confidence, right), weight in zip(answers, given, strict=True):
        block = alike.setdefault(round(confidence, 6), _Block(0.0, 0.0, 0.0))
        block.confidence += confidence * weight
        block.right += right * weight
        block.count += weight
    blocks: list[_Block] = []
    for _, each in sorted(alike.items()):
        blocks.append(each)
        while len(blocks) > 1 and (blocks[-2].share() >= blocks[-1].share() or blocks[-2].count < fewest):
            last = blocks.pop()
            blocks[-1].confidence += last.confidence
            blocks[-1].right += last.right
            blocks[-1].count += last.count
    knots: dict[float, float] = {}
    highest = 0.0
    for block in blocks:
        mean = min(1.0, block.confidence / block.count)
        highest = max(highest, (block.right + _PRIOR * mean) / (block.count + _PRIOR))
        knots[round(mean, 6)] = round(min(1.0, highest), 6)
    return Calibration(tuple(knots), tuple(knots.values()))


def calibration_error(answers: Sequence[tuple[float, bool]], bins: int = 10) -> float:
    """Return the expected calibration error over equal bins of confidence; 0 without answers."""
    groups: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in answers:
        groups.setdefault(min(int(confidence * bins), bins - 1), []).append((confidence, right))
    gaps = (abs(sum(c for c, _ in group) - sum(r for _, r in group)) for group in groups.values())
    return sum(gaps) / max(1, len(answers))
