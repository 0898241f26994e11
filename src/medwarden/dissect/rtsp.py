"""RTSP: what cameras, encoders and recorders run.

RFC 2326 sections 4, 10.12 (interleaved data), 12.36 (Server), 12.41 (User-Agent); RFC 7826 for version 2.0.
Paths are not read.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.text_message import TextHead, take_head
from medwarden.model.segment import DissectorManifest, Transport

_METHODS = (
    b"OPTIONS ", b"DESCRIBE ", b"SETUP ", b"PLAY ", b"PAUSE ", b"TEARDOWN ", b"ANNOUNCE ", b"GET_PARAMETER ",
    b"SET_PARAMETER ", b"RECORD ",
)  # fmt: skip


class RtspDissector(Connection):
    """Read heads of requests and responses between interleaved media."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="rtsp",
        title="Real Time Streaming Protocol",
        transports=(Transport.TCP,),
        reference="RFC 2326, RFC 7826",
        ports=(554, 8554, 7070),
        starts=(b"RTSP/", b"DESCRIBE ", b"SETUP ", b"ANNOUNCE "),
        stream_bytes=8192,
        fields=("rtsp.server", "rtsp.user_agent", "rtsp.realm", "rtsp.auth_scheme"),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with a request or status line of RTSP."""
        del from_client
        if payload.startswith(b"RTSP/"):
            return True
        return payload.startswith(_METHODS) and b" RTSP/" in payload.partition(b"\n")[0]

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the messages of one direction."""
        del from_client
        while inbox.data:
            if inbox.data[0] == ord("$"):
                if len(inbox.data) < 4:
                    return
                inbox.discard(4 + int.from_bytes(inbox.data[2:4], "big"))
                continue
            head = take_head(inbox, {})
            if head is None:
                return
            self._head(head)
            inbox.discard(head.length("rtsp"))

    def _head(self, head: TextHead) -> None:
        if not head.start.startswith("RTSP/") and "RTSP/" not in head.start.rpartition(" ")[2]:
            raise self.malformed("no RTSP start line")
        self.said("rtsp.server", head.fields.get("server", ""))
        self.said("rtsp.user_agent", head.fields.get("user-agent", ""))
        challenge = head.fields.get("www-authenticate", "")
        for value in (challenge, head.fields.get("authorization", "")):
            self.said("rtsp.auth_scheme", value.partition(" ")[0].lower())
        self.said("rtsp.realm", challenge.partition('realm="')[2].partition('"')[0])


DISSECTOR = RtspDissector
