"""Modbus/TCP: who commands, who obeys, and what a device says it is.

MODBUS Application Protocol V1.1b3 sections 6.13 (Report Server ID), 6.21 (Read Device Identification) and 7
(exceptions); MODBUS Messaging on TCP/IP V1.0b section 3.1.3 (MBAP header).
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_LONGEST = 2048  # 254 by the standard; Schneider's function 90 goes beyond it
_REPORT_SERVER_ID, _ENCAPSULATED = 17, 43
_DEVICE_IDENTIFICATION = 14
_OBJECTS = {
    0: "modbus.vendor_name",
    1: "modbus.product_code",
    2: "modbus.revision",
    3: "modbus.vendor_url",
    4: "modbus.product_name",
    5: "modbus.model_name",
    6: "modbus.user_application_name",
}
_FUNCTIONS = {
    1: "read coils", 2: "read discrete inputs", 3: "read holding registers", 4: "read input registers",
    5: "write single coil", 6: "write single register", 7: "read exception status", 8: "diagnostics",
    11: "get comm event counter", 12: "get comm event log", 15: "write multiple coils",
    16: "write multiple registers", 17: "report server id", 20: "read file record", 21: "write file record",
    22: "mask write register", 23: "read/write multiple registers", 24: "read fifo queue",
    43: "encapsulated interface", 90: "unity",
}  # fmt: skip


class ModbusDissector(Connection):
    """Read requests and responses; of values, only those that identify the device."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="modbus",
        title="Modbus/TCP",
        transports=(Transport.TCP,),
        reference="MODBUS Application Protocol V1.1b3",
        ports=(502,),
        stream_bytes=16384,
        opening_tells=True,
        fields=("modbus.role", "modbus.function", "modbus.unit_id", "modbus.server_id", *_OBJECTS.values()),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with an MBAP header that fits it."""
        del from_client
        if len(payload) < 8 or payload[2:4] != b"\0\0":
            return False
        (length,) = struct.unpack_from(">H", payload, 4)
        return 2 <= length <= _LONGEST and length + 6 <= len(payload) and payload[7] & 0x7F in _FUNCTIONS

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the messages of one direction."""
        while len(inbox.data) >= 6:
            protocol, length = struct.unpack_from(">HH", inbox.data, 2)
            if protocol or not 2 <= length <= _LONGEST:
                raise inbox.malformed("no MBAP header")
            message = inbox.take(6 + length)
            if message is None:
                return
            self._message(message[6], message[7], message[8:], from_client)

    def _message(self, unit: int, function: int, data: bytes, from_client: bool) -> None:
        if from_client:
            self.said("modbus.role", "client")
            self.said("modbus.function", _FUNCTIONS.get(function) or str(function))
            return
        self.said("modbus.role", "server")
        self.said("modbus.unit_id", str(unit))
        if function == _REPORT_SERVER_ID and data:
            self.said("modbus.server_id", printable(data[1 : 1 + data[0]].replace(b"\xff", b" ")))
        elif function == _ENCAPSULATED and data[:1] == bytes((_DEVICE_IDENTIFICATION,)):
            self._identification(data)

    def _identification(self, data: bytes) -> None:
        """Read the objects after MEI type, code, conformity, more follows, next object and their count."""
        at = 6
        for _ in range(data[5]):
            kind, length = data[at], data[at + 1]
            if at + 2 + length > len(data):
                raise self.malformed("an object reaches beyond its response")
            if kind in _OBJECTS:
                self.said(_OBJECTS[kind], printable(data[at + 2 : at + 2 + length]))
            at += 2 + length


DISSECTOR = ModbusDissector
