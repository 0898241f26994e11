"""IPP: what a printer answers when asked for its attributes.

RFC 8010 section 3.1 (encoding), RFC 8011 section 5.4 (printer description), PWG 5100.13 (device id),
5100.11 and the IANA registry of attributes (firmware, serial number). IPP travels over HTTP, which hands
over bodies, so this module has no dissector of its own. Of jobs and of those who print nothing is read.
"""

from __future__ import annotations

import struct

from medwarden.dissect.octets import printable
from medwarden.kernel.errors import MalformedInput

SOURCE = "ipp"
MEDIA_TYPE = "application/ipp"

_PRINTER_GROUP, _END = 0x04, 0x03
_TEXTS = frozenset(
    {0x41, 0x42, 0x44, 0x45, 0x47, 0x48, 0x49}
)  # text, name, keyword, URI ... without language
_WITH_LANGUAGE = frozenset({0x35, 0x36})
_MOST_ATTRIBUTES = 512
_ATTRIBUTES = {
    b"printer-make-and-model": "ipp.model",
    b"printer-name": "ipp.name",
    b"printer-info": "ipp.info",
    b"printer-location": "ipp.printer_location",
    b"printer-dns-sd-name": "ipp.dns_sd_name",
    b"printer-firmware-string-version": "ipp.firmware",
    b"printer-serial-number": "ipp.serial_number",
    b"printer-uuid": "ipp.uuid",
    b"printer-device-id": "ipp.device_id",
}
_DEVICE_ID = {"SN": "ipp.serial_number", "SERN": "ipp.serial_number", "SERIALNUMBER": "ipp.serial_number"}
FIELDS = tuple(_ATTRIBUTES.values())
"""Every field :func:`facts_of_answer` may return, for the manifest of the caller."""


def facts_of_answer(body: bytes, complete: bool = True) -> list[tuple[str, str]]:
    """Return (field, value) pairs of the printer attributes in an answer, each field once.

    Raises MalformedInput where an attribute reaches beyond a ``complete`` body; of one that was not kept
    whole, what there is counts.
    """
    if len(body) < 9 or body[0] not in (1, 2):
        return []
    facts: dict[str, str] = {}
    at, group = 8, 0
    for _ in range(_MOST_ATTRIBUTES):
        if at >= len(body) or body[at] == _END:
            break
        tag = body[at]
        if tag < 0x10:
            group = tag
            at += 1
            continue
        try:
            (size,) = struct.unpack_from(">H", body, at + 1)
            name = body[at + 3 : at + 3 + size]
            (length,) = struct.unpack_from(">H", body, at + 3 + size)
        except struct.error as error:
            if not complete:
                break
            raise MalformedInput(SOURCE, "an attribute ends within its head", at) from error
        begin = at + 5 + size
        if begin + length > len(body):
            if not complete:
                break
            raise MalformedInput(SOURCE, "an attribute reaches beyond its message", at)
        field = _ATTRIBUTES.get(name) if group == _PRINTER_GROUP else None
        if field is not None:
            value = _text(tag, body[begin : begin + length])
            if value:
                facts.setdefault(field, value)
        at = begin + length
    for key, value in _device_id(facts.get("ipp.device_id", "")):
        facts.setdefault(key, value)
    return list(facts.items())


def _text(tag: int, value: bytes) -> str:
    if tag in _WITH_LANGUAGE and len(value) >= 4:
        language = int.from_bytes(value[:2], "big")
        value = value[4 + language :]
    elif tag not in _TEXTS:
        return ""
    return printable(value)


def _device_id(text: str) -> list[tuple[str, str]]:
    """Return the serial number in an IEEE 1284 device id: ``KEY:value;`` pairs."""
    pairs = [part.partition(":") for part in text.split(";")]
    return [
        (_DEVICE_ID[k.strip().upper()], v.strip())
        for k, _, v in pairs
        if k.strip().upper() in _DEVICE_ID and v.strip()
    ]
