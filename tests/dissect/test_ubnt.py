from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.ubnt import UbntDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def test_version_2(datagram: Converse) -> None:
    body = b"\x15\x00\x05US8P6" + b"\x16\x00\x06" + b"6.5.59"
    told = datagram(UbntDissector, "server", b"\x02\x06" + len(body).to_bytes(2, "big") + body)
    assert told == {("ubnt.platform", "US8P6", "server"), ("ubnt.version", "6.5.59", "server")}


@pytest.mark.parametrize("payload", [b"\x01\0\0\x09\x0b\0\x05ab", b"\x03\0\0\0", b"\x01\0\0\x04\x0b\0\x05a"])
def test_broken_messages(datagram: Converse, payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        datagram(UbntDissector, "server", payload)


def test_other_traffic_of_the_port_is_not_claimed() -> None:
    assert not UbntDissector.recognises(b"\x00\x00\x00\xf7" + b"x" * 20, False)  # Lantronix serial servers
