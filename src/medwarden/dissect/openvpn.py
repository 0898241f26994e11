"""OpenVPN: who opens a tunnel to whom, and whether the control channel is wrapped by a shared key.

"OpenVPN wire protocol" (draft of the OpenVPN project), section 3: opcode and key id in one octet, session
id, acknowledgements, packet id; over TCP a length of two octets before. Certificates are not read: with
``tls-auth`` an HMAC stands before them, with ``tls-crypt`` they are encrypted.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.model.segment import DissectorManifest, Transport

# P_CONTROL_HARD_RESET_CLIENT_V2, _SERVER_V2, _CLIENT_V3, in the upper five bits; the key id is 0.
_CLIENT, _SERVER, _CLIENT_3 = 0x38, 0x40, 0x50
_PLAIN = {_CLIENT: 14, _SERVER: 26}
_SHORTEST, _LONGEST = 14, 1200


class OpenvpnDissector(Connection):
    """Read the resets with which both sides begin."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="openvpn",
        title="OpenVPN",
        transports=(Transport.UDP, Transport.TCP),
        reference="OpenVPN wire protocol, section 3",
        ports=(1194,),
        stream_bytes=1400,
        fields=("openvpn.role", "openvpn.wrapped"),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a reset that opens a session by its opcode, its length and its packet id 0."""
        if len(payload) > 2 and int.from_bytes(payload[:2], "big") == len(payload) - 2:
            payload = payload[2:]
        if not _SHORTEST <= len(payload) <= _LONGEST:
            return False
        if payload[0] == _CLIENT and from_client:
            return (len(payload) == 14 and payload[9:] == b"\0" * 5) or len(payload) in (42, 54, 62, 70, 86)
        return payload[0] == _SERVER and not from_client and len(payload) <= 120

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the first packet of one direction of a stream."""
        if len(inbox.data) < 2:
            return
        length = int.from_bytes(inbox.data[:2], "big")
        if not _SHORTEST <= length <= _LONGEST:
            raise inbox.malformed("no OpenVPN packet")
        packet = inbox.take(2 + length)
        if packet is not None:
            inbox.close()
            self._packet(packet[2:], from_client)

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one packet."""
        if len(payload) < 2:
            raise self.malformed("a packet without a session", 0)
        if payload[0] in (_CLIENT, _SERVER, _CLIENT_3):
            self._packet(payload, from_client)

    def _packet(self, packet: bytes, from_client: bool) -> None:
        opcode = packet[0]
        if opcode not in (_CLIENT, _SERVER, _CLIENT_3) or len(packet) < _SHORTEST:
            raise self.malformed("a session does not begin with a reset", 0)
        if (opcode == _SERVER) is from_client:
            raise self.malformed("a reset of the other side", 0)
        self.said("openvpn.role", "server" if opcode == _SERVER else "client")
        if opcode == _CLIENT_3:
            self.said("openvpn.wrapped", "tls-crypt-v2")
        elif opcode == _CLIENT:
            self.said("openvpn.wrapped", "no" if len(packet) == _PLAIN[_CLIENT] else "yes")


DISSECTOR = OpenvpnDissector
