from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from medwarden.dissect.sccp import SccpDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def message(kind: int, body: bytes, version: int = 0) -> bytes:
    return struct.pack("<III", len(body) + 4, version, kind) + body


def register(name: bytes, kind: int) -> bytes:
    return message(
        1, name.ljust(16, b"\0") + b"\0" * 8 + bytes((192, 0, 2, 9)) + struct.pack("<II", kind, 0), 22
    )


def test_a_model_that_is_not_listed_is_its_number_alone(converse: Converse) -> None:
    told = converse(SccpDissector, ("client", register(b"SEP001122334455", 9999)))
    assert ("sccp.device_type", "9999", "client") in told
    assert not [fact for fact in told if fact[0] == "sccp.model"]


def test_keys_and_numbers_are_not_read(converse: Converse) -> None:
    keys = message(3, struct.pack("<III", 5, 1, 0)) + message(0x26, b"+49 151 1234\0\0\0\0")
    assert converse(SccpDissector, ("client", keys)) == set()


@pytest.mark.parametrize(
    "data", [register(b"", 7), register(b"\x01\x02", 7), struct.pack("<III", 2, 0, 1), message(1, b"SEP")]
)
def test_broken_messages(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(SccpDissector, ("client", data))


def test_recognition() -> None:
    assert SccpDissector.recognises(register(b"SEP001122334455", 7), True)
    assert not SccpDissector.recognises(register(b"SEP001122334455", 7), False)
    assert not SccpDissector.recognises(b"GET / HTTP/1.1\r\n\r\n", True)
