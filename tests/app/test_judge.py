"""Stale devices are identified and assessed, and only they."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.app.test_ingest import batches

from medwarden.app.ingest import Ingest
from medwarden.app.judge import judge_stale
from medwarden.app.surroundings import surroundings
from medwarden.app.worker import renew
from medwarden.model.device import Device as ModelDevice
from medwarden.model.inventory_delta import InventoryDelta, LedgerIncrement
from medwarden.store.open import Store
from medwarden.store.queries import complete_devices


def test_what_was_heard_of_is_judged_once(store: Store, capture: Path) -> None:
    from medwarden.store.models import Device, Identification

    ingest = Ingest(store, "capture", kind="capture")
    tenant, site = ingest.writer.tenant, ingest.writer.site
    assert judge_stale(tenant, site) == 0
    (batch,) = batches(capture, ingest.token_key)
    ingest.commit(ingest.writer.begin_input("file:1", "a.pcap", "pcap"), 0, batch)
    assert Device.objects.filter(stale=True).count() == 2
    assert judge_stale(tenant, site) == 2
    assert judge_stale(tenant, site) == 0
    assert not Device.objects.filter(stale=True).exists()
    assert Identification.objects.count() == 2
    assert all(name for name in Device.objects.values_list("name", flat=True))
    context = surroundings(tenant, site)
    assert context is not None


def test_another_site_is_left_alone(store: Store, capture: Path) -> None:
    ingest = Ingest(store, "capture@north", kind="capture", site="north")
    (batch,) = batches(capture, ingest.token_key)
    ingest.commit(ingest.writer.begin_input("file:1", "a.pcap", "pcap"), 0, batch)
    assert judge_stale(ingest.writer.tenant, "south") == 0
    assert judge_stale(ingest.writer.tenant, "north") == 2


@pytest.mark.parametrize("later", [10**9, -(10**18)], ids=["later", "long before"])
def test_a_device_heard_again_while_it_was_judged_is_judged_once_more(
    store: Store, capture: Path, monkeypatch: pytest.MonkeyPatch, later: int
) -> None:
    """What is stored meanwhile may be older than what was known: a log that comes late."""
    from medwarden.store.models import Device

    ingest = Ingest(store, "capture", kind="capture")
    (batch,) = batches(capture, ingest.token_key)
    ingest.commit(ingest.writer.begin_input("file:1", "a.pcap", "pcap"), 0, batch)
    rounds: list[int] = []

    def read_just_before_more_came(ids: Sequence[str]) -> list[ModelDevice]:
        devices = complete_devices(ids)
        if not rounds:
            hear(ids[0], Device.objects.get(pk=ids[0]).last_seen + later)
        rounds.append(len(ids))
        return devices

    monkeypatch.setattr("medwarden.app.judge.complete_devices", read_just_before_more_came)
    assert judge_stale(ingest.writer.tenant, ingest.writer.site) == 2
    assert rounds == [2, 1, 2], "both identified, the one once more, both assessed"
    assert not Device.objects.filter(stale=True).exists()
    assert Device.objects.filter(serial="SN-4711").count() == 1


def hear(device: str, at_ns: int) -> None:
    """Store that a device stated its serial number at a time."""
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta

    said = LedgerIncrement(device, "s", "upnp", "upnp.serial_number", "SN-4711", at_ns, at_ns, 1)
    with Change("sensor:s", "heard") as change:
        apply_delta(change, InventoryDelta(site="main", ledger=(said,)))


def test_what_was_identified_and_not_assessed_is_judged_when_the_worker_starts(
    store: Store, capture: Path
) -> None:
    from medwarden.store.models import Device, RiskScore

    ingest = Ingest(store, "capture", kind="capture")
    (batch,) = batches(capture, ingest.token_key)
    ingest.commit(ingest.writer.begin_input("file:1", "a.pcap", "pcap"), 0, batch)
    judge_stale(ingest.writer.tenant, ingest.writer.site)
    assert renew() == 0
    RiskScore.objects.filter(device_id=Device.objects.order_by("pk")[0].pk).delete()
    assert renew() == 1
    assert judge_stale(ingest.writer.tenant, ingest.writer.site) == 1
    assert RiskScore.objects.filter(current=True).count() == 2
