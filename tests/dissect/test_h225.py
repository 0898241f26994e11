from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.h225 import H225Dissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def packet(body: bytes) -> bytes:
    return b"\x03\0" + (4 + len(body)).to_bytes(2, "big") + body


def test_the_called_terminal_answers(converse: Converse) -> None:
    answer = packet(b"\x08\x02\x92\x34\x07\x7e\0\x01\x05")
    assert converse(H225Dissector, ("server", answer)) == {
        ("h225.role", "called terminal", "server"),
        ("h225.message", "connect", "server"),
    }


@pytest.mark.parametrize("data", [b"\x04\0\0\x09", packet(b"\x09\x02\0\0\x05\0\0"), b"\x03\0\0\x02"])
def test_broken_packets(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(H225Dissector, ("client", data))


def test_s7_and_rdp_on_the_same_framing_are_not_claimed() -> None:
    assert not H225Dissector.recognises(b"\x03\0\0\x16\x11\xe0\0\0\0\x01\0\xc1\x02\x01\0", True)
