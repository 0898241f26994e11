"""LLMNR: names Windows hosts ask their link for, and the names they answer to.

RFC 4795. A responder owns the name it answers for (section 2.3). A host that verifies that its own
name is unique (section 4.1) sends a query of type ANY for it, as Windows does at start.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect import dns_message as wire
from medwarden.dissect.dns_message import DnsMessage, name_text, reverse_address
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "llmnr"


class Llmnr:
    """State host names and queries of link-local multicast name resolution."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="LLMNR",
        transports=(Transport.UDP,),
        reference="RFC 4795",
        ports=(5355,),
        volatile=((0, 2),),
        fields=("llmnr.host_name", "llmnr.query"),
    )

    def __init__(self) -> None:
        """Keep nothing: every datagram stands alone."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - queries go to a group
        """Tell whether ``payload`` is an LLMNR message: opcode 0, one question (RFC 4795 2.1.1)."""
        return len(payload) >= 17 and payload[2] & 0x78 == 0 and payload[4:6] == b"\0\1"

    def feed(self, segment: Segment) -> list[Evidence]:
        """Return who claims or asks for the name of the only question; raises MalformedInput."""
        message = DnsMessage(segment.payload, SOURCE)
        header = message.header
        if header.opcode != wire.QUERY or header.questions != 1:
            raise MalformedInput(SOURCE, "message is no query with one question", 2)
        question = message.questions()[0]
        text = name_text(question.name)
        if not text or reverse_address(question.name) is not None:
            return []
        if header.response:
            owns = header.rcode == wire.NO_ERROR and header.answers > 0
            return [segment.said("llmnr.host_name", text, SOURCE)] if owns else []
        field = "llmnr.host_name" if question.qtype == wire.ANY else "llmnr.query"
        return [segment.said(field, text, SOURCE)]


DISSECTOR = Llmnr
