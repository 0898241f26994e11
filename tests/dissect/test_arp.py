from __future__ import annotations

import pytest
from scapy.layers.l2 import ARP

from medwarden.dissect.arp import Arp
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment, Transport


def _frame(payload: bytes) -> Segment:
    return Segment(
        5, 1, Transport.ETHERNET, "02:00:00:00:00:10", "ff:ff:ff:ff:ff:ff", None, None, 0, 0, 104, True,
        payload, ethertype=0x0806,
    )  # fmt: skip


def test_a_reply_binds_its_sender_in_the_vlan_it_was_heard_in() -> None:
    reply = bytes(ARP(op=2, hwsrc="02:00:00:00:00:77", psrc="192.0.2.77"))
    assert Arp().feed(_frame(reply)) == [
        Evidence(5, "02:00:00:00:00:77", "192.0.2.77", 104, "arp.ip", "192.0.2.77", "arp")
    ]


@pytest.mark.parametrize(
    "packet",
    [
        ARP(op=1, hwsrc="00:00:00:00:00:00", psrc="192.0.2.1"),
        ARP(op=1, hwsrc="01:00:5e:00:00:01", psrc="192.0.2.1"),
        ARP(op=2, hwsrc="02:00:00:00:00:77", psrc="255.255.255.255"),
        ARP(op=8, hwsrc="02:00:00:00:00:77", psrc="192.0.2.1"),
        ARP(hwtype=15, op=1, hwsrc="02:00:00:00:00:77", psrc="192.0.2.1"),
    ],
    ids=["no mac", "group mac", "broadcast ip", "inverse", "frame relay"],
)
def test_what_is_no_binding_of_an_interface_gives_nothing(packet: ARP) -> None:
    assert Arp().feed(_frame(bytes(packet))) == []


def test_a_packet_that_ends_in_its_addresses_is_malformed() -> None:
    with pytest.raises(MalformedInput, match="addresses"):
        Arp().feed(_frame(bytes(ARP(psrc="192.0.2.1"))[:20]))
