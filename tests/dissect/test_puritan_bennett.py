"""Puritan Bennett ventilators: reports name the ventilator and nothing of the patient."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.observer import Observer
from medwarden.dissect.puritan_bennett import MAX_REPORT, PuritanBennett
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]
HOST, VENTILATOR = "client", "server"


def report(kind: bytes, identity: bytes, third: bytes = b"      ") -> bytes:
    fields = [b"13:45 ", identity.ljust(18), third.ljust(6), b"NOV 22 2026 ", b"CMV   ", b"16.0  "]
    body = b"\x02" + b",".join(fields) + b",\x03"
    return b"MISC" + kind + b",%d,%d," % (len(body), len(fields)) + body + b"\r"


def test_ventilator_names_itself(converse: Converse) -> None:
    facts = converse(PuritanBennett, (HOST, b"SNDF\r"), (VENTILATOR, report(b"F", b"840 3512345678")))
    assert facts == {
        ("puritan_bennett.role", "host", HOST),
        ("puritan_bennett.role", "ventilator", VENTILATOR),
        ("puritan_bennett.ventilator_id", "840 3512345678", VENTILATOR),
        ("puritan_bennett.model", "Puritan Bennett 840", VENTILATOR),
    }


def test_room_is_that_of_the_980_alone(converse: Converse) -> None:
    named = converse(PuritanBennett, (VENTILATOR, report(b"A", b"980 35B1234567", b"ICU-7")))
    assert ("puritan_bennett.room", "ICU-7", VENTILATOR) in named
    for other in (
        report(b"A", b"V200 1234", b"ICU-7"),
        report(b"F", b"980 1", b"ICU-7"),
        report(b"A", b"980 1"),
    ):
        facts = converse(PuritanBennett, (VENTILATOR, other))
        assert not [fact for fact in facts if fact[0] == "puritan_bennett.room"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"HELLO\r", "neither a command"),
        (b"MISCA,7,1,\x02abc\x03\r", "without time"),
        (b"S" * MAX_REPORT, "longer than"),
    ],
)
def test_broken_streams_are_refused(converse: Converse, data: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        converse(PuritanBennett, (VENTILATOR, data))


def test_observer_finds_it_on_any_port() -> None:
    assert not PuritanBennett.recognises(b"SNDAX\r", True)
    assert not PuritanBennett.recognises(b"MISCARRIAGE", False)
    observer = Observer(b"k" * 32)
    ends = (None, None, "192.0.2.1", "192.0.2.2", 50000, 4001)
    observer.observe(Segment(1, 1, Transport.TCP, *ends, None, True, b"SNDA\r"))
    assert observer.applications() == {1: "puritan_bennett"}


@given(st.lists(st.sampled_from([report(b"A", b"980 1"), b"SNDA\r", b"\r", b"MISCF,", b"\x02", b"\x03"])))
def test_any_stream_ends_in_facts_or_one_error(parts: list[bytes]) -> None:
    ends = (None, None, "192.0.2.1", "192.0.2.2", 1, 4001)
    segment = Segment(1, 1, Transport.TCP, *ends, None, True, b"".join(parts))
    try:
        assert all(fact.field in PuritanBennett.manifest.fields for fact in PuritanBennett().feed(segment))
    except MalformedInput:
        return
