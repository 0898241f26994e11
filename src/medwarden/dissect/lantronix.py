"""Lantronix serial-device servers: who asks for them and how they answer on UDP 30718.

Lantronix UDS-10 and XPress-DR user guides, "Network configuration using UDP": three octets of zero, then
the function: F6 asks for the firmware, F7 answers with the first 16 octets of its image (software type at 4
and 5) and device information, F8 asks for the setup record, F9 answers with it (address of the device
first), FA to FD change it. The hardware address that newer devices append to F7 is told where it bears the
maker's prefix.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.dissect.octets import ipv4_text, mac_text, printable
from medwarden.model.segment import DissectorManifest, Transport

_LEAD = b"\0\0\0"
_RESET, _FIRMWARE_QUERY, _FIRMWARE, _SETUP_QUERY, _SETUP = 0x03, 0xF6, 0xF7, 0xF8, 0xF9
_SET, _CHANGED, _SET_ADDRESS, _SET_ALL = 0xFA, 0xFB, 0xFC, 0xFD
_SETUP_OCTETS = 124
_PREFIXES = (b"\x00\x20\x4a", b"\x00\x80\xa3")
_COMMANDS = {_RESET: "reset", _SET: "set", _SET_ADDRESS: "set address", _SET_ALL: "set all"}


class Lantronix(Connection):
    """Read queries, answers and changes, one datagram at a time."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="lantronix",
        title="Lantronix device discovery",
        transports=(Transport.UDP,),
        reference="Lantronix UDS-10 User Guide, chapter 8: Network Configuration using UDP",
        ports=(30718,),
        fields=(
            "lantronix.role",
            "lantronix.software_type",
            "lantronix.mac_address",
            "lantronix.ip_address",
            "lantronix.command",
        ),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a datagram by its zeros and function, and answers by their length too."""
        del from_client
        function = payload[3:4]
        if not payload.startswith(_LEAD) or not function:
            return False
        if function[0] == _FIRMWARE:
            return len(payload) >= 24
        if function[0] == _SETUP:
            return len(payload) >= _SETUP_OCTETS
        return function[0] in (_FIRMWARE_QUERY, _SETUP_QUERY, _CHANGED) or function[0] in _COMMANDS

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one datagram."""
        if not self.recognises(payload, from_client):
            raise self.malformed("no function of the configuration protocol", 3)
        function = payload[3]
        if function in _COMMANDS:
            self.said("lantronix.command", _COMMANDS[function])
        if function not in (_FIRMWARE, _SETUP, _CHANGED):
            self.said("lantronix.role", "manager")
            return
        self.said("lantronix.role", "device server")
        if function == _FIRMWARE:
            software = printable(payload[8:10])
            if software.isalnum():
                self.said("lantronix.software_type", software)
            if payload[24:27] in _PREFIXES:
                self.said("lantronix.mac_address", mac_text(payload[24:30]) or "")
        elif function == _SETUP:
            self.said("lantronix.ip_address", ipv4_text(payload[4:8]) or "")


DISSECTOR = Lantronix
