"""SMTP submission and relay: the greeting, the name a client gives itself, and log-ins in clear.

RFC 5321 sections 3.1 (greeting) and 4.1.1.1 (EHLO), RFC 4954 (AUTH), RFC 3207 (STARTTLS). Addresses,
credentials and messages are not read.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.dissect.tls import TlsDissector
from medwarden.model.segment import DissectorManifest, Transport

_LINE_LIMIT = 4096


class SmtpDissector(Connection):
    """Follow a session up to its first mail or to TLS."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="smtp",
        title="Simple Mail Transfer Protocol",
        transports=(Transport.TCP,),
        reference="RFC 5321, RFC 4954, RFC 3207",
        ports=(25, 587, 2525),
        starts=(b"220 ", b"220-"),
        stream_bytes=8192,
        fields=("smtp.banner", "smtp.helo", "smtp.login", *TlsDissector.manifest.fields),
    )

    def __init__(self) -> None:
        super().__init__()
        self._greeted = False
        self._asked_for_tls = False

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload is the greeting of a mail server or a client's EHLO."""
        if from_client:
            return payload[:5].upper() in (b"EHLO ", b"HELO ")
        return payload.startswith((b"220 ", b"220-")) and b"SMTP" in payload.upper()

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the complete lines of one direction."""
        while not inbox.deaf and self._inner is None and (line := inbox.line(_LINE_LIMIT)) is not None:
            if from_client:
                self._command(line)
            else:
                self._reply(line)

    def _command(self, line: bytes) -> None:
        verb, _, argument = line.partition(b" ")
        verb = verb.upper()
        if verb in (b"EHLO", b"HELO"):
            self.said("smtp.helo", printable(argument))
        elif verb == b"AUTH" and argument[:5].upper() in (b"PLAIN", b"LOGIN"):
            self.said("smtp.login", "clear-text")
            self.client.close()  # what follows is the credential
        elif verb == b"STARTTLS":
            self._asked_for_tls = True
        elif verb in (b"MAIL", b"QUIT"):
            self.close()
        elif not verb.isalpha() or len(verb) > 8:
            raise self.client.malformed("no SMTP command")

    def _reply(self, line: bytes) -> None:
        if not line[:3].isdigit() or line[3:4] not in (b" ", b"-", b""):
            raise self.server.malformed("no SMTP reply")
        if not self._greeted:
            self._greeted = True
            self.said("smtp.banner", printable(line[4:]))
        elif self._asked_for_tls and line.startswith(b"220"):
            self.become(TlsDissector())


DISSECTOR = SmtpDissector
