"""LLDP (IEEE 802.1AB with the TIA-1057 inventory) and CDP: what neighbours on a cable tell."""

from __future__ import annotations

import struct

from medwarden.simulation import wire

_LLDP_MAC = bytes.fromhex("0180c200000e")
_CDP_MAC = bytes.fromhex("01000ccccccc")


def _tlv(kind: int, value: bytes) -> bytes:
    return struct.pack(">H", kind << 9 | len(value)) + value


def lldp(
    mac: bytes,
    name: str,
    description: str,
    port: str,
    capabilities: int,
    ip: int = 0,
    inventory: dict[str, str] | None = None,
    vlan: int = 0,
) -> bytes:
    """Return an LLDP frame; ``inventory`` may hold hardware, firmware, software, serial, maker and model."""
    body = _tlv(1, b"\x04" + mac) + _tlv(2, b"\x05" + port.encode()) + _tlv(3, struct.pack(">H", 120))
    body += _tlv(4, port.encode()) + _tlv(5, name.encode()) + _tlv(6, description.encode()[:250])
    body += _tlv(7, struct.pack(">HH", capabilities, capabilities))
    if ip:
        body += _tlv(8, b"\x05\x01" + ip.to_bytes(4, "big") + b"\x02" + struct.pack(">I", 1) + b"\0")
    if vlan:
        body += _tlv(127, b"\x00\x80\xc2\x01" + struct.pack(">H", vlan))
    if inventory:
        body += _tlv(127, b"\x00\x12\xbb\x01" + struct.pack(">HB", 0x33, 3))
        order = ("hardware", "firmware", "software", "serial", "maker", "model")
        for number, key in enumerate(order, 5):
            if inventory.get(key):
                body += _tlv(127, b"\x00\x12\xbb" + bytes((number,)) + inventory[key].encode()[:32])
    return wire.ethernet(_LLDP_MAC, mac, 0x88CC) + body + b"\0\0"


def _cdp_tlv(kind: int, value: bytes) -> bytes:
    return struct.pack(">HH", kind, 4 + len(value)) + value


def cdp(mac: bytes, name: str, version: str, platform: str, port: str, capabilities: int, ip: int) -> bytes:
    """Return a CDP frame, version 2."""
    address = struct.pack(">IBBBH", 1, 1, 1, 0xCC, 4) + ip.to_bytes(4, "big")
    body = _cdp_tlv(1, name.encode()) + _cdp_tlv(2, address) + _cdp_tlv(3, port.encode())
    body += (
        _cdp_tlv(4, struct.pack(">I", capabilities))
        + _cdp_tlv(5, version.encode())
        + _cdp_tlv(6, platform.encode())
    )
    body += _cdp_tlv(11, b"\1")
    head = b"\x02\xb4"
    data = head + b"\0\0" + body
    value = wire.checksum(data if len(data) % 2 == 0 else data[:-1] + b"\0" + data[-1:])
    payload = b"\xaa\xaa\x03\x00\x00\x0c\x20\x00" + head + struct.pack(">H", value) + body
    return wire.llc(_CDP_MAC, mac, payload)
