"""Live judging asks the store who else uses the same services."""

from __future__ import annotations

from medwarden.app.ingest import Ingest
from medwarden.app.judge import judge_stale
from medwarden.inventory.company import COMPANY_RULE
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


def judged(store: Store, port: int) -> dict[str, tuple[str | None, str | None]]:
    """Store a site, judge it twice, and return category and vendor by device."""
    from medwarden.store.models import Device

    tenant = Ingest(store, "capture", kind="capture").writer.tenant
    with Change("test", "test", tenant=tenant, site=SITE) as change:
        apply_delta(change, house(port))
    assert judge_stale(tenant, SITE) == len(PUMPS) + 2
    Device.objects.filter(pk__in=(SILENT, SERVER)).update(stale=True)
    assert judge_stale(tenant, SITE) == 2
    rows = Device.objects.values_list("pk", "category", "vendor")
    return {device: (category, vendor) for device, category, vendor in rows}


def test_a_silent_device_and_the_server_are_known_by_the_others(store: Store) -> None:
    from medwarden.store.queries.device import verdicts_of

    found = judged(store, 443)
    assert found[SILENT] == ("infusion_pump", "ICU Medical")
    assert found[SERVER] == ("infusion_server", "ICU Medical")
    (category,) = (v for v in verdicts_of([SILENT])[SILENT] if v.level == "category")
    assert any(ballot.rule.startswith(COMPANY_RULE) for ballot in category.ballots)


def test_everybodys_services_say_nothing(store: Store) -> None:
    assert judged(store, 445)[SILENT] == (None, None)
