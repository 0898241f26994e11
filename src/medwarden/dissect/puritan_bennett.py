"""Puritan Bennett ventilators by their reports, behind a serial-device server: which one it is.

Puritan Bennett 840 and 980 operator's manuals (serial port commands) and the Respironics V200 manual, which
describes the same reports: the host sends ``SNDA`` or ``SNDF`` and CR, the ventilator answers ``MISCA`` or
``MISCF``, the octets from STX to CR, the number of fields, STX, the fields, ETX, CR. The first field is the
time, the second, of 18 characters, identifies the ventilator; the 980 has a room in the third of MISCA.
Others are settings and measurements and are not read.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

MAX_REPORT = 4096

_HEAD = re.compile(rb"MISC([AF])\s*,\s*([0-9]{1,4})\s*,\s*([0-9]{1,3})\s*,\s*\x02")
_COMMANDS = frozenset({b"SNDA", b"SNDF", b"RSET"})
_TIME = re.compile(rb"[0-9]{2}:[0-9]{2}")
_FAMILY = re.compile(r"(840|980)\b")
_ROOM = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,5}\Z")


class PuritanBennett(Connection):
    """Follow one connection to a ventilator."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="puritan_bennett",
        title="Puritan Bennett ventilator reports",
        transports=(Transport.TCP,),
        reference="Puritan Bennett 840 and 980 operator's manuals, serial port commands",
        starts=(b"SNDA\r", b"SNDF\r", b"RSET\r", b"MISCA", b"MISCF"),
        stream_bytes=32 * 1024,
        fields=(
            "puritan_bennett.role",
            "puritan_bennett.ventilator_id",
            "puritan_bennett.model",
            "puritan_bennett.room",
        ),
        medical=True,
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a command that is all of its line, or the head of a report."""
        del from_client
        return payload[:5] in (b"SNDA\r", b"SNDF\r", b"RSET\r") or _HEAD.match(payload[:32]) is not None

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read complete commands and reports: either ends with CR."""
        del from_client
        while inbox.data:
            end = inbox.data.find(b"\r", 0, MAX_REPORT)
            if end < 0:
                if len(inbox.data) >= MAX_REPORT:
                    raise inbox.malformed(f"a report longer than {MAX_REPORT} bytes")
                return
            line = (inbox.take(end + 1) or b"")[:-1].lstrip(b"\n")
            if line in _COMMANDS:
                self.said("puritan_bennett.role", "host")
            elif line:
                self._report(line, inbox)

    def _report(self, line: bytes, inbox: Inbox) -> None:
        head = _HEAD.match(line)
        if head is None or not line.endswith(b"\x03"):
            raise inbox.malformed("neither a command nor a report")
        fields = line[head.end() : -1].split(b",")
        if len(fields) < 3 or not _TIME.match(fields[0].strip()):
            raise inbox.malformed("a report without time and ventilator")
        self.said("puritan_bennett.role", "ventilator")
        identity = printable(fields[1][:18])
        self.said("puritan_bennett.ventilator_id", identity)
        family = _FAMILY.match(identity)
        if family is not None:
            self.said("puritan_bennett.model", f"Puritan Bennett {family[1]}")
            room = printable(fields[2][:6])
            if head[1] == b"A" and family[1] == "980" and _ROOM.match(room):
                self.said("puritan_bennett.room", room)


DISSECTOR = PuritanBennett
