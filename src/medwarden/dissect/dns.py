"""DNS: what a client asks for, who answers, and which names stand for which addresses.

RFC 1035, over UDP and (4.2.2, each message after its length) TCP. An internal address that an answer
names is a fact about that address; a public one is a fact about the client, so that policy can speak
of peers by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from medwarden.dissect import dns_message as wire
from medwarden.dissect._core import facts_of_dns
from medwarden.dissect.registrable import registrable_domain, suffixes
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

__all__ = ["DISSECTOR", "Dns", "registrable_domain"]

SOURCE = "dns"

_STREAM_BYTES = 64 * 1024
_OPCODES = (wire.QUERY, wire.NOTIFY, wire.UPDATE)


class Dns:
    """State queries, resolvers and resolved names."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="DNS",
        transports=(Transport.UDP, Transport.TCP),
        reference="RFC 1035",
        ports=(53,),
        volatile=((0, 2),),
        stream_bytes=_STREAM_BYTES,
        fields=("dns.query", "dns.domain", "dns.role", "dns.name", "dns.resolved", "dns.nxdomain"),
    )

    def __init__(self) -> None:
        suffixes()  # read when a sensor starts, not when its first packet comes
        # Only TCP streams use them: octets of an unfinished message, per direction.
        self._pending: dict[bool, bytearray] = {}
        self._lost: set[bool] = set()

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether ``payload`` is a DNS message with plausible flags and counts (UDP or TCP)."""
        return _plausible(payload, from_client) or (
            len(payload) >= 14
            and int.from_bytes(payload[:2], "big") >= 12
            and _plausible(payload[2:], from_client)
        )

    def feed(self, segment: Segment) -> Iterable[Evidence]:
        """Return the facts of one datagram, or of the messages a stream has completed.

        Raises MalformedInput when a message breaks RFC 1035.
        """
        if segment.transport is not Transport.TCP:
            return facts_of_dns(segment, segment.payload)
        return self._feed_stream(segment)

    def _feed_stream(self, segment: Segment) -> Iterable[Evidence]:
        side = segment.from_client
        if segment.gap:
            self._lost.add(side)  # the next length field can no longer be found
            self._pending.pop(side, None)
        if side in self._lost:
            return
        pending = self._pending.setdefault(side, bytearray())
        pending += segment.payload
        start = 0
        while len(pending) - start >= 2:
            length = pending[start] << 8 | pending[start + 1]
            if length < 12:
                raise MalformedInput(SOURCE, f"message of {length} octets", start)
            if len(pending) - start - 2 < length:
                break
            message = bytes(pending[start + 2 : start + 2 + length])
            start += 2 + length
            yield from facts_of_dns(segment, message)
        del pending[:start]


def _plausible(payload: bytes, from_client: bool) -> bool:
    """Tell whether the header fits a query from the client or a response to it."""
    if len(payload) < 17 or (payload[2] & 0x80 == 0) != from_client:
        return False
    if payload[2] >> 3 & 15 not in _OPCODES or payload[3] & 0x40:
        return False
    counts = payload[4:12]
    return counts[:2] == b"\0\1" and not counts[2] and not counts[4] and not counts[6]


DISSECTOR = Dns
