"""Telnet: what a console shows before it asks who is there, and that it asks in clear.

RFC 854 (IAC sequences), RFC 855 (subnegotiation), RFC 1091 (terminal type), RFC 885 and RFC 1184 (commands
below SE). Reading stops at the prompt, so neither names nor passwords nor anything shown after a log-in is
ever seen; a banner is told only of a session seen from its negotiation on in which nobody typed yet.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_END_OF_FILE, _SE, _SB, _WILL, _DONT, _IAC = 236, 240, 250, 251, 254, 255
_TERMINAL_TYPE = 24
_SHOWN_LIMIT = 4096
_SUBNEGOTIATION_LIMIT = 1024
_PROMPTS = (
    b"login:",
    b"login :",
    b"username:",
    b"user name:",
    b"user:",
    b"password:",
    b"user id:",
    b"account:",
)
_LONGEST_PROMPT = max(map(len, _PROMPTS))


class TelnetDissector(Connection):
    """Collect what the server shows up to its first prompt for a name or password."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="telnet",
        title="Telnet",
        transports=(Transport.TCP,),
        reference="RFC 854, RFC 855, RFC 1091",
        ports=(23, 2323, 992),
        starts=tuple(bytes((_IAC, verb)) for verb in range(_WILL, _IAC)),
        stream_bytes=8192,
        fields=("telnet.banner", "telnet.login", "telnet.terminal_type"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._shown = bytearray()
        self._negotiated = False
        self._typed = False

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with an option negotiation."""
        del from_client
        return len(payload) >= 3 and payload[0] == _IAC and _WILL <= payload[1] <= _DONT

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Take IAC sequences out of one direction and keep what a server shows."""
        data = inbox.data
        at = 0
        while at < len(data):
            command = data.find(_IAC, at)
            text_end = len(data) if command < 0 else command
            if text_end > at:
                if from_client:
                    self._typed = True
                elif self._show(bytes(data[at:text_end])):
                    return
            at = text_end
            if command < 0:
                break
            length = self._sequence(inbox, at)
            if not length:
                break
            at += length
        inbox.discard(at)

    def _sequence(self, inbox: Inbox, at: int) -> int:
        """Return the length of the IAC sequence at ``at``, or 0 while it is incomplete."""
        data = inbox.data
        if at + 1 >= len(data):
            return 0
        verb = data[at + 1]
        if verb == _SB:
            end = data.find(bytes((_IAC, _SE)), at + 2, at + _SUBNEGOTIATION_LIMIT)
            if end < 0:
                if len(data) - at >= _SUBNEGOTIATION_LIMIT:
                    raise inbox.malformed("a subnegotiation without an end")
                return 0
            # A terminal tells a new size at any time; a server asks before anybody is in.
            self._negotiated |= inbox is self.server
            if data[at + 2] == _TERMINAL_TYPE and data[at + 3] == 0:
                self.said("telnet.terminal_type", printable(bytes(data[at + 4 : end])))
            return end + 2 - at
        if _WILL <= verb <= _DONT:
            self._negotiated = True
            return 3 if at + 2 < len(data) else 0
        if verb < _END_OF_FILE:
            raise inbox.malformed("no telnet command")
        return 2

    def _show(self, text: bytes) -> bool:
        """Add ``text`` to what was shown; return true when a prompt ends it."""
        start = max(len(self._shown) - _LONGEST_PROMPT, 0)
        self._shown += text
        shown = bytes(self._shown[start:_SHOWN_LIMIT]).lower()
        ends = [end for prompt in _PROMPTS if (end := shown.find(prompt)) >= 0]
        if ends:
            banner = bytes(self._shown[: start + min(ends)])
            if self._negotiated and not self._typed:
                self.said("telnet.banner", " ".join(printable(banner).split()))
            self.said("telnet.login", "prompt")
            self.close()
            return True
        if len(self._shown) >= _SHOWN_LIMIT:
            self.close()
            return True
        return False


DISSECTOR = TelnetDissector
