"""Keep ends of support: lists that a hospital imports, and what was found of each device.

Writers close the span of what no longer holds and open a new one with the cause, and write nothing where
nothing changed. See :mod:`medwarden.store.models.life_cycle`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import msgspec
from django.db.models import Max

from medwarden.kernel.clock import to_datetime
from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.ids import stable_id
from medwarden.model.life_cycle import Ending, EndOfLife, EndOfSupport
from medwarden.store.bulk import insert_rows, update_rows
from medwarden.store.changes import Change
from medwarden.store.models import (
    AttributeValue,
    Device,
    DeviceSupport,
    SupportListImport,
    SupportListRow,
)
from medwarden.store.prepared import Prepared, PreparedRows, one_of

_AT_ONCE = 400


class ListedRow(msgspec.Struct, frozen=True):
    """One row of a list as it is stored: the line it stands on, and what of which model ends when."""

    line: int
    vendor: str
    model: str
    version: str
    ending: Ending
    day: date
    url: str = ""


class ListImport(msgspec.Struct, frozen=True):
    """What an import of a list came to; ``same``: the file was imported already and nothing was written.

    ``devices`` are those of which something else is said now.
    """

    name: str
    number: int
    rows: int
    rejected: int
    columns: tuple[tuple[str, str], ...]
    same: bool = False
    devices: int = 0


_IMPORTS = PreparedRows(
    SupportListImport,
    lambda tenant: SupportListImport.objects.filter(tenant_id=tenant, undone_ns=None).order_by(
        "name", "number"
    ),
)


def in_force(tenant: str) -> list[SupportListImport]:
    """Return the import of each list that counts now: the latest that was not taken back, by name."""
    return list({row.name: row for row in _IMPORTS(tenant)}.values())


def import_list(
    change: Change,
    name: str,
    rows: Sequence[ListedRow],
    *,
    file: str,
    digest: str,
    columns: Sequence[tuple[str, str]],
    rejected: int,
) -> ListImport:
    """Put ``rows`` in the place of the list called ``name``; the same file read the same way writes nothing.

    Raises ConfigurationError for a name that is empty.
    """
    name = name.strip()[:120]
    if not name:
        raise ConfigurationError("give the list a name")
    shown = tuple((heading, field) for heading, field in columns)
    standing = next((one for one in in_force(change.tenant) if one.name == name), None)
    if standing is not None and (standing.digest, standing.columns) == (digest, [list(c) for c in shown]):
        return ListImport(name, standing.number, standing.rows, standing.rejected, shown, same=True)
    last = SupportListImport.objects.filter(tenant_id=change.tenant, name=name).aggregate(n=Max("number"))[
        "n"
    ]
    row = SupportListImport.objects.create(
        tenant_id=change.tenant,
        site_id=None,
        name=name,
        number=(last or 0) + 1,
        file=file[:255],
        digest=digest,
        columns=[list(pair) for pair in shown],
        rows=len(rows),
        rejected=rejected,
        at_ns=change.now_ns,
        actor=change.actor[:150],
    )
    insert_rows(
        [
            SupportListRow(
                tenant_id=change.tenant, site_id=None, source_id=row.pk, line=each.line,
                vendor=each.vendor[:200], model=each.model[:300], version=each.version[:200],
                ending=each.ending.value, day=each.day.isoformat(), url=each.url[:500],
            )
            for each in rows
        ]
    )  # fmt: skip
    before = None if standing is None else {"number": standing.number, "rows": standing.rows}
    after = {"number": row.number, "rows": row.rows, "rejected": rejected, "digest": digest}
    change.record("support_list.imported", f"support_list:{name}", before, after)
    return ListImport(name, row.number, row.rows, rejected, shown)


def undo_import(change: Change, name: str) -> int:
    """Take the latest import of a list back; return the number that counts now, 0 for none.

    Raises ConfigurationError where there is no such list.
    """
    standing = next((one for one in in_force(change.tenant) if one.name == name), None)
    if standing is None:
        raise ConfigurationError(f"there is no list of ends of support called {name[:60]!r}")
    standing.undone_ns = change.now_ns
    standing.save(update_fields=["undone_ns"])
    now = next((one.number for one in in_force(change.tenant) if one.name == name), 0)
    change.record("support_list.undone", f"support_list:{name}", {"number": standing.number}, {"number": now})
    return now


def remove_list(change: Change, name: str) -> None:
    """Take all imports of a list back. Raises ConfigurationError where there is no such list."""
    rows = SupportListImport.objects.filter(tenant_id=change.tenant, name=name, undone_ns=None)
    numbers = list(rows.order_by("number").values_list("number", flat=True))
    if not numbers:
        raise ConfigurationError(f"there is no list of ends of support called {name[:60]!r}")
    rows.update(undone_ns=change.now_ns)
    change.record("support_list.removed", f"support_list:{name}", {"numbers": numbers}, None)


def listed_ends(tenant: str) -> Iterator[EndOfSupport]:
    """Yield what the lists in force say."""
    for source in in_force(tenant):
        seen = to_datetime(source.at_ns).date().isoformat()
        for row in SupportListRow.objects.filter(source=source).order_by("line", "pk").iterator():
            yield EndOfSupport(
                id=stable_id("es", source.name, row.vendor, row.model, row.version, row.ending, row.day),
                vendor=row.vendor,
                model=row.model,
                version=row.version,
                ending=Ending(row.ending),
                day=date.fromisoformat(row.day),
                source=f"the list {source.name}",
                url=row.url,
                seen=seen,
            )


_COMPARED = PreparedRows(
    Device, lambda ids, tenant: Device.objects.filter(tenant_id=tenant, pk__in=one_of(ids))
)
_STATED = Prepared(
    lambda ids, tenant, attribute: AttributeValue.objects.filter(
        tenant_id=tenant, attribute__name=attribute, attribute__kind="date", device_id__in=one_of(ids)
    ),
    "device_id",
    "value",
)


def devices_compared(tenant: str, ids: Sequence[str]) -> Iterator[Device]:
    """Yield the rows of devices that ends of support are compared with."""
    return _COMPARED(ids, tenant)


def stated_days(tenant: str, attribute: str, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the days that people entered for devices under an attribute of kind date, as ISO 8601."""
    yield from _STATED(ids, tenant, attribute)


