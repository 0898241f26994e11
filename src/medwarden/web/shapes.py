"""Geometry of the drawings that the server makes itself: waterfall, sparkline, bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from medwarden.model.risk import Factor, RiskLevel, RiskScore
from medwarden.web.templatetags.console import words


class Bar(NamedTuple):
    """One step of a waterfall on a scale of 0 to 100: where it starts, how wide it is, which way it goes."""

    factor: Factor
    start: int
    width: int
    css: str
    running: int


def waterfall(score: RiskScore) -> list[Bar]:
    """Return the steps from 0 to the score, factor by factor; the last running total is the score."""
    running, bars = 0, []
    for factor in score.factors:
        after = running + factor.points
        css = "adds" if factor.points >= 0 else "lowers"
        low, high = sorted((running, after))
        bars.append(Bar(factor, max(0, low), max(0, min(100, high) - max(0, low)), css, after))
        running = after
    return bars


def risk_over_time(moments: Sequence[tuple[int, int]]) -> dict[str, object]:
    """Return the chart of a risk over time, steps of (nanoseconds, score), before the bands of the levels."""
    bands = [level for level in RiskLevel if level is not RiskLevel.NONE]
    return {
        "kind": "line",
        "time": True,
        "step": True,
        "max": 100,
        "bands": [[level.value, words(level.value)] for level in bands],
        "series": [{"name": "Risk", "values": [[at_ns // 1_000_000, score] for at_ns, score in moments]}],
    }


class Side(NamedTuple):
    """One side of a score: likelihood or impact, and the parts of the factors that add up to it."""

    title: str
    value: int
    parts: tuple[tuple[str, int], ...]


def sides(score: RiskScore) -> list[Side]:
    """Return likelihood and impact of a score with their parts; they multiply to the score over 100."""
    likely = tuple((f.title, f.part) for f in score.factors if f.group != "impact" and f.part)
    harm = tuple((f.title, f.part) for f in score.factors if f.group == "impact" and f.part)
    base = (("Every device on the network", score.base_impact),)
    return [
        Side("Likelihood", score.likelihood, tuple(sorted(likely, key=lambda p: -p[1]))),
        Side("Impact", score.impact, base + tuple(sorted(harm, key=lambda p: -p[1]))),
    ]


def sparkline(values: Sequence[float], width: int = 120, height: int = 32) -> tuple[str, str]:
    """Return the paths (line, area) of a sparkline in a box of ``width`` by ``height``."""
    if len(values) < 2:
        return "", ""
    low, high = min(values), max(values)
    span = (high - low) or 1
    step = width / (len(values) - 1)
    points = [(i * step, height - 2 - (v - low) / span * (height - 4)) for i, v in enumerate(values)]
    line = "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return line, f"{line} L{width},{height} L0,{height} Z"


def shares(counts: Sequence[int]) -> list[float]:
    """Return each count as per cent of the largest, for bars beside each other."""
    most = max(counts, default=0)
    return [round(100 * c / most, 1) if most else 0.0 for c in counts]
