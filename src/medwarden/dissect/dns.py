"""DNS: what a client asks for, who answers, and which names stand for which addresses.

RFC 1035, over UDP and (4.2.2, each message after its length) TCP. An internal address that an answer
names is a fact about that address; a public one is a fact about the client, so that policy can speak
of peers by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import ClassVar, NamedTuple

from publicsuffixlist import PublicSuffixList

from medwarden.dissect import dns_message as wire
from medwarden.dissect.dns_message import DnsMessage, Record, name_text, reverse_address
from medwarden.dissect.octets import ip_text, is_internal, is_loopback
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import MAX_VALUE, Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "dns"

_MAX_QUESTIONS = 4
_MAX_ANSWERS = 32
_STREAM_BYTES = 64 * 1024
_ADDRESSES = (wire.A, wire.AAAA)
_OPCODES = (wire.QUERY, wire.NOTIFY, wire.UPDATE)


_LONGEST_REMEMBERED = 512
_NO_ID = b"\0\0"
_SENDER, _RECEIVER = "sender", "receiver"

_Statement = tuple[str, str, str]


class _Statements(NamedTuple):
    """What a message says, and where it broke (reason and offset), if it did."""

    facts: tuple[_Statement, ...]
    fault: tuple[str, int | None] | None


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
        _suffixes()  # read when a sensor starts, not when its first packet comes
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
            return facts_of_message(segment, segment.payload)
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
            yield from facts_of_message(segment, message)
        del pending[:start]


def facts_of_message(segment: Segment, octets: bytes) -> Iterable[Evidence]:
    """Return the facts of one DNS message carried by ``segment``.

    Where the message breaks, reading what is returned raises MalformedInput after the facts before.
    """
    if len(octets) > _LONGEST_REMEMBERED:
        return _told(segment, _statements(octets))
    # The id differs between repetitions; RFC 1035 has no name before byte 12 point to it.
    return _told(segment, _remembered(_NO_ID + octets[2:]))


def _told(segment: Segment, statements: _Statements) -> Iterable[Evidence]:
    facts: list[Evidence] = []
    for whose, field, value in statements.facts:
        if whose is _SENDER:
            facts.append(segment.said(field, value, SOURCE))
        elif whose is _RECEIVER:
            facts.append(segment.heard(field, value, SOURCE))
        else:
            facts.append(Evidence(segment.ts_ns, None, whose, segment.vlan, field, value, SOURCE))
    return facts if statements.fault is None else _broken(facts, statements.fault)


def _broken(facts: list[Evidence], fault: tuple[str, int | None]) -> Iterator[Evidence]:
    yield from facts
    raise MalformedInput(SOURCE, *fault)


def _statements(octets: bytes) -> _Statements:
    facts: list[_Statement] = []
    try:
        facts.extend(_read(octets))
    except MalformedInput as error:
        return _Statements(tuple(facts), (error.reason, error.offset))
    return _Statements(tuple(facts), None)


_remembered = lru_cache(maxsize=4096)(_statements)


def _read(octets: bytes) -> Iterator[_Statement]:
    """Yield what one message says: whose fact it is (an address, or one of its peers), field and value."""
    message = DnsMessage(octets, SOURCE)
    header = message.header
    if header.opcode not in _OPCODES:
        return
    questions = message.questions() if header.opcode == wire.QUERY else []
    if not header.response:
        for question in questions[:_MAX_QUESTIONS]:
            if text := name_text(question.name):
                yield _SENDER, "dns.query", text
                if domain := registrable_domain(text):
                    yield _SENDER, "dns.domain", domain
        return
    yield _SENDER, "dns.role", "server"
    name = name_text(questions[0].name) if questions else ""
    if not name:
        return
    if header.rcode == wire.NAME_ERROR:
        yield _RECEIVER, "dns.nxdomain", name
    elif header.rcode == wire.NO_ERROR:
        for record in message.records(min(header.answers, _MAX_ANSWERS)):
            fact = _answer(message, name, record)
            if fact is not None:
                yield fact


def _answer(message: DnsMessage, asked: str, record: Record) -> _Statement | None:
    """Return what an address or pointer record says, under the name that was asked for.

    The asked name is the one a policy would write; the aliases between are the operator's.
    """
    if record.rtype in _ADDRESSES:
        octets = message.data(record)
        name = asked
    elif record.rtype == wire.PTR:
        octets = reverse_address(record.name) or b""
        if not is_internal(octets):
            return None
        name = name_text(message.target(record))
    else:
        return None
    address = ip_text(octets)
    if address is None or not name or is_loopback(octets):
        return None
    if is_internal(octets):
        return address, "dns.name", name
    return _RECEIVER, "dns.resolved", f"{name}={address}"[:MAX_VALUE]


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@lru_cache(maxsize=16384)
def registrable_domain(name: str) -> str | None:
    """Return the domain somebody registered that ``name`` lies in (``www.example.co.uk`` in
    ``example.co.uk``), by the public suffix list, or None for single labels, suffixes, arpa and
    names with blanks (control characters, as text).
    """
    if "." not in name or " " in name or name.endswith(".arpa"):
        return None
    domain: str | None = _suffixes().privatesuffix(name)
    return domain


def _plausible(payload: bytes, from_client: bool) -> bool:
    """Tell whether the header fits a query from the client or a response to it."""
    if len(payload) < 17 or (payload[2] & 0x80 == 0) != from_client:
        return False
    if payload[2] >> 3 & 15 not in _OPCODES or payload[3] & 0x40:
        return False
    counts = payload[4:12]
    return counts[:2] == b"\0\1" and not counts[2] and not counts[4] and not counts[6]


DISSECTOR = Dns
