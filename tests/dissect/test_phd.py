"""IEEE 11073-20601: association, configuration, what the MDS object says; a contract client over a socket."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.observer import Observer
from medwarden.dissect.phd import Phd
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]
CLIENT, SERVER = "client", "server"
SYSTEM_ID = bytes.fromhex("0009fbfffe112233")


def octets(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


def counted(*items: bytes) -> bytes:
    body = b"".join(items)
    return struct.pack(">HH", len(items), len(body)) + body


def apdu(choice: int, body: bytes) -> bytes:
    return struct.pack(">HH", choice, len(body)) + body


def information(system_type: int, configuration: int) -> bytes:
    head = struct.pack(">IHIII", 0x80000000, 0xA000, 0x80000000, 0, system_type)
    return head + octets(SYSTEM_ID) + struct.pack(">HHBB", configuration, 1, 1, 0) + bytes(4)


def request(configuration: int = 0x0190, protocol: int = 20601) -> bytes:
    proposal = struct.pack(">H", protocol) + octets(information(0x00800000, configuration))
    return apdu(0xE200, b"\x80\0\0\0" + counted(proposal))


def answer(result: int = 3) -> bytes:
    return apdu(0xE300, struct.pack(">HH", result, 20601) + octets(information(0x80000000, 0)))


def presentation(choice: int, argument: bytes) -> bytes:
    return apdu(0xE700, octets(struct.pack(">HH", 1, choice) + octets(argument)))


def attribute(number: int, value: bytes) -> bytes:
    return struct.pack(">H", number) + octets(value)


MDS = presentation(
    0x0203,
    b"\0\0"
    + counted(
        attribute(0x0A5A, counted(struct.pack(">HH", 4100, 1))),
        attribute(0x0928, octets(b"Exemplar\0") + octets(b"Ox 2\0")),
        attribute(0x0984, octets(SYSTEM_ID)),
        attribute(
            0x092D,
            counted(
                struct.pack(">HH", 1, 0) + octets(b"SN-17"),
                struct.pack(">HH", 5, 0) + octets(b"1.4.2"),
                struct.pack(">HH", 7, 0) + octets(b"gmdn"),
            ),
        ),
        attribute(0x0955, b"\x40\0"),
        attribute(0x099C, b"\0\x4b"),
        attribute(0x0921, b"\0\0"),
    ),
)
SCAN = presentation(0x0101, struct.pack(">HIHH", 0, 77, 0x0D1D, 4) + b"\0\x61\0\x48")


def test_oximeter_and_its_manager(converse: Converse) -> None:
    facts = converse(
        Phd, (CLIENT, request()), (SERVER, answer()), (CLIENT, MDS + SCAN), (SERVER, apdu(0xE400, b"\0\0"))
    )
    assert facts == {
        ("phd.role", "agent", CLIENT),
        ("phd.system_id", "0009fbfffe112233", CLIENT),
        ("phd.specialisation", "MDC_DEV_SPEC_PROFILE_PULS_OXIM", CLIENT),
        ("phd.manufacturer", "Exemplar", CLIENT),
        ("phd.model_number", "Ox 2", CLIENT),
        ("phd.serial_number", "SN-17", CLIENT),
        ("phd.firmware_version", "1.4.2", CLIENT),
        ("phd.power", "battery", CLIENT),
        ("phd.battery_percent", "80", CLIENT),
        ("phd.streams", "measurements", CLIENT),
        ("phd.role", "manager", SERVER),
        ("phd.system_id", "0009fbfffe112233", SERVER),
        ("phd.association", "accepted unknown configuration", SERVER),
    }


@pytest.mark.parametrize(
    ("configuration", "kind"),
    [
        (0x02BC, "BP"),
        (0x0320, "TEMP"),
        (0x05DC, "SCALE"),
        (0x06A4, "GLUCOSE"),
        (0x4001, None),
        (0, None),
        (9900, None),
    ],
)
def test_standard_configuration_is_a_specialisation(
    converse: Converse, configuration: int, kind: str | None
) -> None:
    facts = converse(Phd, (CLIENT, request(configuration)))
    told = [value for field, value, _ in facts if field == "phd.specialisation"]
    assert told == ([] if kind is None else [f"MDC_DEV_SPEC_PROFILE_{kind}"])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xe2\x01\0\0", "is no APDU"),
        (
            request()[:4] + b"\x80\0\0\0\0\1\xff\xff\x50\x79\xff\xff" + request()[16:],
            "data protocol is longer",
        ),
        (apdu(0xE700, b"\xff\xff"), "octet string is longer"),
        (presentation(0x0203, b"\0\0\0\1\0\xff"), "attribute list is longer"),
        (presentation(0x0203, b"\0\0\0\1\0\4\x09\x28\0\x63"), "longer than its list"),
        (apdu(0xE700, octets(b"\0\1\2\3\0\x09")), "operation is longer"),
        (apdu(0xE300, b"\0"), "ends within a field"),
    ],
)
def test_broken_apdus_are_refused(converse: Converse, data: bytes, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason):
        converse(Phd, (CLIENT, data))


def test_recognition_on_any_port() -> None:
    assert Phd.recognises(request(), True)
    assert Phd.recognises(answer(), False)
    assert not Phd.recognises(b"\xe2\0\0\x32\x80\0\0\0\0\1\0\x2a\x12\x34", True)
    assert not Phd.recognises(b"\xe2\0", True)
    observer = Observer(b"k" * 32)
    ends = (None, None, "192.0.2.1", "192.0.2.2", 50000, 49999)
    observer.observe(Segment(1, 1, Transport.TCP, *ends, None, True, request()))
    assert observer.applications() == {1: "phd"}


@given(st.lists(st.sampled_from([request(), answer(), MDS, SCAN, b"\xe7\0", b"\0\0"])), st.integers(0, 400))
def test_any_stream_ends_in_facts_or_one_error(parts: list[bytes], cut: int) -> None:
    data = b"".join(parts)[: cut * 4]
    dissector = Phd()
    segment = Segment(1, 1, Transport.TCP, None, None, "192.0.2.1", "192.0.2.2", 1, 6024, None, True, data)
    try:
        assert all(fact.field in Phd.manifest.fields for fact in dissector.feed(segment))
    except MalformedInput:
        return
