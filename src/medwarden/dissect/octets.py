"""Octets of the wire as text: addresses, names and numbers in the one form evidence is kept in.

Everything here takes bytes of any content and never raises on them.
"""

from __future__ import annotations

from ipaddress import IPv6Address

from medwarden.model.evidence import MAX_VALUE, clean

_ZERO_MAC = b"\0\0\0\0\0\0"


def printable(octets: bytes) -> str:
    """Return ``octets`` as clean text: UTF-8, else Latin-1, without NULs, controls and outer blanks."""
    octets = octets[: 4 * MAX_VALUE]
    try:
        return clean(octets.decode("utf-8"))
    except UnicodeDecodeError:
        return clean(octets.decode("latin-1"))


def text_or_hex(octets: bytes) -> str:
    """Return ``octets`` as text where they are printable ASCII throughout, else as hexadecimal."""
    body = octets.rstrip(b"\0")[:MAX_VALUE]
    if body and body.isascii() and (text := body.decode("ascii")).isprintable() and text.strip():
        return text.strip()
    return octets[: MAX_VALUE // 2].hex()


def mac_text(octets: bytes) -> str | None:
    """Return a 6-octet unicast EUI-48 as lower-case text with colons, or None for anything else.

    All-zero, broadcast and multicast addresses name no interface (IEEE 802-2014, 8.2).
    """
    if len(octets) != 6 or octets[0] & 1 or octets == _ZERO_MAC:
        return None
    return octets.hex(":")


def ipv4_text(octets: bytes) -> str | None:
    """Return 4 octets as a dotted quad, or None for 0.0.0.0, multicast, broadcast and other lengths."""
    if len(octets) != 4 or octets[0] == 0 or octets[0] >= 224:
        return None
    return f"{octets[0]}.{octets[1]}.{octets[2]}.{octets[3]}"


def ipv6_text(octets: bytes) -> str | None:
    """Return 16 octets as RFC 5952 text, or None for the unspecified address, multicast and other lengths."""
    if len(octets) != 16 or octets[0] == 0xFF or not any(octets):
        return None
    return str(IPv6Address(octets))


def ip_text(octets: bytes) -> str | None:
    """Return a 4- or 16-octet unicast address as text, or None."""
    return ipv4_text(octets) if len(octets) == 4 else ipv6_text(octets)


def is_internal(octets: bytes) -> bool:
    """Tell whether an address belongs to a private network.

    RFC 1918, shared address space (RFC 6598), link-local (RFC 3927, RFC 4291 2.5.6) and unique
    local addresses (RFC 4193). Loopback is nobody's address on a network and counts as neither.
    """
    if len(octets) == 4:
        first, second = octets[0], octets[1]
        return (
            first == 10
            or (first == 172 and 16 <= second < 32)
            or (first == 192 and second == 168)
            or (first == 100 and 64 <= second < 128)
            or (first == 169 and second == 254)
        )
    if len(octets) == 16:
        return octets[0] & 0xFE == 0xFC or (octets[0] == 0xFE and octets[1] & 0xC0 == 0x80)
    return False


def is_loopback(octets: bytes) -> bool:
    """Tell whether an address is 127.0.0.0/8 or ::1."""
    if len(octets) == 4:
        return octets[0] == 127
    return octets == b"\0" * 15 + b"\1"
