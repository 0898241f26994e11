"""S7 communication: what Siemens controllers say of themselves in their system status lists.

Framing is RFC 1006 section 6 and ISO 8073 (X.224). The protocol above has no published specification; the
layout of the lists (0x0011 and 0x001C) follows Siemens "System Software for S7-300/400, System and Standard
Functions", that of the packets public descriptions; neither was compared with a real controller.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_REQUEST, _CONFIRM, _DATA = 0xE0, 0xD0, 0xF0
_PROTOCOL, _USER_DATA = 0x32, 7
_PACKET_LIMIT = 8192
_CPU_RESPONSE, _READ_SZL = 0x84, 1
_MODULE_IDENTIFICATION, _COMPONENT_IDENTIFICATION = 0x11, 0x1C
_COMPONENTS = {
    1: "s7.plc_name",
    2: "s7.module_name",
    3: "s7.plant_id",
    5: "s7.serial_number",
    7: "s7.module_type",
}


class S7Dissector(Connection):
    """Read answers to reads of the identification lists."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="s7",
        title="S7 communication",
        transports=(Transport.TCP,),
        reference="RFC 1006, ISO 8073, Siemens system status lists",
        ports=(102,),
        stream_bytes=32768,
        fields=("s7.role", "s7.order_number", "s7.firmware", *_COMPONENTS.values()),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload is a connection request with parameters, or a packet of this protocol."""
        if len(payload) < 8 or payload[:2] != b"\x03\0":
            return False
        if payload[5] in (_REQUEST, _CONFIRM):
            return len(payload) > 11 and payload[11] in (0xC0, 0xC1, 0xC2)
        del from_client
        return payload[5] == _DATA and payload[7] == _PROTOCOL

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the TPKT packets of one direction."""
        while len(inbox.data) >= 7:
            version, length, _, kind = struct.unpack_from(">BxHBB", inbox.data)
            if version != 3 or not 7 <= length <= _PACKET_LIMIT:
                raise inbox.malformed("no TPKT header")
            packet = inbox.take(length)
            if packet is None:
                return
            if kind == _DATA and length > 7:
                if packet[7] != _PROTOCOL:
                    raise inbox.malformed("no S7 packet")
                self.said("s7.role", "client" if from_client else "server")
                if packet[8] == _USER_DATA and not from_client:
                    self._user_data(packet[7:])

    def _user_data(self, pdu: bytes) -> None:
        parameters, size = struct.unpack_from(">HH", pdu, 6)
        if parameters < 8 or pdu[15] != _CPU_RESPONSE or pdu[16] != _READ_SZL or size < 12:
            return
        at = 10 + parameters
        code, _, _, szl, _, length, count = struct.unpack_from(">BBHHHHH", pdu, at)
        at += 12
        if (
            code != 0xFF
            or length < 28
            or szl & 0xFF not in (_MODULE_IDENTIFICATION, _COMPONENT_IDENTIFICATION)
        ):
            return
        for _ in range(count):
            entry = pdu[at : at + length]
            if len(entry) < length:
                return  # continued in a further packet
            (index,) = struct.unpack_from(">H", entry)
            if szl & 0xFF == _COMPONENT_IDENTIFICATION:
                if index in _COMPONENTS:
                    self.said(_COMPONENTS[index], printable(entry[2:34].rstrip(b"\0 ")))
            elif index == 1:
                self.said("s7.order_number", printable(entry[2:22]))
            elif index == 7 and entry[24:25] == b"V":
                self.said("s7.firmware", ".".join(map(str, entry[25:28])))
            at += length


DISSECTOR = S7Dissector
