"""GE CARESCAPE network: time messages by the published octets, announcements by port and own address."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.carescape import Carescape
from medwarden.dissect.observer import Observer
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

NODE = "192.0.2.20"
OCTETS = bytes((192, 0, 2, 20))


def time_message(
    address: bytes = OCTETS, location: bytes = b"ICU2|CIC1", seconds: int = 3_900_000_000
) -> bytes:
    head = bytes(6) + address + bytes(14) + location.ljust(13, b"\0")
    return head + bytes(60 - len(head)) + struct.pack(">I", seconds)


def datagram(payload: bytes, port: int, ip: str = NODE) -> Segment:
    ends = (None, None, ip, "192.0.2.255", 2000, port)
    return Segment(1, 1, Transport.UDP, *ends, None, True, payload)


def told(payload: bytes, port: int, ip: str = NODE) -> set[tuple[str, str]]:
    return {(fact.field, fact.value) for fact in Carescape().feed(datagram(payload, port, ip))}


def test_time_master_tells_where_it_stands() -> None:
    assert told(time_message(), 2000) == {
        ("carescape.role", "time master"),
        ("carescape.unit", "ICU2"),
        ("carescape.room", "CIC1"),
    }


def test_announcement_is_told_by_port_and_own_address_alone() -> None:
    assert told(bytes(6) + OCTETS + b"BED7" * 20, 7000) == {("carescape.role", "node")}


@pytest.mark.parametrize(
    ("payload", "port", "ip"),
    [
        (time_message(address=b"\xc0\0\2\x15"), 2000, NODE),
        (time_message(seconds=7), 2000, NODE),
        (time_message()[:-1], 2000, NODE),
        (bytes(6) + OCTETS + bytes(40), 2000, NODE),
        (bytes(80), 7000, NODE),
        (bytes(6) + OCTETS + bytes(1500), 7000, NODE),
        (time_message(), 2000, "fe80::1"),
    ],
)
def test_others_on_these_ports_are_not_claimed(payload: bytes, port: int, ip: str) -> None:
    with pytest.raises(MalformedInput, match="not a message of a node"):
        told(payload, port, ip)


def test_observer_gives_it_the_ports_and_only_what_it_understands() -> None:
    observer = Observer(b"k" * 32)
    facts = observer.observe(datagram(time_message(), 2000))
    assert ("carescape.unit", "ICU2") in {(f.field, f.value) for f in facts}
    other = Observer(b"k" * 32)
    assert other.observe(datagram(b"\0\1\2\3 sccp or a game", 7000)) == []
    assert other.applications() == {}


@given(st.binary(max_size=80), st.sampled_from([2000, 7000]))
def test_any_datagram_ends_in_facts_or_one_error(payload: bytes, port: int) -> None:
    for data in (payload, bytes(6) + OCTETS + payload, payload.ljust(64, b"|")):
        try:
            assert all(field in Carescape.manifest.fields for field, _ in told(data, port))
        except MalformedInput:
            continue
