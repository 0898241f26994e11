"""CDP: the discovery protocol of Cisco switches, phones and access points.

Cisco publishes no standard; after "Cisco Discovery Protocol (CDP) Packet Formats" in the IOS
configuration guide. An LLC frame with SNAP (organisation 00000c, protocol 0x2000).
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import ClassVar

from medwarden.dissect.octets import ip_text, printable
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "cdp"

_TLV = Struct("!HH")
_TEXT_TLVS = {
    0x0001: "cdp.device_id",
    0x0003: "cdp.port_id",
    0x0005: "cdp.version",
    0x0006: "cdp.platform",
    0x0009: "cdp.vtp_domain",
    0x0014: "cdp.system_name",
    0x0017: "cdp.location",
}
_ADDRESSES = {0x0002: "cdp.address", 0x0016: "cdp.management_address"}
_CAPABILITIES, _NATIVE_VLAN = 0x0004, 0x000A
_CAPABILITY_NAMES = (
    "router", "transparent_bridge", "source_route_bridge", "switch", "host", "igmp", "repeater",
    "phone", "remotely_managed", "cvta", "two_port_mac_relay",
)  # fmt: skip
_MAX_TLVS = 256
_MAX_ADDRESSES = 32


class Cdp:
    """State name, platform, software, port and addresses a neighbour advertises."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="Cisco Discovery Protocol",
        transports=(Transport.ETHERNET,),
        reference="Cisco IOS configuration guide, CDP packet formats",
        ethertypes=(0x2000,),
        fields=(*_TEXT_TLVS.values(), *_ADDRESSES.values(), "cdp.capabilities", "cdp.native_vlan"),
    )

    def __init__(self) -> None:
        """Keep nothing: every frame is complete."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - part of the protocol
        """Tell whether ``payload`` (behind the SNAP header) is a CDP message."""
        return len(payload) >= 8 and payload[0] in (1, 2) and payload[4] == 0 and payload[5] < 0x20

    def feed(self, segment: Segment) -> Iterator[Evidence]:
        """Yield the facts of one frame.

        Raises MalformedInput when a TLV is shorter than its header or overruns the frame.
        """
        payload = segment.payload
        if len(payload) < 4 or payload[0] not in (1, 2):
            raise MalformedInput(SOURCE, "no CDP header of version 1 or 2", 0)
        offset = 4
        for _ in range(_MAX_TLVS):
            if offset + 4 > len(payload):
                return
            kind, length = _TLV.unpack_from(payload, offset)
            if length == 0 and not any(payload[offset : offset + 64]):
                return  # padding of a short Ethernet frame
            if length < 4 or offset + length > len(payload):
                raise MalformedInput(SOURCE, f"TLV of type {kind} has no room for its length", offset)
            value = payload[offset + 4 : offset + length]
            if kind in _TEXT_TLVS:
                if text := printable(value):
                    yield segment.said(_TEXT_TLVS[kind], text, SOURCE)
            elif kind in _ADDRESSES:
                for address in _addresses(value):
                    yield segment.said(_ADDRESSES[kind], address, SOURCE)
            elif kind == _CAPABILITIES and length >= 8:
                bits = int.from_bytes(value[:4], "big")
                names = [name for bit, name in enumerate(_CAPABILITY_NAMES) if bits >> bit & 1]
                if names:
                    yield segment.said("cdp.capabilities", ",".join(names), SOURCE)
            elif kind == _NATIVE_VLAN and length >= 6:
                yield segment.said("cdp.native_vlan", str(int.from_bytes(value[:2], "big")), SOURCE)
            offset += length


def _addresses(value: bytes) -> Iterator[str]:
    """Yield the IPv4 and IPv6 addresses of an address TLV: a count, then protocol and address each."""
    offset = 4
    for _ in range(min(int.from_bytes(value[:4], "big"), _MAX_ADDRESSES)):
        if offset + 2 > len(value):
            return
        offset += 2 + value[offset + 1]  # protocol type, protocol length, protocol
        length = int.from_bytes(value[offset : offset + 2], "big")
        address = value[offset + 2 : offset + 2 + length]
        if len(address) == length and (text := ip_text(address)):
            yield text
        offset += 2 + length


DISSECTOR = Cdp
