"""The DNS message format that DNS, multicast DNS and LLMNR share.

RFC 1035 section 4. Compression pointers must point backwards (section 4.1.4, "a prior occurrence"),
so no chain can loop; suffixes are read once per offset, so that a message costs time in proportion
to its length; names keep to 255 octets (section 2.3.4); at most :data:`MAX_RECORDS` records are read.
"""

from __future__ import annotations

from medwarden.dissect._core import (
    MAX_JUMPS,
    MAX_NAME,
    MAX_RECORDS,
    DnsMessage,
    Question,
    Record,
    name_text,
    reverse_address,
    strings,
)

__all__ = [
    "MAX_JUMPS",
    "MAX_NAME",
    "MAX_RECORDS",
    "DnsMessage",
    "Question",
    "Record",
    "name_text",
    "reverse_address",
    "strings",
]

A, NS, CNAME, SOA, PTR, HINFO, MX, TXT, AAAA, SRV, ANY = 1, 2, 5, 6, 12, 13, 15, 16, 28, 33, 255
QUERY, STATUS, NOTIFY, UPDATE = 0, 2, 4, 5
NO_ERROR, NAME_ERROR = 0, 3

Name = tuple[bytes, ...]
"""A domain name as its labels, root last and left out; labels may hold any octets, also dots."""
