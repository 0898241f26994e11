"""Cut a stream into the segments of HL7 v2 messages framed by the minimal lower layer protocol.

HL7 Version 2 transport specification: MLLP, release 1 (<SB> block <EB> <CR>) and the commit
acknowledgements of release 2. Devices that leave the frame away and send bare segments are read too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from medwarden.dissect.connection import Inbox

START_BLOCK, END_BLOCK = 0x0B, 0x1C
MAX_SEGMENT_BYTES = 16 * 1024
"""Longer segments (embedded documents and waveforms) are passed over."""
HEADERS = (b"MSH", b"FHS", b"BHS")

_DELIMITER = re.compile(rb"[\r\n\x0b\x1c]")
_COMMIT_ACKNOWLEDGEMENTS = (b"\x06", b"\x15")


class MllpReader:
    """Read one direction; a block may come in any number of pieces.

    ``bare`` turns true once segments came without a frame around them.
    """

    __slots__ = ("_expects_header", "_inbox", "_inside", "_oversize", "_scanned", "bare")

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._inside = False
        self._expects_header = False
        self._oversize = False
        self._scanned = 0
        self.bare = False

    def segments(self) -> Iterator[bytes]:
        """Yield the complete segments at hand, without their terminators, and b"" where a block ends.

        Raises MalformedInput where the framing is broken: bytes between blocks, a block that begins
        within a block, or one that does not begin with a header segment.
        """
        inbox = self._inbox
        while inbox.data:
            if not self._inside and not self._enter():
                return
            found = _DELIMITER.search(inbox.data, self._scanned)
            if found is None:
                self._pass_over()
                return
            segment = inbox.take(found.start()) or b""
            self._scanned = 0
            if inbox.data[0] == START_BLOCK:
                raise inbox.malformed("a block begins within a block")
            self._inside = inbox.data[0] != END_BLOCK
            inbox.take(1)
            oversize = self._oversize or len(segment) > MAX_SEGMENT_BYTES
            self._oversize = False
            if segment and not oversize and self._is_content(segment):
                yield segment
            if not self._inside:
                yield b""

    def _enter(self) -> bool:
        """Consume what stands before a block and its start; False when more bytes are needed."""
        inbox = self._inbox
        while inbox.data and inbox.data[0] in b"\r\n":
            inbox.take(1)
        if not inbox.data:
            return False
        if inbox.data[0] == START_BLOCK:
            inbox.take(1)
        elif len(inbox.data) < 3 and any(header.startswith(inbox.data) for header in HEADERS):
            return False
        elif not inbox.data.startswith(HEADERS):
            raise inbox.malformed("bytes outside a block")
        else:
            self.bare = True
        self._inside = self._expects_header = True
        return bool(inbox.data)

    def _pass_over(self) -> None:
        self._scanned = len(self._inbox.data)
        if self._scanned > MAX_SEGMENT_BYTES:
            self._inbox.take(self._scanned)
            self._scanned = 0
            self._oversize = True

    def _is_content(self, segment: bytes) -> bool:
        """Check the first segment of a block; tell whether ``segment`` is one and no acknowledgement."""
        if not self._expects_header:
            return True
        self._expects_header = False
        if segment in _COMMIT_ACKNOWLEDGEMENTS:
            return False
        if not segment.startswith(HEADERS):
            raise self._inbox.malformed("a block does not begin with MSH, FHS or BHS")
        return True
