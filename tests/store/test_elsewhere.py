"""One hardware address at two sites: a device that moved, or two that state the same."""

from __future__ import annotations

import msgspec
import pytest
from tests.store.conftest import HOUR, DeltaMaker

from medwarden.model.inventory_delta import ActivityIncrement, InterfaceChange, InventoryDelta
from medwarden.store.open import Store

MAC = "00:13:38:30:38:59"
DAY = 24 * HOUR


def _at(heard: DeltaMaker, site: str, *hours: int) -> None:
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta

    delta = heard(7, site=site, ts=hours[0])
    device = f"d-{site}-7"
    delta = msgspec.structs.replace(
        delta,
        devices=tuple(msgspec.structs.replace(d, last_seen=hours[-1]) for d in delta.devices),
        interfaces=(InterfaceChange(device, MAC, False, False, hours[0], hours[-1]),),
        activity=tuple(ActivityIncrement(device, hour, 1, 2, 60, 90) for hour in hours),
    )
    with Change("sensor:s", "heard", site=site) as change:
        apply_delta(change, delta)


@pytest.fixture(autouse=True)
def clinic(store: Store) -> None:
    from medwarden.store.open import ensure_site

    assert store.home.exists()
    ensure_site("default", "clinic")


def test_a_pump_that_moved_is_shown_at_both_sites(heard: DeltaMaker) -> None:
    from medwarden.app.spoofing import TWO_PLACES, find_moves
    from medwarden.store.models import AuditEntry, Finding
    from medwarden.store.queries import Scope
    from medwarden.store.queries.identity import elsewhere

    _at(heard, "main", 10 * HOUR, 12 * HOUR)
    _at(heard, "clinic", 12 * HOUR, 40 * HOUR)
    assert find_moves("default") == 1
    (there,) = elsewhere(Scope(), "d-main-7")
    assert (there.other, there.other_site, there.until_ns) == ("d-clinic-7", "clinic", 40 * HOUR)
    assert MAC in there.because[0]
    assert elsewhere(Scope(sites=("main",)), "d-main-7") == []
    _at(heard, "clinic", 90 * HOUR)
    assert find_moves("default") == 0
    assert elsewhere(Scope(), "d-main-7")[0].until_ns == 90 * HOUR
    assert AuditEntry.objects.filter(action="device.moved").count() == 2
    assert not Finding.objects.filter(type=TWO_PLACES).exists()


def test_a_device_carried_to_and_fro_for_weeks_is_no_alarm(heard: DeltaMaker) -> None:
    from medwarden.app.spoofing import TWO_PLACES, find_moves
    from medwarden.store.models import Finding

    shared = [day * DAY + 12 * HOUR for day in range(20)]
    _at(heard, "main", *shared)
    _at(heard, "clinic", *shared)
    find_moves("default")
    assert not Finding.objects.filter(type=TWO_PLACES).exists()


def test_one_address_active_at_both_sites_is_a_finding(heard: DeltaMaker) -> None:
    from medwarden.app.spoofing import TWO_PLACES, find_moves
    from medwarden.store.models import DeviceElsewhere, Finding

    hours = [n * HOUR for n in range(10, 15)]
    _at(heard, "main", *hours)
    _at(heard, "clinic", *hours)
    assert find_moves("default") == 0
    (finding,) = Finding.objects.filter(type=TWO_PLACES)
    assert "5 hours" in finding.detail and finding.severity == "high"
    assert not DeviceElsewhere.objects.exists()


def test_overlapping_networks_do_not_join(heard: DeltaMaker) -> None:
    from medwarden.app.spoofing import find_moves
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta
    from medwarden.store.models import Device, DeviceElsewhere

    delta: InventoryDelta
    for site in ("main", "clinic"):
        delta = heard(1, 2, 3, site=site)  # locally administered addresses and the same 10.0.0.0/24
        delta = msgspec.structs.replace(
            delta,
            interfaces=tuple(msgspec.structs.replace(i, randomised=True) for i in delta.interfaces),
        )
        with Change("sensor:s", "heard", site=site) as change:
            apply_delta(change, delta)
    assert find_moves("default") == 0
    assert Device.objects.count() == 6 and not DeviceElsewhere.objects.exists()
