from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.octets import (
    ip_text,
    ipv4_text,
    is_internal,
    is_loopback,
    mac_text,
    printable,
    text_or_hex,
)
from medwarden.model.evidence import MAX_VALUE


def test_text_is_utf_8_else_latin_1_without_controls() -> None:
    assert printable("Gerät 3\0".encode()) == "Gerät 3"
    assert printable("Gerät 3".encode("latin-1")) == "Gerät 3"
    assert printable(b" a\r\nb \x1b") == "a  b"


def test_identifiers_are_text_only_when_printable_throughout() -> None:
    assert text_or_hex(b"Gi1/0/7\0") == "Gi1/0/7"
    assert text_or_hex(b"\x00\x01ab") == "00016162"
    assert text_or_hex(b"  ") == "2020"


@pytest.mark.parametrize("text", ["000000000000", "ffffffffffff", "01005e0000fb", "0200000000", ""])
def test_what_names_no_interface_is_no_mac(text: str) -> None:
    assert mac_text(bytes.fromhex(text)) is None


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"])
def test_what_names_no_host_is_no_address(address: str) -> None:
    assert ip_text(ip_address(address).packed) is None


@pytest.mark.parametrize(
    ("address", "internal"),
    [
        ("10.0.0.1", True), ("172.16.0.1", True), ("172.32.0.1", False), ("192.168.1.1", True),
        ("192.169.1.1", False), ("100.64.0.1", True), ("100.128.0.1", False), ("169.254.1.1", True),
        ("8.8.8.8", False), ("127.0.0.1", False), ("fe80::1", True), ("fd00::1", True),
        ("2001:db8::1", False), ("::1", False),
    ],
)  # fmt: skip
def test_internal_addresses_are_those_of_the_registries(address: str, internal: bool) -> None:
    assert is_internal(ip_address(address).packed) is internal


def test_loopback_is_told_apart() -> None:
    assert is_loopback(b"\x7f\x01\x02\x03")
    assert is_loopback(bytes(15) + b"\1")
    assert not is_loopback(b"\x0a\0\0\1")


@given(st.binary(max_size=3000))
def test_any_octets_become_values_that_can_be_kept(octets: bytes) -> None:
    for text in (printable(octets), text_or_hex(octets)):
        assert len(text) <= MAX_VALUE
        assert text.isprintable()
        assert text == text.strip()


@given(st.binary(min_size=4, max_size=4))
def test_addresses_read_as_the_standard_library_reads_them(octets: bytes) -> None:
    text = ipv4_text(octets)
    assert text is None or text == str(ip_address(octets))
