"""Digi device servers by ADDP: what answers a discovery on UDP 2362.

Advanced Device Discovery Protocol of Digi International, as its public descriptions and open clients have
it: ``DIGI`` (``DVKT``, ``DGDP`` of development kits), operation and length, then fields of type, length and
value. Requests that change settings carry a password and radio keys: of those only what was asked for is
told.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.dissect.octets import ipv4_text, mac_text, printable
from medwarden.model.segment import DissectorManifest, Transport

_MAGICS = (b"DIGI", b"DVKT", b"DGDP")
_DISCOVERY_REPLY = 2
_COMMANDS = {
    3: "set address",
    5: "reboot",
    7: "set dhcp",
    9: "set wireless",
}
_OPERATIONS = range(1, 15)
_MAC, _IP, _NAME, _DOMAIN, _HARDWARE_REVISION = 0x01, 0x02, 0x04, 0x05, 0x07
_FIRMWARE, _PRODUCT, _PORTS = 0x08, 0x0D, 0x12
_TEXTS = {
    _NAME: "addp.network_name",
    _DOMAIN: "addp.domain",
    _FIRMWARE: "addp.firmware",
    _PRODUCT: "addp.device_name",
}


class Addp(Connection):
    """Read discoveries and their answers, one datagram at a time."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="addp",
        title="Digi ADDP",
        transports=(Transport.UDP,),
        reference="Digi Advanced Device Discovery Protocol, as publicly described",
        ports=(2362,),
        starts=_MAGICS,
        fields=(
            "addp.role",
            "addp.command",
            "addp.mac_address",
            "addp.ip_address",
            "addp.hardware_revision",
            "addp.serial_ports",
            *_TEXTS.values(),
        ),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a datagram by its magic, its operation and its length."""
        del from_client
        if not payload.startswith(_MAGICS) or len(payload) < 8:
            return False
        operation, length = struct.unpack_from(">HH", payload, 4)
        return operation in _OPERATIONS and length == len(payload) - 8

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one datagram."""
        if not self.recognises(payload, from_client):
            raise self.malformed("no operation of ADDP", 4)
        (operation,) = struct.unpack_from(">H", payload, 4)
        if operation % 2:
            self.said("addp.role", "manager")
            self.said("addp.command", _COMMANDS.get(operation, ""))
            return
        self.said("addp.role", "device server")
        if operation == _DISCOVERY_REPLY:
            for kind, value in self._fields(payload):
                self._field(kind, value)

    def _fields(self, payload: bytes) -> Iterator[tuple[int, bytes]]:
        at = 8
        while at + 2 <= len(payload):
            kind, length = payload[at], payload[at + 1]
            at += 2
            if length > len(payload) - at:
                raise self.malformed("a field is longer than its datagram", at)
            yield kind, payload[at : at + length]
            at += length

    def _field(self, kind: int, value: bytes) -> None:
        if kind in _TEXTS:
            self.said(_TEXTS[kind], printable(value))
        elif kind == _MAC:
            self.said("addp.mac_address", mac_text(value) or "")
        elif kind == _IP:
            self.said("addp.ip_address", ipv4_text(value) or "")
        elif kind == _HARDWARE_REVISION and len(value) == 1:
            self.said("addp.hardware_revision", str(value[0]))
        elif kind == _PORTS and len(value) == 1 and value[0]:
            self.said("addp.serial_ports", str(value[0]))


DISSECTOR = Addp
