"""Simple Network Paging Protocol: who hands pages to whom.

RFC 1861: sections 4 (commands of level 1 and 2) and 4.1 (replies), TCP port 444. Pagers' numbers, texts and
names of who logs in are not read.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

MAX_LINE = 2048

_COMMANDS = frozenset(
    b"PAGE MESS RESE SEND QUIT HELP DATA LOGI LEVE ALER COVE HOLD CALL SUBJ 2WAY PING EXPT NOQU ACKR RTYP "
    b"MCRE MSTA KTAG".split()
)


class Snpp(Connection):
    """Follow one connection of a paging client to its server."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="snpp",
        title="Simple Network Paging Protocol",
        transports=(Transport.TCP,),
        reference="RFC 1861",
        ports=(444,),
        stream_bytes=8 * 1024,
        fields=("snpp.role", "snpp.banner", "snpp.login", "snpp.pages"),
        medical=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self._greeted = False
        self._text = False

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a greeting that names the protocol, or a command."""
        if from_client:
            verb, _, rest = payload[:64].partition(b" ")
            return verb.strip().upper() in _COMMANDS and (bool(rest) or b"\r" in payload)
        return payload.startswith(b"220") and b"SNPP" in payload[:256].upper()

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read lines; those of a message's text are passed over."""
        while (line := inbox.line(MAX_LINE)) is not None:
            if from_client:
                self._command(line, inbox)
            else:
                self._reply(line, inbox)

    def _command(self, line: bytes, inbox: Inbox) -> None:
        if self._text:
            self._text = line != b"."
            return
        verb, _, argument = line.partition(b" ")
        verb = verb.upper()
        if verb not in _COMMANDS:
            raise inbox.malformed("no SNPP command")
        self.said("snpp.role", "client")
        if verb == b"DATA":
            self._text = True
        elif verb == b"LOGI" and b" " in argument.strip():
            self.said("snpp.login", "in clear")
        elif verb == b"SEND":
            self.said("snpp.pages", "yes")

    def _reply(self, line: bytes, inbox: Inbox) -> None:
        if not line[:3].isdigit():
            raise inbox.malformed("no SNPP reply")
        if not self._greeted:
            self._greeted = True
            if line.startswith(b"220"):
                self.said("snpp.role", "server")
                self.said("snpp.banner", printable(line[4:]))


DISSECTOR = Snpp
