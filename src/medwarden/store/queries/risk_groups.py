"""Scores of groups of devices: now, over time, and as of a date; and where devices stand in the matrix."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from django.db.models import Count, Q, QuerySet

from medwarden.model.risk import RiskLevel
from medwarden.risk.levels import SHOWN, Contribution, GroupKind, GroupScore, from_counts
from medwarden.risk.weights import GroupShape
from medwarden.store.models import Device, GroupRisk, RiskScore
from medwarden.store.queries.scope import Scope
from medwarden.store.queries.scores import holding

BANDS = ((75, 100), (50, 74), (25, 49), (1, 24))
"""Bands of a sub-score, highest first, as levels of risk are cut."""

_COLUMNS = {
    GroupKind.SITE: ("site_id",),
    GroupKind.DEPARTMENT: ("place__department",),
    GroupKind.CATEGORY: ("category",),
    GroupKind.MODEL: ("vendor", "model"),
}
_WORST = 4000
"""Devices, the worst first, among which those that make most of a group are looked for."""


class GroupMoment(msgspec.Struct, frozen=True):
    """The score of a group from ``at_ns`` on."""

    at_ns: int
    score: int
    level: RiskLevel
    devices: int
    by_level: dict[str, int]
    cause: str


class MatrixCell(msgspec.Struct, frozen=True):
    """Devices whose likelihood and impact lie in these bands (both ends count); ``worst`` is a score."""

    likelihood: tuple[int, int]
    impact: tuple[int, int]
    devices: int
    worst: int


class Mover(msgspec.Struct, frozen=True):
    """A device whose score differs from what it was at a date; ``cause`` is that of its latest change."""

    device: str
    name: str
    site: str
    category: str | None
    before: int
    now: int
    cause: str


def _live(scope: Scope) -> QuerySet[Device]:
    return scope.over(Device.objects.filter(retired_at=None))


def organisation(scope: Scope, shape: GroupShape) -> GroupScore:
    """Return the score of all devices in scope together."""
    counts = Counter(dict(_live(scope).values_list("risk_score").annotate(n=Count("pk")).order_by()))
    worst = list(_live(scope).order_by("-risk_score", "pk").values_list("pk", "risk_score")[:SHOWN])
    return from_counts(GroupKind.ORGANISATION, scope.tenant, counts, worst, shape)


def groups(scope: Scope, kind: GroupKind, shape: GroupShape) -> list[GroupScore]:
    """Return the scores of all groups of a kind, highest first; a device that is in none counts in none."""
    if kind is GroupKind.ORGANISATION:
        return [organisation(scope, shape)]
    columns = _COLUMNS[kind]
    counts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    keys: dict[str, tuple[str | None, ...]] = {}
    rows = _live(scope).values_list(*columns, "risk_score").annotate(n=Count("pk")).order_by()
    for *key, score, number in rows:
        if name := name_of_group(key):
            counts[name][score] += number
            keys.setdefault(name, tuple(key))
    worst: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    ranked = _live(scope).filter(risk_score__gt=0).order_by("-risk_score", "pk")
    for device, score, *key in ranked.values_list("pk", "risk_score", *columns)[:_WORST]:
        if len(worst[name_of_group(key)]) < SHOWN:
            worst[name_of_group(key)].append((device, score))
    found = []
    for name, counted in counts.items():
        highest = max(counted)
        if highest and not worst[name]:
            fitting = ranked.filter(**dict(zip(columns, keys[name], strict=True)))
            worst[name] = list(fitting.values_list("pk", "risk_score")[:SHOWN])
        found.append(from_counts(kind, name, counted, worst[name], shape))
    return sorted(found, key=lambda group: (-group.score, -group.devices, group.name))


def name_of_group(key: Iterable[object]) -> str:
    """Return what a group is called whose devices share these values; '' for a group of none."""
    parts = [str(part) for part in key if part]
    return " ".join(parts)[:200]


def matrix(scope: Scope) -> list[list[MatrixCell]]:
    """Return how many devices stand where, rows by likelihood and columns by impact, highest first."""
    rows = _live(scope).filter(risk_score__gt=0)
    counted: Counter[tuple[int, int]] = Counter()
    worst: dict[tuple[int, int], int] = {}
    grouped = rows.values_list("risk_likelihood", "risk_impact", "risk_score").annotate(n=Count("pk"))
    for likelihood, impact, score, number in grouped.order_by():
        cell = (_band(likelihood), _band(impact))
        counted[cell] += number
        worst[cell] = max(worst.get(cell, 0), score)
    places = range(len(BANDS))
    return [
        [MatrixCell(BANDS[at], BANDS[i], counted[at, i], worst.get((at, i), 0)) for i in places]
        for at in places
    ]


def _band(value: int) -> int:
    return next((at for at, (low, _) in enumerate(BANDS) if value >= low), len(BANDS) - 1)


def group_history(tenant: str, kind: GroupKind, name: str, *, since_ns: int = 0) -> list[GroupMoment]:
    """Return how the score of a group went, oldest first, begun with what held at ``since_ns``."""
    rows = GroupRisk.objects.filter(tenant_id=tenant, kind=kind.value, name=name).order_by("at_ns", "pk")
    first = rows.filter(at_ns__lt=since_ns).last()
    found = [*([first] if first is not None else []), *rows.filter(at_ns__gte=since_ns)]
    return [
        GroupMoment(row.at_ns, row.score, RiskLevel(row.level), row.devices, row.by_level, row.cause)
        for row in found
    ]


def scores_at(scope: Scope, at_ns: int) -> dict[str, int]:
    """Return the score of every device that counted at ``at_ns``, as it was computed then, by device id."""
    rows = holding(scope.over(RiskScore.objects.all()), at_ns).filter(
        Q(device__retired_at=None) | Q(device__retired_at__gt=at_ns)
    )
    return dict(rows.order_by().values_list("device_id", "score"))


def site_at(scope: Scope, site: str, at_ns: int, shape: GroupShape) -> GroupScore:
    """Return the score of a site as of ``at_ns`` from the scores of its devices then."""
    narrowed = Scope(scope.tenant, (site,) if scope.sites is None or site in scope.sites else ())
    return _of(GroupKind.SITE, site, scores_at(narrowed, at_ns), shape)


def organisation_at(scope: Scope, at_ns: int, shape: GroupShape) -> GroupScore:
    """Return the score of all in scope as of ``at_ns`` from the scores of their devices then."""
    return _of(GroupKind.ORGANISATION, scope.tenant, scores_at(scope, at_ns), shape)


def _of(kind: GroupKind, name: str, scores: dict[str, int], shape: GroupShape) -> GroupScore:
    worst = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:SHOWN]
    return from_counts(kind, name, Counter(scores.values()), worst, shape)


def movers(scope: Scope, since_ns: int, *, limit: int = 10) -> tuple[list[Mover], list[Mover]]:
    """Return the devices whose scores rose most since a date, and those that fell most.

    A device that had no score then rose from 0 only where it is older than the date.
    """
    changed = scope.over(RiskScore.objects.filter(current=True, at_ns__gt=since_ns))
    changed = changed.filter(device__retired_at=None)
    now = {
        device: (score, cause) for device, score, cause in changed.values_list("device_id", "score", "cause")
    }
    before = _before(scope, now, since_ns)
    moves = [(score - before[device], device) for device, (score, _) in now.items() if device in before]
    risen = sorted((m for m in moves if m[0] > 0), key=lambda m: (-m[0], m[1]))[:limit]
    fallen = sorted((m for m in moves if m[0] < 0), key=lambda m: (m[0], m[1]))[:limit]
    rows = {row.pk: row for row in Device.objects.filter(pk__in=[d for _, d in (*risen, *fallen)])}

    def told(found: Sequence[tuple[int, str]]) -> list[Mover]:
        return [
            Mover(
                device, rows[device].name or device, rows[device].site_id, rows[device].category,
                before[device], now[device][0], now[device][1],
            )
            for _, device in found
        ]  # fmt: skip

    return told(risen), told(fallen)


def _before(scope: Scope, devices: Iterable[str], at_ns: int) -> dict[str, int]:
    wanted = set(devices)
    ended = scope.over(RiskScore.objects.filter(current=False, at_ns__lte=at_ns, until_ns__gt=at_ns))
    return {d: score for d, score in ended.values_list("device_id", "score").iterator() if d in wanted}


def contributions(ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return name and site of devices, by id."""
    rows = Device.objects.filter(pk__in=ids).values_list("pk", "name", "site_id")
    return {pk: (name or pk, site) for pk, name, site in rows}


def trend(scope: Scope, days: Sequence[int], shape: GroupShape) -> list[tuple[int, GroupScore]]:
    """Return the score of all in scope at each time of ``days`` (ns), from the scores of devices then."""
    return [(at, organisation_at(scope, at, shape)) for at in days]


__all__ = [
    "BANDS", "Contribution", "GroupMoment", "MatrixCell", "Mover", "contributions", "group_history",
    "groups", "matrix", "movers", "name_of_group", "organisation", "organisation_at", "scores_at", "site_at",
    "trend",
]  # fmt: skip
