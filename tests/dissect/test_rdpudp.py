from __future__ import annotations

import struct
from collections.abc import Callable

from medwarden.dissect.rdpudp import RdpudpDissector

Converse = Callable[..., set[tuple[str, str, str]]]


def syn(flags: int, received: int = 0xFFFFFFFF, unit: int = 1232, rest: bytes = b"") -> bytes:
    return (struct.pack(">IHHIHH", received, 64, flags, 1, unit, unit) + rest).ljust(1232, b"\0")


def test_a_syn_without_a_version(datagram: Converse) -> None:
    assert datagram(RdpudpDissector, "client", syn(0x0001)) == {("rdpudp.role", "client", "client")}


def test_what_follows_says_nothing(datagram: Converse) -> None:
    assert datagram(RdpudpDissector, "client", b"\0" * 40) == set()


def test_recognition_is_strict() -> None:
    assert RdpudpDissector.recognises(syn(0x0001), True)
    assert not RdpudpDissector.recognises(syn(0x0001, unit=1500), True)
    assert not RdpudpDissector.recognises(syn(0x0004), True)
    assert not RdpudpDissector.recognises(syn(0x0001)[:-1], True)
