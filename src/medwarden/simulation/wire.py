"""Frames on the cable: Ethernet, 802.1Q, IPv4, IPv6, UDP and TCP headers with right checksums.

Checksums are ones' complement sums (RFC 1071). A sum of 16-bit words equals the number that the octets
spell modulo 65535, which Python computes faster than any loop over words.
"""

from __future__ import annotations

import struct

ETHER_IPV4, ETHER_IPV6, ETHER_ARP, ETHER_VLAN = 0x0800, 0x86DD, 0x0806, 0x8100
TCP, UDP, ICMP, IGMP = 6, 17, 1, 2
BROADCAST_MAC = b"\xff" * 6

_IPV4 = struct.Struct(">BBHHHBBHII")
_TCP = struct.Struct(">HHIIBBHHH")
_UDP = struct.Struct(">HHHH")

Address = int
"""An IPv4 address as a number."""


def octet_sum(data: bytes) -> int:
    """Return the ones' complement sum of ``data``, padded with a zero octet to whole words."""
    number = int.from_bytes(data, "big")
    return (number << 8 if len(data) & 1 else number) % 0xFFFF


def checksum(data: bytes) -> int:
    """Return the Internet checksum of ``data`` (RFC 1071)."""
    return -octet_sum(data) % 0xFFFF


def ethernet(destination: bytes, source: bytes, ethertype: int, vlan: int = 0) -> bytes:
    """Return an Ethernet header, with an 802.1Q tag where ``vlan`` is not 0."""
    if vlan:
        return destination + source + struct.pack(">HHH", ETHER_VLAN, vlan, ethertype)
    return destination + source + struct.pack(">H", ethertype)


def llc(destination: bytes, source: bytes, payload: bytes) -> bytes:
    """Return an IEEE 802.3 frame whose length field stands where the type would."""
    return destination + source + struct.pack(">H", len(payload)) + payload


def ipv4(
    protocol: int,
    source: Address,
    target: Address,
    payload: bytes,
    *,
    ttl: int,
    ident: int,
    flags: int = 0x4000,
) -> bytes:
    """Return an IPv4 packet (RFC 791); ``flags`` is the word of flags and fragment offset."""
    length = 20 + len(payload)
    total = (
        0x4500
        + length
        + ident
        + flags
        + (ttl << 8 | protocol)
        + (source >> 16)
        + (source & 0xFFFF)
        + (target >> 16)
        + (target & 0xFFFF)
    )
    return _IPV4.pack(0x45, 0, length, ident, flags, ttl, protocol, -total % 0xFFFF, source, target) + payload


def pseudo_sum(protocol: int, source: Address, target: Address, length: int) -> int:
    """Return the sum over the pseudo header that UDP and TCP checksums include."""
    return (source >> 16) + (source & 0xFFFF) + (target >> 16) + (target & 0xFFFF) + protocol + length


def udp(
    source: Address, target: Address, sport: int, dport: int, payload: bytes, *, ttl: int, ident: int
) -> bytes:
    """Return an IPv4 packet with a UDP datagram (RFC 768)."""
    length = 8 + len(payload)
    total = pseudo_sum(UDP, source, target, length) + sport + dport + length + octet_sum(payload)
    datagram = _UDP.pack(sport, dport, length, 0xFFFF - total % 0xFFFF) + payload
    return ipv4(UDP, source, target, datagram, ttl=ttl, ident=ident)


def tcp(
    source: Address,
    target: Address,
    ports: tuple[int, int],
    numbers: tuple[int, int],
    flags: int,
    window: int,
    options: bytes = b"",
    payload: bytes = b"",
    *,
    ttl: int,
    ident: int,
) -> bytes:
    """Return an IPv4 packet with a TCP segment (RFC 9293); ``options`` are whole words already."""
    offset = 20 + len(options)
    sequence, acknowledged = numbers
    total = (
        pseudo_sum(TCP, source, target, offset + len(payload))
        + ports[0]
        + ports[1]
        + (sequence >> 16)
        + (sequence & 0xFFFF)
        + (acknowledged >> 16)
        + (acknowledged & 0xFFFF)
        + (offset << 10 | flags)
        + window
    )
    if options:
        total += octet_sum(options)
    if payload:
        total += octet_sum(payload)
    head = _TCP.pack(
        ports[0], ports[1], sequence, acknowledged, offset << 2, flags, window, -total % 0xFFFF, 0
    )
    return ipv4(TCP, source, target, head + options + payload, ttl=ttl, ident=ident)


def ipv6(next_header: int, source: bytes, target: bytes, payload: bytes, hop_limit: int = 255) -> bytes:
    """Return an IPv6 packet (RFC 8200)."""
    return struct.pack(">IHBB", 0x60000000, len(payload), next_header, hop_limit) + source + target + payload


def udp6(source: bytes, target: bytes, sport: int, dport: int, payload: bytes, hop_limit: int) -> bytes:
    """Return an IPv6 packet with a UDP datagram."""
    length = 8 + len(payload)
    head = struct.pack(">HHHH", sport, dport, length, 0)
    pseudo = source + target + struct.pack(">II", length, UDP)
    value = checksum(pseudo + head + payload) or 0xFFFF
    return ipv6(UDP, source, target, struct.pack(">HHHH", sport, dport, length, value) + payload, hop_limit)


def icmp6(source: bytes, target: bytes, message: bytes) -> bytes:
    """Return an ICMPv6 packet; ``message`` has a checksum of zero (RFC 4443 section 2.3)."""
    pseudo = source + target + struct.pack(">II", len(message), 58)
    value = checksum(pseudo + message)
    return ipv6(58, source, target, message[:2] + struct.pack(">H", value) + message[4:])


def link_local(mac: bytes) -> bytes:
    """Return the IPv6 link-local address that follows from a MAC address (RFC 4291 appendix A)."""
    return b"\xfe\x80" + bytes(6) + bytes((mac[0] ^ 2,)) + mac[1:3] + b"\xff\xfe" + mac[3:]


def address(text: str) -> Address:
    """Return the number of a dotted IPv4 address."""
    a, b, c, d = map(int, text.split("."))
    return a << 24 | b << 16 | c << 8 | d


def dotted(number: Address) -> str:
    """Return the dotted form of an IPv4 address."""
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def mac_text(mac: bytes) -> str:
    """Return a MAC address in lower case with colons."""
    return mac.hex(":")
