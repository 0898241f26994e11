"""TAP: login and blocks of an entry device at a paging terminal."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.observer import Observer
from medwarden.dissect.tap import MAX_LINE, Tap
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]
ENTRY, TERMINAL = "client", "server"


def block(*fields: bytes, end: bytes = b"\x03") -> bytes:
    body = b"\x02" + b"".join(field + b"\r" for field in fields) + end
    total = sum(octet & 0x7F for octet in body)
    return body + bytes((0x30 + (total >> 8 & 15), 0x30 + (total >> 4 & 15), 0x30 + (total & 15))) + b"\r"


def test_published_example_of_the_checksum() -> None:
    # TAP specification, the page "ABC" to pager 123
    assert block(b"123", b"ABC")[-4:] == b"17;\r"


def test_login_and_page(converse: Converse) -> None:
    facts = converse(
        Tap,
        (ENTRY, b"\r"),
        (TERMINAL, b"ID="),
        (ENTRY, b"\x1bPG1123456\r"),
        (TERMINAL, b"\r110 1.8 Exemplar Page\r\x06\r\x1b[p\r"),
        (ENTRY, block(b"5551212", b"ROOM 7 DOE")),
        (TERMINAL, b"211 Page accepted\r\x06\r"),
        (ENTRY, b"\x04\r"),
    )
    assert facts == {
        ("tap.role", "paging terminal", TERMINAL),
        ("tap.role", "entry device", ENTRY),
        ("tap.service", "PG1", ENTRY),
        ("tap.password", "in clear", ENTRY),
        ("tap.version", "1.8", TERMINAL),
        ("tap.terminal", "Exemplar Page", TERMINAL),
        ("tap.pages", "yes", ENTRY),
    }


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (block(b"1", b"x")[:-2] + b"?\r", "checksum"),
        (b"x" * MAX_LINE, "line longer"),
        (b"\x02" + b"x" * MAX_LINE, "block longer"),
    ],
)
def test_broken_streams_are_refused(converse: Converse, data: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        converse(Tap, (ENTRY, data))


def test_observer_finds_it_on_any_port() -> None:
    assert not Tap.recognises(b"ID=4711;NAME=x", False)
    assert not Tap.recognises(b"\x1b[2J", True)
    observer = Observer(b"k" * 32)
    ends = (None, None, "192.0.2.2", "192.0.2.1", 5555, 50000)
    observer.observe(Segment(1, 1, Transport.TCP, *ends, None, False, b"ID="))
    assert observer.applications() == {1: "tap"}


@given(st.lists(st.sampled_from([block(b"1", b"x"), b"\x1bPG1\r", b"\x02", b"\r", b"\x03", b"ID="])))
def test_any_stream_ends_in_facts_or_one_error(parts: list[bytes]) -> None:
    ends = (None, None, "192.0.2.1", "192.0.2.2", 1, 5555)
    for from_client in (True, False):
        segment = Segment(1, 1, Transport.TCP, *ends, None, from_client, b"".join(parts))
        try:
            assert all(fact.field in Tap.manifest.fields for fact in Tap().feed(segment))
        except MalformedInput:
            continue
