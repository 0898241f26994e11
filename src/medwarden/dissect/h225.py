"""H.323: terminals and gatekeepers of video conferencing, by their call signalling.

ITU-T H.225.0 section 7 over Q.931 messages in TPKT (RFC 1006 section 6). Names and numbers of callers are
not read; the product names a terminal gives stand in packed encoding (X.691) and are not read either, so
this tells that there is a terminal, and nothing of its make.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.model.segment import DissectorManifest, Transport

_LONGEST = 16384
_Q931 = 0x08
_MESSAGES = {
    0x01: "alerting", 0x02: "call proceeding", 0x05: "setup", 0x07: "connect", 0x5A: "release complete",
    0x62: "facility",
}  # fmt: skip


class H225Dissector(Connection):
    """Recognise terminals by their call signalling."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="h225",
        title="H.323 call signalling",
        transports=(Transport.TCP,),
        reference="ITU-T H.225.0, Q.931",
        ports=(1720,),
        stream_bytes=4096,
        fields=("h225.role", "h225.message"),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a Q.931 message with a call reference of two octets in a TPKT packet."""
        del from_client
        return (
            len(payload) >= 9
            and payload[:2] == b"\x03\0"
            and 9 <= int.from_bytes(payload[2:4], "big") <= _LONGEST
            and payload[4:6] == b"\x08\x02"
            and payload[8] in _MESSAGES
        )

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the messages of one direction."""
        while len(inbox.data) >= 4:
            length = int.from_bytes(inbox.data[2:4], "big")
            if inbox.data[:2] != b"\x03\0" or not 4 <= length <= _LONGEST:
                raise inbox.malformed("no TPKT header")
            packet = inbox.take(length)
            if packet is None:
                return
            if length > 9:
                if packet[4] != _Q931:
                    raise inbox.malformed("no Q.931 message")
                name = _MESSAGES.get(packet[5 + 1 + packet[5]])
                if name:
                    self.said("h225.role", "caller" if from_client else "called terminal")
                    self.said("h225.message", name)


DISSECTOR = H225Dissector
