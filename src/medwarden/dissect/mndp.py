"""MNDP: MikroTik routers and switches as they announce themselves to their neighbours.

MikroTik publishes no standard; after the "Neighbor discovery" page of the RouterOS manual and public
descriptions: four octets, then type, length and value, numbers big endian.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.dissect.octets import ipv4_text, mac_text, printable
from medwarden.model.segment import DissectorManifest, Transport

_TEXTS = {
    5: "mndp.identity",
    7: "mndp.version",
    8: "mndp.platform",
    11: "mndp.software_id",
    12: "mndp.board",
    16: "mndp.interface",
}
_MAC, _IPV4 = 1, 17
_MOST = 32


class MndpDissector(Connection):
    """Read an announcement; a request has none."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="mndp",
        title="MikroTik Neighbor Discovery",
        transports=(Transport.UDP,),
        reference="RouterOS manual: Neighbor discovery",
        ports=(5678,),
        volatile=((0, 4),),
        fields=("mndp.mac", "mndp.address", *_TEXTS.values()),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload begins with a MAC address and goes on with whole elements."""
        del from_client
        return len(payload) >= 14 and payload[4:8] == b"\0\x01\0\x06"

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one announcement."""
        del from_client
        at = 4
        for _ in range(_MOST):
            if at + 4 > len(payload):
                return
            kind, length = struct.unpack_from(">HH", payload, at)
            value = payload[at + 4 : at + 4 + length]
            if len(value) < length:
                raise self.malformed("an element reaches beyond its message", at)
            if kind in _TEXTS:
                self.said(_TEXTS[kind], printable(value))
            elif kind == _MAC:
                self.said("mndp.mac", mac_text(value) or "")
            elif kind == _IPV4:
                self.said("mndp.address", ipv4_text(value) or "")
            at += 4 + length


DISSECTOR = MndpDissector
