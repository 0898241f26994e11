"""TeamViewer: machines that let somebody in from afar, by the framing of its own protocol on port 5938.

TeamViewer publishes no wire format; recognised by port and the two octets that begin each message of its
versions (0x1724 and 0x1130), as public descriptions of captures agree. Nothing else is read.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.model.segment import DissectorManifest, Transport

_MAGIC = (b"\x17\x24", b"\x11\x30")


class TeamviewerDissector(Connection):
    """Recognise either side."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="teamviewer",
        title="TeamViewer",
        transports=(Transport.TCP, Transport.UDP),
        reference="No publication; framing as captured",
        ports=(5938,),
        stream_bytes=64,
        fields=("teamviewer.role",),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell nothing of other ports: two octets alone would claim what is not TeamViewer's."""
        del payload, from_client
        return False

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the first octets of one direction."""
        start = inbox.take(2)
        if start is not None:
            self._begin(start, from_client)
            inbox.close()

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read the first octets of one datagram."""
        if len(payload) < 12:
            return
        self._begin(payload[:2] if payload[:2] in _MAGIC else payload[10:12], from_client)

    def _begin(self, start: bytes, from_client: bool) -> None:
        if start not in _MAGIC:
            raise self.malformed("no TeamViewer message", 0)
        self.said("teamviewer.role", "client" if from_client else "server")


DISSECTOR = TeamviewerDissector
