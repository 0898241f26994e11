"""What an address can be and who held it when."""

from __future__ import annotations

import pytest

from medwarden.inventory.addresses import SLACK_NS, AddressKind, AddressPlan, Bindings, came_directly
from medwarden.model.inventory_delta import BindingSource


@pytest.mark.parametrize(
    ("ip", "kind"),
    [
        ("10.1.2.3", AddressKind.INTERNAL),
        ("192.168.0.1", AddressKind.INTERNAL),
        ("100.64.0.1", AddressKind.INTERNAL),
        ("127.0.0.1", AddressKind.INTERNAL),
        ("fd00::1", AddressKind.INTERNAL),
        ("169.254.3.4", AddressKind.LINK_LOCAL),
        ("fe80::1", AddressKind.LINK_LOCAL),
        ("8.8.8.8", AddressKind.INTERNET),
        ("2001:4860:4860::8888", AddressKind.INTERNET),
        ("224.0.0.251", AddressKind.MULTICAST),
        ("ff02::fb", AddressKind.MULTICAST),
        ("255.255.255.255", AddressKind.BROADCAST),
        ("0.0.0.0", AddressKind.NONE),
        ("::", AddressKind.NONE),
        ("pump", AddressKind.NONE),
        (None, AddressKind.NONE),
    ],
)
def test_kinds(ip: str | None, kind: AddressKind) -> None:
    assert AddressPlan().kind(ip) is kind


def test_own_networks_are_internal() -> None:
    plan = AddressPlan(("198.51.0.0/16", "2001:4860::/32"))
    assert plan.kind("2001:4860:4860::8888") is AddressKind.INTERNAL
    assert plan.kind("8.8.8.8") is AddressKind.INTERNET


@pytest.mark.parametrize(
    ("limit", "direct"),
    [(64, True), (128, True), (255, True), (63, False), (117, False), (1, None), (0, None)],
)
def test_hop_limits(limit: int, direct: bool | None) -> None:
    assert came_directly(limit) is direct


def test_who_held_an_address_when() -> None:
    bindings = Bindings()
    bindings.add("10.0.0.5", "a", BindingSource.SEEN, 0, 100)
    bindings.add("10.0.0.5", "b", BindingSource.ARP, 200, 300)
    held = bindings.holder("10.0.0.5", 250)
    assert held is not None
    assert held.mac == "b"
    assert bindings.holder("10.0.0.5", 300 + SLACK_NS + 1) is None
    assert bindings.holder("10.0.0.6", 250) is None
    first = bindings.get("a", "10.0.0.5")
    assert first is not None
    assert not first.current


def test_a_better_source_replaces_a_worse_one() -> None:
    bindings = Bindings()
    bindings.add("10.0.0.5", "a", BindingSource.SEEN, 5, 5)
    binding = bindings.add("10.0.0.5", "a", BindingSource.DHCP, 1, 9)
    assert (binding.source, binding.first_seen, binding.last_seen) == (BindingSource.DHCP, 1, 9)
    assert bindings.add("10.0.0.5", "a", BindingSource.SEEN, 10, 10).source is BindingSource.DHCP
    assert bindings.has_claim("a", 4)
    assert not bindings.has_claim("a", 6)


def test_proxy_arp_is_recognised() -> None:
    bindings = Bindings()
    for i in range(40):
        bindings.add(f"10.0.0.{i}", "a", BindingSource.ARP, 0, 0)
    assert bindings.proxies("a")
    assert not bindings.proxies("b")


def test_an_address_that_came_back_was_somebody_elses_in_between() -> None:
    for first, guest in (("a", "b"), ("b", "a")):
        bindings = Bindings()
        day = SLACK_NS
        bindings.add("10.0.0.5", first, BindingSource.DHCP, 0, 2 * day)
        bindings.add("10.0.0.5", guest, BindingSource.DHCP, 30 * day, 32 * day)
        bindings.add("10.0.0.5", first, BindingSource.DHCP, 60 * day, 62 * day)
        held = [bindings.holder("10.0.0.5", at * day) for at in (1, 31, 61)]
        assert [binding.mac for binding in held if binding] == [first, guest, first]
