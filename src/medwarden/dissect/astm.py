"""Laboratory instruments by ASTM E1381 framing and E1394 records: who sends, in which version.

ASTM E1381-02 / CLSI LIS1-A (frames) and ASTM E1394-97 / CLSI LIS2-A2 (records) over a TCP connection,
as publicly described; not checked against a real analyser. Only the header record is told; of patient
records (P) that there were some, of results (R) who sent them, of comments nothing.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

MAX_FRAME_BYTES = 64 * 1024
"""Longest frame read; E1381 allows 247, LIS1-A 64,000 characters."""
MAX_HEADER_BYTES = 4096

_STX, _ETX, _EOT, _ENQ, _ACK, _NAK, _ETB = 0x02, 0x03, 0x04, 0x05, 0x06, 0x15, 0x17
_FRAME_END = re.compile(rb"[\x03\x17]")
_FIRST_FRAME = re.compile(rb"\x05*\x02[0-7]H([^A-Za-z0-9\x00-\x1f])[^A-Za-z0-9\x00-\x1f]{2,4}")
_VERSION = re.compile(r"[A-Za-z0-9. -]{1,24}\Z")


class _Side:
    """One direction: the record that a frame left open, and whether it is a header."""

    __slots__ = ("record", "scanned", "skipping")

    def __init__(self) -> None:
        self.record = b""
        self.scanned = 0
        self.skipping = False


class Astm(Connection):
    """Follow one connection of an instrument and tell its header records."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="astm",
        title="ASTM E1381/E1394 (LIS1-A/LIS2-A)",
        transports=(Transport.TCP,),
        reference="ASTM E1381-02, ASTM E1394-97; CLSI LIS1-A, LIS2-A2",
        starts=(b"\x05", b"\x02"),
        stream_bytes=16 * 1024,
        fields=(
            "astm.sender",
            "astm.receiver",
            "astm.role",
            "astm.processing_id",
            "astm.version",
            "astm.patient_data",
        ),
        medical=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self._sides = {True: _Side(), False: _Side()}

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a first frame with a header record, after any number of enquiries."""
        del from_client
        return _FIRST_FRAME.match(payload[:64]) is not None

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read control characters and complete frames."""
        side = self._sides[from_client]
        while inbox.data:
            first = inbox.data[0]
            if first == _STX:
                if not self._frame(inbox, side):
                    return
            elif first in (_ENQ, _EOT, _ACK, _NAK):
                # A new session, or its end: a record left open is not continued.
                if first in (_ENQ, _EOT):
                    side.record = b""
                inbox.take(1)
            else:
                raise inbox.malformed(f"0x{first:02x} between frames")

    def _frame(self, inbox: Inbox, side: _Side) -> bool:
        """Consume STX, number, text, ETX or ETB, checksum, CR, LF; False when more is needed."""
        end = _FRAME_END.search(inbox.data, side.scanned)
        if end is None:
            side.scanned = len(inbox.data)
            if side.scanned > MAX_FRAME_BYTES:
                raise inbox.malformed(f"a frame longer than {MAX_FRAME_BYTES} bytes")
            return False
        side.scanned = end.start()
        if len(inbox.data) < end.end() + 4:
            return False
        frame = inbox.take(end.end() + 4) or b""
        side.scanned = 0
        text, closing, tail = frame[2:-5], frame[-5], frame[-4:]
        if not 0x30 <= frame[1] <= 0x37 or tail[2:] != b"\r\n":
            raise inbox.malformed("a frame without number, or not ended by CR LF")
        if tail[:2].upper() != b"%02X" % (sum(frame[1:-4]) & 0xFF):
            raise inbox.malformed("the checksum of a frame is wrong")
        *complete, side.record = (side.record + text).split(b"\r")
        for record in complete:
            self._record(record)
        if closing == _ETX:
            self._record(side.record)
            side.record = b""
        # An intermediate frame (ETB) may end in the midst of a record; only a header is worth its bytes.
        elif len(side.record) > MAX_HEADER_BYTES:
            side.record = side.record[:MAX_HEADER_BYTES]
        return True

    def _record(self, record: bytes) -> None:
        kind = record[:1]
        if kind == b"P":
            if any(field.strip() for field in record[2:].split(record[1:2] or b"|")[1:]):
                self.said("astm.patient_data", "yes")
        elif kind == b"R" and record[1:2] and not record[1:2].isalnum():
            self.said("astm.role", "analyser")
            self.heard("astm.role", "host")
        elif kind == b"H" and len(record) > 4 and not record[1:2].isalnum():
            # The field delimiter stands at 2, the component delimiter at 4.
            fields = [*record.split(record[1:2], 14), *[b""] * 14]
            component = record[3:4]
            self.said("astm.sender", _text(fields[4], component))
            self.said("astm.receiver", _text(fields[9], component))
            if len(fields[11]) == 1:
                self.said("astm.processing_id", printable(fields[11]))
            version = printable(fields[12])
            if _VERSION.match(version):
                self.said("astm.version", version)


def _text(field: bytes, component: bytes) -> str:
    """Return the components of a field, most of them maker, model, serial number and version, with ``^``."""
    parts = field[:512].split(component) if component else [field[:512]]
    return "^".join(printable(part) for part in parts).rstrip("^")


DISSECTOR = Astm
