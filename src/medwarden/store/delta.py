"""Add an inventory delta to the relational state, in bulk and inside the caller's transaction."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import cast

from django.db import connection

from medwarden.model.inventory_delta import (
    AddressChange,
    ConversationIncrement,
    DeviceChange,
    InventoryDelta,
    Merge,
)
from medwarden.store.changes import Change
from medwarden.store.company import rearranged
from medwarden.store.findings import move_findings
from medwarden.store.folding import (
    ACTIVITY,
    ADDRESSES,
    APART,
    CONVERSATIONS,
    EVIDENCE,
    INTERFACES,
    PARTS,
    SERVICES,
    FoldedTable,
)
from medwarden.store.joining import decided, obey
from medwarden.store.marking import MARKED, mark
from medwarden.store.members import as_shown, composed, hear_members, of_members
from medwarden.store.models import Device, MergedDevice
from medwarden.store.parking import follow
from medwarden.store.queries.filters import order_of
from medwarden.store.shown_addresses import show_addresses

_AT_ONCE = 500
_Value = str | int | bool | None
_Row = tuple[_Value, ...]

# A new device gets the columns that Django would give it; what folds is what a delta carries.
_DEVICE = f"""
INSERT INTO store_device (id, tenant_id, site_id, kind, gateway, macs, ips, vlans, names, device_class,
    confidence, risk_score, risk_level, findings_open, first_seen, last_seen, added_ns, stale)
VALUES (%s, %s, %s, %s, %s, '[]', '[]', %s, '[]', 'unknown', '{{}}', 0, 'none', 0, %s, %s, %s, 1)
ON CONFLICT (id) DO UPDATE SET gateway = excluded.gateway, vlans = excluded.vlans,
    first_seen = min(store_device.first_seen, excluded.first_seen),
    last_seen = max(store_device.last_seen, excluded.last_seen), {MARKED}
