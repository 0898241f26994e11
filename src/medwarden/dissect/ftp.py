"""FTP control connections: the greeting, the system type, and whether a log-in crosses in clear.

RFC 959 sections 4.2 (replies) and 5.3 (commands), RFC 4217 section 4 (AUTH TLS). Names and passwords are not
read.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.dissect.tls import TlsDissector
from medwarden.model.segment import DissectorManifest, Transport

_LINE_LIMIT = 4096
_GREETING_LINES = 16


class FtpDissector(Connection):
    """Follow commands and replies; after a granted AUTH TLS, the TLS handshake."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="ftp",
        title="File Transfer Protocol",
        transports=(Transport.TCP,),
        reference="RFC 959, RFC 4217",
        ports=(21, 2121),
        starts=(b"220 ", b"220-"),
        stream_bytes=16384,
        fields=("ftp.banner", "ftp.syst", "ftp.login", "ftp.client", *TlsDissector.manifest.fields),
    )

    def __init__(self) -> None:
        super().__init__()
        self._greeting: list[str] | None = []
        self._open_code = b""
        self._anonymous = False

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload is a greeting that is not that of a mail server, or a USER command."""
        if from_client:
            return payload[:5].upper() in (b"USER ", b"AUTH ")
        return payload.startswith((b"220 ", b"220-")) and b"SMTP" not in payload.upper()

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the complete lines of one direction."""
        while not inbox.deaf and self._inner is None and (line := inbox.line(_LINE_LIMIT)) is not None:
            if from_client:
                self._command(line)
            else:
                self._reply(line, inbox)

    def _command(self, line: bytes) -> None:
        verb, _, argument = line.lstrip(b"\xff\xf4\xf2").partition(b" ")
        verb = verb.upper()
        if not verb.isalpha() or not 3 <= len(verb) <= 4:
            raise self.client.malformed("no FTP command")
        if verb == b"USER":
            self._anonymous = argument.strip().lower() in (b"anonymous", b"ftp")
        elif verb == b"PASS":
            self.said("ftp.login", "anonymous" if self._anonymous else "clear-text")
        elif verb == b"CLNT":
            self.said("ftp.client", printable(argument))

    def _reply(self, line: bytes, inbox: Inbox) -> None:
        code, mark, words = line[:3], line[3:4], printable(line[4:])
        if self._open_code:  # RFC 959 section 4.2: a reply of many lines ends with its code and a space
            if code == self._open_code and mark == b" ":
                self._open_code = b""
            else:
                self._greet(printable(line) if code != self._open_code else words)
                return
        elif not code.isdigit() or mark not in (b" ", b"-", b""):
            raise inbox.malformed("no FTP reply")
        elif mark == b"-":
            self._open_code = code
        self._greet(words)
        if self._open_code:
            return
        if self._greeting is not None:
            if code == b"220":
                self.said("ftp.banner", " ".join(self._greeting))
            self._greeting = None
        if code == b"215":
            self.said("ftp.syst", words)
        elif code == b"331" and not self._anonymous:
            self.said("ftp.login", "clear-text")
        elif code == b"234":
            self.become(TlsDissector())

    def _greet(self, words: str) -> None:
        if self._greeting is not None and words and len(self._greeting) < _GREETING_LINES:
            self._greeting.append(words)


DISSECTOR = FtpDissector
