"""ESPA 4.4.4: polls, calls, status."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.espa444 import MAX_BLOCK, MAX_REJECTED, Espa444
from medwarden.dissect.observer import Observer
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]
CALLER, PAGER = "client", "server"


def block(header: bytes, *records: bytes) -> bytes:
    body = header + b"\x02" + b"\x1e".join(records) + b"\x03"
    return b"\x01" + body + bytes((reduce(xor, body),))


CALL = block(b"1", b"1\x1f550", b"2\x1fCALL ME 101", b"3\x1f3", b"4\x1f3", b"5\x1f3", b"6\x1f3")


def test_published_example_and_an_answer(converse: Converse) -> None:
    facts = converse(
        Espa444,
        (CALLER, b"\x041\x052\x05"),
        (PAGER, b"\x06"),
        (CALLER, CALL),
        (PAGER, b"\x06\x04" + block(b"2", b"1\x1f550", b"7\x1f1")),
    )
    assert facts == {
        ("espa444.role", "control station", CALLER),
        ("espa444.role", "calling system", CALLER),
        ("espa444.role", "paging system", PAGER),
        ("espa444.message", "call to pager", CALLER),
        ("espa444.message", "status information", PAGER),
    }


def test_garbled_block_is_refused_and_sent_again(converse: Converse) -> None:
    garbled = CALL.replace(b"CALL", b"CELL")
    facts = converse(Espa444, (CALLER, garbled), (PAGER, b"\x15"), (CALLER, CALL))
    assert ("espa444.transmission", "corrupt", CALLER) in facts
    assert ("espa444.transmission", "refused", PAGER) in facts
    assert ("espa444.message", "call to pager", CALLER) in facts


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (CALL.replace(b"CALL", b"CELL") * MAX_REJECTED, "checksums"),
        (b"\x019\x02\x03\x00", "without header"),
        (b"\x01" + b"x" * MAX_BLOCK, "longer than"),
        (b"hello", "between blocks"),
    ],
)
def test_broken_streams_are_refused(converse: Converse, data: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        converse(Espa444, (CALLER, data))


def test_observer_finds_it_on_any_port() -> None:
    assert Espa444.recognises(CALL, True)
    assert not Espa444.recognises(b"\x01\x02", True)
    observer = Observer(b"k" * 32)
    ends = (None, None, "192.0.2.1", "192.0.2.2", 50000, 4001)
    observer.observe(Segment(1, 1, Transport.TCP, *ends, None, True, CALL))
    assert observer.applications() == {1: "espa444"}


@given(st.lists(st.sampled_from([CALL, b"\x041\x05", b"\x01", b"\x03", b"\x06", b"2", b"x"])))
def test_any_stream_ends_in_facts_or_one_error(parts: list[bytes]) -> None:
    ends = (None, None, "192.0.2.1", "192.0.2.2", 1, 4001)
    segment = Segment(1, 1, Transport.TCP, *ends, None, True, b"".join(parts))
    try:
        assert all(fact.field in Espa444.manifest.fields for fact in Espa444().feed(segment))
    except MalformedInput:
        return
