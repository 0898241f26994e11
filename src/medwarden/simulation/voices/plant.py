"""Building and plant: BACnet/IP (ASHRAE 135, annex J and clause 20), Modbus/TCP, MQTT 3.1.1, S7."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_DEVICE = 8
PROPERTIES = {
    "object_name": 77,
    "model_name": 70,
    "vendor_name": 121,
    "firmware_revision": 44,
    "location": 58,
    "application_software": 12,
    "vendor_identifier": 120,
    "present_value": 85,
}


def _bvlc(function: int, apdu: bytes, broadcast: bool = False) -> bytes:
    npdu = b"\x01\x20\xff\xff\x00\xff" if broadcast else (b"\x01\x04" if apdu[0] >> 4 == 0 else b"\x01\x00")
    return struct.pack(">BBH", 0x81, function, 4 + len(npdu) + len(apdu)) + npdu + apdu


def _tagged(tag: int, data: bytes, context: bool) -> bytes:
    length = len(data)
    mark = tag << 4 | (8 if context else 0)
    if length < 5:
        return bytes((mark | length,)) + data
    return bytes((mark | 5, length)) + data


def _number(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")


def who_is() -> bytes:
    """Return a global Who-Is."""
    return _bvlc(0x0B, b"\x10\x08", True)


def i_am(instance: int, vendor: int, max_apdu: int = 1476) -> bytes:
    """Return an I-Am broadcast."""
    body = _tagged(12, struct.pack(">I", _DEVICE << 22 | instance), False) + _tagged(
        2, _number(max_apdu), False
    )
    return _bvlc(
        0x0B, b"\x10\x00" + body + _tagged(9, b"\x03", False) + _tagged(2, _number(vendor), False), True
    )


def read_property(invoke: int, kind: int, instance: int, name: str) -> bytes:
    """Return a ReadProperty request."""
    body = _tagged(0, struct.pack(">I", kind << 22 | instance), True) + _tagged(
        1, _number(PROPERTIES[name]), True
    )
    return _bvlc(0x0A, bytes((0x00, 0x05, invoke, 0x0C)) + body)


def property_ack(invoke: int, kind: int, instance: int, name: str, value: str | int | float) -> bytes:
    """Return the acknowledgement with the value."""
    if isinstance(value, str):
        data = _tagged(7, b"\0" + value.encode(), False)
    elif isinstance(value, float):
        data = _tagged(4, struct.pack(">f", value), False)
    else:
        data = _tagged(2, _number(value), False)
    body = _tagged(0, struct.pack(">I", kind << 22 | instance), True) + _tagged(
        1, _number(PROPERTIES[name]), True
    )
    return _bvlc(0x0A, bytes((0x30, invoke, 0x0C)) + body + b"\x3e" + data + b"\x3f")


def modbus(transaction: int, unit: int, pdu: bytes) -> bytes:
    """Return a Modbus/TCP message."""
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


def read_registers(start: int, count: int) -> bytes:
    """Return the request to read holding registers."""
    return struct.pack(">BHH", 3, start, count)


def registers(values: Sequence[int]) -> bytes:
    """Return the registers asked for."""
    return struct.pack(f">BB{len(values)}H", 3, 2 * len(values), *values)


def identify() -> bytes:
    """Return the request for the basic device identification (function 43/14)."""
    return b"\x2b\x0e\x01\x00"


def identification(values: Sequence[str]) -> bytes:
    """Return vendor name, product code and revision."""
    objects = b"".join(bytes((number, len(value))) + value.encode() for number, value in enumerate(values))
    return b"\x2b\x0e\x01\x01\x00\x00" + bytes((len(values),)) + objects


def _mqtt_text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


def mqtt_connect(client: str, user: str = "") -> bytes:
    """Return CONNECT."""
    body = _mqtt_text("MQTT") + bytes((4, 0x82 if user else 2)) + struct.pack(">H", 60) + _mqtt_text(client)
    body += _mqtt_text(user) if user else b""
    return bytes((0x10, len(body))) + body


def mqtt_connected() -> bytes:
    """Return CONNACK."""
    return b"\x20\x02\0\0"


def mqtt_publish(topic: str, payload: bytes) -> bytes:
    """Return PUBLISH with quality of service 0 and less than 16 KiB."""
    body = _mqtt_text(topic) + payload
    size = len(body)
    length = bytes((size,)) if size < 128 else bytes((size & 0x7F | 0x80, size >> 7))
    return b"\x30" + length + body


def mqtt_ping() -> tuple[bytes, bytes]:
    """Return PINGREQ and PINGRESP."""
    return b"\xc0\0", b"\xd0\0"


def _tpkt(cotp: bytes) -> bytes:
    return struct.pack(">BBH", 3, 0, 4 + len(cotp)) + cotp


def s7_connect(reply: bool) -> bytes:
    """Return the COTP connection request or confirm (ISO 8073, RFC 1006) for rack 0, slot 2."""
    parameters = b"\xc0\x01\x0a\xc1\x02\x01\x00\xc2\x02\x01\x02"
    head = struct.pack(">BHHB", 0xD0 if reply else 0xE0, 1 if reply else 0, 0x14 if reply else 1, 0)
    return _tpkt(bytes((len(head) + len(parameters),)) + head + parameters)


def _s7(kind: int, number: int, parameters: bytes, data: bytes = b"") -> bytes:
    head = struct.pack(">BBHHHH", 0x32, kind, 0, number, len(parameters), len(data))
    return _tpkt(b"\x02\xf0\x80" + head + (b"\0\0" if kind == 3 else b"") + parameters + data)


def s7_setup(number: int, reply: bool) -> bytes:
    """Return the request to set communication up, or its acknowledgement."""
    return _s7(3 if reply else 1, number, struct.pack(">BBHHH", 0xF0, 0, 1, 1, 480))


def s7_identify(number: int) -> bytes:
    """Return the request for the module identification (system status list 0x0011)."""
    parameters = b"\x00\x01\x12\x04\x11\x44\x01\x00"
    return _s7(7, number, parameters, struct.pack(">BBHHH", 0xFF, 9, 4, 0x0011, 0))


def s7_identification(number: int, order: str, version: tuple[int, int, int]) -> bytes:
    """Return the module identification: order number and firmware version."""
    parameters = b"\x00\x01\x12\x08\x12\x84\x01\x01\x00\x00\x00\x00"
    record = struct.pack(">H", 7) + order.ljust(20).encode() + struct.pack(">HBBBB", 0xC0, ord("V"), *version)
    items = struct.pack(">H", 1) + order.ljust(20).encode() + struct.pack(">HHH", 0xC0, 4, 1) + record
    body = struct.pack(">HHHH", 0x0011, 0, 28, 2) + items
    return _s7(7, number, parameters, struct.pack(">BBH", 0xFF, 9, len(body)) + body)
