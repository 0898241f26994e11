"""LPD: which machines print where, by the queue and the host name in the names of their files.

RFC 1179 sections 5 (commands) and 6 (subcommands of receiving a job; 6.2: a control file is named ``cfA``,
three digits, host). Files and the names of those who print are not read.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_PRINT, _RECEIVE, _SHORT, _LONG, _REMOVE = range(1, 6)
_CONTROL_FILE, _DATA_FILE = 2, 3
_LINE_LIMIT = 512
_FILE = re.compile(rb"(\d{1,12}) [cd]f[A-Za-z](\d{3})([\x21-\x7e]{1,255})")


class LpdDissector(Connection):
    """Read the queue that is printed to and the name of the machine that prints."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="lpd",
        title="Line Printer Daemon",
        transports=(Transport.TCP,),
        reference="RFC 1179",
        ports=(515,),
        stream_bytes=4096,
        fields=("lpd.role", "lpd.queue", "lpd.host_name"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._receiving = False

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a command by its code and the queue behind it."""
        if not from_client or len(payload) < 3 or not _PRINT <= payload[0] <= _REMOVE:
            return False
        line, ended, _ = payload[1:].partition(b"\n")
        return bool(ended) and line.isascii() and line.decode("ascii").isprintable()

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the lines of the client; a server answers single octets."""
        if not from_client:
            inbox.close()
            return
        while inbox.data and (line := inbox.line(_LINE_LIMIT)) is not None:
            code, rest = line[:1], line[1:]
            if not self._receiving:
                if not code or not _PRINT <= code[0] <= _REMOVE:
                    raise inbox.malformed("no command of a line printer")
                self._receiving = code[0] == _RECEIVE
                self.said("lpd.role", "client")
                self.heard("lpd.role", "printer")
                self.heard("lpd.queue", printable(rest.partition(b" ")[0]))
                continue
            found = _FILE.fullmatch(rest)
            if code[:1] not in (b"\x02", b"\x03") or found is None:
                inbox.close()
                return
            self.said("lpd.host_name", printable(found[3]))
            inbox.discard(int(found[1]) + 1)


DISSECTOR = LpdDissector
