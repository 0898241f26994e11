"""ARP (RFC 826) over Ethernet."""

from __future__ import annotations

import struct

from medwarden.simulation import wire


def request(mac: bytes, ip: int, wanted: int, vlan: int = 0) -> bytes:
    """Return a frame that asks who has ``wanted``; the own address makes it a gratuitous announcement."""
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + mac + ip.to_bytes(4, "big") + bytes(6)
    return (
        wire.ethernet(wire.BROADCAST_MAC, mac, wire.ETHER_ARP, vlan)
        + body
        + wanted.to_bytes(4, "big")
        + bytes(18)
    )


def reply(mac: bytes, ip: int, to_mac: bytes, to_ip: int, vlan: int = 0) -> bytes:
    """Return a frame that tells ``to_mac`` that ``ip`` is at ``mac``."""
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 2) + mac + ip.to_bytes(4, "big") + to_mac
    return wire.ethernet(to_mac, mac, wire.ETHER_ARP, vlan) + body + to_ip.to_bytes(4, "big") + bytes(18)
