"""Bring each payload to the dissector that understands it and collect the facts.

The observer decides once per flow and remembers: by ethertype, by server port, by the first bytes
(``starts``), by asking (``sniff``). A dissector may offer optional attributes beyond
:class:`~medwarden.model.segment.Dissector`: ``done`` (bool; once true the flow gets no further bytes),
``application`` (str; what the flow turned out to be, where that is not the dissector's own name),
``tokeniser`` (set by the observer to a :class:`~medwarden.dissect.phi.Tokeniser` before first use) and, of
the class, ``from_payloads`` (bool; what it says of sender, receiver or a stated address follows from the
payloads of the conversation alone, not from its addresses, ports or times) and ``refines`` (bool; its ports
are those of a carrier, so that it is never chosen by the port alone).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from medwarden.dissect.phi import Tokeniser
from medwarden.dissect.registry import check_manifests, dissectors
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Dissector, Segment, Transport

_log = logging.getLogger(__name__)

SNIFF_STREAM_BYTES = 4096
"""Bytes of each direction asked for when a start matches a dissector that names no amount."""

_ATTEMPTS = 6  # segments of an undecided TCP flow looked at
_TELLING_BYTES = 64  # no dissector wants more of one side than this to say yes
_PORT_TRUST_BYTES = 8
_DATAGRAM_STRIKES = 3
_QUIET_SEGMENTS = 64  # of a known flow without a fact: what follows is more of the same
_HELD_BYTES = 32 * 1024 * 1024  # of all undecided TCP flows together

_TCP, _UDP, _ETHERNET = Transport.TCP, Transport.UDP, Transport.ETHERNET

Feed = Callable[[Segment], Iterable[Evidence]]


class CoreInterest(NamedTuple):
    """What the flow core must hand over so that every dissector is served."""

    stream_ports: Mapping[int, int]  # TCP server port -> bytes of each direction
    stream_starts: tuple[tuple[bytes, int], ...]  # first bytes of a TCP stream -> bytes of each direction
    datagram_ports: frozenset[int]
    ethertypes: frozenset[int]
    datagram_volatile: Mapping[int, tuple[tuple[int, int], ...]]  # UDP port -> bytes no repetition keeps
    opening_ports: frozenset[int]  # TCP ports whose streams are known by their opening
    opening_starts: frozenset[bytes]


class Flow:
    """What is known of one flow: its dissector, or the segments held until one is found."""

    __slots__ = (
        "attempts",
        "dissector",
        "ends",
        "feed",
        "held",
        "name",
        "patience",
        "strikes",
        "tells",
        "undecided",
    )

    def __init__(self) -> None:
        self.dissector: Dissector | None = None
        self.feed: Feed | None = None
        self.name = ""
        self.held: list[Segment] = []
        self.strikes = 0
        self.attempts = 0
        self.undecided = True
        self.tells = False
        self.ends = False
        self.patience = -1


class _Table:
    """The dissectors of one transport, by port and by first byte."""

    def __init__(self, members: Iterable[type[Dissector]]) -> None:
        self.by_port: dict[int, list[type[Dissector]]] = {}
        self._by_first_byte: dict[int, list[tuple[bytes, type[Dissector]]]] = {}
        self._sniffers: list[type[Dissector]] = []
        for member in members:
            for port in member.manifest.ports:
                self.by_port.setdefault(port, []).append(member)
            for start in member.manifest.starts:
                self._by_first_byte.setdefault(start[0], []).append((start, member))
            if member.manifest.sniff:
                self._sniffers.append(member)

    def by_content(self, payload: bytes, from_client: bool) -> Iterator[type[Dissector]]:
        """Yield the dissectors that recognise ``payload``: those whose start opens it, then sniffers."""
        for start, member in self._by_first_byte.get(payload[0], ()) if payload else ():
            if payload.startswith(start) and member.recognises(payload, from_client):
                yield member
        for member in self._sniffers:
            if member.recognises(payload, from_client):
                yield member


def from_payloads(member: type[Dissector]) -> bool:
    """Tell whether a dissector says the same of equal payloads, whoever sends them."""
    return bool(getattr(member, "from_payloads", False))


def let_come(flow_id: int, unclaimed: bool) -> None:
    """Take no notice: whoever hands segments over goes on doing so."""


class Observer:
    """Route segments to dissectors; hold their state per flow; count what was malformed.

    ``malformed`` counts, per dissector name, inputs that broke their protocol, and under
    ``<name>!defect`` exceptions that no dissector should raise: those are defects of ours, logged with
    their traceback on first sight, and cost only the flow they happened in. At most ``max_flows`` flows
    are remembered; beyond that the oldest is forgotten and ``evicted`` counts it.
    ``pass_over`` is told the id of each flow of which no further segment is wanted, so that its bytes need
    not even be copied, and whether that is because no dissector knows it.
    """

    def __init__(
        self,
        token_key: bytes,
        members: Sequence[type[Dissector]] | None = None,
        max_flows: int = 200_000,
        pass_over: Callable[[int, bool], None] = let_come,
    ) -> None:
        members = dissectors() if members is None else members
        check_manifests(members)
        self.malformed: Counter[str] = Counter()
        self.evicted = 0
        self.pass_over = pass_over
        self._tokeniser = Tokeniser(token_key)
        self._max_flows = max_flows
        self._members = members
        self._streams = _Table(m for m in members if Transport.TCP in m.manifest.transports)
        self._datagrams = _Table(m for m in members if Transport.UDP in m.manifest.transports)
        self._stateless = {
            member: self._made(member)
            for member in members
            if set(member.manifest.transports) & {Transport.UDP, Transport.ETHERNET}
        }
        self._ethernet: dict[int, list[Flow]] = {}
        for member in members:
            for ethertype in member.manifest.ethertypes:
                channel = Flow()
                channel.feed, channel.name = self._stateless[member].feed, member.manifest.name
                self._ethernet.setdefault(ethertype, []).append(channel)
        self._flows: dict[int, Flow] = {}
        self._held_bytes = 0
        self._applications: dict[int, str] = {}
        self.alone = True

    @property
    def core_interest(self) -> CoreInterest:
        """Return what all manifests together ask of the flow core."""
        ports: dict[int, int] = {}
        starts: dict[bytes, int] = {}
        streams = self._streams
        attentive_ports: set[int] = set()
        attentive_starts: set[bytes] = set()
        volatile: dict[int, tuple[tuple[int, int], ...]] = {}
        for member in self._members:
            manifest = member.manifest
            if Transport.TCP in manifest.transports:
                if not manifest.opening_tells:
                    attentive_ports.update(manifest.ports)
                    attentive_starts.update(manifest.starts)
                for port in manifest.ports:
                    ports[port] = max(ports.get(port, 0), manifest.stream_bytes)
                for start in manifest.starts:
                    wanted = manifest.stream_bytes or SNIFF_STREAM_BYTES
                    starts[start] = max(starts.get(start, 0), wanted)
            if Transport.UDP in manifest.transports:
                for port in manifest.ports:
                    # two dissectors of one port that differ in this get every byte compared
                    agreed = volatile.get(port, manifest.volatile) == manifest.volatile
                    volatile[port] = manifest.volatile if agreed else ()
        return CoreInterest(
            ports,
            tuple(sorted(starts.items())),
            frozenset(volatile),
            frozenset(self._ethernet),
            {port: ranges for port, ranges in volatile.items() if ranges},
            frozenset(streams.by_port) - attentive_ports,
            frozenset(starts) - attentive_starts,
        )

    def observe(self, segment: Segment) -> list[Evidence]:
        """Return the facts that became known with ``segment``; never raises for what it holds."""
        flow = self._flows.get(segment.flow_id)
        if flow is None:
            return self._begin(segment)
        feed = flow.feed
        if feed is not None:
            return self._feed(flow, feed, segment)
        if flow.undecided:
            return self._decide(flow, segment)
        self._let_go(segment.flow_id, False)
        return []

    def applications(self) -> Mapping[int, str]:
        """Return flow id -> name of the dissector that understood it, for flows not yet forgotten."""
        return self._applications

    def forget(self, flow_ids: Iterable[int]) -> None:
        """Drop all state of flows that ended."""
        for flow_id in flow_ids:
            flow = self._flows.pop(flow_id, None)
            if flow is not None and flow.held:
                self._release(flow)
            self._applications.pop(flow_id, None)

    def forget_all(self) -> None:
        """Drop the state of all flows."""
        self._flows.clear()
        self._applications.clear()
        self._held_bytes = 0

    def _made(self, member: type[Dissector]) -> Dissector:
        dissector = member()
        if hasattr(dissector, "tokeniser"):
            dissector.tokeniser = self._tokeniser
        return dissector

    def _observe_frame(self, segment: Segment) -> list[Evidence]:
        facts: list[Evidence] = []
        for channel in self._ethernet.get(segment.ethertype, ()):
            if channel.feed is not None:
                facts += self._feed(channel, channel.feed, segment)
        return facts

    def _begin(self, segment: Segment) -> list[Evidence]:
        if segment.transport is _ETHERNET:
            return self._observe_frame(segment)
        if segment.stream_offset and segment.transport is _TCP:
            # The flow was forgotten or evicted: a dissector made now would start in mid-sentence.
            self._let_go(segment.flow_id, False)
            return []
        if len(self._flows) >= self._max_flows:
            self.forget((next(iter(self._flows)),))
            self.evicted += 1
        flow = self._flows[segment.flow_id] = Flow()
        return self._decide(flow, segment)

    def _decide(self, flow: Flow, segment: Segment) -> list[Evidence]:
        """Choose the dissector of a flow; hold segments while their first bytes are too few to tell."""
        flow.attempts += 1
        stream = segment.transport is _TCP
        payload = segment.payload
        if stream:
            flow.held.append(segment)
            self._held_bytes += len(payload)
            if len(flow.held) > 1:
                same_side = [held.payload for held in flow.held if held.from_client is segment.from_client]
                payload = b"".join(same_side)
        else:
            flow.held = [segment]
        table = self._streams if stream else self._datagrams
        for member in self._candidates(table, segment, payload, not stream or flow.attempts == _ATTEMPTS):
            facts = self._assign(flow, member)
            if facts is not None:
                return facts
        one_sided = all(held.from_client is segment.from_client for held in flow.held)
        if stream and flow.attempts < _ATTEMPTS and (one_sided or len(payload) < _TELLING_BYTES):
            if self._held_bytes <= _HELD_BYTES:
                return []
        elif not stream and flow.attempts < _DATAGRAM_STRIKES:
            flow.held = []
            return []
        self._release(flow)
        flow.undecided = False
        self._let_go(segment.flow_id, stream)
        return []

    def _candidates(
        self, table: _Table, segment: Segment, payload: bytes, last: bool
    ) -> list[type[Dissector]]:
        """Return the dissectors to try: of the port and recognised, recognised, of the port.

        The port alone is trusted only where the payload is long enough that a peer's hesitant first
        bytes are not mistaken for another protocol, or when this is the ``last`` attempt. The sender's
        port counts where the receiver's says nothing: the start of the flow may not have been seen.
        """
        near, far = segment.dst_port, segment.src_port
        if not segment.from_client:
            near, far = far, near
        of_port = table.by_port.get(near, ())
        trusted = of_port or table.by_port.get(far, ())
        chosen: list[type[Dissector]] = []
        try:
            if len(of_port) == 1 and of_port[0].recognises(payload, segment.from_client):
                return list(of_port)
            chosen += [member for member in of_port if member.recognises(payload, segment.from_client)]
            if not chosen:
                chosen += table.by_content(payload, segment.from_client)
            if not chosen and not of_port:
                chosen += [member for member in trusted if member.recognises(payload, segment.from_client)]
        except Exception as error:  # noqa: BLE001 - counted and logged; recognises() must not stop the sensor
            self._defect("recognises", error)
        if (of_port or segment.transport is Transport.UDP) and (len(payload) >= _PORT_TRUST_BYTES or last):
            chosen += [m for m in trusted if m not in chosen and not getattr(m, "refines", False)]
        return chosen

    def _assign(self, flow: Flow, member: type[Dissector]) -> list[Evidence] | None:
        """Give ``flow`` to ``member`` and feed what was held; None when it breaks without a fact."""
        held = flow.held
        stateless = held[0].transport is Transport.UDP
        self.alone = self.alone and len(held) == 1 and from_payloads(member)
        dissector = self._stateless[member] if stateless else self._made(member)
        self._entrust(flow, member, dissector, stateless=stateless)
        facts: list[Evidence] = []
        for segment in held:
            if flow.feed is not None:
                facts += self._feed(flow, flow.feed, segment)
        if flow.strikes and not facts:
            self._applications.pop(held[0].flow_id, None)
            flow.dissector = flow.feed = None
            flow.undecided = True
            flow.strikes = 0
            return None
        self._release(flow)
        self._applications.setdefault(held[0].flow_id, flow.name)
        return facts

    @staticmethod
    def _entrust(flow: Flow, member: type[Dissector], dissector: Dissector, *, stateless: bool) -> None:
        flow.dissector, flow.feed, flow.name = dissector, dissector.feed, member.manifest.name
        flow.tells = hasattr(dissector, "application")
        flow.ends = not stateless and hasattr(dissector, "done")
        # medical peers are heard to the end: a system may say who it is late
        flow.patience = -1 if member.manifest.medical or stateless else _QUIET_SEGMENTS
        flow.undecided = False

    def _count(self, name: str) -> None:
        self.malformed[name] += 1

    def _let_go(self, flow_id: int, unclaimed: bool) -> None:
        self.pass_over(flow_id, unclaimed)

    def _release(self, flow: Flow) -> None:
        if flow.held and flow.held[0].transport is Transport.TCP:
            self._held_bytes -= sum(len(segment.payload) for segment in flow.held)
        flow.held = []

    def _feed(self, flow: Flow, feed: Feed, segment: Segment) -> list[Evidence]:
        """Feed one segment; return the facts, also those stated before it broke."""
        facts: list[Evidence] = []
        try:
            stated = feed(segment)
            if type(stated) is list:  # most are: nothing of it is left to be read
                facts = stated
            else:
                facts.extend(stated)
        except MalformedInput:
            self._count(flow.name)
            self._break(flow, segment)
        except Exception as error:  # noqa: BLE001 - a defect of ours: counted and logged, the sensor lives
            self._defect(flow.name, error)
            self._break(flow, segment)
        else:
            if flow.tells:
                self._applications[segment.flow_id] = getattr(flow.dissector, "application", flow.name)
            if flow.ends and getattr(flow.dissector, "done", False):
                flow.dissector = flow.feed = None
                self._let_go(segment.flow_id, False)
            elif not facts and flow.patience >= 0:
                flow.patience -= 1
                if flow.patience < 0:
                    flow.dissector = flow.feed = None
                    self._let_go(segment.flow_id, False)
            elif flow.patience >= 0:
                flow.patience = _QUIET_SEGMENTS
        return facts

    def _break(self, flow: Flow, segment: Segment) -> None:
        flow.strikes += 1
        # A bad datagram says little about the next one; a broken stream stays broken.
        transport = segment.transport
        if transport is _TCP or (transport is _UDP and flow.strikes >= _DATAGRAM_STRIKES):
            flow.dissector = flow.feed = None
            if not flow.held:  # what is held may yet be another dissector's
                self._let_go(segment.flow_id, False)

    def _defect(self, name: str, error: Exception) -> None:
        key = f"{name}!defect"
        self._count(key)
        if self.malformed[key] == 1:
            _log.error("Dissector %s has a defect; the flow is dropped", name, exc_info=error)
