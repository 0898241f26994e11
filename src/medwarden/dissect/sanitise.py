"""Take patients out of captures: packets in, as many packets of the same length out.

Two passes. The first (:meth:`Sanitiser.learn`) gathers the streams of TCP connections; then they are cleaned
as their protocols are (:meth:`Sanitiser.prepare`); the second (:meth:`Sanitiser.clean`) writes each packet
anew. A byte of a payload is written only from a cleaned stream, so retransmitted, overlapping and reordered
packets cannot say anything else. What cannot be followed is filler: connections whose beginning was not
captured, what stands after a gap or beyond the bounds, fragments, unknown protocols. Checksums are right.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable

import msgspec

from medwarden.dissect.sanitise_datagrams import clean_datagram
from medwarden.dissect.sanitise_dicom import clean_dicom, is_dicom
from medwarden.dissect.sanitise_draft import FILLER, Draft, Pseudonyms
from medwarden.dissect.sanitise_hl7 import clean_hl7, is_hl7
from medwarden.dissect.sanitise_http import clean_http, is_http
from medwarden.dissect.sanitise_packet import Found, Kind, find, fix_checksums
from medwarden.dissect.sanitise_records import clean_smb, clean_ssh, clean_tls, is_smb, is_ssh, is_tls
from medwarden.dissect.sanitise_text import clean_laboratory, clean_lines, is_laboratory, is_lines

STREAM_BYTES = 8 << 20
"""Bytes of one direction that are followed; what comes later is filler."""

TOTAL_BYTES = 512 << 20
"""Bytes of all streams together that are held; what comes later is filler."""

_SYN, _ACK = 2, 16


class SanitiseReport(msgspec.Struct):
    """What a sanitiser did: packets, payload bytes kept and overwritten, fields by kind, what was unknown.

    ``unknown`` counts streams and datagrams of no known protocol, by transport and lower port; they were
    blanked, or kept where that was asked for.
    """

    packets: int = 0
    payload_bytes: int = 0
    kept_bytes: int = 0
    connections: int = 0
    blanked_connections: int = 0
    overwritten: dict[str, int] = msgspec.field(default_factory=dict)
    unknown: dict[str, int] = msgspec.field(default_factory=dict)
    opaque: dict[str, int] = msgspec.field(default_factory=dict)


class _Stream:
    """One direction of a connection, gathered: bytes from the first on, and the later pieces that wait."""

    __slots__ = ("data", "isn", "out", "waiting")

    def __init__(self) -> None:
        self.isn: int | None = None
        self.data = bytearray()
        self.waiting: dict[int, bytes] = {}
        self.out = b""

    def offset(self, sequence: int) -> int:
        """Return where in the stream ``sequence`` lies; half the space away and more is before it."""
        assert self.isn is not None
        distance = (sequence - self.isn - 1) & 0xFFFFFFFF
        return distance if distance < 0x80000000 else distance - 0x100000000


class _Connection:
    __slots__ = ("client", "server", "streams", "syn")

    def __init__(self, client: tuple[bytes, int], server: tuple[bytes, int]) -> None:
        self.client, self.server = client, server
        self.streams = {client: _Stream(), server: _Stream()}
        self.syn: int | None = None


_Ends = tuple[tuple[int, ...], tuple[bytes, int], tuple[bytes, int]]


class _Table:
    """Tells which connection a TCP packet belongs to; walked twice, it tells the same both times."""

    def __init__(self) -> None:
        self.connections: dict[_Ends, list[_Connection]] = {}
        self._present: dict[_Ends, int] = {}

    def again(self) -> None:
        """Begin the second walk."""
        self._present.clear()

    def of(self, found: Found, *, learn: bool) -> _Connection:
        """Return the connection of a packet; a SYN with another number opens a new one."""
        near, far = (found.source, found.source_port), (found.target, found.target_port)
        low, high = sorted((near, far))
        ends: _Ends = (found.tags, low, high)
        known = self.connections.setdefault(ends, [])
        at = self._present.get(ends, -1)
        opening = found.flags & (_SYN | _ACK)
        current = known[at] if at >= 0 else None
        fresh = current is None
        if current is not None and opening == _SYN:
            fresh = current.syn != found.sequence or current.client != near
        elif current is not None and opening == _SYN | _ACK:
            isn = current.streams[near].isn
            fresh = current.client == near or (isn is not None and isn != found.sequence)
        if fresh:
            at += 1
            self._present[ends] = at
            if learn:
                client, server = (far, near) if opening == _SYN | _ACK else (near, far)
                known.append(_Connection(client, server))
        connection = known[min(at, len(known) - 1)]
        if learn and opening & _SYN:
            connection.streams[near].isn = found.sequence
            if opening == _SYN:
                connection.syn = found.sequence
        return connection


class Sanitiser:
    """Learn all packets in order, prepare, then clean the same packets in the same order.

    ``keep_unknown`` lets payloads of protocols through that are not known here; whoever asks for it answers
    for what is in them. What belongs to a known protocol is cleaned in any case.
    """

    def __init__(
        self,
        *,
        keep_unknown: bool = False,
        stream_bytes: int = STREAM_BYTES,
        total_bytes: int = TOTAL_BYTES,
    ) -> None:
        self.report = SanitiseReport()
        self.seen = 0
        self._keep_unknown = keep_unknown
        self._stream_bytes = stream_bytes
        self._room = total_bytes
        self._table = _Table()
        self._pseudonyms = Pseudonyms(secrets.token_bytes(32))
        self._counts: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._opaque: Counter[str] = Counter()

    def learn(self, data: bytes, linktype: int) -> None:
        """Take note of one packet."""
        self.seen += 1
        found = find(data, linktype)
        if found.kind is not Kind.TCP:
            return
        connection = self._table.of(found, learn=True)
        stream = connection.streams[found.source, found.source_port]
        start = found.start
        if stream.isn is None or found.flags & _SYN or start >= found.end:
            return
        at = stream.offset(found.sequence)
        payload = data[start : found.end]
        if at < 0:
            payload, at = payload[-at:], 0
        if payload and at < self._stream_bytes and self._room > 0:
            self._gather(stream, at, payload[: self._stream_bytes - at])

    def _gather(self, stream: _Stream, at: int, payload: bytes) -> None:
        """Add bytes to a stream: what came first stands, what comes before its turn waits."""
        data = stream.data
        if at > len(data):
            if len(stream.waiting) < 4096 and len(stream.waiting.get(at, b"")) < len(payload):
                self._room -= len(payload)
                stream.waiting[at] = payload
            return
        fresh = payload[len(data) - at :]
        self._room -= len(fresh)
        data += fresh
        while stream.waiting:
            ready = [place for place in stream.waiting if place <= len(data)]
            if not ready:
                return
            for place in sorted(ready):
                piece = stream.waiting.pop(place)
                data += piece[len(data) - place :] if len(data) - place < len(piece) else b""

    def prepare(self) -> None:
        """Clean the streams that were gathered; call once, between the passes."""
        for connections in self._table.connections.values():
            for connection in connections:
                self._prepare(connection)
        self._table.again()

    def _prepare(self, connection: _Connection) -> None:
        client, server = connection.streams[connection.client], connection.streams[connection.server]
        drafts = tuple(Draft(bytes(stream.data), self._counts) for stream in (client, server))
        ports = frozenset((connection.client[1], connection.server[1]))
        self.report.connections += 1
        known = _clean(drafts[0], drafts[1], ports, self._pseudonyms)
        if not known and (client.data or server.data):
            self._unknown[f"tcp/{min(ports)}"] += 1
            if self._keep_unknown:
                for draft in drafts:
                    draft.keep(0, len(draft.data))
        self.report.blanked_connections += not known and not self._keep_unknown
        client.out, server.out = (bytes(draft.out) for draft in drafts)
        for stream in (client, server):
            stream.data = bytearray()
            stream.waiting = {}

    def clean(self, data: bytes, linktype: int) -> bytes:
        """Return the packet as it may be seen; as long as it was, in the order of learning."""
        self.report.packets += 1
        found = find(data, linktype)
        out = bytearray(data[: found.start])
        size = found.end - found.start
        if found.kind is Kind.TCP:
            out += self._tcp(found, size)
        elif found.kind is Kind.UDP:
            out += self._udp(data[found.start : found.end], found)
        elif found.kind is Kind.HARMLESS:
            out += data[found.start : found.end]
        else:
            self._opaque[found.what] += 1
            out += bytes(size)
        self.report.payload_bytes += size
        changed = int.from_bytes(out[found.start :], "big") ^ int.from_bytes(
            data[found.start : found.end], "big"
        )
        self.report.kept_bytes += changed.to_bytes(size, "big").count(0)
        for start, end in found.options:
            out[start:end] = bytes(end - start)
        out += bytes(len(data) - len(out))  # what stands behind a packet in its frame is padding
        fix_checksums(out, found.layers)
        return bytes(out)

    def close(self) -> SanitiseReport:
        """Return what was done."""
        self.report.overwritten = dict(sorted(self._counts.items()))
        self.report.unknown = dict(self._unknown.most_common())
        self.report.opaque = dict(self._opaque.most_common())
        return self.report

    def _tcp(self, found: Found, size: int) -> bytes:
        connection = self._table.of(found, learn=False)
        stream = connection.streams[found.source, found.source_port]
        blank = bytes((FILLER,)) * size
        if stream.isn is None or found.flags & _SYN or size <= 0:
            return blank
        at = stream.offset(found.sequence)
        before = min(max(0, -at), size)
        place = max(at, 0)
        kept = stream.out[place : place + size - before]
        return blank[:before] + kept + blank[before + len(kept) :]

    def _udp(self, payload: bytes, found: Found) -> bytes:
        draft = Draft(payload, self._counts)
        ports = frozenset((found.source_port, found.target_port))
        if payload and not clean_datagram(draft, ports):
            self._unknown[f"udp/{min(ports)}"] += 1
            if self._keep_unknown:
                draft.keep(0, len(payload))
        return bytes(draft.out)


def _clean(client: Draft, server: Draft, ports: frozenset[int], pseudonyms: Pseudonyms) -> bool:
    """Clean both directions as their protocol is; False where it is none that is known here."""
    first, second = client.data, server.data
    if is_dicom(first, second):
        clean_dicom(client, server, pseudonyms)
        return True
    if is_http(first) or is_http(second):
        clean_http(client, server)
        return True
    if is_lines(first, second, ports):
        clean_lines(client, server)
        return True
    each: tuple[tuple[Callable[[bytes], bool], Callable[[Draft], None]], ...] = (
        (is_hl7, clean_hl7),
        (is_tls, clean_tls),
        (is_ssh, clean_ssh),
        (is_smb, clean_smb),
        (is_laboratory, clean_laboratory),
    )
    for recognises, clean in each:
        if recognises(first) or recognises(second):
            clean(client)
            clean(server)
            return True
    return False
