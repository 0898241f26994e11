from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from medwarden.dissect.rdp import RdpDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]

HELLO = bytes.fromhex("16030100310100002d0303") + b"r" * 32 + bytes.fromhex("000004130100ff01000000")


def tpkt(x224: bytes) -> bytes:
    return struct.pack(">BBH", 3, 0, len(x224) + 4) + x224


def connection(kind: int, rest: bytes) -> bytes:
    return tpkt(bytes([6 + len(rest), kind, 0, 0, 0, 0, 0]) + rest)


def negotiation(kind: int, value: int) -> bytes:
    return struct.pack("<BBHI", kind, 0, 8, value)


def block(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data) + 4) + data


def core(name: str = "CT-CONSOLE-2", layout: int = 0x0407, build: int = 7601) -> bytes:
    version = struct.pack("<IHHHHII", 0x00080004, 1280, 1024, 0xCA01, 0xAA03, layout, build)
    return block(0xC001, version + name.encode("utf-16-le").ljust(32, b"\0") + bytes(60))


def connect(key: bytes, blocks: bytes) -> bytes:
    length = struct.pack(">H", 0x8000 | len(blocks)) if len(blocks) > 127 else bytes([len(blocks)])
    return tpkt(b"\x02\xf0\x80\x7f\x65\x82\x01\x94" + b"\x04\x01\x01" * 5 + key + length + blocks)


REQUEST = connection(0xE0, b"Cookie: mstshash=jane.doe\r\n" + negotiation(1, 3))


def test_after_tls_was_chosen_the_handshake_is_read(converse: Converse) -> None:
    told = converse(
        RdpDissector, ("client", REQUEST), ("server", connection(0xD0, negotiation(2, 1))), ("client", HELLO)
    )
    assert {
        ("rdp.requested_security", "tls, credssp", "client"),
        ("rdp.security", "tls", "server"),
        ("tls.client_versions", "TLS 1.2", "client"),
    } <= told
    assert not [fact for fact in told if "jane" in fact[1]]


def test_standard_security_shows_the_client_machine(converse: Converse) -> None:
    told = converse(
        RdpDissector,
        ("client", connection(0xE0, b"")),
        ("server", connection(0xD0, b"")),
        ("client", connect(b"Duca", core() + block(0xC002, bytes(8)))),
        (
            "server",
            connect(
                b"McDn",
                block(0x0C01, struct.pack("<I", 0x00080004)) + block(0x0C02, struct.pack("<II", 2, 2)),
            ),
        ),
        ("client", b"\x03\x00\x00\x08\x02\xf0\x80\x28"),
    )
    assert told == {
        ("rdp.requested_security", "rdp", "client"),
        ("rdp.security", "rdp", "server"),
        ("rdp.client_name", "CT-CONSOLE-2", "client"),
        ("rdp.client_build", "7601", "client"),
        ("rdp.keyboard_layout", "0x00000407", "client"),
        ("rdp.version", "8.4", "server"),
        ("rdp.encryption_level", "client compatible", "server"),
    }


def test_a_refusal_says_why(converse: Converse) -> None:
    told = converse(RdpDissector, ("client", REQUEST), ("server", connection(0xD0, negotiation(3, 5))))
    assert ("rdp.failure", "credssp required by server", "server") in told


@pytest.mark.parametrize(
    "data",
    [
        b"\x04\x00\x00\x0b\x06\xe0\0\0\0\0\0",
        b"\x03\x00\x00\x03\x06\xe0\0",
        connection(0xD0, b""),
        connect(b"Duca", core()[:-9]),
    ],
)
def test_broken_packets_are_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(RdpDissector, ("client", data))


def test_x224_of_other_protocols_is_not_taken() -> None:
    assert RdpDissector.recognises(REQUEST, True)
    assert RdpDissector.recognises(connection(0xE0, b""), True)
    assert not RdpDissector.recognises(connection(0xE0, b"\xc0\x01\x0a\xc1\x02\x01\x00"), True)
