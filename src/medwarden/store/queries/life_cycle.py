"""What ends of devices and when, and the lists that say so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from medwarden.model.life_cycle import Ending, EndOfLife, Subject
from medwarden.model.vulnerability import Aspect, MatchState
from medwarden.store.models import DeviceSupport, SupportListImport, SupportListRow
from medwarden.store.queries.scope import Page, Scope, bounds

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


class SupportRowView(msgspec.Struct, frozen=True):
    """A row of a list: the line, maker, model, version, what ends on which day, and where that is said."""

    line: int
    vendor: str
    model: str
    version: str
    ending: str
    day: str
    url: str


def ends_of(scope: Scope, ids: Sequence[str]) -> dict[str, tuple[EndOfLife, ...]]:
    """Return what ends of each of some devices now, the soonest first; devices without any are left out."""
    found: dict[str, list[EndOfLife]] = {}
    for start in range(0, len(ids), _AT_ONCE):
        rows = scope.over(
            DeviceSupport.objects.filter(device_id__in=ids[start : start + _AT_ONCE], until_ns=None)
        )
        for row in rows.order_by("day", "ending", "notice"):
            found.setdefault(row.device_id, []).append(_end(row))
    return {device: tuple(ends) for device, ends in found.items()}


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
