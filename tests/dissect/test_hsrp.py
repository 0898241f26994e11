from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.hsrp import HsrpDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]

HELLO = bytes((0, 0, 8, 3, 10, 100, 5, 0)) + b"secret\0\0" + bytes((192, 0, 2, 1))


def test_the_word_stays_unsaid(datagram: Converse) -> None:
    assert datagram(HsrpDissector, "client", HELLO) == {
        ("hsrp.state", "standby", "client"),
        ("hsrp.group", "5", "client"),
        ("hsrp.virtual_address", "192.0.2.1", "client"),
    }


def test_interface_states_say_nothing(datagram: Converse) -> None:
    assert datagram(HsrpDissector, "client", b"\x02\x04\0\0\0\0") == set()


@pytest.mark.parametrize("payload", [HELLO[:12], b"\x01\x28\x02"])
def test_short_messages_are_malformed(datagram: Converse, payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        datagram(HsrpDissector, "client", payload)


def test_recognition() -> None:
    assert HsrpDissector.recognises(HELLO, True)
    assert not HsrpDissector.recognises(b"\x00\x09" + HELLO[2:], True)
