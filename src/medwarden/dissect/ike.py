"""IKE: VPN gateways and clients, and the software that names itself in its vendor ids.

RFC 7296 section 3.1 (header), 3.2 (payloads), 3.12 (vendor id); RFC 2408 sections 3.1 and 3.16 for version 1;
RFC 3948 section 2.2 (port 4500). Vendor ids are hashes or texts that their makers chose; those that tell a
product are known here, those of mere features are passed over.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.model.segment import DissectorManifest, Transport

_HEADER = 28
_NON_ESP = b"\0\0\0\0"
_VENDOR_1, _VENDOR_2 = 13, 43
_EXCHANGES = {2: "main", 4: "aggressive", 34: "init"}
_MOST_PAYLOADS = 48
_VENDORS = (
    (bytes.fromhex("12f5f28c457168a9702d9fe274cc"), "Cisco Unity"),
    (bytes.fromhex("1f07f70eaa6514d3b0fa96542a50"), "Cisco VPN 3000"),
    (bytes.fromhex("1e2b516905991c7d7c96fcbfb587e461"), "Windows"),
    (bytes.fromhex("e3a5966a76379fe707228231e5ce8652"), "Windows"),
    (bytes.fromhex("882fe56d6fd20dbc2251613b2ebe5beb"), "strongSwan"),
    (bytes.fromhex("8299031757a36082c6a621de"), "Fortinet"),
    (bytes.fromhex("f4ed19e0c114eb516faaac0ee37daf2807b4381f"), "Check Point"),
    (bytes.fromhex("404bf439522ca3f6"), "SonicWall"),
    (b"CISCO-DELETE-REASON", "Cisco"),
    (b"CISCO-DYNAMIC-ROUTE", "Cisco"),
    (b"CISCO(COPYRIGHT)", "Cisco"),
    (b"FLEXVPN-SUPPORTED", "Cisco"),
    (b"CISCO-ANYCONNECT-EAP", "Cisco AnyConnect"),
    (b"strongSwan", "strongSwan"),
    (b"OpenIKED", "OpenIKED"),
    (b"Libreswan", "Libreswan"),
    (b"HeartBeat_Notify", "Juniper ScreenOS"),
)


class IkeDissector(Connection):
    """Read the first exchange of either side, before it is encrypted."""

    application: ClassVar[str] = "ipsec"  # what the keys are for, and what follows on port 4500

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="ike",
        title="Internet Key Exchange",
        transports=(Transport.UDP,),
        reference="RFC 7296, RFC 2408",
        ports=(500, 4500),
        fields=("ike.version", "ike.role", "ike.mode", "ike.vendor"),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload is a first message: a header of its length with a known exchange."""
        del from_client
        at = 4 if payload[:4] == _NON_ESP else 0
        if len(payload) < at + _HEADER or payload[at + 17] not in (0x10, 0x20):
            return False
        (length,) = struct.unpack_from(">I", payload, at + 24)
        return length == len(payload) - at and payload[at + 18] in _EXCHANGES and any(payload[at : at + 8])

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one message; of encrypted ones and of ESP nothing."""
        del from_client
        at = 4 if payload[:4] == _NON_ESP else 0
        if self._is_esp(payload):
            return
        if len(payload) < at + _HEADER:
            raise self.malformed("a message shorter than its header", len(payload))
        version, exchange, flags = payload[at + 17 : at + 20]
        (length,) = struct.unpack_from(">I", payload, at + 24)
        if version not in (0x10, 0x20) or not _HEADER <= length <= len(payload) - at:
            raise self.malformed("no IKE header", at)
        if exchange not in _EXCHANGES:
            return
        self.said("ike.version", "1" if version == 0x10 else "2")
        self.said("ike.mode", _EXCHANGES[exchange])
        self.said("ike.role", "initiator" if not any(payload[at + 8 : at + 16]) else self._answers(flags))
        if version == 0x20 or not flags & 1:  # version 1: bit 0 says that what follows is encrypted
            self._payloads(payload[at : at + length], payload[at + 16])

    def _is_esp(self, payload: bytes) -> bool:
        """Tell ESP and keep-alives on port 4500, where IKE has four zero octets before it."""
        segment = self.segment
        return 4500 in (segment.src_port, segment.dst_port) and payload[:4] != _NON_ESP

    def _answers(self, flags: int) -> str:
        """Return the sender's part in a message that carries both ids (version 2: flag I, RFC 7296 3.1)."""
        if self.segment.payload[17] == 0x20 or self.segment.payload[21:22] == b"\x20":
            return "initiator" if flags & 0x08 else "responder"
        return "initiator" if self.segment.from_client else "responder"

    def _payloads(self, message: bytes, kind: int) -> None:
        at = _HEADER
        for _ in range(_MOST_PAYLOADS):
            if not kind:
                return
            following, _, length = struct.unpack_from(">BBH", message, at)
            if length < 4 or at + length > len(message):
                raise self.malformed("a payload reaches beyond its message", at)
            if kind in (_VENDOR_1, _VENDOR_2):
                body = message[at + 4 : at + length]
                for start, name in _VENDORS:
                    if body.startswith(start):
                        self.said("ike.vendor", name)
            if kind == 46:
                return  # encrypted, and the last of its message
            kind = following
            at += length


DISSECTOR = IkeDissector
