"""The store says who else uses the same services, and that tells what silent devices are."""

from __future__ import annotations

from medwarden.app.ingest import Ingest
from medwarden.app.judge import judge_stale
from medwarden.inventory.company import COMPANY_RULE
from medwarden.model.device import Device
from medwarden.model.inventory_delta import (
    ConversationIncrement,
    DeviceChange,
    InterfaceChange,
    InventoryDelta,
    KeyKind,
    ServiceIncrement,
)
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.open import Store

NOW = 1_790_000_000 * 10**9
SITE = "main"
EVERYBODYS = 445
SERVER, SILENT = "d-server", "d-silent"
PUMPS = {f"d-pump{n}": f"00:03:b1:00:00:0{n}" for n in range(1, 4)}
"""Pumps of a maker that makes hardly anything else; what is silent has an interface of a module maker."""


def talks(client: str, port: int) -> list[ConversationIncrement]:
    """Return a conversation of a client with the server, as both ends have it."""
    return [
        ConversationIncrement(
            one, role, other, None, None, "internal", "tcp", port, "tls", NOW, NOW, 1, 9, 90, 90, True
        )
        for one, role, other in ((client, "client", SERVER), (SERVER, "server", client))
    ]


def house(port: int) -> InventoryDelta:
    """Return a site in which pumps and one silent device use one server."""
    macs = PUMPS | {SILENT: "00:40:9d:00:00:09", SERVER: "00:0c:29:00:00:01"}
    users = [*PUMPS, SILENT]
    return InventoryDelta(
        site=SITE,
        devices=tuple(DeviceChange(d, SITE, KeyKind.MAC, True, False, NOW, NOW, ()) for d in macs),
        interfaces=tuple(InterfaceChange(d, mac, False, False, NOW, NOW) for d, mac in macs.items()),
        services=(ServiceIncrement(SERVER, "tcp", port, "tls", NOW, NOW, len(users), 4, 720),),
        conversations=tuple(talk for user in users for talk in talks(user, port)),
    )


def told(store: Store, port: int) -> dict[str, tuple[str | None, str | None]]:
    """Store and judge a site, and return category and vendor by device, in the company the store knows."""
    from medwarden.store.models import Device as Row
    from medwarden.store.queries import complete_devices

    tenant = Ingest(store, "capture", kind="capture").writer.tenant
    with Change("test", "test", tenant=tenant, site=SITE) as change:
        apply_delta(change, house(port))
    assert judge_stale(tenant, SITE) == len(PUMPS) + 2
    found = complete_devices(list(Row.objects.values_list("pk", flat=True)))
    told_of = {device.id for device in found if by_company(device)}
    assert (SILENT in told_of) == (port != EVERYBODYS)
    return {device.id: (device.category, device.vendor) for device in found}


def by_company(device: Device) -> bool:
    category = device.verdict("category")
    return category is not None and any(b.rule.startswith(COMPANY_RULE) for b in category.ballots)


def test_a_silent_device_and_the_server_are_known_by_the_others(store: Store) -> None:
    found = told(store, 443)
    assert found[SILENT] == ("infusion_pump", "ICU Medical")
    assert found[SERVER] == ("infusion_server", "ICU Medical")


def test_everybodys_services_say_nothing(store: Store) -> None:
    assert told(store, EVERYBODYS)[SILENT] == (None, None)


def test_who_collects_from_a_device_is_found_by_an_index_where_most_peers_are_outside(store: Store) -> None:
    from django.db import connection

    from medwarden.store import company

    told(store, 443)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE store_conversation SET peer_ip = peer_device, peer_device = ''")
        cursor.execute("ANALYZE")
        cursor.execute("EXPLAIN QUERY PLAN " + company._COLLECTORS, ['["d-server"]'])
        plan = [row[3] for row in cursor.fetchall()]
    assert any("SEARCH store_conversation USING INDEX conversation_peer" in step for step in plan)
    assert not any(step.startswith("SCAN store_conversation") for step in plan)
