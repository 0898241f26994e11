"""Live interfaces heard by several processes: the kernel deals the conversations out, one process stores.

Each process has a ring of its own (PACKET_FANOUT, man 7 packet) and brings its batches through a pipe; when
storing falls behind, the pipes fill, then the rings, and what does not fit the kernel counts as dropped.
The process that stores owns the resolver and the data folder. Each process's part of an interface is an input
with exact accounting. The process that stores keeps the rings, and the kernel's counts of them: one that was
killed is replaced by another, also without root's rights, which goes on in the ring where it was; what the
killed one had taken and not brought is counted as dropped.
"""

from __future__ import annotations

import os
import secrets
import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.intake import seldom_collecting
from medwarden.app.live import FLUSH_SECONDS, Records, record_sources
from medwarden.app.packet_stage import PacketStage
from medwarden.app.replay import LOCK
from medwarden.app.shares import end_with_parent, pack, unpack
from medwarden.app.stop_signals import stopped_by_signals
from medwarden.app.storekeeper import Storekeeper
from medwarden.flowcore import FlowCore
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import MedwardenError, ResourceError
from medwarden.model.accounting import InputReport, PacketCount
from medwarden.sensors.live import LiveCapture, ReceiveRing, acting_as, drop_privileges
from medwarden.store.open import Store, open_store

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from medwarden.app.ingest import Ingest
    from medwarden.store.ingest import InputState

_READY, _BATCH, _END, _ERROR = b"R", b"B", b"E", b"!"
_RESTARTS = 20
_PATIENCE_S = 0.5
_RING_BLOCKS = 128  # of a mebibyte, for each process
_SIZE = 4  # of the length of a report before its batch


def listen_in_processes(
    home: Path,
    interfaces: Sequence[str],
    *,
    processes: int,
    records: Records | None = None,
    site: str | None = None,
    user: str | None = None,
    seconds: float | None = None,
    on_ready: Callable[[Sequence[str]], None] | None = None,
) -> list[InputReport]:
    """Listen as :func:`~medwarden.app.live.listen` does, with ``processes`` processes for each interface.

    Returns the accounting of each process's part, and of each that was killed.
    """
    interfaces = list(dict.fromkeys(interfaces))
    probe = PacketStage(b"\0" * 32)
    for name in interfaces:  # a wrong name ends here, in words
        LiveCapture(name, probe.core, lambda _core: None).close()
    with acting_as(user):
        opened = open_store(home, writer=True, role=LOCK)
    with opened as store:
        with acting_as(user):
            ingests = _ingests(store, interfaces, site)
        ears = _ears(ingests, interfaces, processes, user)
        keeper = Storekeeper(store)
        try:
            for ear in ears:
                ear.start()
            with acting_as(user):
                sources = record_sources(store, keeper, records, site, ingests[0] if ingests else None)
            if user is not None:
                drop_privileges(user)
            if sources is not None:
                sources.start()
            names = [*interfaces, *(sources.names if sources is not None else ())]
            _hear(ears, keeper, seconds, partial(on_ready, names) if on_ready is not None else None)
            reports = [report for ear in ears for report in ear.reports]
            if sources is not None:
                reports += sources.finish()
        finally:
            for ear in ears:
                ear.close()
            keeper.end()
        return reports


def _ingests(store: Store, interfaces: Sequence[str], site: str | None) -> list[Ingest]:
    from medwarden.app.ingest import Ingest

    made: list[Ingest] = []
    for name in interfaces:
        sensor = f"live-{name}" if site is None else f"live-{name}@{site}"
        first = made[0] if made else None
        made.append(Ingest(store, sensor, kind="live", site=site, name=f"interface {name}", beside=first))
    return made


def _ears(
    ingests: Sequence[Ingest], interfaces: Sequence[str], processes: int, user: str | None
) -> list[_Ear]:
    ears = []
    for ingest, name in zip(ingests, interfaces, strict=True):
        group = secrets.randbelow(1 << 16)
        ears += [_Ear(ingest, name, (at, processes), group, user) for at in range(processes)]
    return ears


