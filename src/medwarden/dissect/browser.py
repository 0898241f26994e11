r"""CIFS browser announcements: name, Windows version, roles and comment of a host, every few minutes.

[MS-BRWS] 2.2 inside an SMB transaction to ``\MAILSLOT\BROWSE`` ([MS-CIFS] 2.2.4.33) inside a NetBIOS
datagram (RFC 1002 section 4.4), which carries the sender's own IP address.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import ClassVar

from medwarden.dissect.nbns import decode_name
from medwarden.dissect.octets import ipv4_text, printable
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "browser"

_DATAGRAMS = (0x10, 0x11, 0x12)  # direct unique, direct group, broadcast
_HEADER = 14
_SMB = b"\xffSMB\x25"
_WORDS = Struct("<HH")
_TYPE = Struct("<I")
_HOST_ANNOUNCEMENT, _DOMAIN_ANNOUNCEMENT, _LOCAL_MASTER_ANNOUNCEMENT = 1, 12, 15
# [MS-BRWS] 2.2.1 and [MS-NRPC] server types.
_ROLES = (
    (0x0000_0001, "workstation"),
    (0x0000_0002, "server"),
    (0x0000_0004, "sql_server"),
    (0x0000_0008, "domain_controller"),
    (0x0000_0010, "backup_domain_controller"),
    (0x0000_0020, "time_source"),
    (0x0000_0200, "print_server"),
    (0x0000_0800, "unix"),
    (0x0004_0000, "master_browser"),
)


class Browser:
    """State what a host announces of itself to the browser of its subnet."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="NetBIOS datagrams with CIFS browser announcements",
        transports=(Transport.UDP,),
        reference="RFC 1002, [MS-BRWS]",
        ports=(138,),
        fields=(
            "browser.name",
            "browser.host_name",
            "browser.domain",
            "browser.os_version",
            "browser.comment",
            "browser.role",
        ),
    )

    def __init__(self) -> None:
        """Keep nothing: every datagram stands alone."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - both sides use port 138
        """Tell whether ``payload`` is a NetBIOS datagram with an encoded source name."""
        return len(payload) >= _HEADER + 34 and payload[0] in _DATAGRAMS and payload[_HEADER] == 0x20

    def feed(self, segment: Segment) -> Iterator[Evidence]:
        """Yield the sender's name and, from an announcement, what it says.

        Raises MalformedInput when names, transaction or announcement are cut short.
        """
        payload = segment.payload
        if len(payload) < _HEADER:
            raise MalformedInput(SOURCE, "datagram is shorter than its header", len(payload))
        if payload[0] not in _DATAGRAMS:
            return
        ip = ipv4_text(payload[4:8]) or segment.src_ip
        mac = segment.src_mac if ip == segment.src_ip else None

        def fact(field: str, value: str) -> Evidence:
            return Evidence(segment.ts_ns, mac, ip, segment.vlan, field, value, SOURCE)

        (name, suffix), offset = _name(payload, _HEADER)
        if name and suffix in (0x00, 0x20):
            yield fact("browser.name", name)
        (group, _), offset = _name(payload, offset)
        for field, value in _announcement(payload, offset, group):
            if value:
                yield fact(field, value)


def _name(payload: bytes, offset: int) -> tuple[tuple[str, int], int]:
    decoded = decode_name(payload[offset + 1 : offset + 33]) if payload[offset : offset + 1] == b" " else None
    end = payload.find(b"\0", offset + 33, offset + 33 + 256)  # behind the scope
    if decoded is None or end < 0:
        raise MalformedInput(SOURCE, "name is not first-level encoded or has no end", offset)
    return decoded, end + 1


def _announcement(payload: bytes, offset: int, group: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of an announcement in an SMB transaction at ``offset``; nothing for others."""
    if payload[offset : offset + 5] != _SMB or len(payload) < offset + 61:
        return
    # Transaction words: DataCount and DataOffset follow at 23 and 25 ([MS-CIFS] 2.2.4.33.1).
    count, data_offset = _WORDS.unpack_from(payload, offset + 33 + 22)
    start = offset + data_offset
    body = payload[start : start + count]
    if b"\\MAILSLOT\\BROWSE\0" not in payload[offset + 61 : start].upper() or not body:
        return
    if body[0] not in (_HOST_ANNOUNCEMENT, _DOMAIN_ANNOUNCEMENT, _LOCAL_MASTER_ANNOUNCEMENT):
        return
    if len(body) < 32:
        raise MalformedInput(SOURCE, "announcement is shorter than its fixed part", start)
    name = printable(body[6:22].partition(b"\0")[0])
    comment = printable(body[32:].partition(b"\0")[0])
    if body[0] == _DOMAIN_ANNOUNCEMENT:
        # Here the name is the domain's, the comment its master browser: the sender itself.
        yield "browser.domain", name
        yield "browser.host_name", comment
        yield "browser.role", "master_browser"
        return
    yield "browser.host_name", name
    yield "browser.domain", group if "__MSBROWSE__" not in group else ""
    yield "browser.os_version", f"{body[22]}.{body[23]}"
    yield "browser.comment", comment
    kinds = _TYPE.unpack_from(body, 24)[0]
    for bit, role in _ROLES:
        if kinds & bit:
            yield "browser.role", role


DISSECTOR = Browser
