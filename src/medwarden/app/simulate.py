"""Writing a simulated hospital to files: captures of every site, labels, and the whole truth."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import queue
import shutil
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol

import msgspec
import zstandard

from medwarden.app.simulated_logs import LogFiles
from medwarden.kernel.errors import ConfigurationError, InternalError, ResourceError
from medwarden.simulation.engine import Slice, in_order, run_shard, shards_of
from medwarden.simulation.events import join, live_through
from medwarden.simulation.hospital import Hospital, Site
from medwarden.simulation.incidents import incidents, stage
from medwarden.simulation.truth import label_rows, truth_of

_HOUR = 3600 * 10**9
_SECOND = 10**9
_HEADER = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)  # nanoseconds, Ethernet
_RECORD = struct.Struct("<IIII")
_PACKINGS = ("", ".gz", ".zst")

Progress = Callable[[int, int, str], None]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate. ``start`` is nanoseconds since the epoch; ``packing`` empty, ``.gz`` or ``.zst``.

    ``unfamiliar`` takes models, names and addresses that no training saw; ``joining`` is the part of the
    devices that is switched on for the first time while it lasts.
    """

    devices: int
    hours: float
    seed: int
    start: int
    sites: int = 1
    incidents: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    packing: str = ""
    split: bool = True
    image_scale: float = 0.02
    unfamiliar: bool = False
    joining: float = 0.0


class Simulated(msgspec.Struct, frozen=True):
    """What was written."""

    folder: Path
    captures: tuple[Path, ...]
    devices: int
    packets: int
    octets: int


