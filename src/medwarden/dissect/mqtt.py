"""MQTT: which client connects with which version, and whether it sends a password in clear.

OASIS MQTT 3.1.1 and 5.0, sections 2.1 (fixed header) and 3.1 (CONNECT); MQTT 3.1 names the protocol
``MQIsdp``. User names, passwords, topics and messages are not read.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_CONNECT = 0x10
_LATER = frozenset({*range(0x30, 0x40), 0x40, 0x50, 0x62, 0x70, 0x82, 0xA2, 0xC0, 0xE0, 0xF0})
"""First bytes of what a client sends after CONNECT (section 2.1.2 and 2.1.3)."""
_PACKET_LIMIT = 16384
_VERSIONS = {3: "3.1", 4: "3.1.1", 5: "5.0"}
_PASSWORD, _USER_NAME = 0x40, 0x80


class MqttDissector(Connection):
    """Read the first packet of a client."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="mqtt",
        title="MQTT",
        transports=(Transport.TCP,),
        reference="OASIS MQTT 3.1.1 and 5.0",
        ports=(1883,),
        starts=(b"\x10",),
        stream_bytes=4096,
        fields=("mqtt.client_id", "mqtt.version", "mqtt.login"),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with a CONNECT packet."""
        if not from_client or payload[:1] != b"\x10":
            return False
        head = payload[2:13]
        return b"\0\x04MQTT" in head or b"\0\x06MQIsdp" in head

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the CONNECT packet and nothing after it; a broker says nothing of itself."""
        if not from_client:
            inbox.close()
            return
        if inbox.data[0] != _CONNECT:
            if inbox.data[0] not in _LATER:
                raise inbox.malformed("a client begins with no packet of a client")
            inbox.close()  # heard from the middle on
            return
        length, at = 0, 1
        while True:
            if at >= len(inbox.data):
                return
            length |= (inbox.data[at] & 0x7F) << 7 * (at - 1)
            at += 1
            if not inbox.data[at - 1] & 0x80:
                break
            if at > 4:
                raise inbox.malformed("a remaining length of more than four bytes")
        if length > _PACKET_LIMIT:
            raise inbox.malformed("a CONNECT packet of more than 16 KiB")
        packet = inbox.take(at + length)
        if packet is not None:
            self._connect(packet[at:])
            inbox.close()

    def _connect(self, body: bytes) -> None:
        name, at = _counted(body, 0)
        if name not in (b"MQTT", b"MQIsdp"):
            raise self.malformed("a CONNECT packet of another protocol")
        level, flags = body[at], body[at + 1]
        at += 4
        if level & 0x7F == 5:  # the upper bit marks bridges
            length, size = 0, 0
            while True:
                octet = body[at + size]
                length |= (octet & 0x7F) << 7 * size
                size += 1
                if not octet & 0x80 or size == 4:
                    break
            at += size + length
        client, at = _counted(body, at)
        self.said("mqtt.version", _VERSIONS.get(level & 0x7F) or str(level))
        self.said("mqtt.client_id", printable(client))
        if flags & _PASSWORD:
            self.said("mqtt.login", "clear-text")
        elif not flags & _USER_NAME:
            self.said("mqtt.login", "none")


def _counted(data: bytes, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from(">H", data, at)
    at += 2
    if at + length > len(data):
        raise IndexError("a string reaches beyond the packet")
    return data[at : at + length], at + length


DISSECTOR = MqttDissector
