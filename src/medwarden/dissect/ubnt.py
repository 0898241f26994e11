"""Ubiquiti discovery: access points, switches, bridges and cameras as they answer on UDP 10001.

Ubiquiti publishes no standard; after public descriptions of versions 1 and 2: version, command, length, then
elements of type (one octet), length (two) and value.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.dissect.octets import ipv4_text, mac_text, printable
from medwarden.model.segment import DissectorManifest, Transport

_TEXTS = {
    0x03: "ubnt.firmware",
    0x0B: "ubnt.host_name",
    0x0C: "ubnt.platform",
    0x0D: "ubnt.ssid",
    0x14: "ubnt.model",
    0x15: "ubnt.platform",
    0x16: "ubnt.version",
}
_MAC, _MAC_AND_ADDRESS = 0x01, 0x02
_MOST = 64


class UbntDissector(Connection):
    """Read an announcement; a request is empty."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="ubnt",
        title="Ubiquiti discovery",
        transports=(Transport.UDP,),
        reference="Ubiquiti discovery protocol, as publicly described",
        ports=(10001,),
        fields=("ubnt.mac", "ubnt.address", *dict.fromkeys(_TEXTS.values())),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload is a message of a known version and its stated length."""
        del from_client
        if len(payload) < 4 or payload[0] not in (1, 2) or payload[1] > 12:
            return False
        return int.from_bytes(payload[2:4], "big") == len(payload) - 4

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one message."""
        if not self.recognises(payload, from_client):
            raise self.malformed("no discovery message", 0)
        at = 4
        for _ in range(_MOST):
            if at + 3 > len(payload):
                return
            kind, length = struct.unpack_from(">BH", payload, at)
            value = payload[at + 3 : at + 3 + length]
            if len(value) < length:
                raise self.malformed("an element reaches beyond its message", at)
            if kind in _TEXTS:
                self.said(_TEXTS[kind], printable(value))
            elif kind == _MAC:
                self.said("ubnt.mac", mac_text(value) or "")
            elif kind == _MAC_AND_ADDRESS and length == 10:
                self.said("ubnt.mac", mac_text(value[:6]) or "")
                self.said("ubnt.address", ipv4_text(value[6:]) or "")
            at += 3 + length


DISSECTOR = UbntDissector
