"""EtherNet/IP: the identity object of controllers, drives and their modules.

ODVA "The CIP Networks Library" volume 2, sections 2-3 (encapsulation), 2-4.3 (ListIdentity), 2-6 (common
packet format); volume 1, section 5A-2 (identity object, Get_Attributes_All).
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_HEADER = 24
_LIST_IDENTITY, _SEND_RR_DATA = 0x63, 0x6F
_COMMANDS = frozenset({0x00, 0x01, 0x04, 0x63, 0x64, 0x65, 0x66, 0x6F, 0x70, 0x72, 0x73})
_IDENTITY_ITEM, _UNCONNECTED_ITEM = 0x000C, 0x00B2
_GET_IDENTITY = b"\x01\x02\x20\x01\x24\x01"  # Get_Attributes_All of class 1, instance 1
_GET_ALL_REPLY = 0x81
_REMEMBERED = 64


class EnipDissector(Connection):
    """Read ListIdentity replies and reads of the identity object."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="enip",
        title="EtherNet/IP",
        transports=(Transport.TCP, Transport.UDP),
        reference="ODVA CIP Networks Library volumes 1 and 2",
        ports=(44818, 2222),
        stream_bytes=16384,
        fields=(
            "enip.product_name", "enip.vendor_id", "enip.device_type", "enip.product_code", "enip.revision",
            "enip.serial_number",
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._asked: set[bytes] = set()

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with an encapsulation header that fits it."""
        del from_client
        if len(payload) < _HEADER:
            return False
        command, length = struct.unpack_from("<HH", payload)
        return command in _COMMANDS and payload[20:24] == b"\0\0\0\0" and length + _HEADER == len(payload)

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the encapsulated messages of one direction."""
        while len(inbox.data) >= _HEADER:
            command, length = struct.unpack_from("<HH", inbox.data)
            if command not in _COMMANDS:
                raise inbox.malformed("no encapsulation command")
            message = inbox.take(_HEADER + length)
            if message is None:
                return
            self._message(command, message[12:20], message[_HEADER:], from_client)

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one encapsulated message."""
        command, length = struct.unpack_from("<HH", payload)
        if command not in _COMMANDS or length + _HEADER > len(payload):
            raise self.malformed("no encapsulation header", 0)
        if command == _LIST_IDENTITY:
            self._message(command, b"", payload[_HEADER : _HEADER + length], from_client)

    def _message(self, command: int, context: bytes, data: bytes, from_client: bool) -> None:
        if command == _LIST_IDENTITY and data:
            for kind, item in _items(data, 0):
                if kind == _IDENTITY_ITEM:
                    self._identity(item[18:])  # after version and socket address
        elif command == _SEND_RR_DATA:
            for kind, item in _items(data, 6):
                if kind != _UNCONNECTED_ITEM:
                    continue
                if from_client and item == _GET_IDENTITY:
                    if len(self._asked) < _REMEMBERED:
                        self._asked.add(context)
                elif not from_client and context in self._asked and item[:1] == bytes((_GET_ALL_REPLY,)):
                    self._asked.discard(context)
                    if item[2] == 0:
                        self._identity(item[4 + 2 * item[3] :])

    def _identity(self, data: bytes) -> None:
        vendor, kind, code, major, minor, _, serial, length = struct.unpack_from("<HHHBBHIB", data)
        name = data[15 : 15 + length]
        if len(name) < length:
            raise self.malformed("a product name reaches beyond its item")
        self.said("enip.product_name", printable(name))
        self.said("enip.vendor_id", str(vendor))
        self.said("enip.device_type", str(kind))
        self.said("enip.product_code", str(code))
        self.said("enip.revision", f"{major}.{minor}")
        self.said("enip.serial_number", f"{serial:08x}")


def _items(data: bytes, at: int) -> list[tuple[int, bytes]]:
    """Return type and data of the items of a common packet (volume 2 section 2-6.1)."""
    (count,) = struct.unpack_from("<H", data, at)
    at += 2
    items = []
    for _ in range(min(count, 16)):
        kind, length = struct.unpack_from("<HH", data, at)
        at += 4
        if at + length > len(data):
            raise IndexError("an item reaches beyond its message")
        items.append((kind, data[at : at + length]))
        at += length
    return items


DISSECTOR = EnipDissector
