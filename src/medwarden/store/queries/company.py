"""Who uses which services, and what those devices are by evidence of their own.

Every look is by an index and bounded: 32 services of a device, 400 clients of a service.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from django.db import connection

from medwarden.inventory.company import (
    MOST_CLIENTS,
    Circle,
    Company,
    Member,
    Service,
    services_used,
    tells,
)
from medwarden.model.device import Device as ModelDevice
from medwarden.model.device import DeviceClass

_MANY = "SELECT 1 FROM store_serviceuse WHERE server = %s AND service = %s LIMIT 1 OFFSET %s"
_USERS = "SELECT device_id FROM store_serviceuse WHERE server = %s AND service = %s"
_MEMBERS = (
    "SELECT device_id, device_class, category, vendor FROM store_companymember"
    " WHERE device_id IN (SELECT value FROM json_each(%s))"
)
_USED = (
    "SELECT device_id, server, service FROM store_serviceuse"
    " WHERE device_id IN (SELECT value FROM json_each(%s))"
)
# From one service of a server to the next, past all its clients: their number does not matter.
_SERVED = """
WITH RECURSIVE offered(server, service) AS (
    SELECT j.value, (SELECT min(u.service) FROM store_serviceuse u WHERE u.server = j.value)
    FROM json_each(%s) j
    UNION ALL
    SELECT o.server, (SELECT min(u.service) FROM store_serviceuse u
                      WHERE u.server = o.server AND u.service > o.service)
    FROM offered o WHERE o.service IS NOT NULL
)
SELECT server, service FROM offered WHERE service IS NOT NULL
"""
_DUE = """
SELECT m.device_id FROM store_companymember m JOIN store_device d ON d.id = m.device_id
WHERE m.site_id = %s AND m.due AND NOT d.stale ORDER BY m.device_id LIMIT %s
"""
_UNMATCHED = "SELECT device_id FROM store_companymember WHERE site_id = %s AND unmatched ORDER BY device_id"


def words_of(service: Service) -> str:
    """Return transport and port of a service as they are stored, such as ``tcp/443``."""
    return f"{service[1]}/{service[2]}"


def _service(server: str, words: str) -> Service:
    transport, _, port = words.partition("/")
    return server, transport, int(port)


def members_of(ids: Iterable[str]) -> dict[str, Member]:
    """Return what devices are to others; those that were not identified yet are left out."""
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS, [json.dumps(sorted(ids))])
        return {
            device: Member(DeviceClass(device_class), category, vendor)
            for device, device_class, category, vendor in cursor.fetchall()
        }


def stored_uses(ids: Iterable[str]) -> dict[str, set[Service]]:
    """Return the services that devices use, as they were noted when the devices were identified."""
    found: dict[str, set[Service]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_USED, [json.dumps(sorted(ids))])
        for device, server, words in cursor.fetchall():
            found.setdefault(device, set()).add(_service(server, words))
    return found


def services_of(servers: Iterable[str]) -> set[Service]:
    """Return the services of some devices that others use."""
    with connection.cursor() as cursor:
        cursor.execute(_SERVED, [json.dumps(sorted(servers))])
        return {_service(server, words) for server, words in cursor.fetchall()}


def users_of(services: Iterable[Service]) -> dict[Service, list[str] | None]:
    """Return who uses services; None for one that has too many users to be looked at."""
    found: dict[Service, list[str] | None] = {}
    with connection.cursor() as cursor:
        for service in services:
            key = [service[0], words_of(service)]
            cursor.execute(_MANY, [*key, MOST_CLIENTS])
            if cursor.fetchone() is not None:
                found[service] = None
                continue
            cursor.execute(_USERS, key)
            found[service] = [device for (device,) in cursor.fetchall()]
    return found


def circles_of(services: Iterable[Service]) -> dict[Service, Circle]:
    """Return who uses services and what is known of them and of the servers."""
    users = users_of(services)
    ids = {user for some in users.values() for user in some or ()} | {server for server, _, _ in users}
    members = members_of(ids)
    return {
        service: Circle(
            service,
            None if some is None else {user: members[user] for user in some},
            members.get(service[0]),
        )
        for service, some in users.items()
    }


def company_around(devices: Sequence[ModelDevice]) -> Company:
    """Return the company of some devices: the other clients of what they use, and whom they serve."""
    wanted = {service for device in devices for service in services_used(device)}
    users = users_of(wanted | services_of(device.id for device in devices))
    ids = {user for some in users.values() for user in some or ()} | {server for server, _, _ in users}
    ids |= {
        talk.peer_device
        for device in devices
        for talk in device.conversations
        if talk.role == "client" and talk.peer_device is not None and talk.established and tells(talk.port)
    }
    clients = {service: None if some is None else dict.fromkeys(some, 0) for service, some in users.items()}
    return Company(members_of(ids), clients)


def told_otherwise(site: str, limit: int = 500) -> list[str]:
    """Return ids of devices of which their company tells something else than when they were identified.

    Those that are to be identified anyway (stale) are left out.
    """
    return _ids(_DUE, site, limit)


def unmatched_devices(site: str) -> list[str]:
    """Return ids of devices that were identified, and what follows from it was not looked for since."""
    return _ids(_UNMATCHED, site)


def _ids(statement: str, *parameters: str | int) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [device for (device,) in cursor.fetchall()]
