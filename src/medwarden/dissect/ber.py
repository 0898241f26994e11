"""BER: the tag-length-value encoding of ASN.1 that SNMP, LDAP and Kerberos travel in.

ITU-T X.690 (2021), definite lengths only (clause 8.1.3.3 to 8.1.3.5): none of these protocols uses
the indefinite form. Nothing here recurses; the caller walks down as deep as its protocol goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from medwarden.kernel.errors import MalformedInput

INTEGER, BIT_STRING, OCTET_STRING, NULL, OBJECT_IDENTIFIER, ENUMERATED = 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A
SEQUENCE, SET = 0x30, 0x31
MAX_ARCS = 128


class Tlv(NamedTuple):
    """One element: its identifier octets as a number, and where its contents start and end."""

    tag: int
    start: int
    end: int


def read_tlv(octets: bytes, offset: int, end: int, source: str) -> Tlv:
    """Return the element at ``offset``, which must lie wholly before ``end``.

    A tag of several octets (X.690 8.1.2.4) is returned as their big-endian number (0x5F1F, 0x7F49).
    Raises MalformedInput, in the name of ``source``, for a header or contents beyond ``end`` and for
    the indefinite form.
    """
    end = min(end, len(octets))
    start = offset
    if offset + 2 > end:
        raise MalformedInput(source, "BER element has no header", start)
    tag = octets[offset]
    offset += 1
    if tag & 0x1F == 0x1F:
        for _ in range(3):
            if offset >= end:
                raise MalformedInput(source, "BER tag is cut short", start)
            octet = octets[offset]
            tag = tag << 8 | octet
            offset += 1
            if not octet & 0x80:
                break
        else:
            raise MalformedInput(source, "BER tag is longer than any in use", start)
        if offset >= end:
            raise MalformedInput(source, "BER element has no length", start)
    length = octets[offset]
    offset += 1
    if length & 0x80:
        count = length & 0x7F
        if count == 0 or count > 4:
            raise MalformedInput(source, "BER length is indefinite or longer than 4 octets", start)
        if offset + count > end:
            raise MalformedInput(source, "BER length is cut short", start)
        length = int.from_bytes(octets[offset : offset + count], "big")
        offset += count
    if offset + length > end:
        raise MalformedInput(source, "BER contents overrun their container", start)
    return Tlv(tag, offset, offset + length)


def message_length(octets: bytes, source: str) -> int | None:
    """Return the octets the first element takes with its header, or None when more are needed to tell.

    For streams: the contents need not be there yet. Raises MalformedInput for the indefinite form.
    """
    if len(octets) < 2:
        return None
    offset = 1
    if octets[0] & 0x1F == 0x1F:
        while offset < len(octets) and octets[offset] & 0x80:
            offset += 1
            if offset > 4:
                raise MalformedInput(source, "BER tag is longer than any in use", 0)
        offset += 1
        if offset >= len(octets):
            return None
    length = octets[offset]
    offset += 1
    if length & 0x80:
        count = length & 0x7F
        if count == 0 or count > 4:
            raise MalformedInput(source, "BER length is indefinite or longer than 4 octets", 0)
        if offset + count > len(octets):
            return None
        length = int.from_bytes(octets[offset : offset + count], "big")
        offset += count
    return offset + length


def expect(octets: bytes, offset: int, end: int, tag: int, source: str) -> Tlv:
    """Return the element at ``offset`` whose tag must be ``tag``; raises MalformedInput otherwise."""
    element = read_tlv(octets, offset, end, source)
    if element.tag != tag:
        raise MalformedInput(source, f"BER tag {element.tag:#x} where {tag:#x} belongs", offset)
    return element


def children(octets: bytes, start: int, end: int, source: str, most: int = 1024) -> Iterator[Tlv]:
    """Yield the elements between ``start`` and ``end``, at most ``most`` of them."""
    for _ in range(most):
        if start >= end:
            return
        element = read_tlv(octets, start, end, source)
        yield element
        start = element.end


def read_integer(octets: bytes, element: Tlv, source: str) -> int:
    """Return the contents of an INTEGER or ENUMERATED of at most 16 octets (X.690 8.3)."""
    length = element.end - element.start
    if not 0 < length <= 16:
        raise MalformedInput(source, f"BER integer of {length} octets", element.start)
    return int.from_bytes(octets[element.start : element.end], "big", signed=True)


def read_oid(octets: bytes, element: Tlv, source: str) -> str:
    """Return the contents of an OBJECT IDENTIFIER as dotted text, ``1.3.6.1`` (X.690 8.19).

    Raises MalformedInput for an empty or unfinished one, an arc over 64 bits or more than
    :data:`MAX_ARCS` arcs (RFC 2578 3.5 allows 128 of 32 bits).
    """
    body = octets[element.start : element.end]
    if not body or body[-1] & 0x80 or len(body) > MAX_ARCS * 5:
        raise MalformedInput(source, "BER object identifier is empty, unfinished or too long", element.start)
    arcs: list[int] = []
    arc = 0
    for octet in body:
        arc = arc << 7 | octet & 0x7F
        if arc >> 64:
            raise MalformedInput(source, "BER object identifier has an arc over 64 bits", element.start)
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    if len(arcs) >= MAX_ARCS:
        raise MalformedInput(source, "BER object identifier has too many arcs", element.start)
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))
