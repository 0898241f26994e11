"""Identities are settled after something was judged, and leave the machine alone otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from medwarden.app.identity import Settling, merge_stored, settle
from medwarden.app.judge import judge_stale
from medwarden.inventory.identity import Resolver
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.evidence import Evidence
from medwarden.store.open import Store

HOUR = 3600 * 1_000_000_000
UUID = "4c4c4544-0043-4b10-8052-b7c04f4e3932"


def test_settling_follows_work_and_takes_a_twentieth_of_the_time(store: Store) -> None:
    assert store.home.exists()
    times: Iterator[float] = iter([0.0, 10.0, 30.0, 209.0, 211.0, 212.0, 500.0])
    settling = Settling(lambda: next(times))
    assert settling.after(0)  # what happened before the worker started; took ten seconds
    assert not settling.after(5)  # at 30: too early
    assert not settling.after(0)  # at 209: twenty times ten seconds are not over
    assert settling.after(0)  # at 211, for what was judged meanwhile
    assert not settling.after(0)  # at 500: nothing was judged


def test_cards_of_one_machine_are_joined_and_the_device_judged_anew(store: Store) -> None:
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta
    from medwarden.store.models import AuditEntry, Device

    assert store.home.exists()
    resolver = Resolver("main")
    for mac, name in (("00:1b:21:00:00:01", "ct-2"), ("00:1b:21:00:00:02", "CT-2.hospital.example")):
        for field, value in (("dhcp.machine_uuid", UUID), ("dhcp.host_name", name)):
            resolver.evidence([Evidence(HOUR, mac, None, None, field, value, "dhcp")], "s")
    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, resolver.delta())
    judge_stale("default", "main")
    assert settle("default").joined == 1
    device = Device.objects.get()
    assert len(device.macs) == 2 and not device.stale
    entry = AuditEntry.objects.get(action="device.merged")
    assert entry.actor == "rule:linking" and "SMBIOS UUID" in entry.after
    assert settle("default").joined == 0


def test_a_device_is_named_by_the_first_part_of_its_only_name_and_never_by_nothing(store: Store) -> None:
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta
    from medwarden.store.models import Device

    resolver = Resolver("main")
    for mac, name in (("00:1b:21:00:00:01", "pump7.house.org"), ("00:1b:21:00:00:02", "ct-2")):
        resolver.evidence([Evidence(HOUR, mac, None, None, "dhcp.host_name", name, "dhcp")], "s")
    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, resolver.delta())
    judge_stale("default", "main")
    for part in ("pump", "house.org", "", " "):
        with pytest.raises(ConfigurationError):
            merge_stored("ct-2", part, reason="they are one", actor="user:anna")
    assert merge_stored("ct-2", "PUMP7", reason="they are one", actor="user:anna")
    assert Device.objects.get().name in ("ct-2", "pump7.house.org")
