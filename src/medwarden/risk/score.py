"""From raw points to a score: likelihood times impact, told as a sum that is exact.

Let P be the raw points of all factors that make trouble more likely, C what compensating controls
take away (at most a fixed share of P), and L = P - C. Then::

    likelihood = 1 - exp(-L / saturation)          in whole percent; never quite 100: a smooth cap
    impact     = base_impact + sum of impact shares in whole percent
    score      = likelihood * impact / 100, rounded

so that whoever has the two sub-scores can check the score with a pocket calculator. All three split without
remainder. The likelihood goes to the factors that make it and to controls in proportion to their raw
points; the impact to the base and the impact factors; of the score, ``likelihood * base_impact`` goes to
the likelihood factors and controls, ``likelihood * share`` to each impact factor. Rounding to whole points
is by largest remainder (Hamilton's method). A device without any likelihood factor scores 0 whatever it is
for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from medwarden.model.risk import Factor, RiskLevel, RiskScore
from medwarden.risk.factor import Group
from medwarden.risk.weights import Shape, default_weights


def compose(device: str, factors: Sequence[Factor], version: str, shape: Shape | None = None) -> RiskScore:
    """Return the score of ``device`` from ``factors``, of which only ``raw_points`` and ``group`` count.

    The factors of the result carry their whole points and come in order of them, largest first.
    """
    shape = shape or default_weights().shape
    net, controls_share = _net(factors, shape)
    chance = 1 - math.exp(-net / shape.saturation)
    harm = shape.base_impact + math.fsum(f.raw_points for f in factors if f.group == Group.IMPACT)
    likelihood, impact = _percent(chance), _percent(harm)
    score = max(math.floor(likelihood * impact / 100 + 0.5), 1 if likelihood and impact else 0)
    points, parts = _split(factors, net, controls_share, shape, score, likelihood, impact)
    pointed = [
        msgspec.structs.replace(f, points=point, part=part)
        for f, point, part in zip(factors, points, parts, strict=True)
    ]
    pointed.sort(key=lambda f: (-f.points, -abs(f.raw_points), f.id))
    return RiskScore(device, score, RiskLevel.of(score), tuple(pointed), version, likelihood, impact)


def without(score: RiskScore, factors: Iterable[str], shape: Shape | None = None) -> RiskScore:
    """Return what the score would be if the factors with the ids ``factors`` did not apply.

    Removing a factor never raises the score, and removing a control never lowers it.
    """
    gone = frozenset(factors)
    kept = [f for f in score.factors if f.id not in gone]
    return compose(score.device, kept, score.rules_version, shape)


def _percent(share: float) -> int:
    """Return a share between 0 and 1 in whole percent; what is above 0 is at least 1."""
    return min(100, max(math.floor(100 * share + 0.5), 1 if share > 0 else 0))


def _net(factors: Sequence[Factor], shape: Shape) -> tuple[float, float]:
    """Return the raw points that are left after controls, and which share of the controls counts."""
    positive = math.fsum(f.raw_points for f in factors if _likely(f) and f.raw_points > 0)
    controls = math.fsum(-f.raw_points for f in factors if f.group == Group.CONTROL)
    if positive <= 0:
        return 0.0, 0.0
    taken = min(controls, shape.control_limit * positive)
    return positive - taken, taken / controls if controls else 0.0


def _split(
    factors: Sequence[Factor],
    net: float,
    controls_share: float,
    shape: Shape,
    score: int,
    likelihood: int,
    impact: int,
) -> tuple[list[int], list[int]]:
    """Return the whole points of each factor, and its whole part of its sub-score."""
    ids = [f.id for f in factors]
    bears = [f.group == Group.IMPACT for f in factors]
    weight = [f.raw_points * (controls_share if f.group == Group.CONTROL else 1.0) for f in factors]
    likely = [0.0 if bear else raw / net if net > 0 else 0.0 for raw, bear in zip(weight, bears, strict=True)]
    harm = [raw if bear else 0.0 for raw, bear in zip(weight, bears, strict=True)]
    shares = [
        (bearing if bear else part * shape.base_impact) if score else 0.0
        for part, bearing, bear in zip(likely, harm, bears, strict=True)
    ]
    points = largest_remainder(shares, score, ids)
    chance_parts = largest_remainder(likely, likelihood, ids)
    harm_parts = largest_remainder([*harm, shape.base_impact], impact, [*ids, ""])
    parts = [h if bear else c for h, c, bear in zip(harm_parts, chance_parts, bears, strict=False)]
    return points, parts


def _likely(factor: Factor) -> bool:
    return factor.group not in (Group.IMPACT, Group.CONTROL)


def largest_remainder(shares: Sequence[float], total: int, ids: Sequence[str]) -> list[int]:
    """Return whole numbers in proportion to ``shares`` that add up to ``total``; ties go by id.

    What has no share gets nothing; where nothing has any, or ``total`` is not above 0, all get nothing.
    """
    whole = math.fsum(shares)
    if whole <= 0 or total <= 0:
        return [0 for _ in shares]
    exact = [share * total / whole for share in shares]
    floors = [math.floor(share) for share in exact]
    order = sorted(
        (i for i, share in enumerate(shares) if share), key=lambda i: (floors[i] - exact[i], ids[i])
    )
    for index in order[: total - sum(floors)]:
        floors[index] += 1
    return floors
