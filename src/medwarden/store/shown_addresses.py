"""Copy present addresses to the device rows that lists show."""

from __future__ import annotations

import json
from collections.abc import Sequence

from django.db import connection

MOST_ADDRESSES_SHOWN = 64
"""Present addresses kept on the device row for lists; the address table holds all."""

_AT_ONCE = 5000

# What is asked for goes in as one JSON list: Django takes longer to bind so many ids than SQLite to answer.
_AMONG = "IN (SELECT value FROM json_each(%s))"
_MACS = f"SELECT device_id, mac FROM store_interface WHERE device_id {_AMONG} ORDER BY first_seen, mac"  # noqa: S608
_IPS = (
    "SELECT device_id, ip, address_order FROM store_address"  # noqa: S608
    f" WHERE device_id {_AMONG} AND current ORDER BY address_order"
)
_SHOWN = f"SELECT id, macs, ips, name, names FROM store_device WHERE id {_AMONG}"  # noqa: S608
_SHOW = "UPDATE store_device SET macs = %s, ips = %s, address_order = %s, name = %s WHERE id = %s"


def show_addresses(ids: Sequence[str]) -> None:
    """Copy present MAC and IP addresses to the device rows where they changed."""
    for start in range(0, len(ids), _AT_ONCE):
        _show(json.dumps(ids[start : start + _AT_ONCE]))


def _show(part: str) -> None:
    """Do so for the devices of a JSON list of ids."""
    macs: dict[str, list[str]] = {}
    ips: dict[str, list[str]] = {}
    orders: dict[str, str] = {}
    with connection.cursor() as cursor:
        cursor.execute(_MACS, [part])
        for device, mac in cursor.fetchall():
            macs.setdefault(device, []).append(mac)
        cursor.execute(_IPS, [part])
        for device, ip, order in cursor.fetchall():
            shown = ips.setdefault(device, [])
            orders.setdefault(device, order)
            if ip not in shown and len(shown) < MOST_ADDRESSES_SHOWN:
                shown.append(ip)
        cursor.execute(_SHOWN, [part])
        changed = []
        for device, known_macs, known_ips, name, names in cursor.fetchall():
            mine, held = macs.get(device, []), ips.get(device, [])
            now = json.dumps(mine), json.dumps(held)
            if now == (known_macs, known_ips):
                continue
            if not json.loads(names):
                name = name or next(iter(held or mine), None)
            changed.append((*now, orders.get(device), name, device))
        cursor.executemany(_SHOW, changed)
