"""Draeger Infinity announcements: name, model, serial number and firmware; never the patient."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.draeger_infinity import DraegerInfinity
from medwarden.dissect.observer import Observer
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

MONITOR = "192.0.2.20"
ADDRESS = bytes((192, 0, 2, 20))


def text(value: str) -> bytes:
    return (value + "\0" * (len(value) % 2)).encode("utf-16-be")


def part(kind: int, name: str, rest: bytes) -> bytes:
    body = bytes((len(name),)) + text(name) + rest
    return b"\0\x07\0-" + struct.pack(">HB", 7 + len(body), kind) + body


def identity(firmware: str, model: str, serial: str) -> bytes:
    lengths = bytes((len(firmware), len(model), len(serial), 0, 0))
    return part(13, "", bytes(11) + lengths + text(firmware) + text(model) + text(serial))


def patient(name: str, number: str) -> bytes:
    return part(5, "IDS2110", bytes(8) + bytes((1, len(name), len(number), 0)) + text(name) + text(number))


def announcement(*parts: bytes, address: bytes = ADDRESS) -> bytes:
    return address + bytes(20) + b"".join(parts) + bytes(4)


FULL = announcement(
    part(1, "2808", ADDRESS),
    identity("VF8.3-W", "Delta", "6002591075"),
    part(11, "IDS2110", ADDRESS + bytes(16)),
    patient("Doe, Jane", "MRN-77"),
)


def told(payload: bytes, source: str = MONITOR) -> set[tuple[str, str, str | None]]:
    ends = (None, None, source, "224.127.1.255", 2150, 2150)
    segment = Segment(1, 1, Transport.UDP, *ends, None, True, payload)
    return {(fact.field, fact.value, fact.ip) for fact in DraegerInfinity().feed(segment)}


def test_monitor_names_itself_and_not_who_lies_there() -> None:
    assert told(FULL) == {
        ("draeger_infinity.role", "monitor", MONITOR),
        ("draeger_infinity.name", "2808", MONITOR),
        ("draeger_infinity.firmware", "VF8.3-W", MONITOR),
        ("draeger_infinity.model", "Delta", MONITOR),
        ("draeger_infinity.serial_number", "6002591075", MONITOR),
        ("draeger_infinity.patient_data", "yes", MONITOR),
    }


def test_who_forwards_an_announcement_is_not_the_monitor_and_nobody_is_no_patient() -> None:
    facts = told(announcement(part(1, "2808", ADDRESS), patient("", "  ")), source="192.0.2.9")
    assert facts == {
        ("draeger_infinity.role", "monitor", MONITOR),
        ("draeger_infinity.name", "2808", MONITOR),
    }


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "no announcement"),
        (announcement(part(9, "x", b"")), "no announcement"),
        (announcement(part(1, "2808", b""), address=bytes(4)), "no announcement"),
        (announcement(part(1, "2808", b"")) + b"\0\x07\0-\xff\xff\x01", ""),
        (announcement(part(1, "2808", b""))[:-4] + b"\0\x07\0-\xff\xff\x01", "part is longer"),
        (announcement(b"\0\x07\0-" + struct.pack(">HB", 9, 1) + b"\x09x"), "text is longer"),
    ],
)
def test_broken_announcements_are_refused(payload: bytes, reason: str) -> None:
    if not reason:  # what follows the end of the parts is not read
        assert ("draeger_infinity.name", "2808", MONITOR) in told(payload)
        return
    with pytest.raises(MalformedInput, match=reason):
        told(payload)


def test_observer_finds_it_by_its_port() -> None:
    observer = Observer(b"k" * 32)
    ends = (None, None, MONITOR, "224.127.1.255", 2150, 2150)
    observer.observe(Segment(1, 1, Transport.UDP, *ends, None, True, FULL))
    assert observer.applications() == {1: "draeger_infinity"}


@given(st.binary(max_size=120), st.integers(0, 20))
def test_any_datagram_ends_in_facts_or_one_error(noise: bytes, kind: int) -> None:
    for payload in (
        noise,
        announcement(noise),
        announcement(part(kind, "ab", noise)),
        FULL[: len(noise) * 2],
    ):
        try:
            assert all(field in DraegerInfinity.manifest.fields for field, _, _ in told(payload))
        except MalformedInput:
            continue
