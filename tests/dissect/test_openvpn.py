from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.openvpn import OpenvpnDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]

RESET = b"\x38" + b"s" * 8 + b"\0" * 5


def test_the_third_kind_of_reset_is_wrapped(datagram: Converse) -> None:
    assert datagram(OpenvpnDissector, "client", b"\x50" + b"s" * 100) == {
        ("openvpn.role", "client", "client"),
        ("openvpn.wrapped", "tls-crypt-v2", "client"),
    }


def test_data_says_nothing(datagram: Converse) -> None:
    assert datagram(OpenvpnDissector, "client", b"\x48" + b"d" * 60) == set()


def test_a_reset_of_the_other_side_is_malformed(converse: Converse, datagram: Converse) -> None:
    with pytest.raises(MalformedInput):
        datagram(OpenvpnDissector, "server", RESET)
    with pytest.raises(MalformedInput):
        converse(OpenvpnDissector, ("client", b"\x00\x0e\x40" + b"t" * 13))
    with pytest.raises(MalformedInput):
        converse(OpenvpnDissector, ("client", b"\xff\xff" + RESET))


def test_recognition_is_strict() -> None:
    assert OpenvpnDissector.recognises(RESET, True)
    assert OpenvpnDissector.recognises(b"\0\x0e" + RESET, True)
    assert not OpenvpnDissector.recognises(RESET[:-1] + b"\x01", True)
    assert not OpenvpnDissector.recognises(RESET, False)
