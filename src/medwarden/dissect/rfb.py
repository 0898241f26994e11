"""RFB (VNC): who offers its screen, in which version, and whether anybody may look.

RFC 6143 sections 7.1.1 (version), 7.1.2 (security), 7.3.2 (ServerInit). What is on the screen is not read,
nor the name of a desktop, which often is a person's.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.model.segment import DissectorManifest, Transport

_VERSION = re.compile(rb"RFB (\d{3})\.(\d{3})\n")
_SECURITY = {
    0: "invalid", 1: "none", 2: "password", 5: "RA2", 6: "RA2ne", 16: "Tight", 17: "Ultra", 18: "TLS",
    19: "VeNCrypt", 20: "SASL", 30: "Apple", 33: "Apple", 35: "Apple", 36: "Apple", 113: "MSLogon",
}  # fmt: skip


class RfbDissector(Connection):
    """Read both versions and the kinds of log-in that the server offers."""

    application: ClassVar[str] = "vnc"  # as risk factors and people call it

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="rfb",
        title="Remote Framebuffer (VNC)",
        transports=(Transport.TCP,),
        reference="RFC 6143",
        ports=(5900, 5901, 5902, 5903),
        starts=(b"RFB 0",),
        stream_bytes=1024,
        fields=("rfb.version", "rfb.security", "rfb.role"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._greeted = {True: False, False: False}
        self._old = False

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell the version line of either side."""
        del from_client
        return bool(_VERSION.match(payload))

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the version of one direction, then, of the server, the kinds of log-in."""
        if not self._greeted[from_client]:
            line = inbox.take(12)
            if line is None:
                if not b"RFB ".startswith(bytes(inbox.data[:4])):
                    raise inbox.malformed("no RFB version")
                return
            version = _VERSION.fullmatch(line)
            if version is None:
                raise inbox.malformed("no RFB version")
            self._greeted[from_client] = True
            self.said("rfb.role", "viewer" if from_client else "server")
            self.said("rfb.version", f"{int(version[1])}.{int(version[2])}")
            if from_client:
                self._old = (int(version[1]), int(version[2])) < (3, 7)
        if from_client:
            inbox.close()
        else:
            self._security(inbox)

    def _security(self, inbox: Inbox) -> None:
        """Read the list of kinds, or the one kind of versions before 3.7 in four octets."""
        data = inbox.data
        if not data:
            return
        if self._old:
            if len(data) < 4:
                return
            kinds = [int.from_bytes(data[:4], "big")]
        else:
            if len(data) < 1 + data[0]:
                return
            kinds = list(data[1 : 1 + data[0]]) or [0]
        for kind in kinds[:16]:
            self.said("rfb.security", _SECURITY.get(kind) or str(kind))
        inbox.close()


DISSECTOR = RfbDissector