def _hear(
    ears: Sequence[_Ear], keeper: Storekeeper, seconds: float | None, on_ready: Callable[[], None] | None
) -> None:
    """Bring what the processes hear to the storekeeper until they have ended; one that fails ends all."""
    errors: list[BaseException] = []

    def stop() -> None:
        for ear in ears:
            ear.stop()

    def work(ear: _Ear) -> None:
        try:
            ear.hear(keeper)
        except BaseException as error:  # noqa: BLE001 - raised again below, where it is waited for
            errors.append(error)
        finally:
            stop()

    threads = [threading.Thread(target=work, args=(ear,), name="ear") for ear in ears]
    timer = threading.Timer(seconds, stop) if seconds is not None else None
    with stopped_by_signals(stop):
        for thread in threads:
            thread.start()
        if timer is not None:
            timer.start()
        try:
            if on_ready is not None:
                on_ready()
            for thread in threads:
                while thread.is_alive():  # a signal is dealt with between two waits, whichever thread it hit
                    thread.join(_PATIENCE_S)
        finally:
            if timer is not None:
                timer.cancel()
            stop()
    if errors:
        raise errors[0]


class _Ear:
    """One process's part of an interface, as seen from the process that stores."""

    def __init__(
        self, ingest: Ingest, interface: str, which: tuple[int, int], group: int, user: str | None
    ) -> None:
        self.reports: list[InputReport] = []
        self._ingest = ingest
        self._which = which
        self._user = user
        self._part = f"{interface} ({which[0] + 1} of {which[1]})"
        self._stopping = False
        self._number = 0
        self._killed = 0
        self._process: SpawnProcess | None = None
        self._source: Connection | None = None
        self._told = InputReport(self._part, "live")
        self._ring = ReceiveRing(interface, blocks=_RING_BLOCKS, fanout=group)
        self._kernel = [0, 0]  # packets, of them dropped, that no input before this one has accounted for
        with acting_as(user):
            self._state = self._begin()

    def _begin(self) -> InputState:
        content = f"live:{self._ingest.writer.sensor}:{wall_clock()}:{self._which[0]}"
        return self._ingest.writer.begin_input(content, self._part, "live")

    def start(self) -> None:
        """Start the process and wait until it hears. Raises ResourceError where it cannot."""
        self._spawn()
        assert self._source is not None
        try:
            self._heed(self._source.recv_bytes())
        except EOFError as error:
            raise ResourceError(f"{self._part}: the process that should hear it ended at once") from error

    def _spawn(self) -> None:
        context = get_context("spawn")
        self._source, target = context.Pipe(duplex=False)
        self._ring.begin_tally()
        arguments = (target, os.getpid(), self._ring, self._ingest.token_key, self._user)
        self._process = context.Process(target=hear_part, args=arguments, daemon=True)
        self._process.start()
        target.close()

    @staticmethod
    def _heed(message: bytes) -> None:
        """Raise ResourceError for what a process says that cannot hear."""
        if message[:1] == _ERROR:
            raise ResourceError(message[1:].decode())

    def stop(self) -> None:
        """Ask the process to take what has arrived and end."""
        self._stopping = True
        if self._process is not None and self._process.is_alive():
            self._process.terminate()

    def kill(self) -> None:
        """End the process where it still runs."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._source is not None:
            self._source.close()

    def close(self) -> None:
        """End the process where it still runs, and let the ring go."""
        self.kill()
        self._ring.close()

    def _count(self) -> None:
        for at, number in enumerate(self._ring.statistics()):
            self._kernel[at] += number

    def hear(self, keeper: Storekeeper) -> None:
        """Bring the process's batches to the storekeeper until it ends."""
        while True:
            assert self._source is not None
            try:
                message = self._source.recv_bytes()
            except (EOFError, OSError):  # the latter where it was killed within a message
                self._lose(keeper)
                if self._stopping:
                    return
                self._start_anew(keeper)
                continue
            if message[:1] not in (_BATCH, _END):
                self._heed(message)
                continue
            size = int.from_bytes(message[1 : 1 + _SIZE], "big")
            self._told = msgspec.json.decode(message[1 + _SIZE : 1 + _SIZE + size], type=InputReport)
            self._told.path = self._part
            self._count()
            count = self._told.packets
            count.dropped = self._kernel[1]
            count.read = (
                self._kernel[0] if message[:1] == _END else count.parsed + count.rejected + count.dropped
            )
            batch = unpack([message[1 + _SIZE + size :]])
            if not batch.empty():
                number, self._number = self._number, self._number + 1
                keeper.bring(partial(self._ingest.commit, self._state, number, batch, self._told))
            else:
                keeper.bring(self._ingest.writer.heartbeat)
            if message[:1] == _END:
                self.reports.append(self._told)
                keeper.bring(partial(self._ingest.writer.finish_input, self._state, self._told))
                return

    def _lose(self, keeper: Storekeeper) -> None:
        """Close the input of a killed process: what it took and did not bring is dropped, and said."""
        self.kill()
        assert self._process is not None
        self._killed += 1
        if self._stopping:  # nobody takes what is still in the ring
            self._ring.shut()
        self._count()
        count = self._told.packets
        whole = self._kernel[0] if self._stopping else self._ring.taken() + self._kernel[1]
        lost = whole - self._kernel[1] - count.parsed - count.rejected
        self._told.packets = PacketCount(whole, count.parsed, count.rejected, self._kernel[1] + lost)
        self._kernel = [self._kernel[0] - whole, 0]
        self._told.error = (
            f"{self._part}: the process ended (code {self._process.exitcode}); {lost} packets that it had "
            "taken and not brought are lost, and counted as dropped"
        )
        self.reports.append(self._told)
        keeper.bring(partial(self._ingest.writer.finish_input, self._state, self._told))

    def _start_anew(self, keeper: Storekeeper) -> None:
        """Start the process again as a new input. Raises ResourceError where it cannot be."""
        if self._killed > _RESTARTS:
            raise ResourceError(f"{self._told.error}; that was the {self._killed}th time, so listening ends")
        begun = threading.Event()
        state: list[InputState] = []

        def begin() -> None:
            try:
                state.append(self._begin())
            finally:
                begun.set()

        keeper.bring(begin)
        begun.wait()
        if not state:
            raise ResourceError(f"{self._part}: nothing can be stored any more")
        self._state, self._number = state[0], 0
        self._told = InputReport(self._part, "live")
        self._spawn()
        if self._stopping:  # what was asked to end was the one before
            self.stop()


