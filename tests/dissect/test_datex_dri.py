"""GE S/5 computer interface: requests, records, escapes."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.datex_dri import MAX_RECORD, MAX_REJECTED, DatexDri
from medwarden.dissect.observer import Observer
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]
HOST, MONITOR = "client", "server"


def record(main: int, kind: int, data: bytes, level: int = 9, plug: int = 0) -> bytes:
    descriptors = struct.pack("<hB", 0, kind) + struct.pack("<hB", 0, 0xFF) * 7
    head = struct.pack("<hBBHIBBHh", 40 + len(data), 0, level, plug, 1_700_000_000, 0, 0, 0, main)
    content = head + descriptors + data
    content += bytes((sum(content) & 0xFF,))
    return b"\x7e" + content.replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e") + b"\x7e"


REQUEST = record(0, 0, bytes(9))
MEASURED = record(0, 1, b"\x7d\x7e\x7d\x5e" * 60, plug=0x1234)


def test_request_and_records(converse: Converse) -> None:
    facts = converse(
        DatexDri,
        (HOST, REQUEST),
        (MONITOR, MEASURED + record(1, 2, bytes(100)) + record(4, 1, bytes(80))),
    )
    assert facts == {
        ("datex_dri.role", "host", HOST),
        ("datex_dri.role", "monitor", MONITOR),
        ("datex_dri.level", "9", MONITOR),
        ("datex_dri.generation", "2005", MONITOR),
        ("datex_dri.plug_id", "4660", MONITOR),
        ("datex_dri.streams", "measurements", MONITOR),
        ("datex_dri.streams", "waves", MONITOR),
        ("datex_dri.streams", "alarms", MONITOR),
    }


def test_unknown_level_has_no_generation_and_one_wrong_checksum_is_passed_over(converse: Converse) -> None:
    facts = converse(
        DatexDri, (MONITOR, b"\x7eabc\x7e" + record(0, 1, bytes(80), level=15) + record(7, 1, bytes(80)))
    )
    assert facts == {
        ("datex_dri.role", "monitor", MONITOR),
        ("datex_dri.level", "15", MONITOR),
        ("datex_dri.streams", "measurements", MONITOR),
    }


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hello", "between records"),
        (b"\x7e" + b"x" * MAX_RECORD, "longer than"),
        (b"\x7eabc\x7e" * MAX_REJECTED, "wrong checksums"),
    ],
)
def test_broken_streams_are_refused(converse: Converse, data: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        converse(DatexDri, (MONITOR, data))


def test_recognition_is_by_checksum_and_length() -> None:
    assert DatexDri.recognises(REQUEST, True)
    assert DatexDri.recognises(b"\x7e" + MEASURED, False)
    assert not DatexDri.recognises(b"\x7e\xff\x03\x00\x21" + bytes(60) + b"\x7e", True)  # PPP
    assert not DatexDri.recognises(b"\x7e", True)
    assert not DatexDri.recognises(b"", True)
    observer = Observer(b"k" * 32)
    ends = (None, None, "192.0.2.1", "192.0.2.2", 50000, 4002)
    observer.observe(Segment(1, 1, Transport.TCP, *ends, None, True, REQUEST))
    assert observer.applications() == {1: "datex_dri"}


@given(st.lists(st.sampled_from([REQUEST, MEASURED, b"\x7e", b"\x7d", b"abc"])))
def test_any_stream_ends_in_facts_or_one_error(parts: list[bytes]) -> None:
    ends = (None, None, "192.0.2.1", "192.0.2.2", 1, 4002)
    segment = Segment(1, 1, Transport.TCP, *ends, None, True, b"".join(parts))
    try:
        assert all(fact.field in DatexDri.manifest.fields for fact in DatexDri().feed(segment))
    except MalformedInput:
        return
