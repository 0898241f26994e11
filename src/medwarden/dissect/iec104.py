"""IEC 60870-5-104: control centres and substations, by who commands and who reports.

IEC 60870-5-104 section 5 (APCI: start octet 0x68, length, four control octets) and 60870-5-101 section 7.2
(type, cause, common address). Values of information objects are not read.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.model.segment import DissectorManifest, Transport

_START = 0x68
_SHORTEST, _LONGEST = 4, 253
_MONITOR = range(1, 45)
_CONTROL = range(45, 128)
_U_FORMATS = frozenset({0x07, 0x0B, 0x13, 0x23, 0x43, 0x83})


class Iec104Dissector(Connection):
    """Read the roles and the address of the station."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="iec104",
        title="IEC 60870-5-104",
        transports=(Transport.TCP,),
        reference="IEC 60870-5-104, IEC 60870-5-101",
        ports=(2404,),
        stream_bytes=8192,
        opening_tells=True,
        fields=("iec104.role", "iec104.common_address"),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell an APDU by its start, length and the form of its control octets."""
        del from_client
        if len(payload) < 6 or payload[0] != _START or not _SHORTEST <= payload[1] <= _LONGEST:
            return False
        if payload[2] & 3 == 3:
            return payload[1] == 4 and payload[2] in _U_FORMATS and payload[3:6] == b"\0\0\0"
        if payload[2] & 3 == 1:
            return payload[1] == 4 and payload[2] == 1 and payload[3] == 0
        return len(payload) >= 12 and payload[1] >= 10 and not payload[4] & 1 and 0 < payload[6] < 128

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the APDUs of one direction."""
        while len(inbox.data) >= 2:
            if inbox.data[0] != _START or not _SHORTEST <= inbox.data[1] <= _LONGEST:
                raise inbox.malformed("no APDU")
            apdu = inbox.take(2 + inbox.data[1])
            if apdu is None:
                return
            self.said("iec104.role", "controlling station" if from_client else "controlled station")
            if not apdu[2] & 1 and len(apdu) >= 12 and not from_client and apdu[6] in (*_MONITOR, *_CONTROL):
                self.said("iec104.common_address", str(int.from_bytes(apdu[10:12], "little")))


DISSECTOR = Iec104Dissector
