"""SSH: the identification lines both sides send before anything is encrypted.

RFC 4253 section 4.2: ``SSH-protoversion-softwareversion SP comments CR LF``, at most 255 characters; a server
may send other lines first.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_LINE_LIMIT = 512  # RFC 4253 allows 255; lines before the identification have no stated limit
_LINES_BEFORE = 50


class SshDissector(Connection):
    """Say which SSH software either side runs."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="ssh",
        title="Secure Shell",
        transports=(Transport.TCP,),
        reference="RFC 4253 section 4.2",
        ports=(22, 2222, 830),
        starts=(b"SSH-",),
        stream_bytes=4096,
        fields=("ssh.identification", "ssh.protocol_version"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._lines = 0

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with an identification."""
        del from_client
        return payload.startswith(b"SSH-")

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read lines up to the identification, and nothing after it."""
        while (line := inbox.line(_LINE_LIMIT)) is not None:
            if line.startswith(b"SSH-"):
                self._identified(line)
                inbox.close()
                return
            self._lines += 1
            if from_client or self._lines > _LINES_BEFORE:
                raise inbox.malformed("no SSH identification")

    def _identified(self, line: bytes) -> None:
        version, dash, _ = line[4:].partition(b"-")
        if not dash:
            raise self.malformed("an SSH identification without a software version")
        self.said("ssh.identification", printable(line))
        self.said("ssh.protocol_version", printable(version))


DISSECTOR = SshDissector
