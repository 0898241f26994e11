"""Evidence: one immutable fact that an endpoint was heard to say, and who heard it.

A fact belongs to the endpoint that said it (a DHCP request to its client, a DICOM A-ASSOCIATE-RQ
to the requestor), named by the addresses it was said from. Patient identifiers are not facts:
they never leave a dissector.
"""

from __future__ import annotations

import msgspec

MAX_VALUE = 512
"""Longest evidence value kept, in characters; longer ones are cut by :func:`clean`."""


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One fact, as a dissector or a log sensor states it.

    ``field`` is ``<protocol>.<name>`` in snake case after the protocol's own term
    (``dhcp.host_name``); ``source`` is the dissector or log format that read it; ``mac`` is
    lower-case with colons, ``ip`` in its canonical text form; ``ts_ns`` nanoseconds UTC.
    """

    ts_ns: int
    mac: str | None
    ip: str | None
    vlan: int | None
    field: str
    value: str
    source: str


class LedgerEntry(msgspec.Struct, frozen=True, gc=False):
    """A fact of one device summed up over time: what the evidence ledger keeps."""

    source: str
    field: str
    value: str
    sensor: str
    first_seen: int
    last_seen: int
    count: int


def clean(value: str) -> str:
    """Return ``value`` without control characters and outer blanks, cut to :data:`MAX_VALUE`."""
    value = value.strip()
    if not value.isprintable():
        value = "".join(c if c.isprintable() else " " for c in value)
    return value.strip()[:MAX_VALUE].rstrip()
