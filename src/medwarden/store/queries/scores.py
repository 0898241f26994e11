"""Scores of devices: now, as they were computed at any date, and how they changed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from django.db.models import Q, QuerySet

from medwarden.model.finding import FindingEvidence
from medwarden.model.risk import Factor, RiskLevel
from medwarden.model.risk import RiskScore as ModelScore
from medwarden.store.models import FactorSpan, RiskScore
from medwarden.store.queries.scope import Scope

_AT_ONCE = 400


def risk(scope: Scope, device_id: str) -> ModelScore | None:
    """Return the current score of a device with its factors, or None before the first assessment."""
    row = scope.over(RiskScore.objects.all()).filter(device_id=device_id, current=True).first()
    if row is None:
        return None
    return score_of(row, FactorSpan.objects.filter(device_id=device_id, until_ns=None))


def risk_at(scope: Scope, device_id: str, at_ns: int) -> ModelScore | None:
    """Return the score of a device as it stood at ``at_ns``, as it was computed then; None before the first.

    Of factors that ended since, the first pieces of evidence are known.
    """
    row = holding(scope.over(RiskScore.objects.filter(device_id=device_id)), at_ns).first()
    if row is None:
        return None
    return score_of(row, during(FactorSpan.objects.filter(device_id=device_id), at_ns))


def holding(rows: QuerySet[RiskScore], at_ns: int) -> QuerySet[RiskScore]:
    """Return the scores among ``rows`` that held at ``at_ns``."""
    return rows.filter(at_ns__lte=at_ns).filter(Q(until_ns=None) | Q(until_ns__gt=at_ns)).order_by("-at_ns")


def during(rows: QuerySet[FactorSpan], at_ns: int) -> QuerySet[FactorSpan]:
    """Return the factors among ``rows`` that held at ``at_ns``."""
    return rows.filter(since_ns__lte=at_ns).filter(Q(until_ns=None) | Q(until_ns__gt=at_ns))


def score_of(row: RiskScore, spans: QuerySet[FactorSpan]) -> ModelScore:
    """Return a stored score with the factors that held with it, most points first."""
    factors = [
        Factor(
            id=span.factor,
            title=span.title,
            group=span.group,
            points=row.points[span.factor][0],
            raw_points=span.raw_points,
            why=span.why,
            evidence=msgspec.convert(span.evidence, tuple[FindingEvidence, ...]),
            part=row.points[span.factor][1],
        )
        for span in spans
        if span.factor in row.points
    ]
    factors.sort(key=lambda f: (-f.points, -abs(f.raw_points), f.id))
    return ModelScore(
        row.device_id,
        row.score,
        RiskLevel(row.level),
        tuple(factors),
        row.rules_version,
        row.likelihood,
        row.impact,
    )


def factors_of(scope: Scope, ids: Sequence[str]) -> dict[str, tuple[Factor, ...]]:
    """Return the factors that count for each of some devices now, with their raw points, without evidence."""
    found: dict[str, list[Factor]] = {}
    for start in range(0, len(ids), _AT_ONCE):
        rows = scope.over(
            FactorSpan.objects.filter(device_id__in=ids[start : start + _AT_ONCE], until_ns=None)
        ).order_by("device_id", "factor")
        columns = ("device_id", "factor", "title", "group", "points", "raw_points", "why")
        for device, factor, title, group, points, raw_points, why in rows.values_list(*columns):
            found.setdefault(device, []).append(Factor(factor, title, group, points, raw_points, why, ()))
    return {device: tuple(factors) for device, factors in found.items()}


def risk_history(scope: Scope, device_id: str) -> list[tuple[int, int, str]]:
    """Return (time in ns, score, level) of every change of a device's score, oldest first."""
    rows = scope.over(RiskScore.objects.all()).filter(device_id=device_id).order_by("at_ns", "pk")
    return list(rows.values_list("at_ns", "score", "level"))


class ScoreChange(msgspec.Struct, frozen=True):
    """A score from ``at_ns`` on, what made it change, and its factors' points."""

    at_ns: int
    score: int
    level: str
    likelihood: int
    impact: int
    rules_version: str
    cause: str
    points: dict[str, int]


def changes_of(scope: Scope, device_id: str) -> list[ScoreChange]:
    """Return every change of a device's score, oldest first, with its cause."""
    rows = scope.over(RiskScore.objects.filter(device_id=device_id)).order_by("at_ns", "pk")
    return [
        ScoreChange(
            row.at_ns, row.score, row.level, row.likelihood, row.impact, row.rules_version, row.cause,
            {factor: points[0] for factor, points in row.points.items()},
        )
        for row in rows
    ]  # fmt: skip
