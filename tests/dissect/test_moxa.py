"""Moxa device servers on UDP 4800."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.moxa import Moxa
from medwarden.dissect.observer import Observer
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Datagram = Callable[..., set[tuple[str, str, str]]]
CLIENT, SERVER = "client", "server"
DEVICE = bytes.fromhex("00555555" + "1a51" + "0090e8aaaaaa")
QUERY = bytes.fromhex("0100000800000000")


def reply(request: int, body: bytes, device: bytes = DEVICE) -> bytes:
    content = device + body
    return struct.pack(">BBHI", request | 0x80, 0, 8 + len(content), 7) + content


SAID = {
    ("moxa.role", "device server", SERVER),
    ("moxa.model_id", "511a", SERVER),
    ("moxa.mac_address", "00:90:e8:aa:aa:aa", SERVER),
}


def test_published_discovery_example(datagram: Datagram) -> None:
    answer = bytes.fromhex("8100001800000000" + "005555551a510090e8aaaaaa" + "c0a87ffe")
    assert datagram(Moxa, CLIENT, QUERY) == {("moxa.role", "manager", CLIENT)}
    assert datagram(Moxa, SERVER, answer) == {*SAID, ("moxa.ip_address", "192.168.127.254", SERVER)}


def test_name_and_serial_number(datagram: Datagram) -> None:
    name = reply(0x10, b"Vent ICU 3".ljust(40, b"\0"))
    assert datagram(Moxa, SERVER, name) == {*SAID, ("moxa.device_name", "Vent ICU 3", SERVER)}
    serial = reply(0x16, bytes(8) + b"\xd2\x04" + bytes(6))
    assert datagram(Moxa, SERVER, serial) == {*SAID, ("moxa.serial_number", "1234", SERVER)}
    assert datagram(Moxa, SERVER, reply(0x16, bytes(4))) == SAID


@pytest.mark.parametrize(
    "payload",
    [b"", QUERY[:-1], b"\x02" + QUERY[1:], reply(1, bytes(4), bytes(12)), reply(1, bytes(4))[:-1], bytes(8)],
)
def test_others_are_refused(datagram: Datagram, payload: bytes) -> None:
    with pytest.raises(MalformedInput, match="no request or reply"):
        datagram(Moxa, SERVER, payload)


def test_observer_finds_it_by_its_port() -> None:
    observer = Observer(b"k" * 32)
    ends = (None, None, "192.0.2.20", "192.0.2.10", 4800, 50000)
    observer.observe(Segment(1, 1, Transport.UDP, *ends, None, False, reply(1, bytes(4))))
    assert observer.applications() == {1: "moxa"}


@given(st.integers(0, 127), st.binary(max_size=60))
def test_any_datagram_ends_in_facts_or_one_error(number: int, body: bytes) -> None:
    ends = (None, None, "192.0.2.20", "192.0.2.10", 4800, 50000)
    for data in (body, reply(number, body)):
        try:
            for fact in Moxa().feed(Segment(1, 1, Transport.UDP, *ends, None, False, data)):
                assert fact.field in Moxa.manifest.fields
        except MalformedInput:
            continue
