from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from medwarden.dissect.modbus import ModbusDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def adu(pdu: bytes, unit: int = 1) -> bytes:
    return struct.pack(">HHHB", 7, 0, len(pdu) + 1, unit) + pdu


def identification(*objects: tuple[int, bytes]) -> bytes:
    body = b"".join(bytes([kind, len(value)]) + value for kind, value in objects)
    return b"\x2b\x0e\x01\x81\x00\x00" + bytes([len(objects)]) + body


def test_a_device_identifies_itself(converse: Converse) -> None:
    answer = identification(
        (0, b"Schneider Electric"), (1, b"TM221CE40R"), (2, b"V1.10"), (5, b"M221"), (0x80, b"private")
    )
    told = converse(
        ModbusDissector,
        ("client", adu(b"\x2b\x0e\x01\x00") + adu(b"\x10\0\0\0\1\2\0\0")),
        ("server", adu(answer) + adu(b"\x11\x09PLC 12 \xff\0", 3)),
    )
    assert told == {
        ("modbus.role", "client", "client"),
        ("modbus.function", "encapsulated interface", "client"),
        ("modbus.function", "write multiple registers", "client"),
        ("modbus.role", "server", "server"),
        ("modbus.unit_id", "1", "server"),
        ("modbus.unit_id", "3", "server"),
        ("modbus.vendor_name", "Schneider Electric", "server"),
        ("modbus.product_code", "TM221CE40R", "server"),
        ("modbus.revision", "V1.10", "server"),
        ("modbus.model_name", "M221", "server"),
        ("modbus.server_id", "PLC 12", "server"),
    }


def test_an_exception_tells_no_more_than_the_role(converse: Converse) -> None:
    told = converse(ModbusDissector, ("server", adu(b"\xab\x01")))
    assert told == {("modbus.role", "server", "server"), ("modbus.unit_id", "1", "server")}


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1", adu(b"")[:-1] + b"\0", adu(identification((0, b"x"))[:-1])]
)
def test_broken_messages_are_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(ModbusDissector, ("server", data))


def test_recognition() -> None:
    assert ModbusDissector.recognises(adu(b"\x03\0\0\0\1"), True)
    assert not ModbusDissector.recognises(b"\x03\0\0\x16\x11\xe0\0\0\0\1\0", True)
