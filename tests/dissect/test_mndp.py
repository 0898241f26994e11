from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.mndp import MndpDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def test_a_request_is_empty(datagram: Converse) -> None:
    assert datagram(MndpDissector, "client", b"\0\0\0\0") == set()


def test_unknown_elements_are_passed_over(datagram: Converse) -> None:
    payload = b"\0\0\0\x01" + b"\x00\x63\x00\x02ab" + b"\x00\x05\x00\x04gw-1"
    assert datagram(MndpDissector, "client", payload) == {("mndp.identity", "gw-1", "client")}


def test_an_element_beyond_the_message_is_malformed(datagram: Converse) -> None:
    with pytest.raises(MalformedInput):
        datagram(MndpDissector, "client", b"\0\0\0\x01" + b"\x00\x05\x00\x09gw")
