"""KNXnet/IP: gateways and routers to the installation bus of a building, by their own description.

KNX Standard 3/8/1 and 3/8/2 (ISO 22510, EN 13321-2): 2.2 (frame), 7.5.1 (HPAI), 7.5.4 (blocks of a
description: device, supported services, manufacturer), 7.6 (search and description). Telegrams to and from
the bus are not read.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import mac_text, printable
from medwarden.model.segment import DissectorManifest, Transport

_START = b"\x06\x10"
_SEARCH, _SEARCH_ANSWER, _DESCRIBE, _DESCRIPTION = 0x0201, 0x0202, 0x0203, 0x0204
_SEARCH_EXTENDED, _SEARCH_EXTENDED_ANSWER = 0x020B, 0x020C
_ROUTING = range(0x0530, 0x0534)
_DEVICE, _SERVICES, _MANUFACTURER = 0x01, 0x02, 0xFE
_DEVICE_LENGTH = 54
_PACKET_LIMIT = 1024
_MEDIA = {0x01: "TP0", 0x02: "TP1", 0x04: "PL110", 0x08: "PL132", 0x10: "RF", 0x20: "IP"}
_FAMILIES = {
    2: "core", 3: "device management", 4: "tunnelling", 5: "routing", 6: "remote logging",
    7: "remote configuration", 8: "object server", 9: "security",
}  # fmt: skip


class KnxDissector(Connection):
    """Read the answers to searches and to requests for a description."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="knx",
        title="KNXnet/IP",
        transports=(Transport.UDP, Transport.TCP),
        reference="KNX Standard 3/8/1 and 3/8/2, ISO 22510",
        ports=(3671,),
        starts=(_START + b"\x02",),
        stream_bytes=4096,
        fields=(
            "knx.role", "knx.friendly_name", "knx.serial_number", "knx.mac", "knx.medium", "knx.address",
            "knx.manufacturer_id", "knx.services",
        ),
    )  # fmt: skip

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload is a frame of version 1.0 with its stated length."""
        del from_client
        return payload[:2] == _START and len(payload) >= 6 and (
            int.from_bytes(payload[4:6], "big") == len(payload)
        )  # fmt: skip

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the frames of one direction of a stream."""
        del from_client
        while len(inbox.data) >= 6:
            length = int.from_bytes(inbox.data[4:6], "big")
            if inbox.data[:2] != _START or not 6 <= length <= _PACKET_LIMIT:
                raise inbox.malformed("no KNXnet/IP frame")
            frame = inbox.take(length)
            if frame is None:
                return
            self._frame(frame)

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one frame."""
        del from_client
        if payload[:2] != _START or not 6 <= int.from_bytes(payload[4:6], "big") <= len(payload):
            raise self.malformed("no KNXnet/IP frame", 0)
        self._frame(payload[: int.from_bytes(payload[4:6], "big")])

    def _frame(self, frame: bytes) -> None:
        (service,) = struct.unpack_from(">H", frame, 2)
        if service in (_SEARCH, _SEARCH_EXTENDED, _DESCRIBE):
            self.said("knx.role", "client")
        elif service in (_SEARCH_ANSWER, _SEARCH_EXTENDED_ANSWER):
            self.said("knx.role", "server")
            self._blocks(frame, 14)  # behind the endpoint to be used
        elif service == _DESCRIPTION:
            self.said("knx.role", "server")
            self._blocks(frame, 6)
        elif service in _ROUTING:
            self.said("knx.role", "router")

    def _blocks(self, frame: bytes, at: int) -> None:
        while at + 2 <= len(frame):
            length, kind = frame[at], frame[at + 1]
            block = frame[at : at + length]
            if length < 2 or len(block) < length:
                raise self.malformed("a description block reaches beyond its frame", at)
            if kind == _DEVICE:
                self._device(block)
            elif kind == _SERVICES:
                names = [_FAMILIES.get(code) or str(code) for code in block[2::2]]
                self.said("knx.services", ", ".join(names))
            elif kind == _MANUFACTURER and length >= 4:
                self._manufacturer(int.from_bytes(block[2:4], "big"))
            at += length

    def _device(self, block: bytes) -> None:
        if len(block) < _DEVICE_LENGTH:
            raise self.malformed("a device block shorter than 54 octets")
        medium, _, address, _ = struct.unpack_from(">BBHH", block, 2)
        serial = block[8:14]
        self.said("knx.medium", _MEDIA.get(medium) or str(medium))
        self.said("knx.address", f"{address >> 12}.{address >> 8 & 15}.{address & 255}")
        if any(serial):
            self.said("knx.serial_number", serial.hex())
            # 3/5/1 4.3.4: a serial number begins with its manufacturer's id
            self._manufacturer(int.from_bytes(serial[:2], "big"))
        self.said("knx.mac", mac_text(block[18:24]) or "")
        self.said("knx.friendly_name", printable(block[24:54].partition(b"\0")[0]))

    def _manufacturer(self, code: int) -> None:
        if code:
            self.said("knx.manufacturer_id", str(code))


DISSECTOR = KnxDissector
