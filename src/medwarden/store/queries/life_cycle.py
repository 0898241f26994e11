"""What ends of devices and when, and the lists that say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import msgspec
from django.db.models import Q, QuerySet

from medwarden.model.life_cycle import Ending, EndOfLife, Subject
from medwarden.model.vulnerability import Aspect, MatchState
from medwarden.store.models import DeviceSupport, SupportListImport, SupportListRow
from medwarden.store.prepared import PreparedRows, one_of
from medwarden.store.queries.scope import Page, Scope, bounds

SORTS = {
    "day": "day",
    "device": "device__name",
    "model": "device__model",
    "ending": "ending",
    "source": "source",
}
"""What the list of ends may be sorted by."""

_AT_ONCE = 400


class SupportListView(msgspec.Struct, frozen=True):
    """A list of ends of support: its import in force, how many rows it has, who imported it when."""

    name: str
    number: int
    file: str
    digest: str
    columns: tuple[tuple[str, str], ...]
    rows: int
    rejected: int
    at_ns: int
    actor: str
    before: int


class SupportFilter(msgspec.Struct, frozen=True):
    """Which ends: ``when`` is ended, year (within one), later or '' for all; ``sure`` only what is confirmed.

    ``ending`` is what ends, ``text`` part of a device's name, maker or model.
    """

    when: str = ""
    ending: str = ""
    sure: bool = False
    text: str = ""


class DeviceEnd(msgspec.Struct, frozen=True):
    """One end of one device, as the list of them shows it."""

    device: str
    name: str
    site: str
    category: str | None
    vendor: str | None
    model: str | None
    firmware: str | None
    subject: str
    ending: str
    day: str
    state: str
    source: str
    url: str
    seen: str
    reason: str


class SupportRowView(msgspec.Struct, frozen=True):
    """A row of a list: the line, maker, model, version, what ends on which day, and where that is said."""

    line: int
    vendor: str
    model: str
    version: str
    ending: str
    day: str
    url: str


_ENDS = PreparedRows(
    DeviceSupport,
    lambda ids, tenant: DeviceSupport.objects.filter(
        tenant_id=tenant, device_id__in=one_of(ids), until_ns=None
    ).order_by("day", "ending", "notice"),
)


def ends_of(scope: Scope, ids: Sequence[str]) -> dict[str, tuple[EndOfLife, ...]]:
    """Return what ends of each of some devices now, the soonest first; devices without any are left out."""
    found: dict[str, list[EndOfLife]] = {}
    for start in range(0, len(ids), _AT_ONCE):
        for row in _ENDS(ids[start : start + _AT_ONCE], scope.tenant):
            if scope.sites is None or row.site_id in scope.sites:
                found.setdefault(row.device_id, []).append(_end(row))
    return {device: tuple(ends) for device, ends in found.items()}


def _chosen(scope: Scope, wanted: SupportFilter, today: date) -> QuerySet[DeviceSupport]:
    rows = scope.over(DeviceSupport.objects.filter(until_ns=None, device__retired_at=None))
    now, year = today.isoformat(), (today + timedelta(days=365)).isoformat()
    if wanted.when == "ended":
        rows = rows.filter(day__lt=now)
    elif wanted.when == "year":
        rows = rows.filter(day__gte=now, day__lte=year)
    elif wanted.when == "later":
        rows = rows.filter(day__gt=year)
    if wanted.ending:
        rows = rows.filter(ending=wanted.ending)
    if wanted.sure:
        rows = rows.filter(state=MatchState.CONFIRMED.value)
    for term in wanted.text.split()[:8]:
        rows = rows.filter(
            Q(device__name__icontains=term)
            | Q(device__vendor__icontains=term)
            | Q(device__model__icontains=term)
        )
    return rows


def device_ends(
    scope: Scope,
    wanted: SupportFilter,
    today: date,
    *,
    sort: str = "day",
    offset: int = 0,
    limit: int = 50,
) -> Page[DeviceEnd]:
    """Return a page of what ends of devices by ``sort`` (of :data:`SORTS`, ``-`` turns the order round)."""
    offset, limit = bounds(offset, limit)
    rows = _chosen(scope, wanted, today)
    column = SORTS.get(sort.removeprefix("-"), "day")
    order = (f"-{column}" if sort.startswith("-") else column, "device_id", "ending", "pk")
    return Page(tuple(_listed(rows.order_by(*order)[offset : offset + limit])), rows.count(), offset, limit)


def each_end(scope: Scope, wanted: SupportFilter, today: date) -> Iterator[DeviceEnd]:
    """Yield all that a filter describes, the soonest first, for exports."""
    yield from _listed(_chosen(scope, wanted, today).order_by("day", "device_id", "ending", "pk"))


def _listed(rows: QuerySet[DeviceSupport]) -> Iterator[DeviceEnd]:
    columns = (
        "device_id", "device__name", "site_id", "device__category", "device__vendor", "device__model",
        "device__firmware", "subject", "ending", "day", "state", "source", "url", "seen", "reason",
    )  # fmt: skip
    for device, name, *rest in rows.values_list(*columns):
        yield DeviceEnd(device, name or device, *rest)


def end_counts(scope: Scope, today: date) -> dict[str, int]:
    """Return how many devices something ends of: over, within a year, later; surely meant, without sales."""
    found = {}
    for when in ("ended", "year", "later"):
        rows = _chosen(scope, SupportFilter(when=when, sure=True), today).exclude(ending=Ending.SALE.value)
        found[when] = rows.values("device_id").distinct().count()
    return found


def history_of(scope: Scope, device: str) -> list[tuple[EndOfLife, int | None]]:
    """Return everything that was ever said of a device's ends, with when it stopped holding, newest first."""
    rows = scope.over(DeviceSupport.objects.filter(device_id=device)).order_by("-since_ns", "pk")
    return [(_end(row), row.until_ns) for row in rows]


