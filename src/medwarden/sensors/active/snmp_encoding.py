"""BER as SNMP requests need it: integers, octet strings, object identifiers, sequences (X.690 section 8)."""

from __future__ import annotations

from medwarden.dissect import ber


def tlv(tag: int, contents: bytes) -> bytes:
    """Return one element with its definite length."""
    length = len(contents)
    if length < 0x80:
        return bytes((tag, length)) + contents
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + contents


def integer(value: int) -> bytes:
    """Return a non-negative integer in the fewest octets."""
    return tlv(ber.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(value: bytes) -> bytes:
    """Return an octet string."""
    return tlv(ber.OCTET_STRING, value)


def sequence(*members: bytes) -> bytes:
    """Return a sequence of encoded members."""
    return tlv(ber.SEQUENCE, b"".join(members))


def oid(dotted: str) -> bytes:
    """Return an object identifier."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    out = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        out += bytes(reversed(groups))
    return tlv(ber.OBJECT_IDENTIFIER, bytes(out))
