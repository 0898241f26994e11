"""One more device, one more advisory, one more recall, through the store, as the worker takes them in."""

from __future__ import annotations

import time

from identity_throughput import SENSOR, SITE
from medwarden.model.inventory_delta import (
    AddressChange,
    BindingSource,
    DeviceChange,
    InterfaceChange,
    InventoryDelta,
    KeyKind,
    LedgerIncrement,
)
from medwarden.model.recall import Recall
from medwarden.model.vulnerability import Advisory, ProductClaim, ProductStatus, Provenance, Vulnerability
from risk_house import TENANT, House

MAKER, MODEL = "Philips", "IntelliVue MX800"
_SAID = (
    ("intellivue", "intellivue.manufacturer", MAKER),
    ("intellivue", "intellivue.model_name", MODEL),
    ("intellivue", "intellivue.software_version", "M.04.01"),
    ("intellivue", "intellivue.role", "monitor"),
)


def new_device(house: House) -> None:
    """Hear of a device that was never heard of, and say what it is and how great its risk."""
    from medwarden.app.judge import judge_stale
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta

    del house
    now = time.time_ns()
    device, mac = (
        f"d-new-{now}",
        ":".join(("00", "09", "fb", *(f"{now >> s & 255:02x}" for s in (20, 28, 36)))),
    )
    heard = InventoryDelta(
        site=SITE,
        devices=(DeviceChange(device, SITE, KeyKind.MAC, True, False, now, now, ()),),
        interfaces=(InterfaceChange(device, mac, False, False, now, now),),
        addresses=(AddressChange(device, mac, "10.200.0.9", BindingSource.DHCP, True, now, now),),
        ledger=tuple(
            LedgerIncrement(device, SENSOR, source, field, value, now, now, 1)
            for source, field, value in _SAID
        ),
    )
    with Change("bench", "bench", site=SITE) as change:
        apply_delta(change, heard)
    judge_stale(TENANT, SITE)


def new_advisory(house: House) -> None:
    """Take an advisory into knowledge and judge by it; the scores that it changes are part of it."""
    from medwarden.app.letters import put
    from medwarden.app.vulnerabilities import refresh

    now = time.time_ns()
    origin = Provenance("csaf", f"BENCH-{now}", read_ns=now)
    claim = ProductClaim(ProductStatus.AFFECTED, MAKER, MODEL, "< 4.3")
    record = Vulnerability(f"CVE-2098-{now % 10**7:07}", "made up", "", origin, claims=(claim,))
    put(house.home, Advisory(f"BENCH-{now}", "made up", "bench", origin, vulnerabilities=(record,)))
    refresh(house.home, TENANT)


def new_recall(house: House) -> None:
    """Take a recall into knowledge and compare every device with it; told and scored is part of it."""
    from medwarden.app.knowledge import writing
    from medwarden.app.recalls import refresh
    from medwarden.store.knowledge_editions import Brought, Gathering, put_in_use

    number = f"Z-{time.time_ns() % 10**9}-2026"
    recall = Recall(
        id=number, title=f"{MAKER} {MODEL}", maker=f"{MAKER}, Inc.",
        product=f"{MAKER} {MODEL} Patient Monitor", reason="It may stop.", action="",
        provenance=Provenance("fda_recall", "made", "2026-01-01"),
        status="Open", begun="2026-01-01", codes="Software version 4.3 and below",
    )  # fmt: skip
    with writing(house.home) as knowledge, Gathering(knowledge.folder) as gathering:
        gathering.add("fda_recall", 0, recall)
        put_in_use(knowledge, gathering, Brought("fda_recall", seen=1, kept=1), whole=False)
    refresh(house.home, TENANT)
