"""IPv6 neighbour discovery: which hardware address an IPv6 address belongs to, and who routes.

RFC 4861. Duplicate address detection (source ::, RFC 4862 5.4) binds nothing. The payload may be the
ICMPv6 message with the addresses in the segment, or the whole IPv6 packet: their first octets cannot
be confused (0x85-0x89 against 0x6x).
"""

from __future__ import annotations

from struct import Struct
from typing import ClassVar

from medwarden.dissect.octets import ipv6_text, mac_text
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "ndp"

_ROUTER_SOLICITATION, _ROUTER_ADVERTISEMENT, _SOLICITATION, _ADVERTISEMENT, _REDIRECT = range(133, 138)
# Octets before the options, by ICMPv6 type (RFC 4861 4.1 to 4.4).
_FIXED = {_ROUTER_SOLICITATION: 8, _ROUTER_ADVERTISEMENT: 16, _SOLICITATION: 24, _ADVERTISEMENT: 24}
_SOURCE_LINK, _TARGET_LINK, _PREFIX = 1, 2, 3
_ICMPV6, _HOP_BY_HOP = 58, 0
_LIFETIME = Struct("!H")
_MAX_OPTIONS = 64


class Ndp:
    """State bindings of link-layer and IPv6 address, routers and their prefixes."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="IPv6 neighbour discovery",
        transports=(Transport.ETHERNET,),
        reference="RFC 4861",
        ethertypes=(0x86DD,),
        fields=("ndp.ip", "ndp.router", "ndp.prefix"),
    )

    def __init__(self) -> None:
        """Keep nothing: every message stands alone."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - part of the protocol
        """Tell whether ``payload`` is a neighbour discovery message, with or without its IPv6 header."""
        if payload[:1] and payload[0] >> 4 == 6:
            return len(payload) > 40 and payload[6] == _ICMPV6 and 133 <= payload[40] <= 137
        return len(payload) >= 8 and 133 <= payload[0] <= 137 and payload[1] == 0

    def feed(self, segment: Segment) -> list[Evidence]:
        """Return the facts of one message; other IPv6 traffic gives none.

        Raises MalformedInput when a message is short or an option is empty or overruns it (RFC 4861
        6.1 and 7.1).
        """
        payload, source_ip = segment.payload, segment.src_ip
        if payload[:1] and payload[0] >> 4 == 6:
            offset = _icmpv6_offset(payload)
            if offset is None:
                return []
            source_ip = ipv6_text(payload[8:24])
            payload = payload[: 40 + int.from_bytes(payload[4:6], "big")]  # without padding of the frame
        else:
            offset = 0
        if len(payload) < offset + 8:
            return []
        kind = payload[offset]
        fixed = _FIXED.get(kind)
        if fixed is None:
            return []
        if len(payload) < offset + fixed:
            raise MalformedInput(SOURCE, "message ends within its fixed part", len(payload))
        options = _options(payload, offset + fixed)
        if kind == _ADVERTISEMENT:
            return _advertised(segment, payload, offset, options)
        mac = mac_text(options[_SOURCE_LINK][0][:6]) if _SOURCE_LINK in options else None
        facts: list[Evidence] = []
        if source_ip is None:
            return facts
        if mac is not None:
            facts.append(_fact(segment, mac, source_ip, "ndp.ip", source_ip))
        if kind == _ROUTER_ADVERTISEMENT:
            mac = mac or segment.src_mac
            if _LIFETIME.unpack_from(payload, offset + 6)[0]:
                facts.append(_fact(segment, mac, source_ip, "ndp.router", "yes"))
            facts += [
                _fact(segment, mac, source_ip, "ndp.prefix", f"{text}/{prefix[0]}")
                for prefix in options.get(_PREFIX, ())
                if len(prefix) >= 30 and prefix[0] <= 128 and (text := ipv6_text(prefix[14:30]))
            ]
        return facts


def _icmpv6_offset(packet: bytes) -> int | None:
    """Return where the ICMPv6 message of an IPv6 packet starts, or None if there is none to trust.

    A hop limit other than 255 proves that the message came from another link (RFC 4861 3.1).
    """
    if len(packet) < 48 or packet[7] != 255:
        return None
    following, offset = packet[6], 40
    if following == _HOP_BY_HOP:
        following, offset = packet[40], 48 + packet[41] * 8
    return offset if following == _ICMPV6 and offset < len(packet) else None


def _options(payload: bytes, offset: int) -> dict[int, list[bytes]]:
    """Return option type -> values without type and length (RFC 4861 4.6)."""
    options: dict[int, list[bytes]] = {}
    for _ in range(_MAX_OPTIONS):
        if offset + 2 > len(payload):
            break
        length = payload[offset + 1] * 8
        if length == 0:
            raise MalformedInput(SOURCE, "option of length zero", offset)
        if offset + length > len(payload):
            raise MalformedInput(SOURCE, "option overruns the message", offset)
        options.setdefault(payload[offset], []).append(payload[offset + 2 : offset + length])
        offset += length
    return options


def _advertised(
    segment: Segment, payload: bytes, offset: int, options: dict[int, list[bytes]]
) -> list[Evidence]:
    target = ipv6_text(payload[offset + 8 : offset + 24])
    if target is None:
        return []
    # The option may be left out in an answer to a unicast solicitation (RFC 4861 4.4).
    mac = mac_text(options[_TARGET_LINK][0][:6]) if _TARGET_LINK in options else segment.src_mac
    if mac is None:
        return []
    facts = [_fact(segment, mac, target, "ndp.ip", target)]
    if payload[offset + 4] & 0x80:
        facts.append(_fact(segment, mac, target, "ndp.router", "yes"))
    return facts


def _fact(segment: Segment, mac: str | None, ip: str, field: str, value: str) -> Evidence:
    return Evidence(segment.ts_ns, mac, ip, segment.vlan, field, value, SOURCE)


DISSECTOR = Ndp
