"""Label printers that speak ZPL and SGD: what they answer when asked, and that they are printed to.

Zebra "ZPL II, ZBI 2, Set-Get-Do Programming Guide": ``~HI`` (host identification, answered between STX and
ETX by model, version, dots per millimetre and memory) and ``! U1 getvar`` (answered by a quoted text).
Labels carry names of patients: of what is printed nothing is read but that it is ZPL. Zebra's search on UDP
port 4201 has no public layout.
"""

from __future__ import annotations

import re
from collections import deque
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_VARIABLES = {
    b"device.product_name": "zebra.product_name",
    b"device.friendly_name": "zebra.friendly_name",
    b"device.unique_id": "zebra.serial_number",
    b"appl.name": "zebra.firmware",
    b"device.location": "zebra.location",
}
_GETVAR = re.compile(rb'! U1 getvar "([\w.]{1,64})"', re.IGNORECASE)
_QUOTED = re.compile(rb'"([^"\r\n]{0,256})"')
_STX, _ETX = b"\x02", b"\x03"
_ASK = (b"~HI", b"~hi", b"! U1 getvar", b"! U1 GETVAR")
_LABELS = (b"^XA", b"\x10CT~~CD,", b"~DG", b"~DY")
_LIMIT, _MOST_ASKED = 4096, 64


class ZebraDissector(Connection):
    """Read identifications and the variables that name a device."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="zebra",
        title="Zebra label printers (ZPL, SGD)",
        transports=(Transport.TCP,),
        reference="ZPL II, ZBI 2, Set-Get-Do Programming Guide",
        ports=(6101,),
        starts=(*_ASK, *_LABELS),
        stream_bytes=8192,
        fields=("zebra.language", "zebra.dots_per_mm", *_VARIABLES.values()),
    )

    def __init__(self) -> None:
        super().__init__()
        self._asked: deque[str] = deque()
        self._seen = False

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a question or a label by its first command."""
        return from_client and payload.startswith((*_ASK, *_LABELS))

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read one direction."""
        if from_client:
            self._questions(inbox)
        else:
            self._answers(inbox)
        if len(inbox.data) > _LIMIT:
            inbox.close()

    def _questions(self, inbox: Inbox) -> None:
        data = inbox.data
        start = bytes(data[:10])
        if not self._seen and start.startswith(_LABELS):
            self._seen = True
            self.heard("zebra.language", "ZPL")
            inbox.close()
            return
        while (found := _GETVAR.search(data)) is not None:
            if len(self._asked) < _MOST_ASKED:
                self._asked.append(_VARIABLES.get(found[1].lower(), ""))
            inbox.discard(found.end())

    def _answers(self, inbox: Inbox) -> None:
        data = inbox.data
        while data:
            if data[:1] == _STX:
                end = data.find(_ETX)
                if end < 0:
                    return
                self._identification(bytes(data[1:end]))
                inbox.discard(end + 1)
            elif data[:1] == b'"':
                found = _QUOTED.match(data)
                if found is None:
                    return
                field = self._asked.popleft() if self._asked else ""
                if field:
                    self.said(field, printable(found[1]))
                inbox.discard(found.end())
            else:
                inbox.discard(1)

    def _identification(self, text: bytes) -> None:
        parts = [printable(part) for part in text.split(b",")]
        if len(parts) >= 4 and parts[1][:1] == "V" and parts[2].isdigit():
            self.said("zebra.product_name", parts[0])
            self.said("zebra.firmware", parts[1])
            self.said("zebra.dots_per_mm", parts[2])
            self.said("zebra.language", "ZPL")


DISSECTOR = ZebraDissector
