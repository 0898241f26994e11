"""Nurse call, alarm and messaging systems by ESPA-X: which product calls, which delivers.

ESPA-X 1.00 (TCP port 2023): a head of ten octets, ``EX``, the length with the head, four of flags, then one
XML message whose only child names what it is (REQ.LOGIN, RSP.LOGIN, REQ.P-START, IND.P-EVENT ...). The
layout is that of two open clients. A login names product and version of both sides, and its user and
password in clear, of which only that is told. Calls carry ward, bed, callers and texts: only that there are
calls is told.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.xml_elements import xml_elements
from medwarden.model.segment import DissectorManifest, Transport

MAX_MESSAGE = 64 * 1024

_MAGIC = b"EX"
_HEAD = 10
_TOLD = {
    "LI-CLIENT": "espax.client",
    "LI-CLIENTSW": "espax.client_version",
    "LI-SERVER": "espax.server",
    "LI-SERVERSW": "espax.server_version",
}


class EspaX(Connection):
    """Follow one connection of a calling system to an alarm server."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="espax",
        title="ESPA-X",
        transports=(Transport.TCP,),
        reference="ESPA-X 1.00, as open clients implement it",
        ports=(2023,),
        starts=(b"EX\0\0",),
        stream_bytes=32 * 1024,
        fields=("espax.role", *_TOLD.values(), "espax.message", "espax.password"),
        medical=True,
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a message by its head and the start of its XML."""
        del from_client
        if not payload.startswith(_MAGIC) or len(payload) < _HEAD + 5:
            return False
        (length,) = struct.unpack_from(">I", payload, 2)
        return _HEAD < length <= MAX_MESSAGE and payload[_HEAD:].lstrip().startswith((b"<?xml", b"<ESPA-X"))

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read complete messages."""
        del from_client
        while len(inbox.data) >= _HEAD:
            (length,) = struct.unpack_from(">I", inbox.data, 2)
            if inbox.data[:2] != _MAGIC or not _HEAD <= length <= MAX_MESSAGE:
                raise inbox.malformed("no head of a message")
            message = inbox.take(length)
            if message is None:
                return
            if length > _HEAD:
                self._message(message[_HEAD:])

    def _message(self, document: bytes) -> None:
        for element in xml_elements(document, "espax"):
            if len(element.path) == 2:
                kind = element.path[1]
                self.said("espax.message", kind)
                if kind.startswith(("REQ.", "CMD.")):
                    self.said("espax.role", "client")
                elif kind.startswith(("RSP.", "IND.")):
                    self.said("espax.role", "server")
            elif len(element.path) == 3:
                name = element.path[2]
                if name in _TOLD:
                    self.said(_TOLD[name], element.text)
                elif name == "LI-PASSWORD" and element.text:
                    self.said("espax.password", "in clear")


DISSECTOR = EspaX
