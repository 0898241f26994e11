"""GE CARESCAPE (Unity) network: which addresses are nodes of the monitoring network, and where the master
stands.

The wire of GE's monitoring network is not public. The maker says (ApexPro service manual) that every node
broadcasts RWHAT packets about itself, and the maker of an adapter (Vocera CARESCAPE adapter reference)
which ports and octets of them it reads: UDP 2000 carries the time in 64 octets, the sender's address in
octets 7-10, its unit and room as ``UNIT|ROOM`` in 25-37 and seconds since 1900 in 61-64; UDP 7000 carries
the announcements. Of the latter only the port and that they hold their sender's address are told; nothing
else of them is read.
"""

from __future__ import annotations

import struct
from ipaddress import AddressValueError, IPv4Address
from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_TIME_PORT, _ANNOUNCEMENT_PORT = 2000, 7000
_TIME_OCTETS = 64
_ADDRESS = slice(6, 10)
_LOCATION = slice(24, 37)
_FIRST_SECOND, _LAST_SECOND = 2_840_140_800, 4_294_967_295  # 1990, and where 32 bits end in 2036
_ANNOUNCED_WITHIN = 64
_LONGEST_ANNOUNCEMENT = 1472


class Carescape(Connection):
    """Read announcements and time messages, one datagram at a time."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="carescape",
        title="GE CARESCAPE network",
        transports=(Transport.UDP,),
        reference="GE ApexPro service manual; Vocera CARESCAPE adapter reference; not public itself",
        ports=(_TIME_PORT, _ANNOUNCEMENT_PORT),
        fields=("carescape.role", "carescape.unit", "carescape.room"),
        medical=True,
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a time message by its length and its seconds."""
        del from_client
        if len(payload) != _TIME_OCTETS:
            return False
        (seconds,) = struct.unpack_from(">I", payload, 60)
        return _FIRST_SECOND <= seconds <= _LAST_SECOND and b"|" in payload[_LOCATION]

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one datagram; those that do not hold their sender's address are somebody else's."""
        segment = self.segment
        address = _packed(segment.src_ip)
        if address is None or len(payload) > _LONGEST_ANNOUNCEMENT:
            raise self.malformed("not a message of a node", 0)
        if self.recognises(payload, from_client) and payload[_ADDRESS] == address:
            self.said("carescape.role", "time master")
            unit, _, room = payload[_LOCATION].partition(b"|")
            self.said("carescape.unit", printable(unit.partition(b"\0")[0]))
            self.said("carescape.room", printable(room.partition(b"\0")[0]))
        elif segment.dst_port == _ANNOUNCEMENT_PORT and address in payload[:_ANNOUNCED_WITHIN]:
            self.said("carescape.role", "node")
        else:
            raise self.malformed("not a message of a node", 0)


def _packed(ip: str | None) -> bytes | None:
    """Return the octets of an IPv4 address."""
    try:
        return IPv4Address(ip or "").packed
    except AddressValueError:
        return None


DISSECTOR = Carescape
