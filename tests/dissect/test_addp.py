"""Digi ADDP: discovery answers, and requests with their secrets left out."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.addp import Addp
from medwarden.dissect.observer import Observer
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Datagram = Callable[..., set[tuple[str, str, str]]]
CLIENT, SERVER = "client", "server"


def message(operation: int, body: bytes, magic: bytes = b"DIGI") -> bytes:
    return magic + struct.pack(">HH", operation, len(body)) + body


def field(kind: int, value: bytes) -> bytes:
    return bytes((kind, len(value))) + value


QUERY = message(1, b"\xff" * 6)
ANSWER = message(
    2,
    field(1, bytes.fromhex("00409d112233"))
    + field(2, bytes((192, 0, 2, 20)))
    + field(4, b"vent-icu-3")
    + field(7, b"\2")
    + field(8, b"82000747_W1 01/01/2010")
    + field(0x0D, b"Digi Connect ME")
    + field(0x12, b"\1")
    + field(0x22, b"radio-key"),
)


def test_discovery(datagram: Datagram) -> None:
    assert datagram(Addp, CLIENT, QUERY) == {("addp.role", "manager", CLIENT)}
    assert datagram(Addp, SERVER, ANSWER) == {
        ("addp.role", "device server", SERVER),
        ("addp.mac_address", "00:40:9d:11:22:33", SERVER),
        ("addp.ip_address", "192.0.2.20", SERVER),
        ("addp.network_name", "vent-icu-3", SERVER),
        ("addp.hardware_revision", "2", SERVER),
        ("addp.firmware", "82000747_W1 01/01/2010", SERVER),
        ("addp.device_name", "Digi Connect ME", SERVER),
        ("addp.serial_ports", "1", SERVER),
    }


def test_change_is_told_and_its_password_is_not(datagram: Datagram) -> None:
    assert datagram(Addp, CLIENT, message(5, bytes(6) + b"\4dbps")) == {
        ("addp.role", "manager", CLIENT),
        ("addp.command", "reboot", CLIENT),
    }


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"DIGI", "no operation"),
        (ANSWER + b"x", "no operation"),
        (message(99, b""), "no operation"),
        (message(2, b"\x04\xffab"), "longer than"),
    ],
)
def test_broken_datagrams_are_refused(datagram: Datagram, payload: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        datagram(Addp, SERVER, payload)


def test_observer_finds_it_on_any_port() -> None:
    observer = Observer(b"k" * 32)
    ends = (None, None, "192.0.2.20", "192.0.2.10", 50000, 51000)
    observer.observe(Segment(1, 1, Transport.UDP, *ends, None, False, ANSWER))
    assert observer.applications() == {1: "addp"}


@given(st.integers(0, 20), st.binary(max_size=60))
def test_any_datagram_ends_in_facts_or_one_error(operation: int, body: bytes) -> None:
    ends = (None, None, "192.0.2.20", "192.0.2.10", 2362, 50000)
    for data in (body, message(operation, body)):
        try:
            for fact in Addp().feed(Segment(1, 1, Transport.UDP, *ends, None, False, data)):
                assert fact.field in Addp.manifest.fields
        except MalformedInput:
            continue
