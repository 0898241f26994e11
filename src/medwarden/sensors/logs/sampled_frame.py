"""The first octets of a sampled frame to a flow record: addresses, ports, lengths; no more.

IEEE 802.3 and 802.1Q, RFC 791, RFC 8200, RFC 9293, RFC 768. Samples are cut, usually to 128 octets.
"""

from __future__ import annotations

from ipaddress import IPv6Address

from medwarden.dissect.octets import ipv6_text, mac_text
from medwarden.sensors.logs.flow_record import FlowRecord
from medwarden.sensors.logs.netflow5 import address_text

_TAGS = frozenset({0x8100, 0x88A8, 0x9100})
_IPV4, _IPV6 = 0x0800, 0x86DD
_EXTENSIONS = frozenset({0, 43, 60})


def frame_record(frame: bytes, length: int, ts_ns: int, rate: int) -> FlowRecord | None:
    """Return the record of one sampled Ethernet frame of ``length`` octets; None where it is not IP."""
    if len(frame) < 14:
        return None
    kind, at, vlan = int.from_bytes(frame[12:14], "big"), 14, None
    while kind in _TAGS and at + 4 <= len(frame):
        vlan = vlan or int.from_bytes(frame[at : at + 2], "big") & 0xFFF or None
        kind = int.from_bytes(frame[at + 2 : at + 4], "big")
        at += 4
    record = packet_record(frame[at:], kind, ts_ns, rate, max(0, length - at))
    if record is not None:
        record.src_mac, record.dst_mac, record.vlan = mac_text(frame[6:12]), mac_text(frame[:6]), vlan
    return record


def packet_record(packet: bytes, kind: int, ts_ns: int, rate: int, length: int = 0) -> FlowRecord | None:
    """Return the record of one sampled IP packet with Ethernet type ``kind``; None where it is cut short."""
    if kind == _IPV4 and len(packet) >= 20 and packet[0] >> 4 == 4:
        head = (packet[0] & 15) * 4
        octets = int.from_bytes(packet[2:4], "big")
        protocol, ttl = packet[9], packet[8]
        source, destination = address_text(packet[12:16]), address_text(packet[16:20])
        first = not int.from_bytes(packet[6:8], "big") & 0x1FFF
    elif kind == _IPV6 and len(packet) >= 40 and packet[0] >> 4 == 6:
        octets = 40 + int.from_bytes(packet[4:6], "big")
        protocol, ttl = packet[6], packet[7]
        source, destination = ipv6_text(packet[8:24]), _six(packet[24:40])
        head, first = 40, True
        while protocol in _EXTENSIONS and head + 8 <= len(packet):
            protocol, head = packet[head], head + 8 + 8 * packet[head + 1]
    else:
        return None
    if octets == 0:
        octets = length  # segmentation offload leaves the length out
    ports, flags = (0, 0), 0
    if first and protocol in (6, 17, 132) and len(packet) >= head + 4:
        ports = (
            int.from_bytes(packet[head : head + 2], "big"),
            int.from_bytes(packet[head + 2 : head + 4], "big"),
        )
    if first and protocol == 6 and len(packet) > head + 13:
        flags = packet[head + 13]
    return FlowRecord(
        start_ns=ts_ns,
        end_ns=ts_ns,
        src_ip=source,
        dst_ip=destination,
        src_port=ports[0],
        dst_port=ports[1],
        protocol=protocol,
        packets=1,
        octets=octets,
        tcp_flags=flags,
        ttl=ttl,
        rate=rate,
    )


def _six(octets: bytes) -> str | None:
    return ipv6_text(octets) or (str(IPv6Address(octets)) if any(octets) else None)
