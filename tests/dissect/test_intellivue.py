"""Philips IntelliVue: announcements, associations, polled demographics."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.intellivue import IntelliVue
from medwarden.dissect.observer import Observer
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

MONITOR, CLIENT = "192.0.2.20", "192.0.2.10"


def label(text: bytes) -> bytes:
    return struct.pack(">H", len(text)) + text


def attributes(*pairs: tuple[int, bytes]) -> bytes:
    body = b"".join(struct.pack(">HH", number, len(value)) + value for number, value in pairs)
    return struct.pack(">HH", len(pairs), len(body)) + body


def specification(*entries: tuple[int, int, bytes]) -> bytes:
    body = b"".join(struct.pack(">HH", kind, component) + label(text) for kind, component, text in entries)
    return struct.pack(">HH", len(entries), len(body)) + body


def invoke(command: int, argument: bytes, kind: int = 1) -> bytes:
    body = struct.pack(">HHH", 7, command, len(argument)) + argument
    linked = b"\1\1" if kind == 5 else b""
    return struct.pack(">HH", kind, len(linked + body)) + linked + body


def event(number: int, information: bytes) -> bytes:
    return struct.pack(">HHHIHH", 0x21, 0, 0, 0, number, len(information)) + information


IDENTITY = (
    (0x0986, struct.pack(">HH", 1, 4429)),
    (0x0928, label(b"Philips\0") + label(b"M8004A\0\0")),
    (
        0x092D,
        specification(
            (1, 8, b"DE00012345\0\0"),
            (2, 8, b"M8004A\0\0"),
            (3, 8, b"--------"),
            (4, 0x58, b"K.21.42\0"),
            (1, 0x50, b"BOARD-1\0"),
        )
        + b"left in the buffer",
    ),
)
INDICATION = b"\0\0\1\0" + invoke(
    0,
    event(
        0x0D17,
        attributes(
            *IDENTITY,
            (0xF100, bytes.fromhex("0009fb112233") + bytes((192, 0, 2, 20, 255, 255, 255, 0))),
            (0xF135, "ICU 7".encode("utf-16-be") + bytes(10)),
        ),
    ),
)
CREATED = b"\xe1\0\0\2" + invoke(
    1,
    event(
        0x0D06,
        struct.pack(">HHH", 0x21, 0, 0)
        + attributes(
            *IDENTITY,
            (0x0984, label(bytes.fromhex("0009fb112233"))),
            (0x091E, label("ICU 7\0".encode("utf-16-be"))),
        ),
    ),
)


def polled(kind: int, count: int, action: int = 0x0C16, *values: tuple[int, bytes]) -> bytes:
    """Return a PollMdibDataReply of one object in each of ``count`` contexts, with a patient's name in it."""
    sequence = b"\0\1" if action == 0xF13B else b""
    name = (0x095C, label("Doe\0".encode("utf-16-be")))
    objects = struct.pack(">H", 4) + attributes(name, *values)
    contexts = (struct.pack(">HHH", 0, 1, len(objects)) + objects) * count
    reply = (
        struct.pack(">H", 1) + sequence + bytes(12) + struct.pack(">HHHHH", 1, kind, 0, count, len(contexts))
    )
    return struct.pack(">HHHHH", 0x21, 0, 0, action, len(reply) + len(contexts)) + reply + contexts


def told(payload: bytes, from_client: bool = False, port: int = 24105) -> set[tuple[str, str, str]]:
    ips = (CLIENT, MONITOR) if from_client else (MONITOR, CLIENT)
    ports = (50000, port) if from_client else (port, 50000)
    segment = Segment(1, 1, Transport.UDP, None, None, *ips, *ports, None, from_client, payload)
    facts = IntelliVue().feed(segment)
    return {(f.field, f.value, "monitor" if f.ip == MONITOR else "client") for f in facts}


SAID = {
    ("intellivue.role", "monitor", "monitor"),
    ("intellivue.manufacturer", "Philips", "monitor"),
    ("intellivue.model_name", "M8004A", "monitor"),
    ("intellivue.system_type", "69965", "monitor"),
    ("intellivue.serial_number", "DE00012345", "monitor"),
    ("intellivue.part_number", "M8004A", "monitor"),
    ("intellivue.software_version", "K.21.42", "monitor"),
    ("intellivue.bed_label", "ICU 7", "monitor"),
    ("intellivue.mac_address", "00:09:fb:11:22:33", "monitor"),
}


def test_connect_indication_names_the_monitor() -> None:
    assert told(INDICATION) == {*SAID, ("intellivue.ip_address", "192.0.2.20", "monitor")}


