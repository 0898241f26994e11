from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.asn1.ber import BERcodec_INTEGER, BERcodec_OID

from medwarden.dissect import ber
from medwarden.kernel.errors import MalformedInput


def _only(octets: bytes) -> ber.Tlv:
    return ber.read_tlv(octets, 0, len(octets), "test")


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_are_read_as_scapy_writes_them(number: int) -> None:
    octets = BERcodec_INTEGER.enc(number)
    assert ber.read_integer(octets, _only(octets), "test") == number


@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=60))
def test_object_identifiers_are_read_as_scapy_writes_them(first: int, second: int, arcs: list[int]) -> None:
    text = ".".join(map(str, (first, second, *arcs)))
    octets = BERcodec_OID.enc(text)
    assert ber.read_oid(octets, _only(octets), "test") == text


def test_an_arc_above_39_belongs_to_the_third_root() -> None:
    assert ber.read_oid(b"\x06\x03\x88\x37\x03", ber.Tlv(6, 2, 5), "test") == "2.999.3"


def test_long_tags_and_lengths() -> None:
    octets = b"\x7f\x49\x82\x01\x00" + bytes(256)
    assert _only(octets) == ber.Tlv(0x7F49, 5, 261)
    assert ber.message_length(octets[:5], "test") == 261


@pytest.mark.parametrize(
    "text",
    ["", "30", "3080", "30850000000000", "3082ff", "30020101ff"[:6], "1f", "1f8181818101", "1f01"],
    ids=["empty", "tag", "indefinite", "5-octet", "cut", "overrun", "tag cut", "tag long", "no length"],
)
def test_broken_headers_are_malformed(text: str) -> None:
    with pytest.raises(MalformedInput):
        _only(bytes.fromhex(text))


@pytest.mark.parametrize("octets", [b"", b"\x80", b"\x2b\x86", b"\xff" * 10 + b"\x01", b"\x01" * 640])
def test_broken_object_identifiers_are_malformed(octets: bytes) -> None:
    with pytest.raises(MalformedInput):
        ber.read_oid(octets, ber.Tlv(6, 0, len(octets)), "test")


def test_children_stop_at_their_bound() -> None:
    octets = b"\x05\x00" * 100
    assert len(list(ber.children(octets, 0, len(octets), "test", most=7))) == 7
    assert len(list(ber.children(octets, 0, len(octets), "test"))) == 100


def test_a_stream_is_asked_for_more_until_the_length_is_known() -> None:
    octets = b"\x30\x82\x01\x00"
    assert [ber.message_length(octets[:n], "test") for n in range(5)] == [None, None, None, None, 260]


@given(st.binary(max_size=40))
def test_elements_lie_within_their_octets(octets: bytes) -> None:
    try:
        element = _only(octets)
    except MalformedInput:
        return
    assert 0 < element.start <= element.end <= len(octets)
    if element.tag < 256:  # message_length agrees on the same octets
        assert ber.message_length(octets, "test") == element.end
