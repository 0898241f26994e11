"""Findings: lists, counts, one with its history."""

from __future__ import annotations

import msgspec
from django.db.models import Count, Max, QuerySet

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.finding import FindingEvidence
from medwarden.store.bulk import among
from medwarden.store.models import Finding, FindingEvent
from medwarden.store.queries.scope import Page, Scope, bounds


class FindingFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Conditions that all hold; a tuple matches any of its values, an empty one everything."""

    state: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    device: str = ""
    category: tuple[str, ...] = ()
    text: str = ""
    opened_since: int | None = None


class FindingRow(msgspec.Struct, frozen=True):
    """One finding with what lists show of its device."""

    id: str
    site: str
    device: str
    device_name: str | None
    category: str | None
    vendor: str | None
    model: str | None
    kind: str
    type: str
    severity: str
    state: str
    title: str
    detail: str
    fix: str
    evidence: list[FindingEvidence]
    mitre: list[str]
    rule_version: str
    first_seen: int
    last_seen: int
    opened_ns: int
    changed_ns: int
    accepted_until_ns: int | None
    approver: str


class Step(msgspec.Struct, frozen=True):
    """One step in the life of a finding."""

    at_ns: int
    actor: str
    before: str
    after: str
    reason: str
    rule_version: str


_SOURCES = {
    "site": "site_id",
    "device": "device_id",
    "device_name": "device__name",
    "category": "device__category",
    "vendor": "device__vendor",
    "model": "device__model",
}
_FIELDS = tuple(_SOURCES.get(f, f) for f in FindingRow.__struct_fields__)

SORTS: dict[str, tuple[str, ...]] = {
    "severity": ("severity_rank", "last_seen"),
    "last_seen": ("last_seen",),
    "first_seen": ("first_seen",),
    "opened": ("opened_ns",),
    "changed": ("changed_ns",),
    "type": ("type",),
    "state": ("state",),
    "device": ("device__name",),
}


def _select(scope: Scope, wanted: FindingFilter) -> QuerySet[Finding]:
    rows = scope.over(Finding.objects.all())
    for column in ("state", "severity", "kind", "type"):
        values = getattr(wanted, column)
        if values:
            rows = rows.filter(**{f"{column}__in": values})
    if wanted.category:
        rows = rows.filter(device__category__in=wanted.category)
    if wanted.device:
        rows = rows.filter(device_id=wanted.device)
    if wanted.opened_since is not None:
        rows = rows.filter(opened_ns__gte=wanted.opened_since)
    for term in wanted.text.split()[:8]:
        rows = rows.filter(title__icontains=term) | rows.filter(type__icontains=term)
    return rows


def findings(
    scope: Scope,
    wanted: FindingFilter | None = None,
    *,
    sort: str = "-severity",
    offset: int = 0,
    limit: int = 50,
) -> Page[FindingRow]:
    """Return one page of findings. ``sort`` is a key of :data:`SORTS`, with ``-`` for descending.

    Raises ConfigurationError for another one.
    """
    offset, limit = bounds(offset, limit)
    name, sign = sort.removeprefix("-"), "-" if sort.startswith("-") else ""
    columns = SORTS.get(name)
    if columns is None:
        raise ConfigurationError(f"findings cannot be sorted by {name[:40]!r}: use one of {', '.join(SORTS)}")
    wanted = wanted or FindingFilter()
    rows = _select(scope, wanted)
    ordered = rows.order_by(*(f"{sign}{c}" for c in columns), "id")
    if name == "severity" and len(wanted.state) > 1 and offset + limit <= _MOST_MERGED:
        keys = _first_by_severity(scope, wanted, sign, offset + limit)[offset:]
        ordered = ordered.filter(pk__in=among(keys))
    else:
        ordered = ordered[offset : offset + limit]
    return Page(tuple(_row(values) for values in ordered.values_list(*_FIELDS)), rows.count(), offset, limit)


_MOST_MERGED = 2000
"""Findings up to which a page of several states is put together from the first of each state."""


def _first_by_severity(scope: Scope, wanted: FindingFilter, sign: str, most: int) -> list[str]:
    """Return the ids of the first ``most`` findings of several states, read in the order of their index."""
    found: list[tuple[int, int, str]] = []
    for state in dict.fromkeys(wanted.state):
        rows = _select(scope, msgspec.structs.replace(wanted, state=(state,)))
        ordered = rows.order_by(f"{sign}severity_rank", f"{sign}last_seen", "id")
        found += ordered.values_list("severity_rank", "last_seen", "pk")[:most]
    turn = -1 if sign else 1
    found.sort(key=lambda each: (turn * each[0], turn * each[1], each[2]))
    return [key for _, _, key in found[:most]]


def _row(values: tuple[object, ...]) -> FindingRow:
    return msgspec.convert(dict(zip(FindingRow.__struct_fields__, values, strict=True)), FindingRow)


def finding(scope: Scope, finding_id: str) -> tuple[FindingRow, list[Step]] | None:
    """Return a finding and its steps, oldest first, or None."""
    values = scope.over(Finding.objects.all()).filter(pk=finding_id).values_list(*_FIELDS).first()
    if values is None:
        return None
    events = FindingEvent.objects.filter(finding_id=finding_id).order_by("at_ns", "pk")
    return _row(values), [Step(*event) for event in events.values_list(*Step.__struct_fields__)]


def finding_counts(scope: Scope, wanted: FindingFilter | None = None) -> dict[str, dict[str, int]]:
    """Return how many findings of the filter there are by state, severity, kind and type."""
    rows = _select(scope, wanted or FindingFilter()).order_by()
    groups = rows.values_list("state", "severity", "kind", "type").annotate(n=Count("pk"))
    counts: dict[str, dict[str, int]] = {"state": {}, "severity": {}, "kind": {}, "type": {}}
    for *values, count in groups:
        for name, value in zip(counts, values, strict=True):
            counts[name][value] = counts[name].get(value, 0) + count
    return counts


class FindingType(msgspec.Struct, frozen=True):
    """All open findings of one type together."""

    type: str
    kind: str
    title: str
    fix: str
    severity_rank: int
    devices: int
    last_seen: int


def finding_types(scope: Scope, state: str = "open") -> list[FindingType]:
    """Return the types of findings in ``state``, the most severe and most common first."""
    rows = (
        scope.over(Finding.objects.filter(state=state))
        .values("type", "kind")
        .annotate(
            a_title=Max("title"),
            a_fix=Max("fix"),
            rank=Max("severity_rank"),
            n=Count("device_id", distinct=True),
            last=Max("last_seen"),
        )
        .order_by("-rank", "-n", "type")
    )
    return [
        FindingType(r["type"], r["kind"], r["a_title"], r["a_fix"], r["rank"], r["n"], r["last"])
        for r in rows
    ]