def test_created_system_is_named_after_association() -> None:
    assert told(CREATED) == SAID


def test_association_tells_who_is_who() -> None:
    request = bytes.fromhex("0dec0508130100160102800014020002c1dc318000a0") + bytes(40)
    assert IntelliVue.recognises(request, True)
    assert IntelliVue.recognises(b"\x0d\xff\1\2" + request[2:], True)
    assert not IntelliVue.recognises(b"\x0d\x0a\x0d\x0a" + bytes(40), True)
    assert told(request, from_client=True) == {("intellivue.role", "client", "client")}
    assert told(b"\x0e" + request[1:]) == {("intellivue.role", "monitor", "monitor")}
    assert told(b"\x09\x18\xc1\x16", from_client=True) == set()
    poll = b"\xe1\0\0\2" + invoke(7, struct.pack(">HHHIHH", 0x21, 0, 0, 0, 0x0C16, 0))
    assert told(poll, from_client=True) == {("intellivue.role", "client", "client")}


@pytest.mark.parametrize("kind", [2, 5])
@pytest.mark.parametrize("action", [0x0C16, 0xF13B])
def test_polled_demographics_are_told_as_such_alone(kind: int, action: int) -> None:
    facts = told(b"\xe1\0\0\2" + invoke(7, polled(42, 1, action), kind))
    assert facts == {
        ("intellivue.role", "monitor", "monitor"),
        ("intellivue.streams", "demographics", "monitor"),
        ("intellivue.patient_data", "yes", "monitor"),
    }
    numerics = told(b"\xe1\0\0\2" + invoke(7, polled(6, 1, action), kind))
    nobody = told(b"\xe1\0\0\2" + invoke(7, polled(42, 0, action), kind))
    assert nobody == {("intellivue.role", "monitor", "monitor")}
    assert numerics == {*nobody, ("intellivue.streams", "numerics", "monitor")}


def test_polls_tell_that_a_patient_is_monitored_and_what_alarms() -> None:
    admitted = polled(42, 1, 0x0C16, (0x0957, b"\0\2"))
    assert ("intellivue.patient_state", "admitted", "monitor") in told(b"\xe1\0\0\2" + invoke(7, admitted, 2))
    alarms = polled(54, 1, 0xF13B, (0x0902, b"\0\1\0\4abcd"), (0x0904, b"\0\0\0\0"))
    assert told(b"\xe1\0\0\2" + invoke(7, alarms, 2)) == {
        ("intellivue.role", "monitor", "monitor"),
        ("intellivue.streams", "alarms", "monitor"),
        ("intellivue.active_alarm", "patient", "monitor"),
    }
    system = polled(33, 2, 0x0C16, *IDENTITY, (0x0946, b"\x40\0"), (0x090D, b"\0\2"))
    facts = told(b"\xe1\0\0\2" + invoke(7, system, 2))
    assert facts == (SAID - {("intellivue.bed_label", "ICU 7", "monitor")}) - {
        ("intellivue.mac_address", "00:09:fb:11:22:33", "monitor")
    } | {
        ("intellivue.streams", "system", "monitor"),
        ("intellivue.operating_mode", "monitoring", "monitor"),
        ("intellivue.application_area", "intensive care", "monitor"),
    }
    assert not [fact for fact in facts if "Doe" in fact[1]]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\x77\0\0\0", "no session header"),
        (b"\xe1\0\0\2\0\1\xff\xff", "remote operation is longer"),
        (INDICATION[:-5], "remote operation is longer"),
        (b"\0\0\1\0" + invoke(0, event(0x0D17, b"\0\1\xff\xff")), "attribute list is longer"),
        (b"\0\0\1\0" + invoke(0, event(0x0D17, b"\0\1\0\4\x09\x28\0\x63")), "longer than its list"),
        (b"\0\0\1\0" + invoke(0, event(0x0D17, attributes((0x928, b"\xff\xff")))), "label is longer"),
        (b"\xe1\0\0\2\0\1", "ends within a field"),
    ],
)
def test_broken_datagrams_are_refused(payload: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        told(payload)


@given(st.binary(max_size=200))
def test_any_datagram_ends_in_facts_or_one_error(payload: bytes) -> None:
    for head in (b"", b"\0\0\1\0", b"\xe1\0\0\2"):
        try:
            told(head + payload or b"\0")
        except MalformedInput:
            continue


def test_observer_finds_the_announcement() -> None:
    observer = Observer(b"k" * 32)
    ends = (None, None, MONITOR, "192.0.2.255", 24105, 24005)
    observer.observe(Segment(1, 1, Transport.UDP, *ends, None, True, INDICATION))
    assert observer.applications() == {1: "intellivue"}
