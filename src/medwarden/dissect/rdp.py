"""Remote Desktop Protocol: what security was asked for and chosen, and the name of the client machine.

[MS-RDPBCGR] 2.2.1.1 and 2.2.1.2 (X.224 connection request and confirm with negotiation), 2.2.1.3 (MCS Connect
Initial), 2.2.1.3.2 (client core data), 2.2.1.4.2 and 2.2.1.4.3 (server core and security data); TPKT is RFC
1006 section 6. The ``mstshash`` cookie is a user name and is not read. After TLS or CredSSP was chosen, the
TLS handshake is read.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.dissect.tls import TlsDissector
from medwarden.model.segment import DissectorManifest, Transport

_CONNECTION_REQUEST, _CONNECTION_CONFIRM, _DATA = 0xE0, 0xD0, 0xF0
_NEGOTIATION_REQUEST, _NEGOTIATION_RESPONSE, _NEGOTIATION_FAILURE = 1, 2, 3
_PROTOCOLS = {1: "tls", 2: "credssp", 4: "rdstls", 8: "credssp-ex", 16: "aad"}
_FAILURES = {
    1: "tls required by server", 2: "tls not allowed by server", 3: "no certificate on server",
    4: "inconsistent flags", 5: "credssp required by server", 6: "tls with user authentication required",
}  # fmt: skip
_LEVELS = {0: "none", 1: "low", 2: "client compatible", 3: "high", 4: "fips"}
_CS_CORE, _SC_CORE, _SC_SECURITY = 0xC001, 0x0C01, 0x0C02
_NAME_BYTES = 32


class RdpDissector(Connection):
    """Read the connection sequence up to where it is encrypted."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="rdp",
        title="Remote Desktop Protocol",
        transports=(Transport.TCP,),
        reference="[MS-RDPBCGR] 2.2.1, RFC 1006",
        ports=(3389,),
        starts=(b"\x03\x00\x00",),
        stream_bytes=24576,
        fields=(
            "rdp.security", "rdp.requested_security", "rdp.failure", "rdp.client_name", "rdp.client_build",
            "rdp.keyboard_layout", "rdp.version", "rdp.encryption_level",
            *TlsDissector.manifest.fields,
        ),
    )  # fmt: skip

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload is a connection request or confirm as RDP makes them."""
        if len(payload) < 11 or payload[:2] != b"\x03\x00" or payload[4] + 5 != payload[3]:
            return False
        kind = payload[5]
        if kind != (_CONNECTION_REQUEST if from_client else _CONNECTION_CONFIRM):
            return False
        # Other users of X.224 (S7) put parameters of that standard here, codes 0xC0 to 0xC2.
        rest = payload[11:]
        return not rest or rest.startswith(b"Cookie: ") or (rest[0] in (1, 2, 3) and rest[2:4] == b"\x08\0")

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the TPKT packets of one direction."""
        while len(inbox.data) >= 7 and not inbox.deaf and self._inner is None:
            version, length, _, kind = struct.unpack_from(">BxHBB", inbox.data)
            if version != 3 or length < 7:
                raise inbox.malformed("no TPKT header")
            packet = inbox.take(length)
            if packet is None:
                return
            if kind == _CONNECTION_REQUEST and from_client:
                self._request(packet)
            elif kind == _CONNECTION_CONFIRM and not from_client:
                self._confirm(packet)
            elif kind == _DATA:
                self._connect(packet, from_client)
                inbox.close()  # one packet each way tells all that is told
            else:
                raise inbox.malformed("no X.224 packet of this side")

    def _request(self, packet: bytes) -> None:
        rest = packet[11:]
        if rest.startswith(b"Cookie: "):
            rest = rest.partition(b"\r\n")[2]
        if len(rest) >= 8 and rest[0] == _NEGOTIATION_REQUEST:
            (wanted,) = struct.unpack_from("<I", rest, 4)
            names = [name for bit, name in _PROTOCOLS.items() if wanted & bit]
            self.said("rdp.requested_security", ", ".join(names) or "rdp")
        else:
            self.said("rdp.requested_security", "rdp")

    def _confirm(self, packet: bytes) -> None:
        rest = packet[11:]
        if len(rest) >= 8 and rest[0] == _NEGOTIATION_FAILURE:
            (code,) = struct.unpack_from("<I", rest, 4)
            self.said("rdp.failure", _FAILURES.get(code) or f"code {code}")
            self.close()
            return
        (chosen,) = (
            struct.unpack_from("<I", rest, 4) if len(rest) >= 8 and rest[0] == _NEGOTIATION_RESPONSE else (0,)
        )
        self.said("rdp.security", _PROTOCOLS.get(chosen, "rdp") if chosen else "rdp")
        if chosen:
            self.become(TlsDissector())

    def _connect(self, packet: bytes, from_client: bool) -> None:
        """Read the data blocks of a GCC conference create request or response (T.124 section 8.7)."""
        key = packet.find(b"Duca" if from_client else b"McDn")
        if key < 0:
            return
        at = key + 4
        at += 2 if packet[at] & 0x80 else 1  # length of the blocks in PER
        while at + 4 <= len(packet):
            kind, length = struct.unpack_from("<HH", packet, at)
            if length < 4 or at + length > len(packet):
                raise self.malformed("a data block reaches beyond its packet", at)
            self._block(kind, packet[at + 4 : at + length])
            at += length

    def _block(self, kind: int, block: bytes) -> None:
        if kind == _CS_CORE:
            layout, build = struct.unpack_from("<II", block, 12)
            name = block[20 : 20 + _NAME_BYTES].decode("utf-16-le", "replace").partition("\0")[0]
            self.said("rdp.client_name", printable(name.encode()))
            self.said("rdp.client_build", str(build))
            self.said("rdp.keyboard_layout", f"0x{layout:08x}")
        elif kind == _SC_CORE:
            minor, major = struct.unpack_from("<HH", block)
            self.said("rdp.version", f"{major}.{minor}")
        elif kind == _SC_SECURITY:
            (level,) = struct.unpack_from("<I", block, 4)
            self.said("rdp.encryption_level", _LEVELS.get(level) or str(level))


DISSECTOR = RdpDissector
