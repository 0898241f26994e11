"""Risk scores: a row of history for every change, an audit entry for every change of level.

What did not change writes nothing: a score that is what it was keeps its row, a factor whose raw points and
sentence are what they were keeps its span. Of a span that ends, the first pieces of evidence are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from django.db import connection
from django.db.models import TextField
from django.db.models.functions import Cast

from medwarden.kernel.errors import InternalError
from medwarden.model.risk import Factor
from medwarden.model.risk import RiskScore as ModelScore
from medwarden.store.bulk import among, insert_rows, update_rows
from medwarden.store.changes import Change
from medwarden.store.marking import due_at
from medwarden.store.models import Device, FactorSpan, RiskScore
from medwarden.store.prepared import Prepared, one_of

_AT_ONCE = 400
_KEPT_EVIDENCE = 3
"""Pieces of evidence that are kept of a factor that no longer holds."""
_NAMED = 6
"""Factors that a cause names."""
_EQUAL = 1e-6


def record_scores(
    change: Change, scores: Sequence[ModelScore], marks: Mapping[str, int] | None = None
) -> None:
    """Store scores as the current ones of their devices; those that did not change write nothing.

    ``marks`` is how often each device was marked before anything was read for its score
    (:func:`medwarden.store.marking.marks_of`): one that was marked since stays due. Left out, all was read
    within this change. Raises InternalError where the points of the factors do not add up to the score.
    """
    for start in range(0, len(scores), _AT_ONCE):
        part = scores[start : start + _AT_ONCE]
        held = held_scores([score.device for score in part])
        record_beside(change, part, held, marks)


def mark_due(change: Change, ids: Iterable[str] | None = None, *, site: str | None = None) -> int:
    """Have devices scored anew without reading what they are again; return how many.

    Those with ``ids``, or all of the tenant (of a ``site``) where left out. In the change that alters what
    their scores rest on, so that none is forgotten by a process that is killed.
    """
    rows = Device.objects.filter(tenant_id=change.tenant, retired_at=None)
    if site is not None:
        rows = rows.filter(site_id=site)
    if ids is not None:
        rows = rows.filter(pk__in=among(ids))
    return rows.update(**due_at(change.now_ns))


def mark_touched(change: Change, ids: Iterable[str]) -> dict[str, int]:
    """Have devices scored anew like :func:`mark_due`; return the marks of those that were up to date before.

    Their scores rest on nothing else that changed: what this change alters is all that is to be judged, as
    long as nobody marks them again.
    """
    held = among(ids)
    columns = ("pk", "score_due_ns", "stale", "marks", "tenant_id", "retired_at")
    marked: list[str] = []
    fresh: dict[str, int] = {}
    rows = Device.objects.filter(pk__in=held).values_list(*columns)
    for device, due_ns, stale, marks, tenant, retired in rows:
        if tenant == change.tenant and retired is None:
            marked.append(device)
            if due_ns is None and not stale:
                fresh[device] = marks + 1
    Device.objects.filter(pk__in=among(marked)).update(**due_at(change.now_ns))
    return fresh


class _Held(msgspec.Struct):
    """A score that counts now, as it is stored."""

    pk: int
    score: int
    likelihood: int
    impact: int
    rules_version: str
    points: str


class _HeldSpan(msgspec.Struct):
    """A factor that holds now, as it is stored, without its evidence."""

    pk: int
    raw_points: float
    why: str
    points: int
    group: str


class _Where(msgspec.Struct):
    """What a row about a device needs of it, how it stands in lists, and whether its score is due."""

    device: str
    tenant: str
    site: str
    score: int
    level: str
    due_ns: int | None
    stale: bool
    retired_ns: int | None
    marks: int


class HeldScores(msgspec.Struct):
    """What is stored of the scores of a few hundred devices, as far as fresh ones are compared with it."""

    devices: dict[str, _Where]
    scores: dict[str, _Held]
    spans: dict[str, dict[str, _HeldSpan]]

    def rules_version(self, device: str) -> str | None:
        """Return by which rules a device is scored, None where it is not."""
        score = self.scores.get(device)
        return None if score is None else score.rules_version

    def due(self, marks: Mapping[str, int]) -> list[str]:
        """Return the devices that are due, were marked as often as ``marks`` says and are known by now."""
        return [
            name
            for name, where in self.devices.items()
            if where.due_ns is not None
            and where.marks == marks.get(name)
            and not where.stale
            and where.retired_ns is None
        ]

    def standing(self, device: str) -> list[Factor]:
        """Return the factors that hold for a device, with raw points and without evidence."""
        return [
            Factor(name, "", span.group, span.points, span.raw_points, span.why)
            for name, span in self.spans.get(device, {}).items()
        ]


_DEVICES = Prepared(
    lambda ids: Device.objects.filter(pk__in=one_of(ids)),
    "pk", "tenant_id", "site_id", "risk_score", "risk_level", "score_due_ns", "stale", "retired_at",
    "marks",
)  # fmt: skip
_SCORES = Prepared(
    lambda ids: RiskScore.objects.filter(device_id__in=one_of(ids), current=True).annotate(
        text=Cast("points", TextField())  # compared as it is stored
    ),
    "device_id", "pk", "score", "likelihood", "impact", "rules_version", "text",
)  # fmt: skip
_SPANS = Prepared(
    lambda ids: FactorSpan.objects.filter(device_id__in=one_of(ids), until_ns=None),
    "device_id", "factor", "pk", "raw_points", "why", "points", "group",
)  # fmt: skip


def held_scores(ids: Sequence[str]) -> HeldScores:
    """Return what is stored of the scores of a few hundred devices."""
    devices = {row[0]: _Where(*row) for row in _DEVICES(ids)}
    scores = {device: _Held(*values) for device, *values in _SCORES(ids)}
    spans: dict[str, dict[str, _HeldSpan]] = {}
    for device, factor, *values in _SPANS(ids):
        spans.setdefault(device, {})[factor] = _HeldSpan(*values)
    return HeldScores(devices, scores, spans)


def record_beside(
    change: Change, scores: Sequence[ModelScore], held: HeldScores, marks: Mapping[str, int] | None
) -> None:
    """Store scores beside ``held``, what was read of the same devices in the same transaction.

    As :func:`record_scores`, and no more devices than a few hundred.
    """
    writing = _Writing(change)
    for score in scores:
        where = held.devices.get(score.device)
        if where is None:
            continue
        if sum(f.points for f in score.factors) != score.score:
            raise InternalError(f"the factors of {score.device} do not add up to its score {score.score}")
        spans = held.spans.get(score.device, {})
        writing.take(where, held.scores.get(score.device), spans, score)
    writing.store()
    scored = [held.devices[score.device] for score in scores if score.device in held.devices]
    settled = [
        where.device
        for where in scored
        if where.due_ns is not None and (marks is None or where.marks == marks.get(where.device))
    ]
    if settled:
        Device.objects.filter(pk__in=among(settled)).update(score_due_ns=None)


class _Writing:
    """What some scores change, gathered for a few statements."""

    def __init__(self, change: Change) -> None:
        self._change = change
        self._devices: list[tuple[int | str, ...]] = []
        self._ended: list[int] = []
        self._begun: list[RiskScore] = []
        self._closed: list[int] = []
        self._moved: list[tuple[int, float, int]] = []
        self._opened: list[FactorSpan] = []

    def take(self, device: _Where, row: _Held | None, spans: dict[str, _HeldSpan], score: ModelScore) -> None:
        """Compare a fresh score with what is stored of its device."""
        came, went = self._spans(device, spans, score)
        points = {f.id: [f.points, f.part] for f in score.factors}
        if row is not None and not came and not went and _same(row, points, score):
            return
        if row is not None:
            self._ended.append(row.pk)
        cause = _cause(self._change.reason, row, score, came, went)
        self._begun.append(_row(self._change, device, score, points, cause))
        if device.level != score.level.value:
            self._change.record(
                "risk.level",
                f"device:{device.device}",
                {"score": device.score, "level": device.level},
                {"score": score.score, "level": score.level.value, "factors": [f.id for f in score.factors]},
                rule_version=score.rules_version,
                site=device.site,
            )
        self._devices.append((score.score, score.level.value, score.likelihood, score.impact, device.device))

    def _spans(
        self, device: _Where, spans: dict[str, _HeldSpan], score: ModelScore
    ) -> tuple[list[str], list[str]]:
        """Close, keep and open spans; return the ids of factors that came and of those that went."""
        came = []
        for factor in score.factors:
            span = spans.get(factor.id)
            if span is not None and _as_before(span, factor):
                if (span.points, span.raw_points) != (factor.points, factor.raw_points):
                    self._moved.append((factor.points, factor.raw_points, span.pk))
                continue
            came.append(factor.id)
            self._opened.append(_span(self._change, device, factor))
        changed, now = set(came), {factor.id for factor in score.factors}
        went = [name for name in spans if name not in now]
        self._closed += [spans[name].pk for name in spans if name not in now or name in changed]
        return came, went

    def store(self) -> None:
        """Write it all."""
        now = self._change.now_ns
        for start in range(0, len(self._ended), _AT_ONCE):
            part = self._ended[start : start + _AT_ONCE]
            RiskScore.objects.filter(pk__in=part).update(current=False, until_ns=now)
        for start in range(0, len(self._closed), _AT_ONCE):
            closing = list(FactorSpan.objects.filter(pk__in=self._closed[start : start + _AT_ONCE]))
            for span in closing:
                span.until_ns, span.evidence = now, span.evidence[:_KEPT_EVIDENCE]
            update_rows(closing, ["until_ns", "evidence"])
        insert_rows(self._begun)
        insert_rows(self._opened)
        with connection.cursor() as cursor:
            if self._moved:
                cursor.executemany(
                    "UPDATE store_factorspan SET points = %s, raw_points = %s WHERE id = %s", self._moved
                )
            if self._devices:
                cursor.executemany(
                    "UPDATE store_device SET risk_score = %s, risk_level = %s, risk_likelihood = %s,"
                    " risk_impact = %s WHERE id = %s",
                    self._devices,
                )


def _same(row: _Held, points: dict[str, list[int]], score: ModelScore) -> bool:
    if (row.score, row.likelihood, row.impact) != (score.score, score.likelihood, score.impact):
        return False
    if row.rules_version != score.rules_version:
        return False
    stored: dict[str, list[int]] = msgspec.json.decode(row.points)
    return stored == points


def _as_before(span: _HeldSpan, factor: Factor) -> bool:
    return abs(span.raw_points - factor.raw_points) < _EQUAL and span.why == factor.why


def _cause(
    reason: str, row: _Held | None, score: ModelScore, came: Sequence[str], went: Sequence[str]
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
    change: Change, device: _Where, score: ModelScore, points: dict[str, list[int]], cause: str
) -> RiskScore:
    return RiskScore(
        tenant_id=device.tenant,
        site_id=device.site,
        device_id=device.device,
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


def _span(change: Change, device: _Where, factor: Factor) -> FactorSpan:
    return FactorSpan(
        tenant_id=device.tenant,
        site_id=device.site,
        device_id=device.device,
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
