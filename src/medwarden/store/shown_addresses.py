"""Copy present addresses to the device rows that lists show."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from medwarden.store.bulk import update_rows
from medwarden.store.models import Address, Device, Interface
from medwarden.store.queries.filters import order_of

MOST_ADDRESSES_SHOWN = 64
"""Present addresses kept on the device row for lists; the address table holds all."""

_AT_ONCE = 500


def show_addresses(ids: Sequence[str]) -> None:
    """Copy present MAC and IP addresses to the device rows where they changed."""
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        macs: dict[str, list[str]] = {}
        attached = Interface.objects.filter(device_id__in=part).order_by("first_seen", "mac")
        for device, mac in attached.values_list("device_id", "mac"):
            macs.setdefault(device, []).append(mac)
        ips: dict[str, list[str]] = {}
        held = Address.objects.filter(device_id__in=part, current=True).order_by("address_order")
        for device, ip in held.values_list("device_id", "ip"):
            shown = ips.setdefault(device, [])
            if ip not in shown and len(shown) < MOST_ADDRESSES_SHOWN:
                shown.append(ip)
        _update_addresses(part, macs, ips)


def _update_addresses(ids: Iterable[str], macs: dict[str, list[str]], ips: dict[str, list[str]]) -> None:
    shown = Device.objects.filter(pk__in=ids).values_list("pk", "macs", "ips")
    moved = [pk for pk, mine, held in shown if mine != macs.get(pk, []) or held != ips.get(pk, [])]
    changed = []
    for row in Device.objects.filter(pk__in=moved).only(
        "pk", "macs", "ips", "name", "names", "address_order"
    ):
        mine, held = macs.get(row.pk, []), ips.get(row.pk, [])
        row.macs, row.ips = mine, held
        row.address_order = order_of(ipaddress.ip_address(held[0])) if held else None
        if not row.names:
            row.name = row.name or next(iter(held or mine), None)
        changed.append(row)
    update_rows(changed, ["macs", "ips", "address_order", "name"])
