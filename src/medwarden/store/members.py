"""Rows of devices that are made of several identities: kept apart, and shown as their sum.

The invariant: for every identity of such a device the tables of :mod:`medwarden.store.models.identity`
hold its rows, and those of other devices with it as peer, as they would be had nobody joined anything;
the tables of the inventory hold what these fold to under the ids of the devices.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
from django.db import connection
from django.db.backends.utils import CursorWrapper

from medwarden.inventory.grouping import changed_identities
from medwarden.model.inventory_delta import ConversationIncrement, DeviceChange, InventoryDelta, Merge
from medwarden.store.changes import Change
from medwarden.store.company import rearranged
from medwarden.store.folding import APART, CONVERSATIONS, PARTS, FoldedTable
from medwarden.store.marking import marked
from medwarden.store.models import Device, Identity
from medwarden.store.parking import Parked, give_back, hand_over, pass_on
from medwarden.store.shown_addresses import show_addresses

_Part = TypeVar("_Part")
_AMONG = "IN (SELECT value FROM json_each(%s))"


def composed(site: str) -> dict[str, str]:
    """Return the device of every identity of a site that is part of a device with several."""
    return dict(Identity.objects.filter(site_id=site).values_list("pk", "device"))


def of_members(delta: InventoryDelta, devices: Mapping[str, str]) -> InventoryDelta:
    """Return the parts of a delta that the tables kept apart must hold."""
    return InventoryDelta(
        site=delta.site,
        devices=tuple(part for part in delta.devices if part.id in devices),
        interfaces=tuple(part for part in delta.interfaces if part.device in devices),
        addresses=tuple(part for part in delta.addresses if part.device in devices),
        ledger=tuple(part for part in delta.ledger if part.device in devices),
        services=tuple(part for part in delta.services if part.device in devices),
        conversations=tuple(
            part for part in delta.conversations if part.device in devices or part.peer_device in devices
        ),
        activity=tuple(part for part in delta.activity if part.device in devices),
    )


def as_shown(delta: InventoryDelta, devices: Mapping[str, str]) -> InventoryDelta:
    """Return a delta that speaks of devices where the resolver speaks of identities."""
    return msgspec.structs.replace(
        delta,
        devices=tuple(part for part in delta.devices if part.id not in devices),
        interfaces=_shown(delta.interfaces, devices),
        addresses=_shown(delta.addresses, devices),
        ledger=_shown(delta.ledger, devices),
        services=_shown(delta.services, devices),
        conversations=tuple(_talk(part, devices) for part in delta.conversations),
        activity=_shown(delta.activity, devices),
    )


def _shown(parts: Sequence[_Part], devices: Mapping[str, str]) -> tuple[_Part, ...]:
    shown = []
    for part in parts:
        device = devices.get(getattr(part, "device", ""))
        # msgspec.structs.replace asks for a Struct, which the parts of a delta are.
        shown.append(part if device is None else msgspec.structs.replace(part, device=device))  # type: ignore[type-var]
    return tuple(shown)


def _talk(part: ConversationIncrement, devices: Mapping[str, str]) -> ConversationIncrement:
    device = devices.get(part.device, part.device)
    peer = devices.get(part.peer_device, part.peer_device) if part.peer_device else part.peer_device
    if device == part.device and peer == part.peer_device:
        return part
    return msgspec.structs.replace(part, device=device, peer_device=peer)


def hear_members(change: Change, heard: Sequence[DeviceChange], devices: Mapping[str, str]) -> None:
    """Take in what was heard of identities that are part of a device, and renew the device's row."""
    if not heard:
        return
    news = {part.id: part for part in heard}
    for row in Identity.objects.filter(pk__in=list(news)):
        part = news[row.pk]
        row.gateway, row.vlans = part.gateway, list(part.vlans)
        row.first_seen = min(row.first_seen, part.first_seen)
        row.last_seen = max(row.last_seen, part.last_seen)
        row.save(update_fields=["gateway", "vlans", "first_seen", "last_seen"])
    ids = {devices[i] for i in news}
    latest: dict[str, int] = {}
    for part in heard:
        latest[devices[part.id]] = max(part.last_seen, latest.get(devices[part.id], 0))
    for device in Device.objects.filter(pk__in=ids).exclude(retired_at=None):
        if latest[device.pk] <= device.last_seen:
            continue  # a log that came late
        before, device.retired_at = {"retired_at": device.retired_at}, None
        device.save(update_fields=["retired_at"])
        change.record("device.restored", f"device:{device.pk}", before, reason="heard again")
    _renew(ids)


