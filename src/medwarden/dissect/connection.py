"""What every dissector of a byte stream keeps: two inboxes, and which facts it already told.

A dissector derives from :class:`Connection` and writes :meth:`Connection.parse` (TCP) or
:meth:`Connection.datagram` (UDP) or both. It reads whole messages from an :class:`Inbox` and says
facts with :meth:`Connection.said`; it never asks how the bytes were cut into segments, which is why
a stream fed byte by byte gives the facts of the stream fed whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import ClassVar

import msgspec

from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import MAX_VALUE, Evidence, clean
from medwarden.model.segment import DissectorManifest, Segment, Transport

_UDP = Transport.UDP

MAX_FACTS = 256
"""Distinct facts told per connection; a peer that invents ever new names is not followed further."""


class Inbox:
    """The unread bytes of one direction.

    ``data`` may be looked at freely; ``offset`` is the position of its first byte in the stream.
    A ``deaf`` inbox takes no more bytes (encrypted from here on, or bytes were lost).
    """

    __slots__ = ("_skip", "data", "deaf", "offset", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        self.data = bytearray()
        self.offset = 0
        self.deaf = False
        self._skip = 0

    @property
    def at_rest(self) -> bool:
        """Tell whether bytes are taken and a message, if one comes now, begins with the next."""
        return not (self.data or self._skip or self.deaf)

    def add(self, payload: bytes) -> None:
        """Append ``payload``, less what was discarded ahead of its arrival."""
        if self._skip:
            dropped = min(self._skip, len(payload))
            self._skip -= dropped
            self.offset += dropped
            payload = payload[dropped:]
        self.data += payload

    def take(self, count: int) -> bytes | None:
        """Remove and return ``count`` bytes, or return None while there are fewer."""
        if len(self.data) < count:
            return None
        taken = bytes(self.data[:count])
        del self.data[:count]
        self.offset += count
        return taken

    def discard(self, count: int) -> None:
        """Drop the next ``count`` bytes, also those still to come, without keeping them."""
        here = min(count, len(self.data))
        del self.data[:here]
        self.offset += here
        self._skip += count - here

    def line(self, limit: int) -> bytes | None:
        """Remove and return the next line without its CR LF or LF, or None while it is incomplete.

        Raises MalformedInput when no line ends within ``limit`` bytes.
        """
        end = self.data.find(b"\n", 0, limit)
        if end < 0:
            if len(self.data) >= limit:
                raise self.malformed(f"no end of line within {limit} bytes")
            return None
        line = bytes(self.data[:end])
        del self.data[: end + 1]
        self.offset += end + 1
        return line.removesuffix(b"\r")

    def close(self) -> None:
        """Take no more bytes and forget those at hand."""
        self.deaf = True
        self.offset += len(self.data)
        self.data = bytearray()

    def malformed(self, reason: str) -> MalformedInput:
        """Return the error that the bytes at the head of this inbox deserve."""
        return MalformedInput(self.source, reason, self.offset)


def _broken(facts: list[Evidence], error: MalformedInput) -> Iterator[Evidence]:
    yield from facts
    raise error


class Connection:
    """State of one TCP connection; for UDP, the worker that looks at one datagram after another."""

    manifest: ClassVar[DissectorManifest]

    def __init__(self) -> None:
        self.client = Inbox(self.manifest.name)
        self.server = Inbox(self.manifest.name)
        self._told: set[tuple[bool, str, str]] = set()
        self._facts: list[Evidence] = []
        self._segment: Segment | None = None
        self._inner: Connection | None = None
        self._states: dict[tuple[bool, str], str] | None = None

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload is this protocol; a dissector that sniffs says how."""
        del payload, from_client
        return False

    def feed(self, segment: Segment) -> Iterable[Evidence]:
        """Return the facts that became known with ``segment``.

        Where the bytes break the protocol, reading what is returned raises MalformedInput after the facts
        before the fault.
        """
        self._segment = segment
        try:
            if segment.transport is _UDP:
                self._told.clear()
                self.datagram(segment.payload, segment.from_client)
            else:
                self._stream(segment)
        except MalformedInput as error:
            return _broken(self._told_now(), error)
        except (struct.error, IndexError) as error:
            # Every read of a fixed field is bounds-checked by these two: the message ended early.
            broken = MalformedInput(self.manifest.name, "a message ends within a field")
            broken.__cause__ = error
            return _broken(self._told_now(), broken)
        return self._told_now()

    def _stream(self, segment: Segment) -> None:
        if self._inner is not None:
            self._facts.extend(self._inner.feed(segment))
            return
        inbox = self.client if segment.from_client else self.server
        if segment.gap:
            inbox.close()
        if inbox.deaf:
            return
        inbox.add(segment.payload)
        if inbox.data:
            self.parse(inbox, segment.from_client)

    def _told_now(self) -> list[Evidence]:
        facts, self._facts = self._facts, []
        return facts

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the complete messages of one direction; the rest stays in the inbox."""
        raise NotImplementedError(f"{self.manifest.name} carries no TCP")

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one datagram."""
        raise NotImplementedError(f"{self.manifest.name} carries no UDP")

    def said(self, field: str, value: str) -> None:
        """Record that the sender said ``value``; blank values and repetitions are no facts."""
        segment = self._segment or self.segment
        told = self._told
        fact = (segment.from_client, field, value)
        if not value or fact in told or len(told) >= MAX_FACTS:
            return
        if len(value) > MAX_VALUE or not value.isprintable() or value[0] == " " or value[-1] == " ":
            self._tell(field, value, by_sender=True)
            return
        told.add(fact)
        self._facts.append(
            Evidence(
                segment.ts_ns, segment.src_mac, segment.src_ip, segment.vlan, field, value, self.manifest.name
            )
        )

    def said_state(self, field: str, value: str) -> None:
        """Record a state of the sender: unlike other facts it is told again after another one."""
        side = self.segment.from_client
        if self._states is None:
            self._states = {}
        if self._states.get((side, field)) != value:
            self._states[side, field] = value
            self._told.discard((side, field, value))
        self.said(field, value)

    def heard(self, field: str, value: str) -> None:
        """Record a fact about the receiver."""
        self._tell(field, value, by_sender=False)

    def said_all(self, facts: Iterable[tuple[str, str]]) -> None:
        """Record several facts that the sender said."""
        for field, value in facts:
            self.said(field, value)

    def _tell(self, field: str, value: str, by_sender: bool) -> None:
        segment = self.segment
        side = segment.from_client == by_sender
        # Peers repeat themselves: what was told in this very form need not be cleaned again.
        if not value or (side, field, value) in self._told or len(self._told) >= MAX_FACTS:
            return
        value = value[: 2 * MAX_VALUE]
        self._told.add((side, field, value))
        cleaned = clean(value)
        if cleaned != value:
            if not cleaned or (side, field, cleaned) in self._told:
                return
            self._told.add((side, field, cleaned))
        say = segment.said if by_sender else segment.heard
        self._facts.append(say(field, cleaned, self.manifest.name))

    def said_from(self, ip: str | None, field: str, value: str) -> None:
        """Record a fact that a datagram states on behalf of ``ip``, where that is not its sender."""
        if ip is None or ip == self.segment.src_ip:
            self.said(field, value)
        elif value := clean(value):
            segment = self.segment
            self._facts.append(
                Evidence(segment.ts_ns, None, ip, segment.vlan, field, value, self.manifest.name)
            )

    def become(self, inner: Connection) -> None:
        """Hand the rest of the connection to ``inner``, as after STARTTLS.

        Bytes that already wait are passed on; facts keep the name of the dissector that reads them.
        """
        self._inner = inner
        for inbox, from_client in ((self.client, True), (self.server, False)):
            waiting = inbox.take(len(inbox.data))
            if waiting:
                self._facts.extend(
                    inner.feed(
                        msgspec.structs.replace(self.segment, payload=waiting, from_client=from_client)
                    )
                )

    @property
    def done(self) -> bool:
        """Tell whether neither direction is of interest any more."""
        if self._inner is not None:
            return self._inner.done
        return self.client.deaf and self.server.deaf

    def close(self) -> None:
        """Take no more bytes of either direction."""
        self.client.close()
        self.server.close()

    @property
    def segment(self) -> Segment:
        """Return the segment being read."""
        if self._segment is None:
            raise LookupError("no segment is being read")
        return self._segment

    def malformed(self, reason: str, offset: int | None = None) -> MalformedInput:
        """Return an error of this protocol."""
        return MalformedInput(self.manifest.name, reason, offset)


def text(data: bytes) -> str:
    """Return ``data`` as text: UTF-8 where it is, else ISO 8859-1, cut at the first NUL."""
    data = data.partition(b"\0")[0]
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
