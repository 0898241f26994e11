"""Risk scores: a row of history for every change, an audit entry for every change of level.

What did not change writes nothing: a score that is what it was keeps its row, a factor whose raw points and
sentence are what they were keeps its span. Of a span that ends, the first pieces of evidence are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from medwarden.kernel.errors import InternalError
from medwarden.model.risk import Factor
from medwarden.model.risk import RiskScore as ModelScore
from medwarden.store.bulk import insert_rows, update_rows
from medwarden.store.changes import Change
from medwarden.store.models import Device, FactorSpan, RiskScore

_AT_ONCE = 400
_KEPT_EVIDENCE = 3
"""Pieces of evidence that are kept of a factor that no longer holds."""
_NAMED = 6
"""Factors that a cause names."""
_DIGITS = 6


def record_scores(change: Change, scores: Sequence[ModelScore], *, read_ns: int | None = None) -> None:
    """Store scores as the current ones of their devices; those that did not change write nothing.

    ``read_ns`` is when the devices were read: a score that fell due after it stays due (now where left
    out). Raises InternalError where the points of the factors do not add up to the score.
    """
    for start in range(0, len(scores), _AT_ONCE):
        _record(change, scores[start : start + _AT_ONCE], change.now_ns if read_ns is None else read_ns)


def mark_due(change: Change, ids: Iterable[str] | None = None, *, site: str | None = None) -> int:
    """Have devices scored anew without reading what they are again; return how many.

    Those with ``ids``, or all of the tenant (of a ``site``) where left out. In the change that alters what
    their scores rest on, so that none is forgotten by a process that is killed.
    """
    rows = Device.objects.filter(tenant_id=change.tenant, retired_at=None)
    if site is not None:
        rows = rows.filter(site_id=site)
    if ids is None:
        return rows.update(score_due_ns=change.now_ns)
    wanted, marked = list(dict.fromkeys(ids)), 0
    for start in range(0, len(wanted), _AT_ONCE):
        marked += rows.filter(pk__in=wanted[start : start + _AT_ONCE]).update(score_due_ns=change.now_ns)
    return marked


def _record(change: Change, scores: Sequence[ModelScore], read_ns: int) -> None:
    ids = [score.device for score in scores]
    devices = {d.pk: d for d in Device.objects.filter(pk__in=ids)}
    current = {row.device_id: row for row in RiskScore.objects.filter(device_id__in=ids, current=True)}
    held: dict[str, dict[str, FactorSpan]] = {}
    for span in FactorSpan.objects.filter(device_id__in=ids, until_ns=None):
        held.setdefault(span.device_id, {})[span.factor] = span
    writing = _Writing(change)
    for score in scores:
        device = devices.get(score.device)
        if device is None:
            continue
        if sum(f.points for f in score.factors) != score.score:
            raise InternalError(f"the factors of {score.device} do not add up to its score {score.score}")
        writing.take(device, current.get(score.device), held.get(score.device, {}), score)
    writing.store()
    Device.objects.filter(pk__in=ids, score_due_ns__lte=read_ns).update(score_due_ns=None)


class _Writing:
    """What some scores change, gathered for a few statements."""

    def __init__(self, change: Change) -> None:
        self._change = change
        self._devices: list[Device] = []
        self._ended: list[RiskScore] = []
        self._begun: list[RiskScore] = []
        self._closed: list[FactorSpan] = []
        self._moved: list[FactorSpan] = []
        self._opened: list[FactorSpan] = []

    def take(
        self, device: Device, row: RiskScore | None, spans: dict[str, FactorSpan], score: ModelScore
    ) -> None:
        """Compare a fresh score with what is stored of its device."""
        came, went = self._spans(device, spans, score)
        points = {f.id: [f.points, f.part] for f in score.factors}
        if row is not None and not came and not went and _same(row, points, score):
            return
        if row is not None:
            row.current, row.until_ns = False, self._change.now_ns
            self._ended.append(row)
        cause = _cause(self._change.reason, row, score, came, went)
        self._begun.append(_row(self._change, device, score, points, cause))
        if device.risk_level != score.level.value:
            self._change.record(
                "risk.level",
                f"device:{device.pk}",
                {"score": device.risk_score, "level": device.risk_level},
                {"score": score.score, "level": score.level.value, "factors": [f.id for f in score.factors]},
                rule_version=score.rules_version,
                site=device.site_id,
            )
        device.risk_score, device.risk_level = score.score, score.level.value
        device.risk_likelihood, device.risk_impact = score.likelihood, score.impact
        self._devices.append(device)

    def _spans(
        self, device: Device, spans: dict[str, FactorSpan], score: ModelScore
    ) -> tuple[list[str], list[str]]:
        """Close, keep and open spans; return the ids of factors that came and of those that went."""
        came, changed = [], set()
        for factor in score.factors:
            span = spans.get(factor.id)
            if span is not None and _as_before(span, factor):
                if span.points != factor.points:
                    span.points = factor.points
                    self._moved.append(span)
                continue
            came.append(factor.id)
            changed.add(factor.id)
            self._opened.append(_span(self._change, device, factor))
        now = {factor.id for factor in score.factors}
        went = [name for name in spans if name not in now]
        for name in [*went, *(name for name in spans if name in changed)]:
            span = spans[name]
            span.until_ns, span.evidence = self._change.now_ns, span.evidence[:_KEPT_EVIDENCE]
            self._closed.append(span)
        return came, went

    def store(self) -> None:
        """Write it all."""
        update_rows(self._ended, ["current", "until_ns"])
        update_rows(self._closed, ["until_ns", "evidence"])
        update_rows(self._moved, ["points"])
        insert_rows(self._begun)
        insert_rows(self._opened)
        update_rows(self._devices, ["risk_score", "risk_level", "risk_likelihood", "risk_impact"])


def _same(row: RiskScore, points: dict[str, list[int]], score: ModelScore) -> bool:
    return (
        (row.score, row.likelihood, row.impact) == (score.score, score.likelihood, score.impact)
        and row.rules_version == score.rules_version
        and row.points == points
    )


def _as_before(span: FactorSpan, factor: Factor) -> bool:
    return (round(span.raw_points, _DIGITS), span.why) == (round(factor.raw_points, _DIGITS), factor.why)


def _cause(
    reason: str, row: RiskScore | None, score: ModelScore, came: Sequence[str], went: Sequence[str]
) -> str:
    if row is None:
        return f"{reason}: first score"[:200]
    words = []
    if row.rules_version != score.rules_version:
        words.append(f"rules {score.rules_version} instead of {row.rules_version}")
    if came:
        words.append("new or changed: " + ", ".join(came[:_NAMED]))
    if went:
        words.append("gone: " + ", ".join(went[:_NAMED]))
    return f"{reason}: {'; '.join(words)}"[:200] if words else reason[:200]


def _row(
    change: Change, device: Device, score: ModelScore, points: dict[str, list[int]], cause: str
) -> RiskScore:
    return RiskScore(
        tenant_id=device.tenant_id,
        site_id=device.site_id,
        device_id=device.pk,
        at_ns=change.now_ns,
        until_ns=None,
        score=score.score,
        likelihood=score.likelihood,
        impact=score.impact,
        level=score.level.value,
        points=points,
        rules_version=score.rules_version,
        cause=cause,
        current=True,
    )


def _span(change: Change, device: Device, factor: Factor) -> FactorSpan:
    return FactorSpan(
        tenant_id=device.tenant_id,
        site_id=device.site_id,
        device_id=device.pk,
        factor=factor.id,
        title=factor.title[:200],
        group=factor.group,
        points=factor.points,
        raw_points=factor.raw_points,
        why=factor.why,
        evidence=msgspec.to_builtins(factor.evidence),
        since_ns=change.now_ns,
        until_ns=None,
        cause=change.reason[:200],
    )
