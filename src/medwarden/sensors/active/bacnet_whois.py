"""A BACnet Who-Is to one address and reads of its device object: name, maker, model, firmware, place.

ANSI/ASHRAE 135: clause 16.10.1 (Who-Is), 15.5 (ReadProperty), 12.11 (device object), annex J (BACnet/IP).
Many devices answer a Who-Is with a broadcast that does not reach us; their device object is then read
under instance 4194303, which stands for the device itself (clause 15.5.2, since addendum 135-2008).
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Transport
from medwarden.sensors.active.exchange import Ended, Exchange, Outcome
from medwarden.sensors.active.prober import ProbeManifest, ProbeSetting

_ITSELF = 4194303
_DEVICE = 8
_WHO_IS = b"\x81\x0a\x00\x08\x01\x00\x10\x08"
_PROPERTIES = (77, 121, 70, 44, 58)  # object name, vendor name, model name, firmware revision, location


class BacnetWhois:
    """Ask a building controller who it is."""

    manifest: ClassVar = ProbeManifest(
        name="bacnet_whois",
        title="BACnet Who-Is and ReadProperty",
        transport=Transport.UDP,
        port=47808,
        dissector="bacnet",
        reference="ANSI/ASHRAE 135 clauses 15.5, 16.10",
        asks="one Who-Is, then five properties of the device object one after the other",
    )

    def missing(self, setting: ProbeSetting) -> str:
        """Need nothing."""
        del setting
        return ""

    def converse(self, line: Exchange, setting: ProbeSetting) -> None:
        """Send Who-Is, then read while the device answers; the first silence ends it."""
        del setting
        instance = _ITSELF
        line.say(_WHO_IS)
        try:
            instance = _instance(line.hear(_is_bvlc, line.limits.total_s / 4))
        except Ended as ended:
            if ended.outcome is not Outcome.SILENT:
                raise
        for number, code in enumerate(_PROPERTIES, 1):
            line.say(read_property(instance, code, number))
            try:
                line.hear(_is_bvlc)
            except Ended as ended:
                if ended.outcome is Outcome.SILENT and line.received:
                    return
                raise


def read_property(instance: int, code: int, number: int) -> bytes:
    """Return a confirmed ReadProperty of the device object (clause 20.1.2)."""
    apdu = bytes((0x00, 0x03, number, 0x0C, 0x0C)) + struct.pack(">I", _DEVICE << 22 | instance)
    apdu += bytes((0x19, code)) if code < 256 else b"\x1a" + struct.pack(">H", code)
    return struct.pack(">BBH", 0x81, 0x0A, 6 + len(apdu)) + b"\x01\x04" + apdu


def _is_bvlc(heard: bytes) -> bool:
    if len(heard) < 6 or heard[0] != 0x81 or struct.unpack_from(">H", heard, 2)[0] != len(heard):
        raise MalformedInput("bacnet_whois", "the datagram is no BACnet/IP message", 0)
    return True


def _instance(heard: bytes) -> int:
    """Return the instance an I-Am names (clause 16.10.2), or that of the device itself."""
    at = heard.find(b"\x10\x00\xc4", 4)
    if at < 0 or at + 7 > len(heard):
        return _ITSELF
    identifier = int.from_bytes(heard[at + 3 : at + 7], "big")
    return identifier & 0x3FFFFF if identifier >> 22 == _DEVICE else _ITSELF


PROBER = BacnetWhois
