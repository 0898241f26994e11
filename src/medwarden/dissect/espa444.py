"""Nurse call, fire and paging systems by ESPA 4.4.4 over TCP: who calls and who pages.

ESPA publication 4.4.4 (1984), sections 3 (polling, selecting, blocks after ISO 1745) and 4 (headers and
records): SOH, header, STX, records of type, US and data between RS, ETX, a checksum that is the exclusive
or of all that follows SOH. Written for serial lines and carried unchanged by serial-device servers. What is
displayed and which address is called may name a patient's room or a nurse: of records only their types are
looked at.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import xor
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.model.segment import DissectorManifest, Transport

MAX_BLOCK = 2048
MAX_REJECTED = 8

_SOH, _EOT, _ENQ, _ACK, _NAK = 0x01, 0x04, 0x05, 0x06, 0x15
_HEADERS = {
    b"1": "call to pager",
    b"2": "status information",
    b"3": "status request",
    b"4": "call subscriber line",
    b"5": "other information",
}
_OPENING = re.compile(rb"(?:\x04?(?:[0-9]\x05){1,2}|[\x04-\x06]{0,2}\x01[1-5]\x02[1-8] ?\x1f)")
_POLL = re.compile(rb"[0-9]")


class Espa444(Connection):
    """Follow one connection between a calling system and a paging system."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="espa444",
        title="ESPA 4.4.4",
        transports=(Transport.TCP,),
        reference="ESPA publication 4.4.4 (1984)",
        starts=(b"\x041\x05", b"\x042\x05", b"1\x052\x05", b"2\x051\x05", b"\x011\x02", b"\x012\x02"),
        stream_bytes=8 * 1024,
        fields=("espa444.role", "espa444.message", "espa444.transmission"),
        medical=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self._rejected = 0

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a poll of the two stations or the head of a block."""
        del from_client
        return _OPENING.match(payload[:16]) is not None

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read polls and complete blocks."""
        del from_client
        while inbox.data:
            first = inbox.data[0]
            if first == _SOH:
                end = inbox.data.find(b"\x03", 0, MAX_BLOCK)
                if end < 0:
                    if len(inbox.data) >= MAX_BLOCK:
                        raise inbox.malformed(f"a block longer than {MAX_BLOCK} bytes")
                    return
                if len(inbox.data) < end + 2:
                    return
                self._block(inbox.take(end + 2) or b"", inbox)
            elif first == _ENQ:
                inbox.take(1)
                self.said("espa444.role", "control station")
            elif first in (_EOT, _ACK, _NAK) or _POLL.match(inbox.data):
                inbox.take(1)
                if first == _NAK:
                    self.said("espa444.transmission", "refused")
            else:
                raise inbox.malformed(f"0x{first:02x} between blocks")

    def _block(self, block: bytes, inbox: Inbox) -> None:
        if block[2:3] != b"\x02" or block[1:2] not in _HEADERS:
            raise inbox.malformed("a block without header")
        if reduce(xor, block[1:-1]) & 0x7F != block[-1] & 0x7F:
            self._rejected += 1
            if self._rejected >= MAX_REJECTED:
                raise inbox.malformed("the checksums of blocks are wrong")
            self.said("espa444.transmission", "corrupt")
            return
        self._rejected = 0
        message = _HEADERS[block[1:2]]
        self.said("espa444.message", message)
        calls = message in ("call to pager", "status request", "call subscriber line")
        if calls:
            self.said("espa444.role", "calling system")
            self.heard("espa444.role", "paging system")
        elif message == "status information":
            self.said("espa444.role", "paging system")


DISSECTOR = Espa444