"""  # noqa: S608


def _getter(table: FoldedTable) -> Callable[[object], _Row]:
    """Return what reads the columns after tenant and site off an increment, whose fields are named alike."""
    return cast("Callable[[object], _Row]", attrgetter("device", *table.columns[3:]))


_INTERFACE, _FACT, _SERVICE = _getter(INTERFACES), _getter(EVIDENCE), _getter(SERVICES)
_ACTIVITY = _getter(ACTIVITY)


def _address(part: AddressChange) -> _Row:
    order = order_of(ipaddress.ip_address(part.ip))
    times = (part.first_seen, part.last_seen)
    return (part.device, part.ip, part.mac or "", *times, part.source.value, part.current, order)


def _conversation(part: ConversationIncrement) -> _Row:
    peer = (part.peer_device, "") if part.peer_device else ("", part.peer_ip or "")
    return (
        part.device,
        part.role,
        *peer,
        part.transport,
        part.port,
        part.first_seen,
        part.last_seen,
        part.peer_name,
        part.scope,
        part.application,
        part.flows,
        part.packets,
        part.bytes_sent,
        part.bytes_received,
        part.established,
    )


def apply_delta(change: Change, delta: InventoryDelta) -> None:
    """Fold ``delta`` into the rows of its site; the tenant is the change's.

    New devices, merges and the return of retired devices are audited; counts and times are not.
    Applying the same delta twice adds its counts twice: the caller prevents that by batch number.
    """
    parts = composed(delta.site)
    _devices(change, delta.site, [device for device in delta.devices if device.id not in parts])
    if delta.merges:
        spoken_of = decided(delta.site)
        for merge in delta.merges:
            by_decision = bool(spoken_of & {merge.gone, merge.kept})
            _merge(change, delta.site, merge, by_decision=by_decision)
            spoken_of |= {merge.kept} if by_decision else set()
        parts = composed(delta.site)
    shown = delta
    if parts:
        apart, shown = of_members(delta, parts), as_shown(delta, parts)
        _fold_all(change, apart, APART)
        hear_members(change, apart.devices, parts)
    _fold_all(change, shown, {})
    moved = {i.device for i in shown.interfaces} | {a.device for a in shown.addresses}
    show_addresses(sorted(moved | {parts.get(m.kept, m.kept) for m in delta.merges}))
    _mark_stale(shown)


def _fold_all(change: Change, delta: InventoryDelta, instead: Mapping[str, FoldedTable]) -> None:
    scope = (change.tenant, delta.site)
    rows: tuple[tuple[FoldedTable, list[_Row]], ...] = (
        (INTERFACES, [(*scope, *_INTERFACE(part)) for part in delta.interfaces]),
        (ADDRESSES, [(*scope, *_address(part)) for part in delta.addresses]),
        (EVIDENCE, [(*scope, *_FACT(part)) for part in delta.ledger]),
        (SERVICES, [(*scope, *_SERVICE(part)) for part in delta.services]),
        (CONVERSATIONS, [(*scope, *_conversation(part)) for part in delta.conversations]),
        (ACTIVITY, [(*scope, *_ACTIVITY(part)) for part in delta.activity]),
    )
    for table, increments in rows:
        _fold(instead.get(table.table, table), increments)


def _fold(table: FoldedTable, rows: Sequence[_Row]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(table.upsert(), rows)


def _devices(change: Change, site: str, devices: Sequence[DeviceChange]) -> None:
    for start in range(0, len(devices), _AT_ONCE):
        part = devices[start : start + _AT_ONCE]
        rows = Device.objects.filter(pk__in=[d.id for d in part])
        columns = rows.values_list("pk", "retired_at", "last_seen")
        known = {key: (retired_at, last_seen) for key, retired_at, last_seen in columns}
        with connection.cursor() as cursor:
            cursor.executemany(_DEVICE, [_device(change, site, device) for device in part])
        for device in part:
            if device.id not in known:
                heard = {"kind": device.kind.value, "first_seen": device.first_seen}
                change.record("device.new", f"device:{device.id}", None, heard)
                continue
            retired_at, last_seen = known[device.id]
            if retired_at is not None and device.last_seen > last_seen:  # not by a log that came late
                Device.objects.filter(pk=device.id).update(retired_at=None)
                before = {"retired_at": retired_at}
                change.record("device.restored", f"device:{device.id}", before, reason="heard again")


def _device(change: Change, site: str, device: DeviceChange) -> _Row:
    return (
        device.id,
        change.tenant,
        site,
        device.kind.value,
        device.gateway,
        json.dumps(device.vlans),
        device.first_seen,
        device.last_seen,
        change.now_ns,
    )


def _merge(change: Change, site: str, merge: Merge, *, by_decision: bool) -> None:
    if by_decision:
        obey(change, site, merge)
    else:
        with rearranged((merge.gone, merge.kept), gone=merge.gone):
            _move_rows(change, merge)
    MergedDevice.objects.filter(kept=merge.gone).update(kept=merge.kept)
    MergedDevice.objects.update_or_create(
        gone=merge.gone,
        defaults={
            "tenant_id": change.tenant,
            "site_id": site,
            "kept": merge.kept,
            "at_ns": merge.ts_ns,
            "reason": merge.reason,
        },
    )
    change.record("device.merged", f"device:{merge.gone}", None, {"into": merge.kept}, reason=merge.reason)


def _move_rows(change: Change, merge: Merge) -> None:
    with connection.cursor() as cursor:
        for table in PARTS:
            fold, delete = table.move("device_id")
            cursor.execute(fold, [merge.kept, merge.gone])
            cursor.execute(delete, [merge.gone])
        fold, delete = CONVERSATIONS.move("peer_device")
        cursor.execute(fold, [merge.kept, merge.gone])
        cursor.execute(delete, [merge.gone])
    gone = Device.objects.filter(pk=merge.gone).first()
    if gone is not None:
        kept = Device.objects.filter(pk=merge.kept).first()
        if kept is not None:
            kept.first_seen = min(kept.first_seen, gone.first_seen)
            kept.last_seen = max(kept.last_seen, gone.last_seen)
            kept.save(update_fields=["first_seen", "last_seen"])
            mark([kept.pk])
            move_findings(change, gone.pk, kept.pk)
            follow(gone.pk, kept.pk)
        gone.delete()


def _mark_stale(delta: InventoryDelta) -> None:
    listed = {d.id for d in delta.devices}
    touched = {
        part.device
        for parts in (delta.interfaces, delta.addresses, delta.ledger, delta.services, delta.conversations)
        for part in parts
    } - listed
    if touched:
        mark(touched)
