"""Which process takes which services of a capture: what is said alike is read once, and all do as much.

Equal payloads belong to the same service: one process that hears them all works out what they come to, and
knows the rest by it. A look into the file tells how much work each service is; one that is much of all is
divided by pairs of addresses. The same file is always planned alike.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from medwarden.flowcore import CaptureReader, FlowCore, FlowCoreConfig
from medwarden.kernel.errors import MalformedInput, ResourceError
from medwarden.model.segment import Transport
from medwarden.sensors.capture_file import BUFFER, _fill, opened_source

Services = dict[tuple[int, int], int | None]
"""IP protocol and port to the share that takes the service; None: each share its pairs of addresses."""

_BEGINNING, _PIECES, _PIECE = 2 << 20, 8, 1 << 20
_HEADER = 24  # of a pcap file
_ORDERS = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\xa1\xb2\x3c\x4d": ">",
}
_FARTHEST, _LONGEST, _ROW = 65_600, 65_535, 6  # of the next record, a packet; headers that make sure
_MOST_FLOWS = 50_000
_TCP, _UDP = 6, 17
# Microseconds, roughly, as measured on the captures of the benchmarks.
_NEW, _KNOWN = (
    {_TCP: (16.0, 16.0), _UDP: (8.0, 26.0)},
    {_TCP: 0.8, _UDP: 3.0},
)  # on other ports, on known ones
_NEW_BYTE, _FLOW, _PACKET = 0.014, 4.0, 0.1
_READ = 4096  # bytes of a stream, after which dissectors have mostly come to their verdict
_TOO_MUCH, _TOO_MUCH_ALIKE = 0.25, 0.7
"""Of a fair share: a service of more work is divided, because a wrong guess about it could not be made up;
not so soon where its payloads repeat each other: each process would have to find out what they come to."""
_MOSTLY = 0.8


class _Readable(Protocol):
    def readinto(self, target: memoryview) -> int: ...


def plan_shares(path: Path, config: FlowCoreConfig) -> Services:
    """Return whose each service of the capture is, as far as a look into it tells.

    ``config`` is that of one of the shares; it comes to the same for all of them. Of a file that cannot be
    read nothing is told: whoever reads it whole says what is wrong with it.
    """
    work = _Work(FlowCore(replace(config, share=(0, 1), max_flows=_MOST_FLOWS)))
    with suppress(MalformedInput, ResourceError, OSError):
        _look(path, work)
    return _deal_out(work, config.share[1])


def _look(path: Path, work: _Work) -> None:
    """Take the beginning, and of a plain pcap file pieces at even distances."""
    with opened_source(path) as source:
        head = bytearray(_HEADER)
        if _fill(source, head) < _HEADER:
            return
        order = _ORDERS.get(bytes(head[:4]))
        size = path.stat().st_size
        distance = size // _PIECES
        _take(path, source, work, head, _BEGINNING)
    if order is None or distance < 2 * _PIECE:
        return
    with path.open("rb") as file:
        for at in range(1, _PIECES):
            file.seek(at * distance)
            piece = file.read(_PIECE)
            start = _first_record(piece, order)
            if start is not None:
                _take(path, _Bytes(piece[start:]), work, head, _PIECE)


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
    """What each service gives to do, by what the core hands off and by its flows."""

    def __init__(self, core: FlowCore) -> None:
        self.core = core
        self._of: defaultdict[tuple[int, int], float] = defaultdict(float)
        self._ports = core.config.datagram_ports
        self._handed: Counter[tuple[int, int]] = Counter()
        self._new: Counter[tuple[int, int]] = Counter()
        self._known: set[tuple[int, int, bytes]] = set()

    def count(self) -> None:
        """Count what waits: hand-offs, of which each new payload must be worked out, and ended flows."""
        for segment in self.core.take_segments():
            if segment.transport is Transport.ETHERNET or segment.stream_offset > _READ:
                continue
            protocol = _TCP if segment.transport is Transport.TCP else _UDP
            port = self.core.service(protocol, segment.src_port, segment.dst_port)
            said = (protocol, port, segment.payload)
            self._handed[protocol, port] += 1
            if said in self._known:
                self._of[protocol, port] += _KNOWN[protocol]
            else:
                self._known.add(said)
                self._new[protocol, port] += 1
                self._of[protocol, port] += _NEW[protocol][port in self._ports] + _NEW_BYTE * len(
                    segment.payload
                )
        self._count_flows(final=False)

    def finish(self) -> Mapping[tuple[int, int], float]:
        """Return the work of each service, its flows and packets included."""
        self.count()
        self._count_flows(final=True)
        return self._of

    def repeats(self, service: tuple[int, int]) -> bool:
        """Tell whether much that is said of a service was said before."""
        return self._new[service] < _MOSTLY * self._handed[service]

    def _count_flows(self, *, final: bool) -> None:
        flows = self.core.take_flows(final=final)
        columns = ("ip_protocol", "client_port", "server_port", "packets_out", "packets_in")
        for protocol, client, server, there, back in zip(
            *(flows.column(c).to_pylist() for c in columns), strict=True
        ):
            if protocol in (_TCP, _UDP):
                service = protocol, self.core.service(protocol, client, server)
                self._of[service] += _FLOW + _PACKET * (there + back)


def _deal_out(work: _Work, processes: int) -> Services:
    """Give the most work first, each to who has least."""
    loads_of = work.finish()
    fair = sum(loads_of.values()) / processes
    loads = [0.0] * processes
    services: Services = {}
    for service, load in sorted(loads_of.items(), key=lambda one: (-one[1], one[0])):
        if load > fair * (_TOO_MUCH_ALIKE if work.repeats(service) else _TOO_MUCH):
            services[service] = None
            continue
        least = loads.index(min(loads))
        services[service] = least
        loads[least] += load
    return services
