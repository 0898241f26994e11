"""HSRP: routers that share an address, and which of them holds it.

RFC 2281 section 5 (version 1); version 2, which Cisco documents only in its configuration guides, carries
the same in a group state element of 40 octets. The sender is a router; the authentication word is not read.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.dissect.octets import ip_text, ipv4_text, mac_text
from medwarden.model.segment import DissectorManifest, Transport

_STATES = {0: "initial", 1: "learn", 2: "listen", 4: "speak", 8: "standby", 16: "active"}
_STATES_2 = {0: "disabled", 1: "initial", 2: "learn", 3: "listen", 4: "speak", 5: "standby", 6: "active"}
_LENGTH = 20
_GROUP_STATE, _GROUP_STATE_LENGTH = 1, 40


class HsrpDissector(Connection):
    """Read state, group and shared address."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="hsrp",
        title="Hot Standby Router Protocol",
        transports=(Transport.UDP,),
        reference="RFC 2281",
        ports=(1985, 2029),
        fields=("hsrp.state", "hsrp.group", "hsrp.virtual_address", "hsrp.mac"),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a hello, coup or resign of either version."""
        del from_client
        if len(payload) >= 2 and payload[:2] == bytes((_GROUP_STATE, _GROUP_STATE_LENGTH)):
            return len(payload) >= 42 and payload[2] == 2
        return len(payload) >= _LENGTH and payload[0] == 0 and payload[1] < 4 and payload[2] in _STATES

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one message."""
        del from_client
        if payload[:2] == bytes((_GROUP_STATE, _GROUP_STATE_LENGTH)):
            if len(payload) < 42:
                raise self.malformed("a group state reaches beyond its message", 0)
            self.said("hsrp.state", _STATES_2.get(payload[4], ""))
            self.said("hsrp.group", str(int.from_bytes(payload[6:8], "big")))
            self.said("hsrp.mac", mac_text(payload[8:14]) or "")
            address = payload[26:30] if payload[5] == 4 else payload[26:42]
            self.said("hsrp.virtual_address", ip_text(address) or "")
            return
        if payload[:1] != b"\0":
            return  # other elements: interface state, text authentication
        if len(payload) < _LENGTH:
            raise self.malformed("a message shorter than 20 octets", len(payload))
        if payload[1] < 3:
            self.said("hsrp.state", _STATES.get(payload[2], ""))
            self.said("hsrp.group", str(payload[6]))
            self.said("hsrp.virtual_address", ipv4_text(payload[16:20]) or "")


DISSECTOR = HsrpDissector
