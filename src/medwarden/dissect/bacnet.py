"""BACnet/IP: what building automation devices say of themselves.

ANSI/ASHRAE 135: annex J.2 (BVLC), clause 6.2 (NPDU), 6.4 (messages of routers), 16.10.2 (I-Am), 16.9.1
(I-Have), 15.5 (ReadProperty), 15.7 (ReadPropertyMultiple), 20.2 (encoding), 12.11 (device object). Objects
other than the device object are not read.
"""

from __future__ import annotations

import struct
from typing import ClassVar, NamedTuple

from medwarden.dissect.connection import Connection
from medwarden.dissect.octets import ipv4_text, printable
from medwarden.model.segment import DissectorManifest, Transport

_FORWARDED, _REGISTER, _DISTRIBUTE, _UNICAST, _BROADCAST = 0x04, 0x05, 0x09, 0x0A, 0x0B
_TABLE_ANSWERS = frozenset({0x03, 0x07})  # broadcast distribution table, foreign device table
_WHO_IS, _WHO_HAS = 8, 7
_I_AM_ROUTER = 0x01
_UNCONFIRMED, _COMPLEX_ACK = 1, 3
_I_AM, _I_HAVE = 0, 1
_READ_PROPERTY, _READ_PROPERTY_MULTIPLE = 12, 14
_DEVICE = 8
_UNSIGNED, _CHARACTER_STRING, _OBJECT_ID = 2, 7, 12
_OPENING, _CLOSING = 6, 7
_PROPERTIES = {
    12: "bacnet.application_software",
    28: "bacnet.description",
    44: "bacnet.firmware_revision",
    58: "bacnet.location",
    70: "bacnet.model_name",
    77: "bacnet.object_name",
    120: "bacnet.vendor_id",
    121: "bacnet.vendor_name",
    372: "bacnet.serial_number",
}
_MOST_TAGS = 512
_UNCONFIGURED = 4194303


class Tag(NamedTuple):
    """One tag of clause 20.2.1: number, whether context specific, bracket (0, opening, closing), contents."""

    number: int
    context: bool
    bracket: int
    start: int
    end: int