def _end(row: DeviceSupport) -> EndOfLife:
    return EndOfLife(
        notice=row.notice,
        subject=Subject(row.subject),
        ending=Ending(row.ending),
        day=date.fromisoformat(row.day),
        state=MatchState(row.state),
        reason=row.reason,
        source=row.source,
        url=row.url,
        seen=row.seen,
        aspects=msgspec.convert(row.aspects, tuple[Aspect, ...]),
        since_ns=row.since_ns,
    )


def support_lists(tenant: str) -> list[SupportListView]:
    """Return the lists in force by name; ``before`` counts the imports that taking this one back leads to."""
    from medwarden.store.life_cycle import in_force

    found = []
    for row in in_force(tenant):
        earlier = SupportListImport.objects.filter(
            tenant_id=tenant, name=row.name, number__lt=row.number, undone_ns=None
        )
        found.append(
            SupportListView(
                row.name, row.number, row.file, row.digest,
                tuple((heading, field) for heading, field in row.columns),
                row.rows, row.rejected, row.at_ns, row.actor, earlier.count(),
            )
        )  # fmt: skip
    return found


def support_rows(
    tenant: str, name: str, *, text: str = "", offset: int = 0, limit: int = 50
) -> Page[SupportRowView]:
    """Return a page of the rows of a list in force; ``text`` is part of maker or model. Empty for no list."""
    from medwarden.store.life_cycle import in_force

    offset, limit = bounds(offset, limit)
    row = next((one for one in in_force(tenant) if one.name == name), None)
    if row is None:
        return Page((), 0, offset, limit)
    rows = SupportListRow.objects.filter(source=row)
    for term in text.split()[:8]:
        rows = rows.filter(model__icontains=term) | rows.filter(vendor__icontains=term)
    columns = ("line", "vendor", "model", "version", "ending", "day", "url")
    chosen = rows.order_by("line", "pk").values_list(*columns)[offset : offset + limit]
    return Page(tuple(SupportRowView(*values) for values in chosen), rows.count(), offset, limit)
