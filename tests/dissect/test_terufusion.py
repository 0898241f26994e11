"""Terumo TERUFUSION pumps: the manual's own examples, states, batteries."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.observer import Observer
from medwarden.dissect.terufusion import MAX_PACKET, MAX_REJECTED, Terufusion
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]
HOST, PUMP = "client", "server"
DEVICE = "000100700000001201000001"
ASKED = b'\x02<?xml version="1.0"?><REQ><DEVID></DEVID></REQ>8411\x03'
NAMED = b'\x02<?xml version="1.0"?><REP><DEVID>000100700000001201000001</DEVID></REP>D38C\x03'


def packet(data: bytes, kind: str = "REP") -> bytes:
    command = base64.b64encode(data).decode()
    text = f'<?xml version="1.0"?><{kind}><DEVID>{DEVICE}</DEVID><CMD>{command}</CMD></{kind}>'.encode()
    return b"\x02" + text + b"%04X\x03" % binascii.crc_hqx(text, 0)


# The manual's example of a status; the checksum printed with it is not that of the text printed.
STOPPED = packet(base64.b64decode("AAEAAAADAQAAAAAAAFVAAAAAAAAAAAAAAAAAAAD//wAAAACZmQAAAgAAAAAAAAAAAAAA"))


def test_examples_of_the_manual(converse: Converse) -> None:
    assert converse(Terufusion, (HOST, ASKED), (PUMP, NAMED + STOPPED)) == {
        ("terufusion.role", "host", HOST),
        ("terufusion.role", "pump", PUMP),
        ("terufusion.device_id", DEVICE, PUMP),
        ("terufusion.software_version", "0301", PUMP),
        ("terufusion.pump_state", "stopped", PUMP),
        ("terufusion.power", "mains", PUMP),
        ("terufusion.battery_percent", "100", PUMP),
    }


def test_running_on_battery_with_an_alarm(converse: Converse) -> None:
    status = bytes.fromhex("0001000000030210000000080042") + bytes(30)
    facts = converse(Terufusion, (PUMP, packet(status)))
    assert {
        ("terufusion.pump_state", "running", PUMP),
        ("terufusion.active_alarm", "yes", PUMP),
        ("terufusion.power", "battery", PUMP),
        ("terufusion.battery_percent", "40", PUMP),
    } <= facts


def test_state_is_told_again_whenever_it_changes() -> None:
    dissector = Terufusion()
    ends = (None, None, "192.0.2.2", "192.0.2.1", 4001, 50000)
    said = []
    for state in ("10", "10", "00", "10"):
        status = packet(bytes.fromhex(f"00010000000302{state}000000000042") + bytes(30))
        segment = Segment(1, 1, Transport.TCP, *ends, None, False, status)
        said.append([fact.value for fact in dissector.feed(segment) if fact.field == "terufusion.pump_state"])
    assert said == [["running"], [], ["stopped"], ["running"]]


@pytest.mark.parametrize("data", [b"\0\1\0\0\x11\1\0\0", b"\0\2" + bytes(30), b"\0\1\0\0\x12" + bytes(30)])
def test_other_replies_tell_no_state(converse: Converse, data: bytes) -> None:
    assert converse(Terufusion, (PUMP, packet(data))) == {
        ("terufusion.role", "pump", PUMP),
        ("terufusion.device_id", DEVICE, PUMP),
    }


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (ASKED.replace(b"8411", b"8412") * MAX_REJECTED, "wrong form or checksum"),
        (b"hello", "between packets"),
        (b"\x02" + b"x" * MAX_PACKET, "longer than"),
        (packet(b"x").replace(b"eA==", b"e==="), ""),
    ],
)
def test_broken_streams_are_refused_or_passed_over(converse: Converse, data: bytes, reason: str) -> None:
    if not reason:
        assert converse(Terufusion, (PUMP, data)) == set()
        return
    with pytest.raises(MalformedInput, match=reason):
        converse(Terufusion, (PUMP, data))


def test_observer_finds_it_on_any_port() -> None:
    assert not Terufusion.recognises(b'\x02<?xml version="1.0"?><other>', True)
    observer = Observer(b"k" * 32)
    ends = (None, None, "192.0.2.1", "192.0.2.2", 50000, 4001)
    observer.observe(Segment(1, 1, Transport.TCP, *ends, None, True, ASKED))
    assert observer.applications() == {1: "terufusion"}


@given(st.lists(st.sampled_from([ASKED, NAMED, STOPPED, b"\x02", b"\x03", b"<"])), st.binary(max_size=40))
def test_any_stream_ends_in_facts_or_one_error(parts: list[bytes], data: bytes) -> None:
    ends = (None, None, "192.0.2.1", "192.0.2.2", 1, 4001)
    segment = Segment(1, 1, Transport.TCP, *ends, None, True, packet(data) + b"".join(parts))
    try:
        assert all(fact.field in Terufusion.manifest.fields for fact in Terufusion().feed(segment))
    except MalformedInput:
        return
