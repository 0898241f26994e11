"""SCCP: Cisco telephones as they register with their call manager.

Cisco publishes no standard; layout of the header, Register and Alarm messages after public descriptions
(the Wireshark and Asterisk projects agree on them). Numbers dialled, keys and displays are not read.
"""

from __future__ import annotations

import re
import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.octets import ipv4_text, printable
from medwarden.model.segment import DissectorManifest, Transport

_REGISTER, _REGISTER_ACK, _ALARM = 0x0001, 0x0081, 0x0020
_LONGEST = 8192
_NAME = re.compile(r"[A-Z]{3}[0-9A-F]{12}|[\w.-]{3,16}")
_LOAD = re.compile(r"Load=\s*([\w.()-]{3,48})")
MODELS = {
    6: "7910", 7: "7960", 8: "7940", 9: "7935", 12: "ATA 186", 115: "7941G", 119: "7971", 302: "7985",
    307: "7911", 308: "7961G-GE", 309: "7941G-GE", 348: "7931", 365: "7921", 369: "7906", 404: "7962",
    431: "7937", 434: "7942", 435: "7945", 436: "7965", 437: "7975", 484: "7925", 495: "6921", 496: "6941",
    497: "6961", 547: "6901", 548: "6911", 564: "6945", 577: "7926", 585: "8945", 586: "8941",
    20000: "7905", 30002: "7920", 30006: "7970", 30007: "7912", 30008: "7902", 30016: "IP Communicator",
    30018: "7961G", 30019: "7936", 30027: "VG analogue port",
}  # fmt: skip
"""Device types of the Register message by the model they stand for."""


class SccpDissector(Connection):
    """Read registrations and the alarm in which a telephone names its software load."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="sccp",
        title="Skinny Client Control Protocol",
        transports=(Transport.TCP,),
        reference="Cisco SCCP, as publicly described",
        ports=(2000,),
        stream_bytes=4096,
        fields=(
            "sccp.role", "sccp.device_name", "sccp.device_type", "sccp.model", "sccp.load", "sccp.address",
        ),
    )  # fmt: skip

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a registration or alarm by its length, version and message number."""
        if len(payload) < 12:
            return False
        length, version, message = struct.unpack_from("<III", payload)
        known = (_REGISTER, _ALARM, 0) if from_client else (_REGISTER_ACK,)
        return 4 <= length <= _LONGEST and version <= 32 and message in known

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the messages of one direction."""
        while len(inbox.data) >= 12:
            length, version, message = struct.unpack_from("<III", inbox.data)
            if not 4 <= length <= _LONGEST or version > 32:
                raise inbox.malformed("no SCCP header")
            packet = inbox.take(8 + length)
            if packet is None:
                return
            if from_client and message == _REGISTER:
                self._register(packet[12:])
            elif from_client and message == _ALARM:
                found = _LOAD.search(printable(packet[12:]))
                self.said("sccp.load", found[1] if found else "")
            elif not from_client and message == _REGISTER_ACK:
                self.said("sccp.role", "call manager")

    def _register(self, body: bytes) -> None:
        """Read name, station and its type: 16 octets, user and instance, address, type."""
        name = printable(body[:16].partition(b"\0")[0])
        address, kind = body[24:28], struct.unpack_from("<I", body, 28)[0]
        if not _NAME.fullmatch(name):
            raise self.malformed("a registration without a device name")
        self.said("sccp.role", "telephone")
        self.said("sccp.device_name", name)
        self.said("sccp.device_type", str(kind))
        self.said("sccp.model", MODELS.get(kind, ""))
        self.said("sccp.address", ipv4_text(address) or "")


DISSECTOR = SccpDissector
