"""Floods of made-up interfaces: the inventory stays of a size, and real devices still come in."""

from __future__ import annotations

import random

import pytest

from medwarden.inventory import flood
from medwarden.inventory.identity import Resolver
from medwarden.model.evidence import Evidence

START = 1_700_000_000_000_000_000


@pytest.fixture(autouse=True)
def small_house(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood, "MOST_HEARD_ONCE", 50)
    monkeypatch.setattr(flood, "MOST_INTERFACES", 200)


def announcement(mac: str, ip: str, at: int) -> Evidence:
    return Evidence(at, mac, ip, None, "arp.ip", ip, "arp")


def made_up(count: int, seed: int) -> list[Evidence]:
    """Return announcements of interfaces that speak once."""
    chance = random.Random(seed)
    return [
        announcement(
            "02:" + ":".join(f"{byte:02x}" for byte in chance.randbytes(5)),
            "10." + ".".join(map(str, chance.randbytes(3))),
            START + number,
        )
        for number in range(count)
    ]


def test_those_heard_once_come_in_up_to_a_number_over_all_rounds() -> None:
    resolver = Resolver()
    resolver.evidence(made_up(40, 1))
    assert len(resolver.delta().devices) == 40
    resolver.evidence(made_up(40, 2))
    delta = resolver.delta()
    assert len(delta.devices) == 10
    assert len(delta.addresses) == 10
    assert delta.ignored == {"said in a flood of interfaces": 30}
    resolver.evidence(made_up(500, 3))
    assert resolver.delta().empty()


def listed(count: int, first: int = 0) -> list[Evidence]:
    """Return what a list says of interfaces: all of it at one moment."""
    macs = [f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}" for number in range(first, first + count)]
    return [Evidence(START, mac, None, None, "inventory.mac", mac, "inventory_table") for mac in macs]


def test_who_stands_in_a_list_is_not_made_up_and_takes_nobodys_place() -> None:
    resolver = Resolver()
    resolver.evidence(listed(120))
    stored = resolver.delta()
    assert len(stored.devices) == 120
    assert not stored.ignored
    resolver.evidence(made_up(60, 1))
    assert len(resolver.delta().devices) == 50
    again = Resolver()
    again.restore(stored)
    again.evidence(made_up(60, 1))
    assert len(again.delta().devices) == 50
    again.evidence(listed(100, first=120))
    assert len(again.delta().devices) == 200 - 120 - 50, "there is an end to those too"


def test_who_speaks_again_comes_in_during_a_flood() -> None:
    resolver = Resolver()
    real = "00:30:e6:20:41:33"
    resolver.evidence(made_up(500, 1))
    resolver.evidence([announcement(real, "10.0.0.7", START + at) for at in (1_000, 2_000)])
    delta = resolver.delta()
    assert real in {interface.mac for interface in delta.interfaces}
    assert len(delta.devices) == 51
    resolver.evidence([announcement(real, "10.0.0.7", START + 3_000)])
    assert [interface.mac for interface in resolver.delta().interfaces] == [real]


def test_there_is_an_end_to_those_heard_twice_too() -> None:
    resolver = Resolver()
    facts = made_up(500, 1)
    resolver.evidence([*facts, *(announcement(f.mac or "", f.ip or "", f.ts_ns + 7) for f in facts)])
    delta = resolver.delta()
    assert len(delta.devices) == 200
    assert {change.device for change in delta.addresses} == {change.id for change in delta.devices}
    resolver.evidence([announcement("00:30:e6:20:41:33", "10.0.0.7", START + at) for at in (1, 2)])
    assert resolver.delta().empty()


def test_a_restored_resolver_counts_on() -> None:
    first = Resolver()
    first.evidence(made_up(45, 1))
    stored = first.delta()
    second = Resolver()
    second.restore(stored)
    second.evidence(made_up(45, 2))
    assert len(second.delta().devices) == 5
    second.evidence(made_up(45, 1))
    assert len(second.delta().devices) == 45, "those that are known are heard"
