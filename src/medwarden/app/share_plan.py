"""Which process takes which services of a capture: what is said alike is read once, and all do as much.

Equal payloads belong to the same service: one process that hears them all works out what they come to, and
knows the rest by it. Pieces of the file are read as the processes will read it, and tell how much work each
service is and whether what is said of it comes again. Where it does not, and where no piece showed a service,
it is divided by pairs of addresses: each process has a part of it, however much it comes to, and whoever has
much of what is left whole a smaller one. The same file is always planned alike.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from medwarden.app.packet_stage import PacketStage
from medwarden.dissect.recall import RecallingObserver
from medwarden.flowcore import CaptureReader, Course, FlowCore, Router, Step
from medwarden.kernel.errors import MalformedInput, ResourceError
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment, Transport
from medwarden.sensors.capture_file import BUFFER, _fill, opened_source

Service = tuple[int, int]
"""IP protocol and port."""


class Plan(NamedTuple):
    """Who takes what: ``services`` the share of each, None where each share has its pairs of addresses.

    ``parts`` are how much of these pairs each share has, of the sum of all; none where all have as many.
    """

    services: dict[Service, int | None]
    parts: tuple[int, ...] = ()


_BEGINNING, _PIECES, _PIECE = 1 << 20, 12, 1 << 19
_PART = 16  # of the file is looked at, about
_LEAST = 1 << 15
_HEADER = 24  # of a pcap file
_ORDERS = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\xa1\xb2\x3c\x4d": ">",
}
_FARTHEST, _LONGEST, _ROW = 65_600, 65_535, 6  # of the next record, a packet; headers that make sure
_MOST_FLOWS = 50_000
_TCP, _UDP, _SYN = 6, 17, 2
_OF_FLOW = (
    "flow_id", "ip_protocol", "client_port", "server_port", "packets_out", "packets_in", "tcp_flags_out",
)  # fmt: skip
_CALL, _BYTE, _FACT, _RECALLED, _FLOW, _PACKET = 3.0, 0.01, 2.0, 0.8, 2.0, 0.13
"""Microseconds, roughly: of a payload that is read and of each byte and fact of it, of one that is recalled,
of a flow, of a packet. What they are for a service in truth matters little where it is divided."""
_REPEATS = 0.1
"""How much of what was read of a service came again, from which on it is left whole: divided, each process
would have to find out what that comes to. A look into a file sees few of its repetitions."""
_TOO_MUCH = 0.7
"""Of a fair share: more is divided although it repeats."""
_PARTS = 1000  # of what is divided, about


class _Readable(Protocol):
    def readinto(self, target: memoryview) -> int: ...


def plan_shares(path: Path, token_key: bytes, processes: int) -> Plan:
    """Return who takes what of the capture, as far as a look into it tells.

    Of a file that cannot be read nothing is told: whoever reads it whole says what is wrong with it.
    """
    work = _Work(token_key)
    with suppress(MalformedInput, ResourceError, OSError):
        _look(path, work)
    return _deal_out(work, processes)


def _look(path: Path, work: _Work) -> None:
    """Take the beginning, and of a plain pcap file pieces at even distances."""
    with opened_source(path) as source:
        head = bytearray(_HEADER)
        if _fill(source, head) < _HEADER:
            return
        order = _ORDERS.get(bytes(head[:4]))
        size = path.stat().st_size
        piece = min(_PIECE, size // _PIECES // _PART)
        _take(path, source, work, head, max(_BEGINNING if order is None else piece, _LEAST))
    if order is None or piece < _LEAST:
        return
    with path.open("rb") as file:
        if file.read(len(head)) != head:  # compressed
            return
        for at in range(1, _PIECES):
            file.seek(at * size // _PIECES)
            data = file.read(piece)
            start = _first_record(data, order)
            if start is not None:
                _take(path, _Bytes(data[start:]), work, head, piece)


def _first_record(piece: bytes, order: str) -> int | None:
    """Return where records begin, by a row of record headers that can be such, or None."""
    header = struct.Struct(order + "4I")
    for start in range(min(len(piece) - header.size, _FARTHEST)):
        at = start
        for _ in range(_ROW):
            if at + header.size > len(piece):
                break
            _seconds, fraction, captured, wire = header.unpack_from(piece, at)
            if fraction >= 10**9 or not 0 < captured <= wire <= _LONGEST:
                break
            at += header.size + captured
        else:
            return start
    return None


class _Bytes:
    """A piece of a file, read as a source is."""

    def __init__(self, data: bytes) -> None:
        self._rest = memoryview(data)

    def readinto(self, target: memoryview) -> int:
        """Fill ``target`` from its start and return how much; 0 at the end."""
        given = self._rest[: len(target)]
        target[: len(given)] = given
        self._rest = self._rest[len(given) :]
        return len(given)


def _take(path: Path, source: _Readable, work: _Work, head: bytes | bytearray, most: int) -> None:
    """Take up to ``most`` bytes of a source that goes on behind the ``head`` of the file."""
    reader = CaptureReader(work.core, str(path))
    buffer = bytearray(BUFFER)
    held = len(head)
    buffer[:held] = head
    seen = 0
    while seen < most:
        if held == len(buffer):  # one record is longer than all of it
            buffer.extend(bytes(len(buffer)))
        with memoryview(buffer) as room:
            count = source.readinto(room[held:])
        if count == 0:
            return
        held += count
        seen += count
        used = _feed(reader, work, buffer, held)
        buffer[: held - used] = buffer[used:held]
        held -= used


def _feed(reader: CaptureReader, work: _Work, buffer: bytearray, held: int) -> int:
    """Take what is whole of ``buffer[:held]``; return how much."""
    at = 0
    with memoryview(buffer) as whole, whole[:held] as view:
        while True:
            used = reader.feed(view, at)
            at += used
            if work.core.full:
                work.count()
            elif used == 0:
                return at


class _Work:
    """What each service gives to do, and how much of it is known by what was said before."""

    def __init__(self, token_key: bytes) -> None:
        self._stage = PacketStage(token_key, max_flows=_MOST_FLOWS)
        self.core = self._stage.core
        self._reader = _Listening(self._stage.observer, self.core)
        self._router = Router(self.core, self._reader)
        self._recalled, self._repeated = self._router.watch()
        self._of: defaultdict[Service, float] = defaultdict(float)

    def count(self) -> None:
        """Read what waits, and count the flows that have ended."""
        self._router.drain()
        self._router.facts.take()
        self._count_flows(final=False)

    def finish(self) -> Mapping[Service, float]:
        """Return the work of each service, its flows and packets included."""
        self.count()
        self._count_flows(final=True)
        self._router.drain()
        for service, times in self._recalled.items():
            self._of[service] += _RECALLED * times
        for service, work in self._reader.work.items():
            self._of[service] += work
        return self._of

    def repeats(self, service: Service) -> bool:
        """Tell whether much that is said of a service is said again."""
        return self._repeated.get(service, 0) > _REPEATS * self._reader.read[service]

    def _count_flows(self, *, final: bool) -> None:
        flows = self.core.take_flows(final=final)
        columns = [flows.column(name).to_pylist() for name in _OF_FLOW]
        for flow_id, protocol, client, server, there, back, flags in zip(*columns, strict=True):
            self._stage.observer.forget((flow_id,))
            said = self._reader.streams.pop(flow_id, _NOTHING)
            if protocol in (_TCP, _UDP):
                service = protocol, self.core.service(protocol, client, server)
                self._of[service] += _FLOW + _PACKET * (there + back)
                if said.facts or flags & _SYN:
                    self._of[service] += said.work


class _Said(NamedTuple):
    """What reading a stream was so far."""

    work: float = 0.0
    facts: int = 0


_NOTHING = _Said()


class _Listening:
    """An observer that is asked, and how much that was of each service.

    Of ``streams`` it stands apart: one that was not seen to begin, and tells nothing, is soon let go by who
    reads the whole file, but every piece shows it anew.
    """

    def __init__(self, observer: RecallingObserver, core: FlowCore) -> None:
        self.work: defaultdict[Service, float] = defaultdict(float)
        self.streams: dict[int, _Said] = {}
        self.read: Counter[Service] = Counter()
        self.malformed = observer.malformed
        self.applications = observer.applications
        self.root = observer.root
        self.settle = observer.settle
        self._observer = observer
        self._core = core

    @property
    def stream_ports(self) -> Collection[int]:
        return self._observer.stream_ports

    @property
    def datagram_ports(self) -> Collection[int]:
        return self._observer.datagram_ports

    def observe(self, segment: Segment) -> list[Evidence]:
        facts = self._observer.observe(segment)
        self._count(segment, len(facts))
        return facts

    def learn(
        self, course: Course, segment: Segment, payload: bytes, live: bool
    ) -> tuple[list[Evidence], Step, bool]:
        facts, step, holds = self._observer.learn(course, segment, payload, live)
        self._count(segment, len(facts))
        return facts, step, holds

    def resume(self, course: Course, segment: Segment) -> list[Evidence]:
        facts = self._observer.resume(course, segment)
        self._count(segment, len(facts))
        return facts

    def _count(self, segment: Segment, facts: int) -> None:
        if segment.transport is Transport.ETHERNET:
            return
        protocol = _TCP if segment.transport is Transport.TCP else _UDP
        service = protocol, self._core.service(protocol, segment.src_port, segment.dst_port)
        self.read[service] += 1
        work = _CALL + _BYTE * len(segment.payload) + _FACT * facts
        if protocol == _TCP:
            before = self.streams.get(segment.flow_id, _NOTHING)
            self.streams[segment.flow_id] = _Said(before.work + work, before.facts + facts)
        else:
            self.work[service] += work


def _deal_out(work: _Work, processes: int) -> Plan:
    """Divide what does not repeat; give the rest one by one, the most work first, each to who has least."""
    loads_of = work.finish()
    fair = sum(loads_of.values()) / processes
    loads = [0.0] * processes
    services: dict[Service, int | None] = {}
    for service, load in sorted(loads_of.items(), key=lambda one: (-one[1], one[0])):
        if load > fair * _TOO_MUCH or not work.repeats(service):
            services[service] = None
            continue
        least = loads.index(min(loads))
        services[service] = least
        loads[least] += load
    return Plan(services, _parts(loads, fair))


def _parts(loads: Sequence[float], fair: float) -> tuple[int, ...]:
    """Return what each has of the divided work, so that all do as much."""
    lacking = [max(fair - load, 0.0) for load in loads]
    whole = sum(lacking)
    return tuple(round(_PARTS * one / whole) for one in lacking) if whole > 0 else ()
