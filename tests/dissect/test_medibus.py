"""Draeger MEDIBUS: identification, data, alarms, real-time octets in between."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.medibus import MAX_FRAME_BYTES, MAX_REJECTED, Medibus
from medwarden.dissect.observer import Observer
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]
HOST, DEVICE = "client", "server"


def frame(lead: int, body: bytes) -> bytes:
    body = bytes((lead,)) + body
    return body + b"%02X\r" % (sum(body) & 0xFF)


def command(body: bytes) -> bytes:
    return frame(0x1B, body)


def response(body: bytes) -> bytes:
    return frame(0x01, body)


IDENTITY = response(b"\x528150'Evita 4'04.20:03.00")
GREETING = (
    (HOST, command(b"\x51")),
    (DEVICE, response(b"\x51")),
    (HOST, command(b"\x52")),
    (DEVICE, IDENTITY),
)
NAMED = {
    ("medibus.device_id", "8150", DEVICE),
    ("medibus.device_name", "Evita 4", DEVICE),
    ("medibus.software_version", "04.20", DEVICE),
    ("medibus.protocol_version", "03.00", DEVICE),
}


def test_published_examples_of_checksums() -> None:
    assert command(b"\x51") == b"\x1bQ6C\r"
    assert response(b"\x51") == b"\x01Q52\r"
    assert command(b"\x30") == b"\x1b04B\r"


def test_device_names_itself(converse: Converse) -> None:
    assert converse(Medibus, *GREETING) == NAMED


def test_data_alarms_and_real_time(converse: Converse) -> None:
    garbled = b"\x01\x24\xd3\x80\x81\xc0" + response(b"\x24 06 12.5")[2:]
    facts = converse(
        Medibus,
        (HOST, command(b"\x24") + command(b"\x27")),
        (DEVICE, b"\x11\xd0\x80\xc0\xcf" + garbled + response(b"\x27" + b"1A0" + b"APNOEA      ")),
    )
    assert facts == {
        ("medibus.role", "host", HOST),
        ("medibus.role", "device", DEVICE),
        ("medibus.streams", "real-time", DEVICE),
        ("medibus.streams", "measurements", DEVICE),
        ("medibus.active_alarm", "yes", DEVICE),
    }
    silent = converse(Medibus, (HOST, command(b"\x27")), (DEVICE, response(b"\x27")))
    assert silent == {("medibus.role", "host", HOST), ("medibus.role", "device", DEVICE)}


def test_command_cut_off_by_the_next_and_wrong_checksums_are_passed_over(converse: Converse) -> None:
    broken = b"\x01\x52'Nobody'FF\r"
    facts = converse(Medibus, (DEVICE, b"\x01\x52half" + IDENTITY + broken * (MAX_REJECTED - 1) + IDENTITY))
    assert facts == NAMED


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"'Babylog 8000'", {("medibus.device_name", "Babylog 8000", DEVICE)}),
        (b"Evita", set()),
        (b"'unended", set()),
    ],
)
def test_other_identities(converse: Converse, content: bytes, named: set[tuple[str, str, str]]) -> None:
    assert converse(Medibus, (DEVICE, response(b"\x52" + content))) == named


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x1b" + b"$" * MAX_FRAME_BYTES, "longer than"),
        (b"\x01\x5200\r" * MAX_REJECTED, "checksums"),
        (b"hello", "between frames"),
    ],
)
def test_broken_streams_are_refused(converse: Converse, data: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        converse(Medibus, (HOST, data))


def test_recognition_is_by_checksum_and_the_observer_finds_it() -> None:
    assert Medibus.recognises(command(b"\x51"), True)
    assert Medibus.recognises(IDENTITY, False)
    assert not Medibus.recognises(b"\x1bQ6D\r", True)
    assert not Medibus.recognises(b"\x1b[2J\x1b[H", True)
    assert not Medibus.recognises(frame(0x1B, b"\x7a"), True)
    observer = Observer(b"k" * 32)
    ends = (None, None, "192.0.2.1", "192.0.2.2", 50000, 4001)
    observer.observe(Segment(1, 1, Transport.TCP, *ends, None, True, command(b"\x51")))
    assert observer.applications() == {1: "medibus"}


@given(
    st.lists(st.sampled_from([*(data for _, data in GREETING), b"\x01", b"\x1b", b"\r", b"\xd3\x80", b"'"]))
)
def test_any_stream_ends_in_facts_or_one_error(parts: list[bytes]) -> None:
    segment = Segment(
        1, 1, Transport.TCP, None, None, "192.0.2.1", "192.0.2.2", 1, 4001, None, True, b"".join(parts)
    )
    try:
        assert all(fact.field in Medibus.manifest.fields for fact in Medibus().feed(segment))
    except MalformedInput:
        return
