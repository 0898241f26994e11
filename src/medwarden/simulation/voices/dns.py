"""DNS messages (RFC 1035), which mDNS (RFC 6762) and LLMNR (RFC 4795) share."""

from __future__ import annotations

import struct
from collections.abc import Sequence

A, NS, CNAME, SOA, PTR, TXT, AAAA, SRV = 1, 2, 5, 6, 12, 16, 28, 33
NXDOMAIN = 3
TYPES = {A: "A", CNAME: "CNAME", PTR: "PTR", TXT: "TXT", AAAA: "AAAA", SRV: "SRV", SOA: "SOA"}

Record = tuple[str, int, int, int, bytes]
"""Name, type, class, seconds to live, data."""


def name(text: str) -> bytes:
    """Return a name as labels; a label may hold dots when given as octets escaped with a backslash."""
    labels = [label.replace("\\.", ".").encode() for label in _split(text)]
    return b"".join(bytes((len(label),)) + label for label in labels if label) + b"\0"


def _split(text: str) -> list[str]:
    if "\\." not in text:
        return text.rstrip(".").split(".")
    return [part.replace("\0", "\\.") for part in text.replace("\\.", "\0").rstrip(".").split(".")]


def question(ident: int, asked: str, kind: int = A, *, flags: int = 0x0100, klass: int = 1) -> bytes:
    """Return a query for one name."""
    return struct.pack(">HHHHHH", ident, flags, 1, 0, 0, 0) + name(asked) + struct.pack(">HH", kind, klass)


def record(entry: Record) -> bytes:
    """Return a resource record."""
    owner, kind, klass, ttl, data = entry
    return name(owner) + struct.pack(">HHIH", kind, klass, ttl, len(data)) + data


def response(
    ident: int,
    asked: str,
    kind: int,
    answers: Sequence[Record],
    *,
    flags: int = 0x8180,
    additional: Sequence[Record] = (),
) -> bytes:
    """Return the answer to a query for one name."""
    head = struct.pack(">HHHHHH", ident, flags, 1, len(answers), 0, len(additional))
    body = name(asked) + struct.pack(">HH", kind, 1)
    return head + body + b"".join(map(record, answers)) + b"".join(map(record, additional))


def announcement(answers: Sequence[Record], additional: Sequence[Record] = ()) -> bytes:
    """Return an unsolicited multicast DNS response."""
    head = struct.pack(">HHHHHH", 0, 0x8400, 0, len(answers), 0, len(additional))
    return head + b"".join(map(record, answers)) + b"".join(map(record, additional))


def address_record(owner: str, ip: int, ttl: int = 3600, klass: int = 1) -> Record:
    """Return an A record."""
    return owner, A, klass, ttl, ip.to_bytes(4, "big")


def service_records(
    instance: str, service: str, host: str, port: int, text: Sequence[str], ip: int
) -> tuple[list[Record], list[Record]]:
    """Return answers and additional records that announce a service (RFC 6763)."""
    full = f"{instance.replace('.', chr(92) + '.')}.{service}.local"
    txt = b"".join(bytes((len(t.encode()),)) + t.encode() for t in text) or b"\0"
    answers: list[Record] = [(f"{service}.local", PTR, 1, 4500, name(full))]
    additional: list[Record] = [
        (full, SRV, 0x8001, 120, struct.pack(">HHH", 0, 0, port) + name(f"{host}.local")),
        (full, TXT, 0x8001, 4500, txt),
        address_record(f"{host}.local", ip, 120, 0x8001),
    ]
    return answers, additional
