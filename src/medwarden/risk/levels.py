"""The score of a group of devices: category, model, department, site, organisation.

The worst device alone makes ``worst_share`` of it, so that a thousand harmless devices cannot hide it; the
rest is a power mean over all devices, in which a device weighs the more the higher its own score is::

    score = worst_share * highest + (1 - worst_share) * (sum of score**exponent / devices) ** (1 / exponent)

It lies between the plain mean and the highest score, rises with every device's score and never falls when
one of them does. With a share of 0.34 and exponent 4, one device at 80 among 99 at 10 gives 44, among
9,999 at 10 it gives 34, and ten of them among 90 at 10 give 57. The whole points split without remainder
into what each device makes: the worst has its share for itself, the mean goes by score**exponent.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from medwarden.model.risk import RiskLevel
from medwarden.risk.score import largest_remainder
from medwarden.risk.weights import GroupShape, default_weights

SHOWN = 8
"""Contributing devices that a group names."""


class GroupKind(StrEnum):
    """What a group is: everything, a place, a kind of device, a maker's model."""

    ORGANISATION = "organisation"
    SITE = "site"
    DEPARTMENT = "department"
    CATEGORY = "category"
    MODEL = "model"


class Contribution(msgspec.Struct, frozen=True):
    """What one device makes of the score of its group, in whole points."""

    device: str
    score: int
    points: int


class GroupScore(msgspec.Struct, frozen=True):
    """The score of a group, how many devices of each level it has, and which make most of it.

    The points of ``worst`` and ``others`` (all further devices together) add up to ``score`` exactly.
    """

    kind: GroupKind
    name: str
    score: int
    level: RiskLevel
    devices: int
    by_level: dict[RiskLevel, int]
    worst: tuple[Contribution, ...]
    others: int

    @property
    def why(self) -> str:
        """Return in one sentence what makes the score."""
        if not self.worst:
            return "No device counts here."
        first = self.worst[0]
        if self.devices == 1:
            return f"One device, at {first.score}."
        grave = self.by_level[RiskLevel.CRITICAL] + self.by_level[RiskLevel.HIGH]
        share = (
            f"{grave:,} of {self.devices:,} devices {'is' if grave == 1 else 'are'} high or critical"
            if grave
            else f"no device of {self.devices:,} is high or critical"
        )
        return f"The worst device, at {first.score}, makes {first.points} of {self.score} points; {share}."


def blended(counts: Mapping[int, int], shape: GroupShape) -> float:
    """Return the exact score of a group that has ``counts`` devices at each score; 0 for none."""
    devices = sum(counts.values())
    if not devices:
        return 0.0
    mean = math.fsum(number * score**shape.exponent for score, number in counts.items()) / devices
    highest = max(score for score, number in counts.items() if number)
    return float(shape.worst_share * highest + (1 - shape.worst_share) * mean ** (1 / shape.exponent))


def rounded(exact: float) -> int:
    """Return an exact group score in whole points."""
    return min(100, math.floor(exact + 0.5))


def aggregate(
    kind: GroupKind, name: str, scores: Iterable[tuple[str, int]], shape: GroupShape | None = None
) -> GroupScore:
    """Return the score of the devices of a group, given as (device id, score). No device, no risk: 0."""
    known = list(scores)
    counts = Counter(score for _, score in known)
    worst = heapq.nsmallest(SHOWN, known, key=lambda pair: (-pair[1], pair[0]))
    return from_counts(kind, name, counts, worst, shape)


def from_counts(
    kind: GroupKind,
    name: str,
    counts: Mapping[int, int],
    worst: Iterable[tuple[str, int]],
    shape: GroupShape | None = None,
) -> GroupScore:
    """Return the score of a group of which the number of devices at each score and the worst are known."""
    shape = shape or default_weights().groups
    by_level = dict.fromkeys(RiskLevel, 0)
    for score, number in counts.items():
        by_level[RiskLevel.of(score)] += number
    devices = sum(counts.values())
    value = rounded(blended(counts, shape))
    named = list(worst)[:SHOWN]
    shares = _shares(named, counts, shape)
    points = largest_remainder(shares, value, [*(device for device, _ in named), ""])
    return GroupScore(
        kind,
        name,
        value,
        RiskLevel.of(value),
        devices,
        by_level,
        tuple(
            Contribution(device, score, point) for (device, score), point in zip(named, points, strict=False)
        ),
        points[-1],
    )


def _shares(named: list[tuple[str, int]], counts: Mapping[int, int], shape: GroupShape) -> list[float]:
    """Return what each named device makes of the exact score, and last what all others make."""
    total = math.fsum(number * score**shape.exponent for score, number in counts.items())
    if total <= 0 or not named:
        return [0.0] * (len(named) + 1)
    mean = (1 - shape.worst_share) * (total / sum(counts.values())) ** (1 / shape.exponent)
    shares = [mean * score**shape.exponent / total for _, score in named]
    others = max(0.0, mean - math.fsum(shares))
    shares[0] += shape.worst_share * named[0][1]
    return [*shares, others]
