"""Lantronix device servers on UDP 30718."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.lantronix import Lantronix
from medwarden.dissect.observer import Observer
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Datagram = Callable[..., set[tuple[str, str, str]]]
CLIENT, SERVER = "client", "server"
FIRMWARE = b"\0\0\0\xf7" + b"\0\x10\0\0X5" + bytes(14) + bytes.fromhex("00204a112233")
SETUP = b"\0\0\0\xf9" + bytes((192, 0, 2, 20)) + bytes(116)


def test_query_and_answers(datagram: Datagram) -> None:
    assert datagram(Lantronix, CLIENT, b"\0\0\0\xf6") == {("lantronix.role", "manager", CLIENT)}
    assert datagram(Lantronix, SERVER, FIRMWARE) == {
        ("lantronix.role", "device server", SERVER),
        ("lantronix.software_type", "X5", SERVER),
        ("lantronix.mac_address", "00:20:4a:11:22:33", SERVER),
    }
    assert datagram(Lantronix, SERVER, SETUP) == {
        ("lantronix.role", "device server", SERVER),
        ("lantronix.ip_address", "192.0.2.20", SERVER),
    }


def test_foreign_prefix_is_no_hardware_address_and_changes_are_told(datagram: Datagram) -> None:
    other = FIRMWARE.replace(b"\x00\x20\x4a", b"\x11\x22\x33")
    assert not [fact for fact in datagram(Lantronix, SERVER, other) if fact[0] == "lantronix.mac_address"]
    assert datagram(Lantronix, CLIENT, b"\0\0\0\xfa" + bytes(120)) == {
        ("lantronix.role", "manager", CLIENT),
        ("lantronix.command", "set", CLIENT),
    }


@pytest.mark.parametrize("payload", [b"", b"\0\0\0", b"\0\0\0\xf7", b"\0\0\0\xf9" + bytes(50), b"\0\0\1\xf6"])
def test_others_are_refused(datagram: Datagram, payload: bytes) -> None:
    with pytest.raises(MalformedInput, match="no function"):
        datagram(Lantronix, CLIENT, payload)


def test_observer_finds_it_by_its_port() -> None:
    observer = Observer(b"k" * 32)
    ends = (None, None, "192.0.2.20", "192.0.2.10", 30718, 50000)
    observer.observe(Segment(1, 1, Transport.UDP, *ends, None, False, FIRMWARE))
    assert observer.applications() == {1: "lantronix"}


@given(st.binary(max_size=140))
def test_any_datagram_ends_in_facts_or_one_error(payload: bytes) -> None:
    ends = (None, None, "192.0.2.20", "192.0.2.10", 30718, 50000)
    for data in (payload, b"\0\0\0\xf7" + payload, b"\0\0\0\xf9" + payload):
        try:
            for fact in Lantronix().feed(Segment(1, 1, Transport.UDP, *ends, None, False, data)):
                assert fact.field in Lantronix.manifest.fields
        except MalformedInput:
            continue
