"""ARP: which hardware address an IPv4 address belongs to.

RFC 826 with RFC 5227: an address probe (sender 0.0.0.0) binds nothing, an announcement
(gratuitous ARP) binds like any other packet.
"""

from __future__ import annotations

from struct import Struct
from typing import ClassVar

from medwarden.dissect.octets import ipv4_text, mac_text
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "arp"

_HEADER = Struct("!HHBBH")
_LENGTH = 28
_ETHERNET = (1, 6)  # hardware types: Ethernet, IEEE 802
_IPV4 = 0x0800


class Arp:
    """State bindings of hardware and protocol address, for the sender the packet names itself."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="ARP",
        transports=(Transport.ETHERNET,),
        reference="RFC 826, RFC 5227",
        ethertypes=(0x0806,),
        fields=("arp.ip",),
    )

    def __init__(self) -> None:
        """Keep nothing: every packet stands alone."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - part of the protocol
        """Tell whether ``payload`` is ARP for IPv4 over Ethernet."""
        return len(payload) >= _LENGTH and payload[2:6] == b"\x08\x00\x06\x04" and payload[0] == 0

    def feed(self, segment: Segment) -> list[Evidence]:
        """Return the binding of the sender (RFC 826, "Packet Reception").

        Other hardware or protocol types give nothing. Raises MalformedInput when the packet is short
        or its lengths contradict its types.
        """
        payload = segment.payload
        if len(payload) < _HEADER.size:
            raise MalformedInput(SOURCE, "packet is shorter than its header", len(payload))
        hardware, protocol, hardware_length, protocol_length, operation = _HEADER.unpack_from(payload)
        if hardware not in _ETHERNET or protocol != _IPV4 or operation > 2:
            return []
        if hardware_length != 6 or protocol_length != 4:
            raise MalformedInput(SOURCE, "address lengths do not fit Ethernet and IPv4", 4)
        if len(payload) < _LENGTH:
            raise MalformedInput(SOURCE, "packet ends within its addresses", len(payload))
        mac, ip = mac_text(payload[8:14]), ipv4_text(payload[14:18])
        if mac is None or ip is None:
            return []
        return [Evidence(segment.ts_ns, mac, ip, segment.vlan, "arp.ip", ip, SOURCE)]


DISSECTOR = Arp
