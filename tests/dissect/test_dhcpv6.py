from __future__ import annotations

import pytest
from scapy.layers.dhcp6 import DHCP6_RelayForward, DHCP6_Solicit, DHCP6OptRelayMsg
from scapy.packet import Packet

from medwarden.dissect.dhcpv6 import Dhcpv6, duid_facts
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment, Transport


def _facts(payload: bytes) -> list[Evidence]:
    segment = Segment(
        5, 1, Transport.UDP, "02:00:00:00:00:10", "33:33:00:01:00:02", "fe80::10", "ff02::1:2", 546, 547,
        None, True, payload,
    )  # fmt: skip
    return list(Dhcpv6().feed(segment))


@pytest.mark.parametrize(
    ("duid", "facts"),
    [
        ("00030001020000000010", {"duid_type": "ll", "duid_mac": "02:00:00:00:00:10"}),
        ("000100012a2b2c2d020000000010", {"duid_type": "llt", "duid_mac": "02:00:00:00:00:10"}),
        ("000200000009464f43", {"duid_type": "en", "duid_enterprise": "9"}),
        ("0004" + "11" * 16, {"duid_type": "uuid"}),
        ("00090102", {"duid_type": "9"}),
        ("00030020" + "22" * 20, {"duid_type": "ll"}),
    ],
)
def test_every_type_of_duid(duid: str, facts: dict[str, str]) -> None:
    assert dict(duid_facts(bytes.fromhex(duid))) == {"duid": duid, **facts}


@pytest.mark.parametrize("duid", [b"", b"\0\1", bytes(131)])
def test_what_is_no_duid_says_nothing(duid: bytes) -> None:
    assert duid_facts(duid) == []


def test_relays_are_unwrapped_to_the_hop_limit_and_no_further() -> None:
    def wrapped(hops: int) -> bytes:
        message: Packet = DHCP6_Solicit(trid=1)
        for hop in range(hops):
            message = DHCP6_RelayForward(hopcount=hop, peeraddr=f"fe80::{hop + 1}") / DHCP6OptRelayMsg(
                message=message
            )
        return bytes(message)

    assert {(fact.mac, fact.ip) for fact in _facts(wrapped(3))} == {(None, "fe80::1")}
    assert _facts(wrapped(8))
    with pytest.raises(MalformedInput, match="nest"):
        _facts(wrapped(9))


def test_a_relayed_client_without_any_address_is_nobody() -> None:
    nobody = DHCP6_RelayForward(peeraddr="::") / DHCP6OptRelayMsg(message=DHCP6_Solicit(trid=1))
    assert _facts(bytes(nobody)) == []


def test_a_relay_message_without_content_says_nothing() -> None:
    assert _facts(bytes(DHCP6_RelayForward(peeraddr="fe80::1"))) == []
