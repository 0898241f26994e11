from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.bacnet import BacnetDissector
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]

UNICAST, FORWARDED = 0x0A, 0x04


def bvlc(apdu: bytes, function: int = UNICAST, before: bytes = b"", npdu: bytes = b"\x01\x00") -> bytes:
    body = before + npdu + apdu
    return struct.pack(">BBH", 0x81, function, len(body) + 4) + body


def device(instance: int, kind: int = 8) -> bytes:
    return struct.pack(">I", kind << 22 | instance)


def i_am(instance: int = 2401, vendor: int = 24) -> bytes:
    return b"\x10\x00\xc4" + device(instance) + b"\x22\x01\xe0\x91\x03" + b"\x21" + bytes([vendor])


def text(value: str, coding: int = 0) -> bytes:
    body = bytes([coding]) + (value.encode("utf-16-be") if coding == 4 else value.encode())
    return (bytes([0x70 | len(body)]) if len(body) < 5 else b"\x75" + bytes([len(body)])) + body


def read_ack(code: int, value: bytes, kind: int = 8) -> bytes:
    return (
        b"\x30\x01\x0c\x0c"
        + device(2401, kind)
        + b"\x1a"
        + struct.pack(">H", code)
        + b"\x3e"
        + value
        + b"\x3f"
    )


def multiple_ack(*values: tuple[int, bytes], kind: int = 8) -> bytes:
    body = b"\x30\x01\x0e\x0c" + device(2401, kind) + b"\x1e"
    for code, value in values:
        body += b"\x29" + bytes([code]) + b"\x4e" + value + b"\x4f"
    return body + b"\x29\x1c\x5e\x91\x02\x91\x20\x5f" + b"\x1f"


def test_i_am(datagram: Converse) -> None:
    assert datagram(BacnetDissector, "server", bvlc(i_am())) == {
        ("bacnet.device_instance", "2401", "server"),
        ("bacnet.vendor_id", "24", "server"),
    }


def test_an_unconfigured_instance_is_no_fact(datagram: Converse) -> None:
    assert datagram(BacnetDissector, "server", bvlc(i_am(4194303))) == {("bacnet.vendor_id", "24", "server")}


@pytest.mark.parametrize(("coding", "name"), [(0, "OR-1 Air Handling"), (4, "Lüftung OP 1"), (5, "AHU 1")])
def test_the_name_of_a_device(datagram: Converse, coding: int, name: str) -> None:
    told = datagram(BacnetDissector, "server", bvlc(read_ack(77, text(name, coding))))
    assert told == {("bacnet.device_instance", "2401", "server"), ("bacnet.object_name", name, "server")}


def test_many_properties_at_once(datagram: Converse) -> None:
    values = [
        (121, text("ACME")),
        (70, text("AHU-9000")),
        (44, text("1.2.3")),
        (12, text("7")),
        (58, text("Roof")),
    ]
    told = datagram(BacnetDissector, "server", bvlc(multiple_ack(*values, (120, b"\x22\x01\x04"))))
    assert told == {
        ("bacnet.device_instance", "2401", "server"),
        ("bacnet.vendor_name", "ACME", "server"),
        ("bacnet.model_name", "AHU-9000", "server"),
        ("bacnet.firmware_revision", "1.2.3", "server"),
        ("bacnet.application_software", "7", "server"),
        ("bacnet.location", "Roof", "server"),
        ("bacnet.vendor_id", "260", "server"),
    }


def test_other_objects_are_not_the_device(datagram: Converse) -> None:
    assert datagram(BacnetDissector, "server", bvlc(read_ack(77, text("Jane Doe room 4"), kind=2))) == set()
    assert datagram(BacnetDissector, "server", bvlc(multiple_ack((77, text("x")), kind=0))) == set()


def test_a_forwarded_message_belongs_to_its_origin() -> None:
    payload = bvlc(i_am(), FORWARDED, bytes([192, 0, 2, 77]) + b"\xba\xc0")
    segment = Segment(
        0, 1, Transport.UDP, "m", "n", "192.0.2.1", "192.0.2.255", 47808, 47808, 5, True, payload
    )
    told = {(fact.field, fact.value, fact.ip, fact.mac) for fact in BacnetDissector().feed(segment)}
    assert told == {
        ("bacnet.device_instance", "2401", "192.0.2.77", None),
        ("bacnet.vendor_id", "24", "192.0.2.77", None),
        ("bacnet.role", "BBMD", "192.0.2.1", "m"),
    }


def test_a_router_is_not_what_it_passes_on(datagram: Converse) -> None:
    npdu = b"\x01\x28\xff\xff\x00\x00\x03\x01\x6c\xff"
    assert datagram(BacnetDissector, "server", bvlc(i_am(), npdu=npdu)) == {
        ("bacnet.role", "router", "server"),
        ("bacnet.routed_network", "3", "server"),
        ("bacnet.routed_device", "3:6c device instance: 2401", "server"),
        ("bacnet.routed_device", "3:6c vendor id: 24", "server"),
    }


def test_a_router_lists_its_networks(datagram: Converse) -> None:
    lists = bvlc(b"\x01\x00\x03\x00\x0d", npdu=b"\x01\x80")
    assert datagram(BacnetDissector, "server", lists) == {
        ("bacnet.role", "router", "server"),
        ("bacnet.routed_network", "3", "server"),
        ("bacnet.routed_network", "13", "server"),
    }


def test_who_asks_is_a_client_and_who_registers_a_foreign_device(datagram: Converse) -> None:
    assert datagram(BacnetDissector, "client", bvlc(b"\x10\x08")) == {("bacnet.role", "client", "client")}
    registers = struct.pack(">BBHH", 0x81, 0x05, 6, 60)
    assert datagram(BacnetDissector, "client", registers) == {("bacnet.role", "foreign device", "client")}
    table = struct.pack(">BBH", 0x81, 0x03, 4)
    assert datagram(BacnetDissector, "server", table) == {("bacnet.role", "BBMD", "server")}


@pytest.mark.parametrize(
    "payload", [b"\x81\x0a\x00\xff\x01\x00", bvlc(b"\x10\x00\xc4\0"), bvlc(i_am(), npdu=b"\x02\0"), b"\x81"]
)
def test_broken_messages_are_malformed(datagram: Converse, payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        datagram(BacnetDissector, "server", payload)


@given(st.binary(max_size=80))
def test_any_service_gives_facts_or_malformed_input(rest: bytes) -> None:
    segment = Segment(0, 1, Transport.UDP, None, None, "s", "c", 47808, 47808, None, False, bvlc(rest))
    try:
        told = list(BacnetDissector().feed(segment))
    except MalformedInput as error:
        assert error.source == "bacnet"
    else:
        assert all(fact.value for fact in told)
