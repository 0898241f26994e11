"""DNP3: masters and outstations of power and plant, and what an outstation says it is.

IEEE 1815-2012 clauses 9 (data link: start octets, length, control, addresses, CRC), 8 (transport), 4 and
A.1 (group 0, device attributes). Values of points are not read; of an answer, its first fragment.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_START = b"\x05\x64"
_HEADER, _BLOCK = 10, 16
_FROM_MASTER = 0x80
_RESPONSE, _UNSOLICITED = 0x81, 0x82
_WHOLE = 0xC0  # transport: first and final fragment
_TEXT = 1  # attribute data type VSTR
_ATTRIBUTES = {
    242: "dnp3.software_version",
    243: "dnp3.hardware_version",
    245: "dnp3.location",
    247: "dnp3.device_name",
    248: "dnp3.serial_number",
    250: "dnp3.product",
    252: "dnp3.manufacturer",
}


@cache
def _table() -> tuple[int, ...]:
    """Return the CRC of each octet (clause 9.2.4.3: polynomial 0x3D65, reflected 0xA6BC)."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xA6BC if value & 1 else 0)
        table.append(value)
    return tuple(table)


def crc(data: bytes) -> int:
    """Return the check sum of a block."""
    table, value = _table(), 0
    for octet in data:
        value = value >> 8 ^ table[(value ^ octet) & 0xFF]
    return value ^ 0xFFFF


class Dnp3Dissector(Connection):
    """Read link headers, and device attributes that an outstation answers with."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="dnp3",
        title="DNP3",
        transports=(Transport.TCP, Transport.UDP),
        reference="IEEE 1815-2012",
        ports=(20000,),
        starts=(_START,),
        stream_bytes=16384,
        fields=("dnp3.role", "dnp3.address", *_ATTRIBUTES.values()),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a frame by its start octets and the check sum of its header."""
        del from_client
        return (
            len(payload) >= _HEADER
            and payload[:2] == _START
            and payload[2] >= 5
            and crc(payload[:8]) == int.from_bytes(payload[8:10], "little")
        )

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the frames of one direction of a stream."""
        del from_client
        while len(inbox.data) >= _HEADER:
            if inbox.data[:2] != _START or inbox.data[2] < 5:
                raise inbox.malformed("no DNP3 frame")
            frame = inbox.take(_length(inbox.data[2]))
            if frame is None:
                return
            self._frame(frame)

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read the frames of one datagram."""
        del from_client
        at = 0
        while at < len(payload):
            if payload[at : at + 2] != _START or len(payload) < at + _HEADER or payload[at + 2] < 5:
                raise self.malformed("no DNP3 frame", at)
            end = at + _length(payload[at + 2])
            if end > len(payload):
                raise self.malformed("a frame reaches beyond its datagram", at)
            self._frame(payload[at:end])
            at = end

    def _frame(self, frame: bytes) -> None:
        if crc(frame[:8]) != int.from_bytes(frame[8:10], "little"):
            raise self.malformed("a link header with a wrong check sum")
        control = frame[3]
        self.said("dnp3.role", "master" if control & _FROM_MASTER else "outstation")
        self.said("dnp3.address", str(int.from_bytes(frame[6:8], "little")))
        if control & _FROM_MASTER:
            return
        body = bytearray()
        for at in range(_HEADER, len(frame), _BLOCK + 2):
            block = frame[at : min(at + _BLOCK, len(frame) - 2)]
            check = frame[at + len(block) : at + len(block) + 2]
            if crc(block) != int.from_bytes(check, "little"):
                raise self.malformed("a block with a wrong check sum", at)
            body += block
        if len(body) > 5 and body[0] & _WHOLE == _WHOLE and body[2] in (_RESPONSE, _UNSOLICITED):
            self.said_all(_attributes(bytes(body), 5))


def _length(stated: int) -> int:
    """Return the octets of a frame: header, user data, and two for each block of 16."""
    data = stated - 5
    return _HEADER + data + 2 * ((data + _BLOCK - 1) // _BLOCK)


def _attributes(body: bytes, at: int) -> Iterator[tuple[str, str]]:
    """Yield the texts among objects of group 0 at the front of an answer (qualifier 0: one octet each)."""
    while at + 7 <= len(body) and body[at] == 0 and body[at + 2] == 0:
        variation, first, last, kind, length = struct.unpack_from("BxBBBB", body, at + 1)
        value = body[at + 7 : at + 7 + length]
        if first != last or len(value) < length:
            return
        field = _ATTRIBUTES.get(variation)
        if field and kind == _TEXT and (text := printable(value)):
            yield field, text
        at += 7 + length


DISSECTOR = Dnp3Dissector