def start_of(text: str) -> int:
    """Return nanoseconds since the epoch for an ISO 8601 time; without a zone it is UTC.

    Raises ConfigurationError for text that is no time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{text!r} is no time like 2026-03-02T07:00") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * _SECOND


def known_incidents() -> list[tuple[str, str, bool]]:
    """Return name, title and whether it is benign of everything that can be made to happen."""
    return [(incident.name, incident.title, incident.benign) for incident in incidents().values()]


class _Target(Protocol):
    def write(self, data: bytes, /) -> object: ...


class _Capture:
    """The capture files of one site: one per hour, or one."""

    def __init__(self, folder: Path, packing: str, split: bool) -> None:
        self._folder = folder
        self._packing = packing
        self._split = split
        self._hour = -1
        self._target: _Target | None = None
        self._stack = ExitStack()
        self.files: list[Path] = []
        self.packets = 0
        self.octets = 0

    def __enter__(self) -> _Capture:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _open(self, at: int) -> _Target:
        hour = at // _HOUR if self._split else 0
        if self._target is None or hour != self._hour:
            self._stack.close()
            self._hour = hour
            name = (
                datetime.fromtimestamp(at // _HOUR * 3600, UTC).strftime("%Y-%m-%dT%H")
                if self._split
                else "capture"
            )
            path = self._folder / f"{name}.pcap{self._packing}"
            raw = self._stack.enter_context(path.open("wb"))
            target: _Target = raw
            if self._packing == ".gz":
                target = self._stack.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0))
            elif self._packing == ".zst":
                target = self._stack.enter_context(zstandard.ZstdCompressor(level=3).stream_writer(raw))
            target.write(_HEADER)
            self._target = target
            self.files.append(path)
        return self._target

    def write(self, pieces: Sequence[Slice]) -> None:
        """Write the frames of one slice of all shards."""
        parts: list[bytes | memoryview] = []
        first = min((piece.times[0] for piece in pieces if piece.times), default=None)
        if first is None:
            return
        target = self._open(first)
        pack = _RECORD.pack
        for at, frame in in_order(list(pieces)):
            if self._split and at // _HOUR != self._hour:
                target.write(b"".join(parts))
                parts.clear()
                target = self._open(at)
            size = len(frame)
            parts.append(pack(at // _SECOND, at % _SECOND, size, size))
            parts.append(frame)
            self.packets += 1
            self.octets += size
        target.write(b"".join(parts))


def simulate(request: Request, folder: Path, *, progress: Progress | None = None) -> Simulated:
    """Write a hospital into ``folder``: ``site-N/*.pcap``, ``labels.tsv`` and ``truth.json``.

    The same request gives the same bytes. Memory is bounded by a minute of traffic. Raises
    ConfigurationError for a request that cannot be, ResourceError where ``folder`` cannot be written.
    """
    if request.packing not in _PACKINGS:
        raise ConfigurationError(f"captures can be packed with {', '.join(filter(None, _PACKINGS))}")
    hospital = Hospital(
        request.seed,
        request.devices,
        request.hours,
        request.start,
        request.sites,
        strange=request.unfamiliar,
    )
    live_through(hospital)
    join(hospital, request.joining)
    stage(hospital, request.incidents)
    try:
        return _write(request, hospital, folder, progress)
    except OSError as error:
        raise ResourceError(f"{error.filename or folder}: {error.strerror}") from error


def _write(request: Request, hospital: Hospital, folder: Path, progress: Progress | None) -> Simulated:
    folder.mkdir(parents=True, exist_ok=True)
    for site in hospital.sites:
        shutil.rmtree(folder / site.name, ignore_errors=True)
        shutil.rmtree(folder / "logs" / site.name, ignore_errors=True)
    captures: list[Path] = []
    packets = octets = 0
    actions: list[tuple[str, str, int, int, str]] = []
    steps = -(-(hospital.stop - hospital.start) // (60 * _SECOND))
    for site in hospital.sites:
        logs = LogFiles(folder / "logs" / site.name, site, request.logs, hospital.start)
        with _Capture(folder / site.name, request.packing, request.split) as capture, logs:
            for number, pieces in enumerate(_slices(hospital, site, request)):
                capture.write(pieces)
                if request.logs:
                    logs.write((s for piece in pieces for s in piece.sessions), pieces[0].until)
                for piece in pieces:
                    actions += piece.actions
                if progress is not None:
                    progress(number + 1, steps, site.name)
        captures += capture.files
        packets += capture.packets
        octets += capture.octets
    rows = ["\t".join(row) for row in label_rows(hospital)]
    (folder / "labels.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    truth = truth_of(hospital, actions, msgspec.to_builtins(request))
    (folder / "truth.json").write_text(json.dumps(truth, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return Simulated(folder, tuple(captures), request.devices, packets, octets)


def _slices(hospital: Hospital, site: Site, request: Request) -> Iterator[list[Slice]]:
    """Yield, slice by slice, what all shards of a site said; large sites run in processes of their own."""
    shards = shards_of(site)
    sessions = bool(request.logs)
    if shards == 1:
        for piece in run_shard(hospital, site, 0, sessions=sessions, image_scale=request.image_scale):
            yield [piece]
        return
    context = multiprocessing.get_context("fork")
    pipes: list[multiprocessing.queues.Queue[Slice | str | None]] = [context.Queue(2) for _ in range(shards)]
    workers = [
        context.Process(
            target=_work, args=(hospital, site, number, sessions, request.image_scale, pipe), daemon=True
        )
        for number, pipe in enumerate(pipes)
    ]
    for worker in workers:
        worker.start()
    try:
        while True:
            pieces = [_next(pipe, worker) for pipe, worker in zip(pipes, workers, strict=True)]
            if any(piece is None for piece in pieces):
                return
            yield [piece for piece in pieces if piece is not None]
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _next(
    pipe: multiprocessing.queues.Queue[Slice | str | None], worker: multiprocessing.process.BaseProcess
) -> Slice | None:
    while True:
        try:
            piece = pipe.get(timeout=5)
        except queue.Empty:
            if not worker.is_alive():
                raise InternalError(
                    f"a process of the simulation ended with status {worker.exitcode}"
                ) from None
            continue
        if isinstance(piece, str):
            raise InternalError(f"a process of the simulation failed: {piece}")
        return piece


def _work(
    hospital: Hospital,
    site: Site,
    number: int,
    sessions: bool,
    image_scale: float,
    pipe: multiprocessing.queues.Queue[Slice | str | None],
) -> None:
    try:
        for piece in run_shard(hospital, site, number, sessions=sessions, image_scale=image_scale):
            pipe.put(piece)
        pipe.put(None)
    except Exception as error:
        pipe.put(f"{type(error).__name__}: {error} (process {os.getpid()})")
        raise
