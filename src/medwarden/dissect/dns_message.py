"""The DNS message format that DNS, multicast DNS and LLMNR share.

RFC 1035 section 4. Compression pointers must point backwards (section 4.1.4, "a prior occurrence"),
so no chain can loop; suffixes are read once per offset, so that a message costs time in proportion
to its length; names keep to 255 octets (section 2.3.4); at most :data:`MAX_RECORDS` records are read.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from medwarden.dissect.octets import printable
from medwarden.kernel.errors import MalformedInput

MAX_RECORDS = 512
MAX_NAME = 255
MAX_JUMPS = 64

A, NS, CNAME, SOA, PTR, HINFO, MX, TXT, AAAA, SRV, ANY = 1, 2, 5, 6, 12, 13, 15, 16, 28, 33, 255
QUERY, STATUS, NOTIFY, UPDATE = 0, 2, 4, 5
NO_ERROR, NAME_ERROR = 0, 3

_HEADER = Struct("!HHHHHH")
_QUESTION = Struct("!HH")
_RECORD = Struct("!HHIH")

Name = tuple[bytes, ...]
"""A domain name as its labels, root last and left out; labels may hold any octets, also dots."""


class Question(NamedTuple):
    """What is asked for; ``qclass`` includes the unicast-response bit of mDNS (RFC 6762 5.4)."""

    name: Name
    qtype: int
    qclass: int


class Record(NamedTuple):
    """A resource record; its data lie at ``start`` up to ``end`` of the message."""

    name: Name
    rtype: int
    rclass: int
    ttl: int
    start: int
    end: int


class Header(NamedTuple):
    """The fixed part: ``response``, ``opcode`` and ``rcode`` are taken out of ``flags``."""

    id: int
    flags: int
    questions: int
    answers: int
    authorities: int
    additionals: int

    @property
    def response(self) -> bool:
        """Tell whether this is an answer."""
        return self.flags & 0x8000 != 0

    @property
    def opcode(self) -> int:
        """Return the kind of query."""
        return self.flags >> 11 & 15

    @property
    def rcode(self) -> int:
        """Return the response code."""
        return self.flags & 15


class DnsMessage:
    """Read one message from front to back: :attr:`header`, then :meth:`questions`, then :meth:`records`.

    Every method raises MalformedInput, in the name of ``source``, where the message breaks RFC 1035.
    """

    __slots__ = ("_offset", "_source", "_suffixes", "header", "octets")

    def __init__(self, octets: bytes, source: str) -> None:
        if len(octets) < 12:
            raise MalformedInput(source, "DNS message is shorter than its header", len(octets))
        self.octets = octets
        self.header = Header._make(_HEADER.unpack_from(octets))
        self._source = source
        self._offset = 12
        self._suffixes: dict[int, Name] = {}

    def questions(self) -> list[Question]:
        """Return the question section; call once, first."""
        found: list[Question] = []
        octets = self.octets
        for _ in range(min(self.header.questions, MAX_RECORDS)):
            name, offset = self.name_at(self._offset)
            if offset + 4 > len(octets):
                raise MalformedInput(self._source, "DNS question is cut short", offset)
            found.append(Question(name, *_QUESTION.unpack_from(octets, offset)))
            self._offset = offset + 4
        return found

    def records(self, count: int) -> list[Record]:
        """Return the next ``count`` records; call once per section, in their order."""
        found: list[Record] = []
        octets = self.octets
        for _ in range(min(count, MAX_RECORDS)):
            name, offset = self.name_at(self._offset)
            if offset + 10 > len(octets):
                raise MalformedInput(self._source, "DNS record is cut short", offset)
            rtype, rclass, ttl, length = _RECORD.unpack_from(octets, offset)
            start = offset + 10
            if start + length > len(octets):
                raise MalformedInput(self._source, "DNS record data overrun the message", offset)
            found.append(Record(name, rtype, rclass, ttl, start, start + length))
            self._offset = start + length
        return found

    def data(self, record: Record) -> bytes:
        """Return the data of ``record`` as they stand in the message."""
        return self.octets[record.start : record.end]

    def target(self, record: Record, skip: int = 0) -> Name:
        """Return the name that the data of a PTR, CNAME, NS or (``skip`` 6) SRV record hold."""
        name, offset = self.name_at(record.start + skip)
        if offset > record.end:
            raise MalformedInput(self._source, "DNS name overruns its record", record.start)
        return name

    def name_at(self, offset: int) -> tuple[Name, int]:
        """Return the name at ``offset`` and the offset behind it (RFC 1035 4.1.4)."""
        octets, suffixes = self.octets, self._suffixes
        size = len(octets)
        if offset + 1 < size and octets[offset] >= 192:  # as most records begin: a name read before
            known = suffixes.get((octets[offset] & 63) << 8 | octets[offset + 1])
            if known is not None:
                return known, offset + 2
        labels: list[bytes] = []
        starts: list[int] = []
        behind = -1
        floor = offset
        suffix: Name = ()
        length = jumps = 0
        while True:
            if offset >= size:
                raise MalformedInput(self._source, "DNS name is cut short", offset)
            octet = octets[offset]
            if octet == 0:
                offset += 1
                break
            if octet < 64:
                length += octet + 1
                end = offset + 1 + octet
                if end > size or length > MAX_NAME:
                    raise MalformedInput(self._source, "DNS name is cut short or over 255 octets", offset)
                starts.append(offset)
                labels.append(octets[offset + 1 : end])
                offset = end
                continue
            if octet < 192 or offset + 1 >= size:
                raise MalformedInput(self._source, "DNS label type is unknown or cut short", offset)
            pointer = (octet & 63) << 8 | octets[offset + 1]
            if behind < 0:
                behind = offset + 2
            jumps += 1
            if not _HEADER.size <= pointer < floor or jumps > MAX_JUMPS:
                raise MalformedInput(self._source, "DNS compression pointers lead nowhere", offset)
            known = suffixes.get(pointer)
            if known is not None:
                suffix = known
                break
            floor = offset = pointer
        if behind < 0:
            behind = offset
        if suffix and length + sum(map(len, suffix)) + len(suffix) > MAX_NAME:
            raise MalformedInput(self._source, "DNS name is over 255 octets", offset)
        name = (*labels, *suffix)
        for index, start in enumerate(starts):
            suffixes[start] = name[index:]
        return name, behind


def strings(octets: bytes, most: int = 128) -> list[bytes]:
    """Return the character strings of TXT or HINFO data (RFC 1035 3.3), as far as they are whole."""
    found: list[bytes] = []
    offset = 0
    while offset < len(octets) and len(found) < most:
        end = offset + 1 + octets[offset]
        if end > len(octets):
            break
        found.append(octets[offset + 1 : end])
        offset = end
    return found


@lru_cache(maxsize=16384)
def name_text(name: Name) -> str:
    """Return ``name`` with dots between its labels, in lower case, without the last dot."""
    return printable(b".".join(name)).lower()


def reverse_address(name: Name) -> bytes | None:
    """Return the address that a name below in-addr.arpa or ip6.arpa stands for (RFC 1035 3.5, RFC 3596 2.5).

    None where the name is none of these or incomplete.
    """
    if len(name) == 6 and name[4].lower() == b"in-addr" and name[5].lower() == b"arpa":
        quad = [int(label) for label in name[:4] if label.isdigit() and len(label) <= 3]
        return bytes(reversed(quad)) if len(quad) == 4 and max(quad) < 256 else None
    if len(name) == 34 and name[32].lower() == b"ip6" and name[33].lower() == b"arpa":
        digits = b"".join(reversed(name[:32]))
        if len(digits) == 32 and all(octet in b"0123456789abcdefABCDEF" for octet in digits):
            return bytes.fromhex(digits.decode("ascii"))
    return None
