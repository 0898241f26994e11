from __future__ import annotations

import pytest

from medwarden.dissect.syslog import Syslog
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment, Transport


def _segment(payload: bytes, transport: Transport = Transport.UDP, gap: bool = False) -> Segment:
    return Segment(
        5, 1, transport, "02:00:00:00:00:10", None, "192.0.2.10", "192.0.2.20", 50000, 514, None, True,
        payload, 0, gap,
    )  # fmt: skip


def _facts(payload: bytes) -> dict[str, str]:
    return {fact.field: fact.value for fact in Syslog().feed(_segment(payload))}


@pytest.mark.parametrize(
    ("message", "host", "app"),
    [
        (b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed", "mymachine", "su"),
        (b"<34>Oct  1 22:14:15 ct1 kernel: x", "ct1", "kernel"),
        (b"<34>Oct 11 22:14:15 sshd[12]: no host", None, "sshd"),
        (b"<34>2026-10-11T22:14:15+02:00 ct1 app[7]: x", "ct1", "app"),
        (b"<34>Oct 11 22:14:15 ct1 John Doe admitted", "ct1", None),
        (b"<34>Oct 11 22:14:15 DOE^JOHN admitted: x", None, None),
        (b"<34>Oct 11 22:14:15 John Doe: admitted", None, None),
        (b"<34>Oct 11 22:14:15 John admitted today", None, None),
        (b"<34>Oct 11 22:14:15 console Doe: admitted", None, None),
        (b"<34>1 - ct1 app - - - x", "ct1", "app"),
        (b"<34>1 - - - - - - x", None, None),
        (b"<34>random words", None, None),
        (b"<0>", None, None),
    ],
)
def test_names_stand_where_the_standards_put_them(message: bytes, host: str | None, app: str | None) -> None:
    told = _facts(message)
    assert (told.get("syslog.host_name"), told.get("syslog.app_name")) == (host, app)


@pytest.mark.parametrize("message", [b"", b"no priority", b"<192>x", b"<>x", b"<1234>x", b"<34>1 - host"])
def test_what_has_no_header_is_malformed(message: bytes) -> None:
    with pytest.raises(MalformedInput):
        _facts(message)


def test_a_gap_in_a_stream_ends_the_reading() -> None:
    dissector = Syslog()
    line = b"<34>Oct 11 22:14:15 ct1 su: x\n"
    assert len(list(dissector.feed(_segment(line, Transport.TCP)))) == 3
    assert list(dissector.feed(_segment(line, Transport.TCP, gap=True))) == []
    assert list(dissector.feed(_segment(line, Transport.TCP))) == []


@pytest.mark.parametrize("stream", [b"9999999 <34>", b"12x <34>", b"<34>" + b"x" * 70000])
def test_frames_without_end_are_malformed(stream: bytes) -> None:
    with pytest.raises(MalformedInput):
        list(Syslog().feed(_segment(stream, Transport.TCP)))


def test_long_messages_are_passed_over_without_losing_the_next() -> None:
    stream = b"<34>Oct 11 22:14:15 a su: " + b"x" * 5000 + b"\n<34>Oct 11 22:14:15 b su: y\n"
    facts: list[Evidence] = []
    dissector = Syslog()
    for start in range(0, len(stream), 700):
        facts += dissector.feed(_segment(stream[start : start + 700], Transport.TCP))
    assert [fact.value for fact in facts if fact.field == "syslog.host_name"] == ["a", "b"]
