from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.wireguard import WireguardDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def test_a_cookie_is_no_part_of_its_own(datagram: Converse) -> None:
    assert datagram(WireguardDissector, "server", b"\x03\0\0\0" + b"c" * 60) == set()


@pytest.mark.parametrize(
    "payload", [b"\x01\0\0\0" + b"k" * 143, b"\x05\0\0\0" + b"k" * 60, b"\x04\0\0\x01" + b"k" * 60, b"\x04"]
)
def test_other_lengths_and_types_are_malformed(datagram: Converse, payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        datagram(WireguardDissector, "client", payload)


def test_recognition_is_strict() -> None:
    assert WireguardDissector.recognises(b"\x01\0\0\0" + b"k" * 144, True)
    assert not WireguardDissector.recognises(b"\x01\0\0\0" + b"k" * 145, True)
    assert not WireguardDissector.recognises(b"\x04\0\0\0" + b"k" * 44, True), "a counter beyond 32 bits"
    assert not WireguardDissector.recognises(b"\x04\0\0\0", True)