def hear_part(target: Connection, parent: int, ring: ReceiveRing, token_key: bytes, user: str | None) -> None:
    """Take the packets of a ring and bring what they say to the process that started this one."""
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to deal with
    stage = PacketStage(token_key)
    part = _Part(stage, target)
    try:
        part.capture = LiveCapture(
            ring.interface, stage.core, part, flush_interval_s=FLUSH_SECONDS / 2, ring=ring
        )
        if user is not None:
            drop_privileges(user)
            end_with_parent(parent)  # becoming another user undoes it
    except MedwardenError as error:
        target.send_bytes(_ERROR + str(error).encode())
        return
    signal.signal(signal.SIGTERM, lambda _number, _frame: part.stop())
    target.send_bytes(_READY)
    try:
        with seldom_collecting():
            part.end(part.capture.run())
    except BrokenPipeError:
        return  # the parent has ended


class _Part:
    """Hands what the ring brought to the stage, and every so often to the pipe."""

    def __init__(self, stage: PacketStage, target: Connection) -> None:
        self.capture: LiveCapture | None = None
        self._stage = stage
        self._target = target
        self._last = wall_clock()

    def __call__(self, core: FlowCore) -> None:
        self._stage.drain(core)
        now = wall_clock()
        if self._stage.due() or now - self._last >= FLUSH_SECONDS * 1e9:
            self._last = now
            assert self.capture is not None
            report = InputReport("", "live", packets=self.capture.packets)
            report.rejected_reasons = dict(self._stage.core.reasons)
            self._send(_BATCH, report, final=False)

    def end(self, report: InputReport) -> None:
        """Bring what is left, with the accounting of all of it."""
        self._send(_END, report, final=True)

    def stop(self) -> None:
        """Take what has arrived and end."""
        assert self.capture is not None
        self.capture.stop()

    def _send(self, kind: bytes, report: InputReport, *, final: bool) -> None:
        batch = self._stage.take(final=final)
        report.malformed = dict(self._stage.observer.malformed)
        told = msgspec.json.encode(report)
        self._target.send_bytes(kind + len(told).to_bytes(_SIZE, "big") + told + pack(batch))
