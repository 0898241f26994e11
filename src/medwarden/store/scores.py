"""Risk scores: a row of history for every change, an audit entry for every change of level."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from medwarden.kernel.errors import InternalError
from medwarden.model.risk import RiskScore as ModelScore
from medwarden.store.bulk import insert_rows, update_rows
from medwarden.store.changes import Change
from medwarden.store.models import Device, RiskFactor, RiskScore

_AT_ONCE = 400


def record_scores(change: Change, scores: Sequence[ModelScore]) -> None:
    """Store scores as the current ones of their devices; those that did not change write nothing.

    Raises InternalError where the points of the factors do not add up to the score.
    """
    for start in range(0, len(scores), _AT_ONCE):
        _record(change, scores[start : start + _AT_ONCE])


def _record(change: Change, scores: Sequence[ModelScore]) -> None:
    ids = [score.device for score in scores]
    devices = {d.pk: d for d in Device.objects.filter(pk__in=ids)}
    current = {row.device_id: row for row in RiskScore.objects.filter(device_id__in=ids, current=True)}
    factors: dict[int, list[RiskFactor]] = {}
    for factor in RiskFactor.objects.filter(score__in=current.values()).order_by("score_id", "position"):
        factors.setdefault(factor.score_id, []).append(factor)
    changed: list[Device] = []
    ended: list[RiskScore] = []
    begun: list[tuple[RiskScore, ModelScore]] = []
    for score in scores:
        device = devices.get(score.device)
        if device is None:
            continue
        if sum(f.points for f in score.factors) != score.score:
            raise InternalError(f"the factors of {score.device} do not add up to its score {score.score}")
        row = current.get(score.device)
        if row is not None and _same(row, factors.get(row.pk, []), score):
            continue
        if row is not None:
            row.current = False
            ended.append(row)
        begun.append((_row(change, device, score), score))
        if device.risk_level != score.level.value:
            change.record(
                "risk.level",
                f"device:{device.pk}",
                {"score": device.risk_score, "level": device.risk_level},
                {"score": score.score, "level": score.level.value, "factors": [f.id for f in score.factors]},
                rule_version=score.rules_version,
                site=device.site_id,
            )
        device.risk_score, device.risk_level = score.score, score.level.value
        changed.append(device)
    update_rows(ended, ["current"])
    RiskScore.objects.bulk_create([row for row, _ in begun], batch_size=500)
    insert_rows([factor for row, score in begun for factor in _factors(row, score)])
    update_rows(changed, ["risk_score", "risk_level"])


def _same(row: RiskScore, factors: Sequence[RiskFactor], score: ModelScore) -> bool:
    stored = [(f.factor, f.points, f.why) for f in factors]
    return (row.score, row.rules_version) == (score.score, score.rules_version) and stored == [
        (f.id, f.points, f.why) for f in score.factors
    ]


def _row(change: Change, device: Device, score: ModelScore) -> RiskScore:
    return RiskScore(
        tenant_id=device.tenant_id,
        site_id=device.site_id,
        device_id=device.pk,
        at_ns=change.now_ns,
        score=score.score,
        level=score.level.value,
        rules_version=score.rules_version,
        current=True,
    )


def _factors(row: RiskScore, score: ModelScore) -> list[RiskFactor]:
    return [
        RiskFactor(
            tenant_id=row.tenant_id,
            site_id=row.site_id,
            score=row,
            position=position,
            factor=factor.id,
            title=factor.title,
            group=factor.group,
            points=factor.points,
            raw_points=factor.raw_points,
            why=factor.why,
            evidence=msgspec.to_builtins(factor.evidence),
        )
        for position, factor in enumerate(score.factors)
    ]
