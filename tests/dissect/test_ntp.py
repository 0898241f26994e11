from __future__ import annotations

import struct

import pytest
from scapy.layers.ntp import NTPHeader

from medwarden.dissect.ntp import Ntp
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport


def _facts(payload: bytes) -> dict[str, str]:
    segment = Segment(
        5,
        1,
        Transport.UDP,
        "02:00:00:00:00:10",
        None,
        "192.0.2.10",
        "192.0.2.20",
        123,
        123,
        None,
        True,
        payload,
    )
    return {fact.field: fact.value for fact in Ntp().feed(segment)}


@pytest.mark.parametrize(
    ("mode", "role"), [(1, "peer"), (2, "peer"), (3, "client"), (4, "server"), (5, "server")]
)
def test_roles_by_mode(mode: int, role: str) -> None:
    assert _facts(bytes(NTPHeader(version=3, mode=mode)))["ntp.role"] == role


def test_the_reference_is_an_address_above_stratum_one() -> None:
    told = _facts(bytes(NTPHeader(mode=4, stratum=2, id="192.0.2.1")))
    assert (told["ntp.stratum"], told["ntp.reference_id"]) == ("2", "192.0.2.1")


def test_an_unsynchronised_server_has_no_stratum() -> None:
    assert "ntp.stratum" not in _facts(bytes(NTPHeader(mode=4, stratum=16)))


def test_private_mode_says_nothing_and_control_requests_neither() -> None:
    assert _facts(b"\x17" + bytes(47)) == {}
    assert _facts(struct.pack("!BBHHHHH", 0x16, 2, 1, 0, 0, 0, 0)) == {}


@pytest.mark.parametrize(
    "payload", [b"", b"\x23" + bytes(20), bytes(48), b"\x3b" + bytes(47), b"\x16" + bytes(5)]
)
def test_short_packets_and_unknown_versions_are_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        _facts(payload)


def test_variables_are_cut_at_their_quotes() -> None:
    text = b'version=" ntpd 4 ", processor="", system="x'
    assert _facts(struct.pack("!BBHHHHH", 0x16, 0x82, 1, 0, 0, 0, len(text)) + text) == {
        "ntp.role": "server",
        "ntp.daemon": "ntpd 4",
    }


def test_control_data_must_be_there() -> None:
    with pytest.raises(MalformedInput, match="overrun"):
        _facts(struct.pack("!BBHHHHH", 0x16, 0x82, 1, 0, 0, 0, 99) + b"version")