def regroup(
    change: Change, site: str, wanted: Mapping[str, str], found: Merge | None = None
) -> dict[str, tuple[str, ...]]:
    """Make the devices of a site those of ``wanted`` (identity to device, where it has several).

    ``found``: the resolver's word that identity ``gone`` is ``kept``; ``wanted`` knows only the latter.
    Returns the devices that are other than before with their identities. All rows move: those of folded
    tables are added up anew from what is kept apart, whole device rows are put away or come back.
    """
    before = composed(site)
    touched = changed_identities(before, wanted)
    if found is not None:
        heads = {before.get(i, i) for i in (found.gone, found.kept)}
        touched |= {found.gone, found.kept} | {i for i, device in before.items() if device in heads}
    if not touched:
        return {}
    keep_apart(site, touched - before.keys())
    before |= {i: i for i in touched - before.keys()}
    stay = touched - {found.gone} if found else touched
    after = {i: wanted.get(i, i) for i in stay}
    with rearranged({before[i] for i in touched} | set(after.values())):
        _clear({before[i] for i in touched})
        if found is not None:
            _one_identity(found)
            after[found.gone] = after[found.kept]
        _devices(change, before, after)
        if found is not None:
            Identity.objects.filter(pk=found.gone).delete()
        for identity in stay:
            Identity.objects.filter(pk=identity).update(device=after[identity])
        _show(stay)
        _renew({after[i] for i in stay})
        _forget(site, [i for i in stay if i not in wanted])
    made: dict[str, tuple[str, ...]] = {}
    for identity in sorted(stay):
        made[after[identity]] = (*made.get(after[identity], ()), identity)
    show_addresses(sorted(made))
    return made


def keep_apart(site: str, ids: Iterable[str]) -> None:
    """Begin to keep the rows of some devices apart, which are made of one identity each as yet."""
    fresh = sorted(ids)
    heads = json.dumps(sorted({*composed(site).values()}))
    for row in Device.objects.filter(pk__in=fresh):
        Identity.objects.create(
            id=row.pk,
            tenant_id=row.tenant_id,
            site_id=row.site_id,
            device=row.pk,
            kind=row.kind,
            gateway=row.gateway,
            vlans=row.vlans,
            first_seen=row.first_seen,
            last_seen=row.last_seen,
        )
    chosen = json.dumps(fresh)
    with connection.cursor() as cursor:
        for table in PARTS:
            if table is not CONVERSATIONS:
                where = f"r.device_id {_AMONG}"
                cursor.execute(APART[table.table].taken_from(table.table, where), [chosen])
        # Rows with a device of several identities on the other side are kept apart already, one by one.
        where = (
            f"(r.device_id {_AMONG} AND r.peer_device NOT {_AMONG})"
            f" OR (r.peer_device {_AMONG} AND r.device_id NOT {_AMONG})"
        )
        apart = APART[CONVERSATIONS.table]
        cursor.execute(apart.taken_from(CONVERSATIONS.table, where), [chosen, heads, chosen, heads])


def _clear(devices: Iterable[str]) -> None:
    chosen = json.dumps(sorted(devices))
    with connection.cursor() as cursor:
        for table in PARTS:
            cursor.execute(f"DELETE FROM {table.table} WHERE device_id {_AMONG}", [chosen])  # noqa: S608
        cursor.execute(f"DELETE FROM {CONVERSATIONS.table} WHERE peer_device {_AMONG}", [chosen])  # noqa: S608


