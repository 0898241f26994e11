"""RDP over UDP: which machines let somebody see their desktop, beside the TCP connection.

[MS-RDPEUDP] sections 2.2.2.1 (header), 2.2.2.5 (SYN: mtu), 2.2.2.9 (versions). The handshake alone is read;
TLS or DTLS, which follow, stand inside the transport's own packets.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.model.segment import DissectorManifest, Transport

_HEADER = 12
_SYN, _ACK, _CORRELATED, _EXTENDED = 0x0001, 0x0004, 0x0800, 0x1000
_KNOWN = 0x3FFF
_NOTHING_RECEIVED = 0xFFFFFFFF
_LEAST_UNIT, _MOST_UNIT = 1132, 1232
_PADDED = 1232
_CORRELATION = 32
_VERSIONS = {0x0001: "1", 0x0002: "2", 0x0101: "3"}


class RdpudpDissector(Connection):
    """Read the SYN of either side."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="rdpudp",
        title="Remote Desktop over UDP",
        transports=(Transport.UDP,),
        reference="[MS-RDPEUDP]",
        ports=(3389,),
        starts=(b"\xff\xff\xff\xff",),
        fields=("rdpudp.role", "rdpudp.version"),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a SYN, which is padded to 1,232 octets and states a size of packets within its bounds."""
        del from_client
        if len(payload) != _PADDED:
            return False
        (flags,) = struct.unpack_from(">H", payload, 6)
        up, down = struct.unpack_from(">HH", payload, 12)
        return bool(flags & _SYN) and flags <= _KNOWN and (
            _LEAST_UNIT <= up <= _MOST_UNIT and _LEAST_UNIT <= down <= _MOST_UNIT
        )  # fmt: skip

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one packet; only those of the handshake say anything."""
        if not self.recognises(payload, from_client):
            return
        received, _, flags = struct.unpack_from(">IHH", payload)
        answers = bool(flags & _ACK) and received != _NOTHING_RECEIVED
        self.said("rdpudp.role", "server" if answers else "client")
        at = _HEADER + 4 + (_CORRELATION if flags & _CORRELATED and not answers else 0)
        if flags & _EXTENDED:
            stated, version = struct.unpack_from(">HH", payload, at)
            if stated & 1 and version in _VERSIONS:
                self.said("rdpudp.version", _VERSIONS[version])


DISSECTOR = RdpudpDissector
