"""Makers of network interfaces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.knowledge.oui import (
    hypervisor_of,
    is_group,
    is_locally_administered,
    is_virtual_router,
    maker_of,
)


@pytest.mark.parametrize(
    ("mac", "vendor", "module"),
    [
        ("00:17:88:01:02:03", "Philips", False),
        ("00:09:fb:01:02:03", "Philips", False),
        ("b0:c5:54:01:02:03", "D-Link", False),
        ("00:24:e4:01:02:03", "Withings", False),
        ("5c:cf:7f:01:02:03", "Espressif", True),
        ("ac:cf:23:01:02:03", "Hi-flying", True),
        ("00:40:8c:01:02:03", "Axis", False),
    ],
)
def test_makers(mac: str, vendor: str, module: bool) -> None:
    maker = maker_of(mac)
    assert maker is not None
    assert (maker.vendor, maker.module) == (vendor, module)


def test_the_longest_prefix_counts() -> None:
    # 70:b3:d5 is a registry of its own that hands out 36-bit prefixes.
    first, second = maker_of("70:b3:d5:00:10:00"), maker_of("70:b3:d5:00:20:00")
    assert first is not None
    assert second is not None
    assert len(first.prefix) == 9
    assert first.registered != second.registered


def test_addresses_without_a_maker() -> None:
    assert maker_of("02:00:00:00:00:01") is None
    assert maker_of("ff:ff:ff:ff:ff:ff") is None
    assert maker_of("01:00:5e:00:00:fb") is None


def test_kinds_of_addresses() -> None:
    assert is_locally_administered("da:a1:19:00:00:01")
    assert not is_locally_administered("00:17:88:00:00:01")
    assert is_group("33:33:00:00:00:fb")
    assert is_virtual_router("00:00:5e:00:01:0a")
    assert is_virtual_router("00:00:0c:07:ac:01")
    assert not is_virtual_router("00:00:5e:01:00:00")
    assert hypervisor_of("00:50:56:aa:bb:cc") == "VMware"
    assert hypervisor_of("00:17:88:aa:bb:cc") is None


@given(st.binary(min_size=6, max_size=6))
def test_any_address_has_an_answer(octets: bytes) -> None:
    maker = maker_of(octets.hex(":"))
    if maker is not None:
        assert octets.hex().startswith(maker.prefix)
        assert maker.vendor
