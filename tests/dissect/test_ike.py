from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from medwarden.dissect.ike import IkeDissector
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]


def message(
    version: int, exchange: int, flags: int, kind: int, body: bytes, responder: bytes = b"\0" * 8
) -> bytes:
    head = b"initiatr" + responder + struct.pack(">BBBBII", kind, version, exchange, flags, 0, 28 + len(body))
    return head + body


def vendor(identifier: bytes, following: int = 0) -> bytes:
    return struct.pack(">BBH", following, 0, 4 + len(identifier)) + identifier


def test_features_are_no_products(datagram: Converse) -> None:
    nat = bytes.fromhex("4a131c81070358455c5728f20e95452f")  # RFC 3947
    windows = bytes.fromhex("1e2b516905991c7d7c96fcbfb587e46100000009")
    told = datagram(IkeDissector, "client", message(0x10, 2, 0, 13, vendor(nat, 13) + vendor(windows)))
    assert told == {
        ("ike.version", "1", "client"),
        ("ike.mode", "main", "client"),
        ("ike.role", "initiator", "client"),
        ("ike.vendor", "Windows", "client"),
    }


def test_encrypted_exchanges_say_nothing(datagram: Converse) -> None:
    assert datagram(IkeDissector, "client", message(0x20, 35, 0x08, 46, b"\0" * 8)) == set()


def test_esp_on_port_4500_is_passed_over() -> None:
    esp = Segment(
        0, 1, Transport.UDP, None, None, "c", "s", 4500, 4500, None, True, b"\x12\x34\x56\x78" + b"e" * 60
    )
    keep_alive = Segment(0, 1, Transport.UDP, None, None, "c", "s", 4500, 4500, None, True, b"\xff")
    assert [*IkeDissector().feed(esp), *IkeDissector().feed(keep_alive)] == []


@pytest.mark.parametrize(
    "payload",
    [
        b"short",
        message(0x30, 2, 0, 0, b""),
        message(0x10, 2, 0, 13, b"\0\0\0\xff"),
        message(0x10, 2, 0, 13, b"\0\0\0\0"),
    ],
)
def test_broken_messages(datagram: Converse, payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        datagram(IkeDissector, "client", payload)
