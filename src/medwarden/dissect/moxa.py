"""Moxa serial-device servers: discovery and names on UDP 4800.

The protocol is not published by its maker; the layout is that of two open descriptions of it, made with
NPort 5110A devices: 8 octets of head (direction and request, status, length with the head, transaction),
then 12 that name the device (application id, model in little-endian, hardware address), then the answer:
81H its address, 90H its name in 40 octets, 96H its serial number, A1H to A3H its network settings.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.dissect.octets import ipv4_text, mac_text, printable
from medwarden.model.segment import DissectorManifest, Transport

_HEAD = struct.Struct(">BBHI")
_REPLY = 0x80
_DISCOVERY, _NAME, _SERIAL, _ADDRESS = 0x01, 0x10, 0x16, 0x21
_IDENTITY_AT, _BODY_AT = 8, 20
_PREFIX = b"\x00\x90\xe8"


class Moxa(Connection):
    """Read requests and replies, one datagram at a time."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="moxa",
        title="Moxa NPort discovery",
        transports=(Transport.UDP,),
        reference="Moxa NPort UDP 4800, as open clients describe it",
        ports=(4800,),
        fields=(
            "moxa.role",
            "moxa.model_id",
            "moxa.mac_address",
            "moxa.ip_address",
            "moxa.device_name",
            "moxa.serial_number",
        ),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a datagram by its length field, and a reply by the maker's prefix in the hardware address."""
        del from_client
        if len(payload) < _HEAD.size:
            return False
        kind, _, length, _ = _HEAD.unpack_from(payload)
        if length != len(payload) or not kind & ~_REPLY:
            return False
        return payload[14:17] == _PREFIX if kind & _REPLY or length > _HEAD.size else kind == _DISCOVERY

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one datagram."""
        if not self.recognises(payload, from_client):
            raise self.malformed("no request or reply of a device server", 0)
        kind = payload[0]
        if not kind & _REPLY:
            self.said("moxa.role", "manager")
            return
        self.said("moxa.role", "device server")
        (model,) = struct.unpack_from("<H", payload, _IDENTITY_AT + 4)
        self.said("moxa.model_id", f"{model:04x}")
        self.said("moxa.mac_address", mac_text(payload[14:20]) or "")
        body = payload[_BODY_AT:]
        request = kind & ~_REPLY
        if request in (_DISCOVERY, _ADDRESS):
            self.said("moxa.ip_address", ipv4_text(body[:4]) or "")
        elif request == _NAME:
            self.said("moxa.device_name", printable(body[:40].partition(b"\0")[0]))
        elif request == _SERIAL and len(body) >= 10:
            (serial,) = struct.unpack_from("<H", body, 8)
            if serial:
                self.said("moxa.serial_number", str(serial))


DISSECTOR = Moxa
