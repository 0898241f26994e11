"""Take people out of datagrams: what tells of machines stays, what may tell of people goes.

DHCP, DNS and its relatives, NTP, SSDP and BACnet say what machines are called and are kept where they are
well formed (names that people gave their machines among them). Communities and unknown objects of SNMP
(RFC 3416), the text of syslog (RFC 5424), scopes of WS-Discovery and data of bedside monitors are
overwritten, and so is everything else.
"""

from __future__ import annotations

import re
import struct

from medwarden.dissect import ber
from medwarden.dissect.bacnet import BacnetDissector
from medwarden.dissect.dhcp import DISSECTOR as DHCP
from medwarden.dissect.sanitise_draft import Draft
from medwarden.dissect.sanitise_xml import clean_xml
from medwarden.kernel.errors import MalformedInput

_DNS = frozenset({53, 5353, 5355, 137})
_HARMLESS_OBJECTS = (
    "1.3.6.1.2.1.1.1.",
    "1.3.6.1.2.1.1.2.",
    "1.3.6.1.2.1.1.3.",
    "1.3.6.1.2.1.1.5.",
    "1.3.6.1.2.1.47.1.1.1.1.",
    "1.3.6.1.2.1.43.5.1.1.16.",
    "1.3.6.1.2.1.43.5.1.1.17.",
    "1.3.6.1.2.1.25.3.2.1.3.",
    "1.3.6.1.6.3.1.1.4.1.",
)
_BACNET = frozenset(range(47808, 47824))
_SSDP = re.compile(rb"(NOTIFY|M-SEARCH|HTTP/1\.1)[ -~\r\n\t]*\Z")
_PRIORITY = re.compile(rb"<\d{1,3}>")


def clean_datagram(draft: Draft, ports: frozenset[int]) -> bool:
    """Write what may stay of one datagram into its draft; tell whether its protocol is known."""
    data = draft.data
    if ports & {67, 68} and DHCP.recognises(data, True):
        _dhcp(draft)
    elif _is_of_machines(data, ports):
        draft.keep(0, len(data))
    elif 123 in ports and len(data) >= 48 and data[0] >> 3 & 7 in (1, 2, 3, 4):
        draft.keep(0, 48)
    elif ports & {161, 162} and data[:1] == b"\x30":
        _snmp(draft)
    elif 514 in ports and (match := _PRIORITY.match(data)):
        draft.keep(0, match.end())
        draft.fill(match.end(), len(data), "syslog text")
    elif 3702 in ports and data.lstrip()[:1] == b"<":
        clean_xml(draft, 0, len(data))
    else:
        return False
    return True


def _is_of_machines(data: bytes, ports: frozenset[int]) -> bool:
    """Tell whether a datagram is of a protocol in which machines speak of machines, and well formed."""
    if ports & _DNS:
        return _is_dns(data)
    if ports & {546, 547}:
        return bool(data) and data[0] <= 13
    if 1900 in ports:
        return _SSDP.match(data) is not None
    if ports & _BACNET:
        return BacnetDissector.recognises(data, True)
    # An IntelliVue connect indication; what follows an association may tell of the patient.
    return 24005 in ports and data.startswith(b"\0\0\1\0")


def _dhcp(draft: Draft) -> None:
    """Keep the fixed part and the options up to their end; what stands after it is overwritten (RFC 2131)."""
    data = draft.data
    at = 240
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
        elif at + 1 < len(data):
            at += 2 + data[at + 1]
        else:
            break
    if at < len(data) and data[at] == 255:
        draft.keep(0, at + 1)
        draft.put(at + 1, bytes(len(data) - at - 1))
    else:
        draft.keep(0, min(240, len(data)))


def _is_dns(data: bytes) -> bool:
    """Tell whether all records of a message fill it exactly (RFC 1035 section 4.1)."""
    if len(data) < 12:
        return False
    counts = struct.unpack_from(">4H", data, 4)
    at = 12
    try:
        for number, count in enumerate(counts):
            for _ in range(count):
                at = _skip_name(data, at)
                at += 4 if number == 0 else 10 + struct.unpack_from(">H", data, at + 8)[0]
    except (IndexError, struct.error):
        return False
    return at == len(data)


def _skip_name(data: bytes, at: int) -> int:
    while True:
        length = data[at]
        if length == 0:
            return at + 1
        if length & 0xC0 == 0xC0:
            return at + 2
        if length & 0xC0:
            raise IndexError("no label")
        at += 1 + length


def _snmp(draft: Draft) -> None:
    """Keep the frame, overwrite the community, and the values of objects that are not known harmless."""
    data, source = draft.data, "sanitise"
    try:
        message = ber.expect(data, 0, len(data), ber.SEQUENCE, source)
        version = ber.expect(data, message.start, message.end, ber.INTEGER, source)
        community = ber.expect(data, version.end, message.end, ber.OCTET_STRING, source)
        pdu = ber.read_tlv(data, community.end, message.end, source)
        offset = pdu.start
        if pdu.tag == 0xA4 or ber.read_integer(data, version, source) not in (0, 1):
            draft.keep(0, community.start)  # a trap of version 1; users of version 3 stay unread
            draft.fill(community.start, community.end, "snmp community")
            return
        for _ in range(3):
            offset = ber.expect(data, offset, pdu.end, ber.INTEGER, source).end
        bindings = ber.expect(data, offset, pdu.end, ber.SEQUENCE, source)
        parts = []
        for binding in ber.children(data, bindings.start, bindings.end, source, 512):
            name = ber.expect(data, binding.start, binding.end, ber.OBJECT_IDENTIFIER, source)
            value = ber.read_tlv(data, name.end, binding.end, source)
            parts.append((ber.read_oid(data, name, source), name, value))
    except MalformedInput:
        draft.counts["snmp message that is none"] += 1
        return
    draft.keep(0, community.start)
    draft.fill(community.start, community.end, "snmp community")
    draft.keep(community.end, bindings.start)
    for oid, name, value in parts:
        draft.keep(_header_before(data, name.start, bindings.start), value.start)
        if oid.startswith(_HARMLESS_OBJECTS) or value.end - value.start == 0:
            draft.keep(value.start, value.end)
        else:
            draft.fill(value.start, value.end, "snmp value")


def _header_before(data: bytes, name_at: int, floor: int) -> int:
    """Return where the sequence around a name begins: at most two headers of six octets before it."""
    for at in range(max(floor, name_at - 12), name_at):
        if data[at] != ber.SEQUENCE:
            continue
        try:
            outer = ber.read_tlv(data, at, len(data), "sanitise")
            inner = ber.read_tlv(data, outer.start, outer.end, "sanitise")
        except MalformedInput:
            continue
        if inner.tag == ber.OBJECT_IDENTIFIER and inner.start == name_at:
            return at
    return name_at
