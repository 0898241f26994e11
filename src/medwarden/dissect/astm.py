"""Laboratory instruments by ASTM E1381 framing and E1394 records: who sends, which version, and how well.

ASTM E1381-02 / CLSI LIS1-A (frames: establishment, transfer and error recovery of section 6) and ASTM
E1394-97 / CLSI LIS2-A2 (records: sections 6 header, 9 result, 11 request, 12 terminator) over a TCP
connection; also the records alone, as instruments send them where TCP already keeps the bytes in order. Of
the header who sends and receives is told, of results (R) the instrument that made them (R-14), of orders (O)
and requests (Q) that there are some; of patient records (P) that somebody is named, of comments nothing.
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
MAX_REJECTED = 6
"""Wrong frames in a row after which a sender gives up (E1381 section 6.5.1.2)."""

_STX, _ETX, _EOT, _ENQ, _ACK, _NAK, _ETB = 0x02, 0x03, 0x04, 0x05, 0x06, 0x15, 0x17
_FRAME_END = re.compile(rb"[\x03\x17]")
_FIRST_FRAME = re.compile(rb"\x05*\x02[0-7]H([^A-Za-z0-9\x00-\x1f])[^A-Za-z0-9\x00-\x1f]{2,4}")
_FIRST_RECORD = re.compile(rb"H([|!~])(?!\1)[^A-Za-z0-9\x00-\x20]{2,3}\1")
_RECORD_START = re.compile(rb"[HPORCQLMS][|!~]")
_VERSION = re.compile(r"[A-Za-z0-9. -]{1,24}\Z")
_COUNTED = {b"O": "order", b"Q": "request", b"R": "result"}


class _Side:
    """One direction: the record that a frame left open, the frame before, and how many were wrong."""

    __slots__ = ("number", "record", "rejected", "scanned")

    def __init__(self) -> None:
        self.record = b""
        self.scanned = 0
        self.number = -1
        self.rejected = 0

    def begin(self) -> None:
        """Start a session anew, or end it: a record left open is not continued."""
        self.record = b""
        self.number = -1


class Astm(Connection):
    """Follow one connection of an instrument and tell its header, its role and its transmission faults.

    ``astm.transmission`` is ``refused`` of a receiver that answers a frame with NAK, ``repeated`` of a sender
    that sends a frame again, ``corrupt`` of one whose frames have a wrong checksum.
    """

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="astm",
        title="ASTM E1381/E1394 (LIS1-A/LIS2-A)",
        transports=(Transport.TCP,),
        reference="ASTM E1381-02, ASTM E1394-97; CLSI LIS1-A, LIS2-A2",
        starts=(b"\x05", b"\x02", b"H|", b"H!", b"H~"),
        stream_bytes=16 * 1024,
        fields=(
            "astm.sender",
            "astm.receiver",
            "astm.role",
            "astm.processing_id",
            "astm.version",
            "astm.instrument",
            "astm.record",
            "astm.termination",
            "astm.framing",
            "astm.transmission",
            "astm.password",
            "astm.patient_data",
        ),
        medical=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self._sides = {True: _Side(), False: _Side()}

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a first frame with a header record, after any number of enquiries, or a bare header record."""
        del from_client
        head = payload[:64]
        return _FIRST_FRAME.match(head) is not None or _FIRST_RECORD.match(head) is not None

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read control characters, complete frames and bare records."""
        side = self._sides[from_client]
        while inbox.data:
            first = inbox.data[0]
            if first == _STX:
                if not self._frame(inbox, side):
                    return
            elif first in (_ENQ, _EOT, _ACK, _NAK):
                if first in (_ENQ, _EOT):
                    side.begin()
                elif first == _NAK:
                    self.said("astm.transmission", "refused")
                inbox.take(1)
            elif first in b"\r\n":
                inbox.take(1)
            elif len(inbox.data) < 2:
                return
            elif _RECORD_START.match(inbox.data):
                if not self._bare_record(inbox):
                    return
            else:
                raise inbox.malformed(f"0x{first:02x} between frames")

    def _bare_record(self, inbox: Inbox) -> bool:
        """Consume a record sent without a frame; False when its end is missing."""
        end = inbox.data.find(b"\r", 0, MAX_FRAME_BYTES)
        if end < 0:
            if len(inbox.data) >= MAX_FRAME_BYTES:
                raise inbox.malformed(f"a record longer than {MAX_FRAME_BYTES} bytes")
            return False
        self.said("astm.framing", "none")
        self._record((inbox.take(end + 1) or b"")[:-1])
        return True

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
        tail = frame[-4:]
        if not 0x30 <= frame[1] <= 0x37 or tail[2:] != b"\r\n":
            raise inbox.malformed("a frame without number, or not ended by CR LF")
        if tail[:2].upper() != b"%02X" % (sum(frame[1:-4]) & 0xFF):
            # The receiver answers NAK and the sender repeats the frame: that is what the checksum is for.
            side.rejected += 1
            if side.rejected >= MAX_REJECTED:
                raise inbox.malformed("the checksums of frames are wrong")
            self.said("astm.transmission", "corrupt")
            return True
        side.rejected = 0
        self.said("astm.framing", "e1381")
        self._text(side, frame[1], frame[2:-5], frame[-5] == _ETX)
        return True

    def _text(self, side: _Side, number: int, text: bytes, last: bool) -> None:
        """Read the text of a good frame; a number repeated is the frame before, sent again."""
        if number == side.number:
            self.said("astm.transmission", "repeated")
            return
        if side.number >= 0 and number != 0x30 + (side.number - 0x2F) % 8:
            side.record = b""  # frames between are missing: the rest of a record is not its start
        side.number = number
        *complete, side.record = (side.record + text).split(b"\r")
        for record in complete:
            self._record(record)
        if last:
            self._record(side.record)
            side.record = b""
        # An intermediate frame (ETB) may end in the midst of a record; only a header is worth its bytes.
        elif len(side.record) > MAX_HEADER_BYTES:
            side.record = side.record[:MAX_HEADER_BYTES]

    def _record(self, record: bytes) -> None:
        kind, delimiter = record[:1], record[1:2]
        if not delimiter or delimiter.isalnum():
            return
        if kind == b"P":
            if any(field.strip() for field in record[2:].split(delimiter)[1:]):
                self.said("astm.patient_data", "yes")
        elif kind == b"H" and len(record) > 4:
            self._header(record)
        elif kind == b"L":
            fields = record.split(delimiter, 3)
            if len(fields) > 2 and len(fields[2]) == 1:
                self.said("astm.termination", printable(fields[2]))
        elif kind in _COUNTED:
            self.said("astm.record", _COUNTED[kind])
            if kind == b"R":
                self.said("astm.role", "analyser")
                self.heard("astm.role", "host")
                fields = record.split(delimiter, 14)
                if len(fields) > 13:
                    self.said("astm.instrument", printable(fields[13][:512]))

    def _header(self, record: bytes) -> None:
        """Tell a header: the field delimiter stands at 2, the component delimiter at 4 (LIS2-A2 5.4)."""
        fields = [*record.split(record[1:2], 14), *[b""] * 14]
        component = record[3:4]
        self.said("astm.sender", _components(fields[4], component))
        self.said("astm.receiver", _components(fields[9], component))
        if fields[3].strip():
            self.said("astm.password", "in clear")
        if len(fields[11]) == 1:
            self.said("astm.processing_id", printable(fields[11]))
        version = printable(fields[12])
        if _VERSION.match(version):
            self.said("astm.version", version)


def _components(field: bytes, component: bytes) -> str:
    """Return the components of a field, most of them maker, model, serial number and version, with ``^``."""
    parts = field[:512].split(component) if component else [field[:512]]
    return "^".join(printable(part) for part in parts).rstrip("^")


DISSECTOR = Astm
