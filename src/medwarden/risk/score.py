"""From raw points to a score: likelihood times impact, told as a sum that is exact.

Let P be the raw points of all factors that make trouble more likely, C what compensating controls
take away (at most a fixed share of P), and L = P - C. Then::

    likelihood = 1 - exp(-L / saturation)          0 to 1, never quite 1: a smooth cap
    impact     = base_impact + sum of impact shares 0 to 1
    score      = 100 * likelihood * impact, rounded

The score splits without remainder: ``100 * likelihood * base_impact`` goes to the likelihood factors
and controls in proportion to their raw points, ``100 * likelihood * share`` to each impact factor.
Rounding to whole points is by largest remainder (Hamilton's method), so that the points shown add
up to the score shown. A device without any likelihood factor scores 0 whatever it is for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from medwarden.model.risk import Factor, RiskLevel, RiskScore
from medwarden.risk.factor import Group
from medwarden.risk.weights import Shape, default_weights

_EXPONENT = 4


def compose(device: str, factors: Sequence[Factor], version: str, shape: Shape | None = None) -> RiskScore:
    """Return the score of ``device`` from ``factors``, of which only ``raw_points`` and ``group`` count.

    The factors of the result carry their whole points and come in order of them, largest first.
    """
    shape = shape or default_weights().shape
    shares = _shares(factors, shape)
    exact = math.fsum(shares)
    score = min(100, max(math.floor(exact + 0.5), 1 if exact > 0 else 0))
    points = _largest_remainder(shares, score, [f.id for f in factors])
    pointed = [msgspec.structs.replace(f, points=p) for f, p in zip(factors, points, strict=True)]
    pointed.sort(key=lambda f: (-f.points, -abs(f.raw_points), f.id))
    return RiskScore(device, score, RiskLevel.of(score), tuple(pointed), version)


def without(score: RiskScore, factors: Iterable[str], shape: Shape | None = None) -> RiskScore:
    """Return what the score would be if the factors with the ids ``factors`` did not apply.

    Removing a factor never raises the score, and removing a control never lowers it.
    """
    gone = frozenset(factors)
    kept = [f for f in score.factors if f.id not in gone]
    return compose(score.device, kept, score.rules_version, shape)


def isolated(score: RiskScore) -> RiskScore:
    """Return what the score would be behind a policy that lets nobody reach the device: no exposure."""
    return without(score, (f.id for f in score.factors if f.group == Group.EXPOSURE))


class GroupScore(msgspec.Struct, frozen=True):
    """The score of a category, a site or any other set of devices; ``worst`` is a device id."""

    name: str
    score: int
    level: RiskLevel
    devices: int
    worst: str | None
    by_level: dict[RiskLevel, int]


def aggregate(name: str, scores: Sequence[RiskScore]) -> GroupScore:
    """Return the score of a set of devices: the power mean of their scores with exponent 4.

    It lies between the mean and the highest score and leans to the high ones: one device at 80
    among 99 at 10 gives 25, ten of them 45, all of them 80. No device, no risk: 0.
    """
    by_level = {level: sum(1 for s in scores if s.level is level) for level in RiskLevel}
    if not scores:
        return GroupScore(name, 0, RiskLevel.NONE, 0, None, by_level)
    mean = math.fsum(s.score**_EXPONENT for s in scores) / len(scores)
    value = math.floor(mean ** (1 / _EXPONENT) + 0.5)
    worst = max(scores, key=lambda s: (s.score, s.device))
    return GroupScore(name, value, RiskLevel.of(value), len(scores), worst.device, by_level)


def _shares(factors: Sequence[Factor], shape: Shape) -> list[float]:
    positive = math.fsum(f.raw_points for f in factors if _likely(f) and f.raw_points > 0)
    controls = math.fsum(-f.raw_points for f in factors if f.group == Group.CONTROL)
    if positive <= 0:
        return [0.0 for _ in factors]
    taken = min(controls, shape.control_limit * positive)
    net = positive - taken
    if net <= 0:
        return [0.0 for _ in factors]
    likelihood = 1 - math.exp(-net / shape.saturation)
    unit = 100 * likelihood * shape.base_impact / net
    relief = taken / controls if controls else 0.0
    shares = []
    for factor in factors:
        if factor.group == Group.IMPACT:
            shares.append(100 * likelihood * factor.raw_points)
        elif factor.group == Group.CONTROL:
            shares.append(factor.raw_points * relief * unit)
        else:
            shares.append(factor.raw_points * unit)
    return shares


def _likely(factor: Factor) -> bool:
    return factor.group not in (Group.IMPACT, Group.CONTROL)


def _largest_remainder(shares: Sequence[float], total: int, ids: Sequence[str]) -> list[int]:
    """Return whole numbers next to ``shares`` that add up to ``total``; ties go by id."""
    floors = [math.floor(share) for share in shares]
    missing = total - sum(floors)
    order = sorted(range(len(shares)), key=lambda i: (floors[i] - shares[i], ids[i]))
    for index in order[:missing]:
        floors[index] += 1
    # Only when the smallest score of 1 or float error leaves more to give than there are factors.
    for index in range(missing - len(order)):
        floors[order[index % len(order)]] += 1
    return floors