_DEVICES = Prepared(
    lambda ids, tenant: Device.objects.filter(tenant_id=tenant, pk__in=one_of(ids)),
    "pk",
    "site_id",
    "support_ends",
)
_HOLDING = PreparedRows(
    DeviceSupport, lambda ids: DeviceSupport.objects.filter(device_id__in=one_of(ids), until_ns=None)
)


def record_support(change: Change, found: Mapping[str, Sequence[EndOfLife]], cause: str) -> set[str]:
    """Bring what is said of devices in line with ``found``; return the devices of which something changed."""
    changed: set[str] = set()
    ids = list(found)
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        devices = {pk: (site, day) for pk, site, day in _DEVICES(part, change.tenant)}
        held: dict[str, dict[str, DeviceSupport]] = {}
        for row in _HOLDING(part):
            held.setdefault(row.device_id, {})[row.notice] = row
        ended: list[DeviceSupport] = []
        begun: list[DeviceSupport] = []
        dated: list[Device] = []
        for device in (each for each in part if each in devices):
            site, day = devices[device]
            now = {end.notice: end for end in found[device]}
            before = held.get(device, {})
            ended += [row for name, row in before.items() if name not in now or not _same(row, now[name])]
            fresh = [e for name, e in now.items() if name not in before or not _same(before[name], e)]
            begun += [_row(change, device, site, end, cause) for end in fresh]
            first = first_day(found[device])
            if first != day:
                dated.append(Device(pk=device, support_ends=first))
            if fresh or first != day or any(name not in now for name in before):
                changed.add(device)
        for row in ended:
            row.until_ns = change.now_ns
        update_rows(ended, ("until_ns",))
        insert_rows(begun)
        update_rows(dated, ("support_ends",))
    if changed:
        change.record("support.judged", "devices", None, {"changed": len(changed), "cause": cause})
    return changed


def first_day(ends: Sequence[EndOfLife]) -> str | None:
    """Return the first day on which something ends that leaves a device without help for sure, or None."""
    return min((end.day.isoformat() for end in ends if end.counts), default=None)


def _same(row: DeviceSupport, end: EndOfLife) -> bool:
    """Tell whether a stored end says what a fresh one says; when it was last looked up does not count."""
    return (row.state, row.day, row.reason, row.url) == (
        end.state.value, end.day.isoformat(), end.reason, end.url,
    )  # fmt: skip


def _row(change: Change, device: str, site: str, end: EndOfLife, cause: str) -> DeviceSupport:
    return DeviceSupport(
        tenant_id=change.tenant,
        site_id=site,
        device_id=device,
        notice=end.notice,
        subject=end.subject.value,
        ending=end.ending.value,
        day=end.day.isoformat(),
        state=end.state.value,
        reason=end.reason,
        aspects=[msgspec.to_builtins(aspect) for aspect in end.aspects],
        source=end.source[:300],
        url=end.url[:500],
        seen=end.seen,
        since_ns=change.now_ns,
        until_ns=None,
        cause=cause[:200],
    )
