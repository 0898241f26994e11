"""Who uses the services that some devices use, as far as it can tell what those devices are."""

from __future__ import annotations

from collections.abc import Sequence

from medwarden.inventory.company import (
    MOST_CLIENTS,
    Company,
    Member,
    Service,
    member_of,
    services_used,
    tells,
)
from medwarden.model.device import Device as ModelDevice
from medwarden.model.device import DeviceClass
from medwarden.store import models
from medwarden.store.queries.device import verdicts_of

_AT_ONCE = 400


def company_around(site: str, devices: Sequence[ModelDevice]) -> Company:
    """Return the company of devices of one site: the other clients of what they use, and whom they serve.

    Read are only services that can tell something and have few clients; the verdicts are those stored.
    """
    wanted = {service for device in devices for service in services_used(device)}
    servers = sorted({server for server, _, _ in wanted})
    clients: dict[Service, dict[str, int]] = {service: {} for service in wanted}
    for start in range(0, len(servers), _AT_ONCE):
        _read_clients(servers[start : start + _AT_ONCE], clients)
    ids = {user for users in clients.values() for user in users}
    ids |= {server for server, _, _ in wanted}
    ids |= {
        talk.peer_device
        for device in devices
        for talk in device.conversations
        if talk.peer_device is not None and talk.established and tells(talk.port)
    }
    return Company(_members(site, sorted(ids)), clients)


def _read_clients(servers: Sequence[str], clients: dict[Service, dict[str, int]]) -> None:
    """Add to services their clients; a service that has too many is left without any."""
    few = models.Service.objects.filter(device_id__in=servers, clients__lte=MOST_CLIENTS)
    ports = {service for service in few.values_list("device_id", "transport", "port") if service in clients}
    hosts = sorted({server for server, _, _ in ports})
    rows = models.Conversation.objects.filter(
        device_id__in=hosts,
        role="server",
        established=True,
        port__in=sorted({port for _, _, port in ports}),
    ).exclude(peer_device="")
    for server, transport, port, user, since in rows.values_list(
        "device_id", "transport", "port", "peer_device", "first_seen"
    ).iterator(chunk_size=2000):
        if (server, transport, port) in ports:
            clients[server, transport, port][user] = since


def _members(site: str, ids: Sequence[str]) -> dict[str, Member]:
    found: dict[str, Member] = {}
    for start in range(0, len(ids), _AT_ONCE):
        part = list(ids[start : start + _AT_ONCE])
        verdicts = verdicts_of(part)
        rows = models.Device.objects.filter(pk__in=part, site_id=site)
        for device_id, device_class in rows.values_list("pk", "device_class"):
            known = ModelDevice(
                device_id,
                site,
                device_class=DeviceClass(device_class),
                verdicts=verdicts.get(device_id, ()),
            )
            found[device_id] = member_of(known)
    return found
