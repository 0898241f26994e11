from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from medwarden.dissect.s7 import S7Dissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]

CONNECT = bytes.fromhex("0300001611e00000000100c0010ac1020100c2020102")


def tpkt(pdu: bytes) -> bytes:
    return struct.pack(">BBH", 3, 0, len(pdu) + 7) + b"\x02\xf0\x80" + pdu


def szl(number: int, entries: list[bytes]) -> bytes:
    data = struct.pack(">BBHHHHH", 0xFF, 9, 8, number, 0, len(entries[0]), len(entries)) + b"".join(entries)
    parameters = bytes.fromhex("000112081284010100000000")
    return tpkt(struct.pack(">BBHHHH", 0x32, 7, 0, 0x0500, len(parameters), len(data)) + parameters + data)


def component(index: int, value: bytes) -> bytes:
    return struct.pack(">H32s", index, value)


def module(index: int, order: bytes, version: bytes = b"\0\0\0\0") -> bytes:
    return struct.pack(">H20sH4s", index, order, 0, version)


def test_the_identification_lists(converse: Converse) -> None:
    components = szl(
        0x001C,
        [
            component(1, b"OR-Gas"),
            component(2, b"CPU 315-2 PN/DP"),
            component(3, b"Building C"),
            component(5, b"S C-B1UR12345678"),
            component(7, b"CPU 315-2 PN/DP"),
            component(4, b"Original Siemens Equipment"),
        ],
    )
    modules = szl(0x0011, [module(1, b"6ES7 315-2EH14-0AB0"), module(7, b"", b"V\x03\x02\x06")])
    told = converse(S7Dissector, ("client", CONNECT), ("server", components + modules))
    assert told == {
        ("s7.role", "server", "server"),
        ("s7.plc_name", "OR-Gas", "server"),
        ("s7.module_name", "CPU 315-2 PN/DP", "server"),
        ("s7.plant_id", "Building C", "server"),
        ("s7.serial_number", "S C-B1UR12345678", "server"),
        ("s7.module_type", "CPU 315-2 PN/DP", "server"),
        ("s7.order_number", "6ES7 315-2EH14-0AB0", "server"),
        ("s7.firmware", "3.2.6", "server"),
    }


def test_reading_values_tells_only_the_role(converse: Converse) -> None:
    read = tpkt(struct.pack(">BBHHHH", 0x32, 1, 0, 7, 2, 0) + b"\x04\x01")
    assert converse(S7Dissector, ("client", CONNECT + read)) == {("s7.role", "client", "client")}


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", tpkt(b"\xa0\x03mms"), b"\x03\0\0\x02\x02\xf0\x80"])
def test_other_protocols_on_the_port_are_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(S7Dissector, ("client", data))


def test_recognition() -> None:
    assert S7Dissector.recognises(CONNECT, True)
    assert not S7Dissector.recognises(bytes.fromhex("0300000b06e00000000000"), True)
