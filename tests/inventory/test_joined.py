"""A machine with two network cards in a book: one device with all that either said."""

from __future__ import annotations

from medwarden.inventory.book import Book
from medwarden.inventory.identity import Resolver
from medwarden.inventory.joined import joined_devices
from medwarden.inventory.labelling import identify
from medwarden.model.evidence import Evidence

UUID = "4c4c4544-0043-4b10-8052-b7c04f4e3932"
SECOND = 1_000_000_000


def _fact(at: int, mac: str, field: str, value: str) -> Evidence:
    return Evidence(at * SECOND, mac, None, None, field, value, field.partition(".")[0])


def _book(*facts: Evidence) -> Book:
    resolver, book = Resolver("s"), Book("s")
    resolver.evidence(facts, "x")
    book.apply(resolver.delta())
    return book


def test_cards_of_one_machine_become_one_device() -> None:
    macs = [f"00:1b:21:00:00:0{n}" for n in range(1, 5)]
    book = _book(
        *[_fact(n, mac, "dhcp.machine_uuid", UUID) for n, mac in enumerate(macs[:3], 1)],
        _fact(9, macs[2], "snmp.entity_serial", "FOC2210ABC"),
        _fact(10, macs[3], "snmp.entity_serial", "FOC2210ABC"),
    )
    (one,) = joined_devices(book, identify).devices
    assert list(one.macs) == macs
    assert (one.first_seen, one.last_seen) == (SECOND, 10 * SECOND)
    assert one.serial == "FOC2210ABC" and len(book) == 1


def test_strangers_stay_two() -> None:
    book = _book(
        _fact(1, "00:1b:21:00:00:01", "dhcp.host_name", "one"),
        _fact(1, "00:1b:21:00:00:02", "dhcp.host_name", "two"),
    )
    assert len(joined_devices(book, identify).devices) == 2
