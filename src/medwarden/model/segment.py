"""What a dissector is given: one piece of payload with its addresses, and how it declares itself."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import ClassVar, Protocol

import msgspec

from medwarden.model.evidence import Evidence


class Transport(StrEnum):
    """What carried a payload."""

    TCP = "tcp"
    UDP = "udp"
    ETHERNET = "eth"


class Segment(msgspec.Struct, frozen=True, gc=False):
    """One payload: a UDP datagram, an Ethernet payload, or the next in-order bytes of a TCP stream.

    ``src`` is who said it. For TCP, ``from_client`` tells whether the sender opened the connection
    and ``stream_offset`` counts the bytes of this direction handed over before; ``gap`` is true when
    bytes before it were lost. For Ethernet, ports are 0, ``ethertype`` is set (LLC/SNAP frames carry
    the SNAP protocol, or 0 with the LLC header left in the payload) and the addresses may be None.
    """

    ts_ns: int
    flow_id: int
    transport: Transport
    src_mac: str | None
    dst_mac: str | None
    src_ip: str | None
    dst_ip: str | None
    src_port: int
    dst_port: int
    vlan: int | None
    from_client: bool
    payload: bytes
    stream_offset: int = 0
    gap: bool = False
    ethertype: int = 0

    def said(self, field: str, value: str, source: str) -> Evidence:
        """Return the fact that the sender said ``value``."""
        return Evidence(self.ts_ns, self.src_mac, self.src_ip, self.vlan, field, value, source)

    def heard(self, field: str, value: str, source: str) -> Evidence:
        """Return a fact about the receiver (a name it is called by, a title it is addressed with)."""
        return Evidence(self.ts_ns, self.dst_mac, self.dst_ip, self.vlan, field, value, source)


class DissectorManifest(msgspec.Struct, frozen=True):
    """How a dissector wants to be called.

    ``ports`` are server ports; ``ethertypes`` serve Ethernet dissectors (0 for LLC). ``starts`` are
    byte prefixes by which a stream or datagram on any other port is recognised. ``stream_bytes`` is
    how much of each direction of a TCP stream is wanted (0: only the first payload packets);
    ``sniff`` says that :meth:`Dissector.recognises` may be asked for payloads on unknown ports.
    ``reference`` names the standard. ``volatile`` are up to two rising ranges of bytes (from, to) of a
    datagram that differ between repetitions of the same (an id, a time): what is otherwise repeated
    within minutes is not handed over again. ``opening_tells`` says so of streams: one that opens with the
    very payload of others between the same peers within minutes would tell nothing new.
    """

    name: str
    title: str
    transports: tuple[Transport, ...]
    reference: str
    ports: tuple[int, ...] = ()
    ethertypes: tuple[int, ...] = ()
    starts: tuple[bytes, ...] = ()
    stream_bytes: int = 0
    sniff: bool = False
    fields: tuple[str, ...] = ()
    medical: bool = False
    volatile: tuple[tuple[int, int], ...] = ()
    opening_tells: bool = False


class Dissector(Protocol):
    """One protocol: bytes in, facts or one :class:`~medwarden.kernel.errors.MalformedInput` out.

    A TCP dissector is made anew for each connection and keeps what it must between calls, so that
    a stream fed byte by byte gives the facts of the stream fed whole. Datagram and Ethernet
    dissectors are made once and keep nothing.
    """

    manifest: ClassVar[DissectorManifest]

    def __init__(self) -> None: ...

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether ``payload`` (first bytes of a direction, or a datagram) is this protocol."""
        ...

    def feed(self, segment: Segment) -> Iterable[Evidence]:
        """Return the facts that became known with ``segment``.

        Raises MalformedInput when the bytes break the protocol; the caller then gives this flow no
        further bytes and counts it.
        """
        ...
