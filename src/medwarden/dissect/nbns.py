"""NetBIOS name service: names, domains and roles of Windows hosts and their imitators.

RFC 1002 section 4.2 (packets) and RFC 1001 section 14 (first-level encoding); suffixes as in [MS-NBTE]
and Microsoft KB 163409. Suffix 03 names logged-on people and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import ClassVar

from medwarden.dissect.octets import ipv4_text, mac_text, printable
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "nbns"

_HEADER = Struct("!HHHHHH")
_RECORD = Struct("!HHIH")
_NB, _NBSTAT = 0x20, 0x21
_QUERY, _REGISTRATION, _RELEASE, _WACK, _REFRESH, _REFRESH_ALT, _MULTIHOMED = 0, 5, 6, 7, 8, 9, 15
_CLAIMS = (_REGISTRATION, _REFRESH, _REFRESH_ALT, _MULTIHOMED)
_GROUP = 0x8000
_MAX_NAMES = 64
_UNIQUE = {
    0x00: ("nbns.name", "workstation"),
    0x20: ("nbns.name", "server"),
    0x1B: ("nbns.domain", "domain_master_browser"),
    0x1D: ("nbns.domain", "master_browser"),
}
_GROUPS = {
    0x00: ("nbns.domain", ""),
    0x1C: ("nbns.domain", "domain_controller"),
    0x1E: ("nbns.domain", ""),
}


class Nbns:
    """State NetBIOS names, domains, roles and the queries of a host."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="NetBIOS name service",
        transports=(Transport.UDP,),
        reference="RFC 1001, RFC 1002",
        ports=(137,),
        volatile=((0, 2),),
        fields=("nbns.name", "nbns.domain", "nbns.role", "nbns.query", "nbns.unit_id"),
    )

    def __init__(self) -> None:
        """Keep nothing: every datagram stands alone."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - both sides use port 137
        """Tell whether ``payload`` has one encoded name after a name service header."""
        return len(payload) >= 46 and payload[12] == 0x20 and decode_name(payload[13:45]) is not None

    def feed(self, segment: Segment) -> Iterator[Evidence]:
        """Yield the facts of one packet.

        Raises MalformedInput when a name, record or name table is cut short.
        """
        payload = segment.payload
        if len(payload) < 12:
            raise MalformedInput(SOURCE, "packet is shorter than its header", len(payload))
        _, flags, questions, answers, _, additionals = _HEADER.unpack_from(payload)
        opcode = flags >> 11 & 15
        offset, name, suffix = 12, "", -1
        if questions:
            name, suffix, offset = _name_at(payload, 12)
            if len(payload) < offset + 4:
                raise MalformedInput(SOURCE, "question is cut short", offset)
            offset += 4
        if flags & 0x8000:
            if answers and flags & 0x0F == 0:
                yield from _answer(segment, offset)
        elif opcode in _CLAIMS and questions and additionals:
            data = _record_data(payload, offset)
            if len(data) >= 6:
                yield from _claimed(
                    segment, name, suffix, bool(data[0] & 0x80), segment.src_mac, segment.src_ip
                )
        elif opcode == _QUERY and questions and name and name != "*":
            yield segment.said("nbns.query", name, SOURCE)


_HALF_ASCII = bytes.maketrans(b"ABCDEFGHIJKLMNOP", b"0123456789abcdef")


def decode_name(encoded: bytes) -> tuple[str, int] | None:
    """Return the name and suffix that 32 half-ASCII octets stand for (RFC 1001 14.1), or None."""
    if len(encoded) != 32 or min(encoded) < 0x41 or max(encoded) > 0x50:
        return None
    octets = bytes.fromhex(encoded.translate(_HALF_ASCII).decode("ascii"))
    return printable(octets[:15].rstrip(b" \0")), octets[15]


def _name_at(payload: bytes, offset: int) -> tuple[str, int, int]:
    """Return name, suffix and the offset behind a name with its scope; a pointer leads to the question."""
    if payload[offset : offset + 2] == b"\xc0\x0c":
        name, suffix, _ = _name_at(payload, 12) if payload[12:13] == b"\x20" else ("", -1, 0)
        return name, suffix, offset + 2
    if payload[offset : offset + 1] != b"\x20":
        raise MalformedInput(SOURCE, "no encoded name", offset)
    decoded = decode_name(payload[offset + 1 : offset + 33])
    if decoded is None:
        raise MalformedInput(SOURCE, "name is not first-level encoded", offset)
    offset += 33
    for _ in range(128):  # scope labels
        length = payload[offset] if offset < len(payload) else 64
        offset += 1 + length
        if length == 0:
            return *decoded, offset
        if length > 63:
            break
    raise MalformedInput(SOURCE, "name has no end", offset)


def _record_data(payload: bytes, offset: int) -> bytes:
    """Return the data of the resource record at ``offset``."""
    _, _, offset = _name_at(payload, offset)
    if len(payload) < offset + 10:
        raise MalformedInput(SOURCE, "record is cut short", offset)
    length = _RECORD.unpack_from(payload, offset)[3]
    if len(payload) < offset + 10 + length:
        raise MalformedInput(SOURCE, "record data overrun the packet", offset)
    return payload[offset + 10 : offset + 10 + length]


def _answer(segment: Segment, offset: int) -> Iterator[Evidence]:
    payload = segment.payload
    name, suffix, behind = _name_at(payload, offset)
    data = _record_data(payload, offset)
    rtype = _RECORD.unpack_from(payload, behind)[0]
    if rtype == _NBSTAT:
        yield from _status(segment, data)
    elif rtype == _NB and segment.payload[2] >> 3 & 15 == _QUERY:
        for start in range(0, min(len(data), 6 * _MAX_NAMES) - 5, 6):
            address = ipv4_text(data[start + 2 : start + 6])
            if address is None:
                continue
            # A name server answers for others: only its own address is spoken of with its MAC.
            mac = segment.src_mac if address == segment.src_ip else None
            yield from _claimed(segment, name, suffix, bool(data[start] & 0x80), mac, address)


def _status(segment: Segment, data: bytes) -> Iterator[Evidence]:
    """Yield the name table and unit ID of a node status response (RFC 1002 4.2.18)."""
    if not data:
        raise MalformedInput(SOURCE, "node status has no name table", 0)
    count = data[0]
    if len(data) < 1 + 18 * count:
        raise MalformedInput(SOURCE, "name table is cut short", len(data))
    for index in range(min(count, _MAX_NAMES)):
        row = data[1 + 18 * index : 19 + 18 * index]
        name = printable(row[:15].rstrip(b" \0"))
        yield from _claimed(segment, name, row[15], bool(row[16] & 0x80), segment.src_mac, segment.src_ip)
    if mac := mac_text(data[1 + 18 * count : 7 + 18 * count]):
        yield segment.said("nbns.unit_id", mac, SOURCE)


def _claimed(
    segment: Segment, name: str, suffix: int, group: bool, mac: str | None, ip: str | None
) -> Iterator[Evidence]:
    field, role = (_GROUPS if group else _UNIQUE).get(suffix, ("", ""))
    if not field or not name or "__MSBROWSE__" in name:
        return
    yield Evidence(segment.ts_ns, mac, ip, segment.vlan, field, name, SOURCE)
    if role:
        yield Evidence(segment.ts_ns, mac, ip, segment.vlan, "nbns.role", role, SOURCE)


DISSECTOR = Nbns
