"""WireGuard: who opens a tunnel to whom.

"WireGuard: Next Generation Kernel Network Tunnel" (Donenfeld, 2020), section 5.4: messages of four types,
each with three reserved zero octets, of fixed length but for data. Nothing in them names a machine.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.model.segment import DissectorManifest, Transport

_INITIATION, _RESPONSE, _COOKIE, _DATA = range(1, 5)
_LENGTHS = {_INITIATION: 148, _RESPONSE: 92, _COOKIE: 64}


class WireguardDissector(Connection):
    """Tell the two sides of a handshake apart."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="wireguard",
        title="WireGuard",
        transports=(Transport.UDP,),
        reference="WireGuard white paper section 5.4",
        ports=(51820,),
        starts=(b"\x01\0\0\0", b"\x02\0\0\0", b"\x04\0\0\0"),
        fields=("wireguard.role",),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a handshake message by its type and exact length, and data by its length in blocks."""
        del from_client
        if len(payload) < 32 or payload[1:4] != b"\0\0\0":
            return False
        if payload[0] == _DATA:  # padded to 16 octets; a counter that fits 32 bits
            return len(payload) % 16 == 0 and payload[12:16] == b"\0\0\0\0"
        return len(payload) == _LENGTHS.get(payload[0])

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one message."""
        del from_client
        if payload[1:4] != b"\0\0\0" or not _INITIATION <= payload[0] <= _DATA:
            raise self.malformed("no WireGuard message", 0)
        if len(payload) != _LENGTHS.get(payload[0], len(payload)) or len(payload) < 32:
            raise self.malformed("a message of another length than its type has", len(payload))
        if payload[0] == _INITIATION:
            self.said("wireguard.role", "initiator")
        elif payload[0] == _RESPONSE:
            self.said("wireguard.role", "responder")
        elif payload[0] == _DATA:
            self.said("wireguard.role", "peer")


DISSECTOR = WireguardDissector
