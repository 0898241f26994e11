"""TDS (Microsoft SQL Server): versions, encryption, and the names of client machine and program.

[MS-TDS] 2.2.3.1 (packet header), 2.2.6.4 (LOGIN7), 2.2.6.5 (PRELOGIN); [MC-SQLR] 2.2.5 (SVR_RESP of the
browser service). User names, passwords, databases and queries are not read. TLS inside PRELOGIN packets is
handed to the TLS dissector.
"""

from __future__ import annotations

import struct
from typing import ClassVar

import msgspec

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.dissect.tls import TlsDissector
from medwarden.model.segment import DissectorManifest, Transport

_RESPONSE, _LOGIN, _PRELOGIN = 0x04, 0x10, 0x12
_KINDS = frozenset({1, 2, 3, 4, 6, 7, 8, 14, 16, 17, 18})
_PACKET_LIMIT = 32768
_VERSION, _ENCRYPTION, _END = 0, 1, 0xFF
_ENCRYPTIONS = {0: "login only", 1: "on", 2: "not supported", 3: "required"}
_BROWSER_RESPONSE = 5


class TdsDissector(Connection):
    """Read the negotiation and, where it is not encrypted, the log-in."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="tds",
        title="Tabular Data Stream",
        transports=(Transport.TCP, Transport.UDP),
        reference="[MS-TDS], [MC-SQLR]",
        ports=(1433, 1434),
        stream_bytes=16384,
        fields=(
            "tds.server_version", "tds.client_version", "tds.encryption", "tds.client_name", "tds.app_name",
            "tds.library", "tds.login", "tds.server_name", "tds.instance",
            *TlsDissector.manifest.fields,
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._negotiated = {True: False, False: False}
        self._tls: TlsDissector | None = None

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload is a PRELOGIN packet or its answer."""
        if len(payload) < 14 or payload[0] != (_PRELOGIN if from_client else _RESPONSE) or payload[1] > 1:
            return False
        return (
            payload[8] == _VERSION
            and payload[11:13] == b"\0\x06"
            and payload[2:4] == len(payload).to_bytes(2, "big")
        )

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the packets of one direction up to the log-in."""
        while len(inbox.data) >= 8 and not inbox.deaf:
            kind, length = inbox.data[0], int.from_bytes(inbox.data[2:4], "big")
            if kind not in _KINDS or not 8 <= length <= _PACKET_LIMIT:
                if self._tls is not None:  # after the handshake TLS runs without packets around it
                    inbox.close()
                    return
                raise inbox.malformed("no TDS packet")
            packet = inbox.take(length)
            if packet is None:
                return
            self._packet(kind, packet[8:], inbox, from_client)

    def _packet(self, kind: int, body: bytes, inbox: Inbox, from_client: bool) -> None:
        if self._tls is not None or (kind == _PRELOGIN and body[:2] == b"\x16\x03"):
            if self._tls is None:
                self._tls = TlsDissector()
            facts = self._tls.feed(msgspec.structs.replace(self.segment, payload=body, gap=False))
            self._facts.extend(facts)
        elif not self._negotiated[from_client] and kind == (_PRELOGIN if from_client else _RESPONSE):
            if body[:1] != b"\0" or body[3:5] != b"\0\x06":
                inbox.close()  # joined late: this answers something else
                return
            self._negotiated[from_client] = True
            self._prelogin(body, from_client)
        elif kind == _LOGIN and from_client:
            self._login(body)
            self.close()
        else:
            inbox.close()

    def _prelogin(self, body: bytes, from_client: bool) -> None:
        at = 0
        while body[at] != _END:
            option, offset, length = struct.unpack_from(">BHH", body, at)
            at += 5
            if option == _VERSION and length >= 6:
                major, minor, build = struct.unpack_from(">BBH", body, offset)
                self.said(
                    "tds.client_version" if from_client else "tds.server_version", f"{major}.{minor}.{build}"
                )
            elif option == _ENCRYPTION and length == 1 and not from_client:
                self.said("tds.encryption", _ENCRYPTIONS.get(body[offset]) or str(body[offset]))

    def _login(self, body: bytes) -> None:
        self.said("tds.client_name", _named(body, 36))
        self.said("tds.app_name", _named(body, 48))
        self.heard("tds.server_name", _named(body, 52))
        self.said("tds.library", _named(body, 60))
        if struct.unpack_from("<H", body, 46)[0]:
            self.said("tds.login", "clear-text")  # 2.2.6.4: the password is only scrambled

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read what the browser service answers: names and values with semicolons in between."""
        if from_client or not payload:
            return
        if payload[0] != _BROWSER_RESPONSE:
            raise self.malformed("no answer of the browser service", 0)
        parts = printable(payload[3:]).split(";")
        for name, value in zip(parts[::2], parts[1::2], strict=False):
            field = {
                "ServerName": "tds.server_name",
                "InstanceName": "tds.instance",
                "Version": "tds.server_version",
            }
            if name in field:
                self.said(field[name], value)


def _named(body: bytes, at: int) -> str:
    offset, count = struct.unpack_from("<HH", body, at)
    if count > 128:
        return ""
    if offset + 2 * count > len(body):
        raise IndexError("a name reaches beyond the log-in")
    return body[offset : offset + 2 * count].decode("utf-16-le", "replace")


DISSECTOR = TdsDissector