class BacnetDissector(Connection):
    """Read I-Am, I-Have and the answers to reads of the device object.

    What a BBMD forwards belongs to the address it was first sent from. What a router passes on from
    another network (MS/TP and the like) belongs to no address of this one: it is told as what stands behind
    the router, ``network:address`` first, never as what the router is.
    """

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="bacnet",
        title="BACnet/IP",
        transports=(Transport.UDP,),
        reference="ANSI/ASHRAE 135 annex J",
        ports=tuple(range(47808, 47824)),
        starts=(b"\x81\x04", b"\x81\x09", b"\x81\x0a", b"\x81\x0b"),
        fields=(
            "bacnet.device_instance", "bacnet.role", "bacnet.routed_network", "bacnet.routed_device",
            *_PROPERTIES.values(),
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._origin: str | None = None
        self._behind = ""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload is a BVLC message of its stated length."""
        del from_client
        return len(payload) >= 4 and payload[0] == 0x81 and payload[1] <= 0x0C and (
            struct.unpack_from(">H", payload, 2)[0] == len(payload)
        )  # fmt: skip

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one BVLC message."""
        del from_client
        kind, function, length = struct.unpack_from(">BBH", payload)
        if kind != 0x81 or length > len(payload) or length < 4:
            raise self.malformed("no BVLC message", 0)
        at = 4
        self._origin, self._behind = None, ""
        if function == _FORWARDED:
            self._origin = ipv4_text(payload[4:8])
            self.said("bacnet.role", "BBMD")
            at = 10
        elif function in _TABLE_ANSWERS:
            self.said("bacnet.role", "BBMD")
            return
        elif function in (_REGISTER, _DISTRIBUTE):
            self.said("bacnet.role", "foreign device")
        if function not in (_FORWARDED, _DISTRIBUTE, _UNICAST, _BROADCAST):
            return
        version, control = payload[at], payload[at + 1]
        if version != 1:
            raise self.malformed("no NPDU of version 1", at)
        at += 2
        if control & 0x20:
            at += 3 + payload[at + 2]
        if control & 0x08:
            network, size = struct.unpack_from(">HB", payload, at)
            address = payload[at + 3 : at + 3 + size]
            if len(address) < size:
                raise self.malformed("a source address reaches beyond its message", at)
            at += 3 + size
            self._behind = f"{network}:{address.hex()}"
            self._say("bacnet.role", "router")
            self._say("bacnet.routed_network", str(network))
        at += 1 if control & 0x20 else 0
        body = payload[at:length]
        if control & 0x80:
            self._network_message(body)
        elif body:
            self._service(body)

    def _network_message(self, body: bytes) -> None:
        """Read the networks that a router says it leads to (clause 6.4.2)."""
        if body[:1] == bytes((_I_AM_ROUTER,)) and not self._behind:
            self._say("bacnet.role", "router")
            for at in range(1, min(len(body) - 1, 129), 2):
                self._say("bacnet.routed_network", str(int.from_bytes(body[at : at + 2], "big")))

    def _service(self, apdu: bytes) -> None:
        kind = apdu[0] >> 4
        if kind == _UNCONFIRMED and apdu[1] in (_WHO_IS, _WHO_HAS):
            if not self._behind:
                self._say("bacnet.role", "client")
        elif kind == _UNCONFIRMED and apdu[1] == _I_AM:
            self._i_am(apdu)
        elif kind == _UNCONFIRMED and apdu[1] == _I_HAVE:
            tags = _tags(apdu, 2)
            if len(tags) == 3 and _number(apdu, tags[1]) >> 22 == _DEVICE:
                self._value(77, apdu, tags[2])
        elif kind == _COMPLEX_ACK and not apdu[0] & 0x08:
            if apdu[2] == _READ_PROPERTY:
                self._property(apdu, _tags(apdu, 3))
            elif apdu[2] == _READ_PROPERTY_MULTIPLE:
                self._properties(apdu, _tags(apdu, 3))

    def _i_am(self, apdu: bytes) -> None:
        tags = _tags(apdu, 2)
        if len(tags) < 4 or tags[0].number != _OBJECT_ID:
            raise self.malformed("an I-Am without its four parts")
        self._instance(_number(apdu, tags[0]))
        self._value(120, apdu, tags[3])

    def _property(self, apdu: bytes, tags: list[Tag]) -> None:
        """Read a ReadProperty-ACK: [0] object, [1] property, [2] index, [3] value."""
        if len(tags) < 5 or not tags[0].context or _number(apdu, tags[0]) >> 22 != _DEVICE:
            return
        self._instance(_number(apdu, tags[0]))
        if tags[2].bracket == _OPENING:
            self._value(_number(apdu, tags[1]), apdu, tags[3])

    def _properties(self, apdu: bytes, tags: list[Tag]) -> None:
        """Read a ReadPropertyMultiple-ACK: [0] object, [1] list of [2] property, [3] index, [4] value."""
        of_device = False
        code = -1
        for index, tag in enumerate(tags):
            if not tag.context or tag.bracket == _CLOSING:
                continue
            if tag.number == 0 and not tag.bracket:
                number = _number(apdu, tag)
                of_device = number >> 22 == _DEVICE
                if of_device:
                    self._instance(number)
            elif tag.number == 2 and not tag.bracket:
                code = _number(apdu, tag)
            elif tag.number == 3 and not tag.bracket:
                code = -1  # an element of an array is not the property
            elif tag.number == 4 and tag.bracket == _OPENING and of_device and index + 1 < len(tags):
                self._value(code, apdu, tags[index + 1])

    def _value(self, code: int, apdu: bytes, tag: Tag) -> None:
        field = _PROPERTIES.get(code)
        if field is None or tag.context:
            return
        if tag.number == _UNSIGNED:
            self._say(field, str(_number(apdu, tag)))
        elif tag.number == _CHARACTER_STRING and tag.end > tag.start:
            self._say(field, _text(apdu[tag.start : tag.end]))

    def _instance(self, identifier: int) -> None:
        instance = identifier & 0x3FFFFF
        if instance != _UNCONFIGURED:
            self._say("bacnet.device_instance", str(instance))

    def _say(self, field: str, value: str) -> None:
        if self._behind and field not in ("bacnet.role", "bacnet.routed_network"):
            name = field.partition(".")[2].replace("_", " ")
            field, value = "bacnet.routed_device", f"{self._behind} {name}: {value}"
        self.said_from(self._origin, field, value)


def _tags(data: bytes, at: int) -> list[Tag]:
    """Return the tags from ``at`` on, without descending into values (clause 20.2.1)."""
    tags: list[Tag] = []
    while at < len(data) and len(tags) < _MOST_TAGS:
        first = data[at]
        at += 1
        number = first >> 4
        if number == 15:
            number = data[at]
            at += 1
        context = bool(first & 0x08)
        length = first & 0x07
        if context and length in (_OPENING, _CLOSING):
            tags.append(Tag(number, True, length, at, at))
            continue
        if length == 5:
            length = data[at]
            at += 1
            if length == 254:
                (length,) = struct.unpack_from(">H", data, at)
                at += 2
            elif length == 255:
                (length,) = struct.unpack_from(">I", data, at)
                at += 4
        elif number == 1 and not context:
            length = 0  # a Boolean's value stands in its tag
        if at + length > len(data):
            raise IndexError("a value reaches beyond the message")
        tags.append(Tag(number, context, 0, at, at + length))
        at += length
    return tags


def _number(data: bytes, tag: Tag) -> int:
    return int.from_bytes(data[tag.start : min(tag.end, tag.start + 4)], "big")


def _text(octets: bytes) -> str:
    """Return a character string by the code of its first octet (clause 20.2.9)."""
    coding, body = octets[0], octets[1:]
    if coding == 4:
        return body.decode("utf-16-be", "replace")
    if coding == 5:
        return body.decode("latin-1")
    return printable(body)


DISSECTOR = BacnetDissector
