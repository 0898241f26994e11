from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.iec104 import Iec104Dissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def test_a_command_tells_no_address_of_its_sender(converse: Converse) -> None:
    command = b"\x68\x0e\0\0\0\0" + bytes((45, 1, 6, 0, 12, 0)) + b"\x01\0\0\x81"
    assert converse(Iec104Dissector, ("client", command)) == {
        ("iec104.role", "controlling station", "client")
    }


@pytest.mark.parametrize("data", [b"\x69\x04\x07\0\0\0", b"\x68\x02\x07\0", b"\x68\xff"])
def test_broken_apdus(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(Iec104Dissector, ("client", data))


def test_recognition_is_strict() -> None:
    assert Iec104Dissector.recognises(b"\x68\x04\x07\0\0\0", True)
    assert not Iec104Dissector.recognises(b"\x68\x04\x07\0\0\x01", True)
    assert not Iec104Dissector.recognises(b"\x68\x04\x0f\0\0\0", True)
    assert not Iec104Dissector.recognises(b"hello!", True)
