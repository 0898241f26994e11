"""TFTP: telephones, access points and thin clients by the configuration and software they load.

RFC 1350 section 5 (requests), RFC 2347 (options). A file name is told only where it has the form of a boot
image or of a device's own configuration; what is transferred is not read.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_READ, _WRITE = b"\0\x01", b"\0\x02"
_MODES = (b"octet", b"netascii", b"mail")
_CISCO = re.compile(
    r"(?:[\w/]*/)?(?:CTL|ITL)?((?:SEP|ATA|VGC|AN|SKIGW)[0-9A-F]{10,12})\.(?:cnf\.xml(?:\.sgn|\.enc\.sgn)?|tlv)"
)
_OWN_MAC = re.compile(
    r"(?:[\w/.-]*/)?(?:01-)?((?:[0-9a-f]{2}-){5}[0-9a-f]{2}|[0-9a-f]{12})(?:[-.][\w.-]{1,32})?", re.IGNORECASE
)
_BOOT = re.compile(
    r"[\w./ -]{1,96}\.(?:bin|img|loads|sbn|rom|sb2|sgn|0|efi|kpxe|kernel|zz|ld|ver|boot|cfg|cnf|tlv|jar)"
)


class TftpDissector(Connection):
    """Read requests for files."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="tftp",
        title="Trivial File Transfer Protocol",
        transports=(Transport.UDP,),
        reference="RFC 1350",
        ports=(69,),
        fields=("tftp.request", "tftp.file", "tftp.device_name", "tftp.mac"),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a request by its opcode and mode."""
        if not from_client or payload[:2] not in (_READ, _WRITE):
            return False
        parts = payload[2:].split(b"\0", 2)
        return len(parts) == 3 and bool(parts[0]) and parts[1].lower() in _MODES

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one request; transfers go on from other ports."""
        if not from_client or payload[:2] not in (_READ, _WRITE):
            return
        parts = payload[2:].split(b"\0", 2)
        if len(parts) < 3 or parts[1].lower() not in _MODES:
            raise self.malformed("a request without a name or mode", 2)
        name = printable(parts[0])
        self.said("tftp.request", "read" if payload[:2] == _READ else "write")
        if device := _CISCO.fullmatch(name):
            self.said("tftp.device_name", device[1])
        elif own := _OWN_MAC.fullmatch(name):
            digits = own[1].replace("-", "").lower()
            if digits.strip("0"):
                self.said("tftp.mac", bytes.fromhex(digits).hex(":"))
        elif _BOOT.fullmatch(name):
            self.said("tftp.file", name)


DISSECTOR = TftpDissector
