"""Paging terminals by TAP: who hands pages to whom.

Telocator Alphanumeric Protocol (TAP) 1.8, section 3 (login) and 4 (message blocks), formerly IXO or PET:
the terminal prompts ``ID=``, the entry device answers ESC ``PG1`` and a password, then sends blocks of STX,
fields ended by CR, ETX, ETB or EOT, three octets of checksum, CR. TCP ports are a matter of convention.
Pagers' numbers and texts, which may name patients and staff, are not read.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

MAX_LINE = 2048

_STX = 0x02
_LOGIN = re.compile(rb"\x1bPG([0-9])([^\r]{0,6})\Z")
_PROMPT = b"ID="  # not ended by anything: the terminal waits
_VERSION = re.compile(rb"110 ([0-9]\.[0-9])(?: (.{1,64}))?\Z", re.DOTALL)
_BLOCK_END = re.compile(rb"[\x03\x17\x04\x1f]([\x30-\x3f]{3})\r")


class Tap(Connection):
    """Follow one connection of an entry device to a paging terminal."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="tap",
        title="TAP paging",
        transports=(Transport.TCP,),
        reference="Telocator Alphanumeric Protocol 1.8",
        starts=(b"ID=", b"\x1bPG1", b"\r\x1bPG1", b"\rID="),
        stream_bytes=8 * 1024,
        fields=("tap.role", "tap.service", "tap.version", "tap.terminal", "tap.password", "tap.pages"),
        medical=True,
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell the terminal's prompt or the entry device's login."""
        line = payload[:32].strip(b"\r\n ")
        return line == b"ID=" if not from_client else _LOGIN.match(line.partition(b"\r")[0]) is not None

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read lines of the login, and of blocks that they are whole."""
        while inbox.data:
            if inbox.data[0] == _STX:
                end = _BLOCK_END.search(inbox.data, 0, MAX_LINE)
                if end is None:
                    if len(inbox.data) >= MAX_LINE:
                        raise inbox.malformed(f"a block longer than {MAX_LINE} bytes")
                    return
                self._block(inbox.take(end.end()) or b"", end.start() + 1, inbox)
                continue
            if not from_client and inbox.data.startswith(_PROMPT):
                inbox.take(len(_PROMPT))
                self.said("tap.role", "paging terminal")
                continue
            if inbox.data[0] in b"\r\n ":
                inbox.take(1)
                continue
            end_of_line = inbox.data.find(b"\r", 0, MAX_LINE)
            if end_of_line < 0:
                if len(inbox.data) >= MAX_LINE:
                    raise inbox.malformed(f"a line longer than {MAX_LINE} bytes")
                return
            self._line((inbox.take(end_of_line + 1) or b"")[:-1].strip(b"\n "), from_client)

    def _line(self, line: bytes, from_client: bool) -> None:
        if not from_client:
            if version := _VERSION.match(line):
                self.said("tap.version", printable(version[1]))
                self.said("tap.terminal", printable(version[2] or b""))
        elif login := _LOGIN.match(line):
            self.said("tap.role", "entry device")
            self.said("tap.service", f"PG{printable(login[1])}")
            if login[2].strip():
                self.said("tap.password", "in clear")

    def _block(self, block: bytes, checked: int, inbox: Inbox) -> None:
        """Check a block: the sum of its seven-bit octets, in three octets of four bits each."""
        total = sum(octet & 0x7F for octet in block[:checked]) & 0xFFF
        expected = bytes((0x30 + (total >> 8), 0x30 + (total >> 4 & 15), 0x30 + (total & 15)))
        if block[checked : checked + 3] != expected:
            raise inbox.malformed("the checksum of a block is wrong")
        self.said("tap.pages", "yes")


DISSECTOR = Tap
