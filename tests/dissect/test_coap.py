from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.coap import CoapDissector
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]


def test_values_of_resources_are_not_read(datagram: Converse) -> None:
    answer = b"\x60\x45\x00\x01\xc0\xffDoe, Jane 37.5"  # content format 0: plain text
    assert datagram(CoapDissector, "server", answer) == {("coap.role", "server", "server")}


def test_options_of_extended_length(datagram: Converse) -> None:
    host = b"lights.floor-3.hospital.example"
    ask = b"\x40\x01\x00\x01" + b"\x3d" + bytes((len(host) - 13,)) + host
    assert datagram(CoapDissector, "client", ask) == {
        ("coap.role", "client", "client"),
        ("coap.host", host.decode(), "server"),
    }


def test_an_empty_message_says_nothing(datagram: Converse) -> None:
    assert datagram(CoapDissector, "server", b"\x70\x00\x12\x34") == set()
    assert CoapDissector.recognises(b"\x70\x00\x12\x34", False)


@pytest.mark.parametrize(
    "payload",
    [
        b"\x40\x01\0\x01\xf1",
        b"\x40\x01\0\x01\x5fabc",
        b"\x48\x01\0\x01ab",
        b"\x00\x01\0\x01",
        b"\x40\x01\0\x01\xd1",
    ],
)
def test_broken_messages(datagram: Converse, payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        datagram(CoapDissector, "client", payload)


def test_recognition_is_strict() -> None:
    assert not CoapDissector.recognises(b"\x40\x3f\0\x01ab", True)
    assert not CoapDissector.recognises(b"\x80\x01\0\x01ab", True)
    assert not CoapDissector.recognises(b"", True)


@given(st.binary(max_size=64))
def test_any_options_give_facts_or_malformed_input(rest: bytes) -> None:
    segment = Segment(
        0,
        1,
        Transport.UDP,
        None,
        None,
        "192.0.2.1",
        "192.0.2.2",
        50000,
        5683,
        None,
        True,
        b"\x40\x02\0\x01" + rest,
    )
    try:
        facts = list(CoapDissector().feed(segment))
    except MalformedInput as error:
        assert error.source == "coap"
    else:
        assert all(fact.value for fact in facts)