def _devices(change: Change, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Bring back the rows of devices that are their own again, and put away those that are no more."""
    old, new = {before[i] for i in after}, set(after.values())
    present = set(Device.objects.filter(pk__in=old | new).values_list("pk", flat=True))
    parked = {
        row.pk: msgspec.convert(row.parked, Parked)
        for row in Identity.objects.filter(pk__in=list(after)).exclude(parked=None)
    }
    for device in sorted(new - present):
        give_back(change, parked.pop(device), device, before[device])
        Identity.objects.filter(pk=device).update(parked=None)
    for identity, put_away in sorted(parked.items()):
        if before[identity] != after[identity]:
            pass_on(put_away, before[identity], after[identity])
    for device in sorted((old & present) - new):
        put = hand_over(change, device, after[device])
        Identity.objects.filter(pk=device).update(parked=msgspec.to_builtins(put))


def _show(identities: Iterable[str]) -> None:
    chosen = json.dumps(sorted(identities))
    with connection.cursor() as cursor:
        for table in PARTS:
            where, parameters = f"r.device_id {_AMONG}", [chosen]
            if table is CONVERSATIONS:
                where, parameters = f"{where} OR r.peer_device {_AMONG}", [chosen, chosen]
            cursor.execute(table.taken_from(APART[table.table].table, where, mapped=True), parameters)


def _renew(devices: Iterable[str]) -> None:
    """Bring times, VLANs and role of device rows in line with their identities."""
    rows: dict[str, list[Identity]] = {}
    for row in Identity.objects.filter(device__in=sorted(devices)).order_by("pk"):
        rows.setdefault(row.device, []).append(row)
    for device, members in rows.items():
        Device.objects.filter(pk=device).update(
            gateway=any(member.gateway for member in members),
            vlans=sorted({vlan for member in members for vlan in member.vlans}),
            first_seen=min(member.first_seen for member in members),
            last_seen=max(member.last_seen for member in members),
            **marked(),
        )


def _forget(site: str, alone: Sequence[str]) -> None:
    """Stop keeping apart what is a device of its own again."""
    Identity.objects.filter(pk__in=alone).delete()
    chosen = json.dumps(sorted(alone))
    with connection.cursor() as cursor:
        for table in PARTS:
            apart = APART[table.table].table
            if table is not CONVERSATIONS:
                cursor.execute(f"DELETE FROM {apart} WHERE device_id {_AMONG}", [chosen])  # noqa: S608
        cursor.execute(
            f"DELETE FROM {APART[CONVERSATIONS.table].table} WHERE site_id = %s"  # noqa: S608
            " AND device_id NOT IN (SELECT id FROM store_identity)"
            " AND peer_device NOT IN (SELECT id FROM store_identity)",
            [site],
        )


def _one_identity(found: Merge) -> None:
    with connection.cursor() as cursor:
        for table in PARTS:
            _fold_over(cursor, APART[table.table], "device_id", found)
        _fold_over(cursor, APART[CONVERSATIONS.table], "peer_device", found)
    gone = Identity.objects.filter(pk=found.gone).first()
    kept = Identity.objects.filter(pk=found.kept).first()
    if gone is not None and kept is not None:
        kept.first_seen = min(kept.first_seen, gone.first_seen)
        kept.last_seen = max(kept.last_seen, gone.last_seen)
        kept.vlans = sorted({*kept.vlans, *gone.vlans})
        kept.save(update_fields=["first_seen", "last_seen", "vlans"])


def _fold_over(cursor: CursorWrapper, table: FoldedTable, column: str, found: Merge) -> None:
    fold, delete = table.move(column)
    cursor.execute(fold, [found.kept, found.gone])
    cursor.execute(delete, [found.gone])
