"""DCE/RPC over TCP: which Windows services a host asks for and offers, and the names in its log-in.

The Open Group C706 chapter 12 (PDU encodings) and appendices L and O (towers, endpoint mapper); [MS-RPCE]
2.2.2 (security trailer). Interface identifiers are those of [MS-DRSR], [MS-NRPC], [MS-SAMR], [MS-RPRN] and
the other open specifications of their services. Of calls nothing is read but answers of the endpoint
mapper.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect import ntlmssp
from medwarden.dissect._core import DcerpcReading
from medwarden.dissect.dcerpc_interfaces import INTERFACES
from medwarden.model.segment import DissectorManifest, Transport

__all__ = ["DISSECTOR", "INTERFACES", "DcerpcDissector"]

_BIND, _BIND_ACK, _BIND_NAK = 11, 12, 13
_HEADER = 16
_MOST_CONTEXTS = 32
_SECURED = frozenset({9, 10, 16})  # SPNEGO, NTLM, Kerberos


class DcerpcDissector(DcerpcReading):
    """Read binds and their answers, endpoint maps, and the tokens of the log-in."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="dcerpc",
        title="DCE/RPC over TCP",
        transports=(Transport.TCP,),
        reference="The Open Group C706, [MS-RPCE]",
        ports=(135, 593),
        starts=(b"\x05\x00\x0b", b"\x05\x01\x0b"),
        stream_bytes=16384,
        fields=("dcerpc.uses", "dcerpc.offers", "dcerpc.endpoint", *ntlmssp.FIELDS),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with a bind of the client or its answer."""
        if len(payload) < _HEADER or payload[0] != 5 or payload[1] > 1 or payload[4] not in (0x10, 0):
            return False
        if from_client:
            return payload[2] == _BIND and (len(payload) < 25 or 0 < payload[24] <= _MOST_CONTEXTS)
        return payload[2] in (_BIND_ACK, _BIND_NAK)

    def token(self, pdu: bytes, at: int) -> None:
        """Read a token of the log-in, which begins at ``at`` behind the security trailer."""
        if pdu[at - 8] in _SECURED:
            self.said_all(ntlmssp.facts_of_token(pdu[at:]))


DISSECTOR = DcerpcDissector
