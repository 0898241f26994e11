from __future__ import annotations

import pytest
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_RA,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrHopByHop,
)

from medwarden.dissect.ndp import Ndp
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

ROUTER = "02:00:00:00:00:01"


def _told(payload: bytes, mac: str | None = "02:00:00:00:00:10") -> list[tuple[str | None, str | None, str]]:
    segment = Segment(
        5, 1, Transport.ETHERNET, mac, "33:33:00:00:00:01", None, None, 0, 0, None, True, payload,
        ethertype=0x86DD,
    )  # fmt: skip
    return [(fact.mac, fact.ip, fact.field) for fact in Ndp().feed(segment)]


def test_an_advertisement_without_the_option_binds_the_frames_sender() -> None:
    packet = bytes(IPv6(src="fe80::20", dst="fe80::1", hlim=255) / ICMPv6ND_NA(R=1, S=1, tgt="fe80::20"))
    mac = "02:00:00:00:00:10"
    assert _told(packet) == [(mac, "fe80::20", "ndp.ip"), (mac, "fe80::20", "ndp.router")]
    assert _told(packet, mac=None) == []


def test_a_router_that_says_goodbye_is_no_router() -> None:
    packet = IPv6(src="fe80::1", dst="ff02::1", hlim=255) / ICMPv6ND_RA(routerlifetime=0)
    assert _told(bytes(packet / ICMPv6NDOptSrcLLAddr(lladdr=ROUTER))) == [(ROUTER, "fe80::1", "ndp.ip")]


def test_extension_headers_and_frame_padding_are_no_harm() -> None:
    packet = (
        IPv6(src="fe80::1", dst="ff02::1", hlim=255)
        / IPv6ExtHdrHopByHop()
        / ICMPv6ND_RA(routerlifetime=9)
        / ICMPv6NDOptSrcLLAddr(lladdr=ROUTER)
    )
    assert [field for _, _, field in _told(bytes(packet) + bytes(20))] == ["ndp.ip", "ndp.router"]


def test_other_icmpv6_and_other_ipv6_say_nothing() -> None:
    assert _told(bytes(IPv6(src="fe80::1", dst="fe80::2", hlim=255) / ICMPv6EchoRequest())) == []
    assert _told(bytes(IPv6(src="fe80::1", dst="fe80::2", hlim=255, nh=6) / bytes(40))) == []


def test_a_message_without_its_target_is_malformed() -> None:
    packet = bytes(IPv6(src="fe80::20", dst="fe80::1", hlim=255) / ICMPv6ND_NA(tgt="fe80::20"))
    with pytest.raises(MalformedInput, match="fixed part"):
        _told(packet[:-4])
