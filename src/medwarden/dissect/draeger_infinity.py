"""Draeger Infinity monitors: what they announce of themselves by multicast on UDP 2150.

The maker does not publish the wire; the layout is that of one open client of the Infinity network, not
checked against a monitor: 24 octets of head that begin with the device's address, then parts of two octets,
``-`` in two, length in two (of the whole part), kind, and a name in UTF-16 with its number of characters,
padded to an even one. Kind 1 names the monitor, 13 holds firmware, model and serial number, 11 an
interface, 5 the patient's name and number: of that only whether there is one is told.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.dissect.octets import ipv4_text
from medwarden.model.segment import DissectorManifest, Transport

MAX_PARTS = 64

_HEAD = 24
_PART_HEAD = 7
_SEPARATOR = b"\0-"
_MONITOR, _PATIENT, _INTERFACE, _IDENTITY = 1, 5, 11, 13
_KINDS = frozenset((_MONITOR, _PATIENT, _INTERFACE, _IDENTITY))


class DraegerInfinity(Connection):
    """Read announcements, one datagram at a time."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="draeger_infinity",
        title="Draeger Infinity network",
        transports=(Transport.UDP,),
        reference="an open client of the Draeger Infinity network; not public itself",
        ports=(2150,),
        fields=(
            "draeger_infinity.role",
            "draeger_infinity.name",
            "draeger_infinity.model",
            "draeger_infinity.serial_number",
            "draeger_infinity.firmware",
            "draeger_infinity.patient_data",
        ),
        medical=True,
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell an announcement by its first part."""
        del from_client
        if len(payload) < _HEAD + _PART_HEAD or payload[_HEAD + 2 : _HEAD + 4] != _SEPARATOR:
            return False
        length, kind = struct.unpack_from(">HB", payload, _HEAD + 4)
        return (
            _PART_HEAD < length <= len(payload) - _HEAD
            and kind in _KINDS
            and ipv4_text(payload[:4]) is not None
        )

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one announcement, which speaks for the address at its head."""
        if not self.recognises(payload, from_client):
            raise self.malformed("no announcement of a monitor", 0)
        ip = ipv4_text(payload[:4])
        self.said_from(ip, "draeger_infinity.role", "monitor")
        at = _HEAD
        for _ in range(MAX_PARTS):
            if len(payload) - at < _PART_HEAD or payload[at + 2 : at + 4] != _SEPARATOR:
                return
            length, kind = struct.unpack_from(">HB", payload, at + 4)
            if not _PART_HEAD < length <= len(payload) - at:
                raise self.malformed("a part is longer than its announcement", at)
            for field, value in self._part(kind, payload[at + _PART_HEAD : at + length]):
                self.said_from(ip, field, value)
            at += length

    def _part(self, kind: int, part: bytes) -> list[tuple[str, str]]:
        """Return the facts of one part."""
        name, rest = self._text(part[1:], part[0])
        if kind == _MONITOR:
            return [("draeger_infinity.name", name)]
        if kind == _IDENTITY:
            firmware_length, model_length, serial_length = struct.unpack_from(">BBB", rest, 11)
            firmware, rest = self._text(rest[16:], firmware_length)
            model, rest = self._text(rest, model_length)
            serial, _ = self._text(rest, serial_length)
            return [
                ("draeger_infinity.firmware", firmware),
                ("draeger_infinity.model", model),
                ("draeger_infinity.serial_number", serial),
            ]
        if kind == _PATIENT and len(rest) >= 12:
            name_length, number_length = rest[9], rest[10]
            patient, rest = self._text(rest[12:], name_length)
            number, _ = self._text(rest, number_length)
            if patient or number:
                return [("draeger_infinity.patient_data", "yes")]
        return []

    def _text(self, data: bytes, characters: int) -> tuple[str, bytes]:
        """Return a text of so many characters and what follows its padding to an even number."""
        end = 2 * characters
        if end > len(data):
            raise self.malformed("a text is longer than its part")
        return data[:end].decode("utf-16-be", "replace").strip("\0 "), data[end + 2 * (characters % 2) :]


DISSECTOR = DraegerInfinity
