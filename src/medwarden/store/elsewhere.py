"""Devices that move between sites of a tenant: the rows of both sites lead to each other.

Sites are address spaces, so each keeps its own row of a device; what makes them one thing is a hardware
address that is nobody else's. A device that two sites hear in the same hours, again and again, cannot
have moved: then two things state one address.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from medwarden.knowledge.oui import is_locally_administered, is_virtual_router
from medwarden.store.bulk import insert_rows
from medwarden.store.changes import Change
from medwarden.store.models import ActivityHour, Device, DeviceElsewhere, Interface

FEWEST_HOURS_AT_BOTH = 3
"""Clock hours of one day in which both sites heard one address from which it cannot have moved."""

_AT_ONCE = 400
_DAY_NS = 24 * 3600 * 1_000_000_000


class Twin(msgspec.Struct, frozen=True):
    """One hardware address at two sites: the devices that have it, and the hours both were active in."""

    mac: str
    device: str
    other: str
    hours: tuple[int, ...]

    @property
    def moved(self) -> bool:
        """Tell whether it can be one thing that moved."""
        more = FEWEST_HOURS_AT_BOTH - 1
        return all(
            last - first >= _DAY_NS for first, last in zip(self.hours, self.hours[more:], strict=False)
        )


def twins(tenant: str) -> list[Twin]:
    """Return the universally administered addresses that several sites of a tenant know, pair by pair."""
    holders: dict[str, list[tuple[str, str]]] = defaultdict(list)
    rows = Interface.objects.filter(tenant_id=tenant, virtual=False, randomised=False)
    for mac, device, site in rows.order_by("mac", "first_seen").values_list("mac", "device_id", "site_id"):
        holders[mac].append((device, site))
    several = {mac: held for mac, held in holders.items() if len({site for _, site in held}) > 1}
    gateways = _gateways(device for held in several.values() for device, _ in held)
    found = []
    for mac, held in sorted(several.items()):
        if is_locally_administered(mac) or is_virtual_router(mac):
            continue
        for number, (device, site) in enumerate(held):
            for other, other_site in held[number + 1 :]:
                if site != other_site and not gateways & {device, other}:
                    found.append(Twin(mac, device, other, _hours(device, other)))
    return found


def _gateways(ids: Iterable[str]) -> set[str]:
    every = sorted(set(ids))
    found: set[str] = set()
    for start in range(0, len(every), _AT_ONCE):
        part = Device.objects.filter(pk__in=every[start : start + _AT_ONCE], gateway=True)
        found |= set(part.values_list("pk", flat=True))
    return found


def _hours(device: str, other: str) -> tuple[int, ...]:
    """Return the clock hours in which both sent something."""
    sent = [
        set(ActivityHour.objects.filter(device_id=d, bytes_sent__gt=0).values_list("hour", flat=True))
        for d in (device, other)
    ]
    return tuple(sorted(sent[0] & sent[1]))


def record_moves(change: Change, found: Sequence[Twin]) -> int:
    """Let the rows of devices that moved lead to each other; return how many pairs are new."""
    moved = [twin for twin in found if twin.moved]
    ids = {i for twin in moved for i in (twin.device, twin.other)}
    rows = {row.pk: row for row in Device.objects.filter(pk__in=ids)}
    known = set(DeviceElsewhere.objects.filter(device_id__in=ids).values_list("device_id", "other"))
    fresh = 0
    for twin in moved:
        for mine, theirs in ((twin.device, twin.other), (twin.other, twin.device)):
            row, other = rows.get(mine), rows.get(theirs)
            if row is None or other is None:
                continue
            if (mine, theirs) in known:
                DeviceElsewhere.objects.filter(device_id=mine, other=theirs).update(
                    since_ns=other.first_seen, until_ns=other.last_seen
                )
                continue
            insert_rows(
                [
                    DeviceElsewhere(
                        tenant_id=row.tenant_id,
                        site_id=row.site_id,
                        device_id=mine,
                        other=theirs,
                        other_site=other.site_id,
                        because=[f"both sites know the hardware address {twin.mac}"],
                        since_ns=other.first_seen,
                        until_ns=other.last_seen,
                    )
                ]
            )
            change.record(
                "device.moved",
                f"device:{mine}",
                None,
                {"other": theirs, "site": other.site_id, "mac": twin.mac},
                site=row.site_id,
            )
            fresh += 1
    return fresh // 2
