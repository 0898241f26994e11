"""Live interfaces into the store: a batch every two seconds, exact accounting, a clean end.

All interfaces of a folder are heard by one process, each in a thread of its own: what one of them says
of an address, the others' packets are understood by, so they share one resolver and one storekeeper.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.packet_stage import PacketStage
from medwarden.app.replay import LOCK
from medwarden.app.stop_signals import stopped_by_signals
from medwarden.app.storekeeper import Storekeeper
from medwarden.flowcore import FlowCore
from medwarden.kernel.clock import wall_clock
from medwarden.model.accounting import InputReport
from medwarden.sensors.live import LiveCapture, acting_as, drop_privileges
from medwarden.store.open import Store, open_store

if TYPE_CHECKING:
    from medwarden.app.ingest import Ingest
    from medwarden.app.record_sources import RecordSources
    from medwarden.store.ingest import InputState

FLUSH_SECONDS = 2.0
_RING_BLOCKS = 128  # of a mebibyte: seconds of a busy link, while Python is busy elsewhere


class _Listener:
    """Hands what the ring brought to the stage, and every so often to the storekeeper."""

    def __init__(self, ingest: Ingest, stage: PacketStage, interface: str) -> None:
        self.ingest = ingest
        self._stage = stage
        self._interface = interface
        self._number = 0
        self._last = 0
        self.capture: LiveCapture | None = None
        self.keeper: Storekeeper | None = None
        begun = wall_clock()
        self.state: InputState = ingest.writer.begin_input(
            f"live:{ingest.writer.sensor}:{begun}", interface, "live"
        )

    def __call__(self, core: FlowCore) -> None:
        self._stage.drain(core)
        now = wall_clock()
        if self._stage.due() or now - self._last >= FLUSH_SECONDS * 1e9:
            self._last = now
            self.flush(final=False)

    def flush(self, *, final: bool) -> None:
        """Bring what has gathered to the storekeeper; with ``final`` all open flows end."""
        assert self.keeper is not None
        batch = self._stage.take(final=final)
        if batch.empty():
            self.keeper.bring(self.ingest.writer.heartbeat)
            return
        number, self._number = self._number, self._number + 1
        self.keeper.bring(partial(self.ingest.commit, self.state, number, batch, self._report()))

    def finish(self, report: InputReport) -> InputReport:
        """Bring what is left and close the input with the accounting of its capture."""
        assert self.keeper is not None
        self.flush(final=True)
        report.malformed = dict(self._stage.observer.malformed)
        self.keeper.bring(partial(self.ingest.writer.finish_input, self.state, report))
        return report

    def _report(self) -> InputReport:
        assert self.capture is not None
        report = InputReport(self._interface, "live", packets=self.capture.packets)
        report.malformed = dict(self._stage.observer.malformed)
        report.rejected_reasons = dict(self._stage.core.reasons)
        return report


class Records(msgspec.Struct, frozen=True):
    """What brings records rather than packets: as ``netflow HOST:PORT`` to listen to, and files to follow.

    ``listen`` are pairs of option and text as :func:`~medwarden.app.listeners.read_spec` takes them;
    ``time_zone`` is of records that name none.
    """

    listen: tuple[tuple[str, str], ...] = ()
    follow: tuple[Path, ...] = ()
    time_zone: str = "UTC"


def listen(
    home: Path,
    interfaces: Sequence[str],
    *,
    records: Records | None = None,
    site: str | None = None,
    user: str | None = None,
    seconds: float | None = None,
    on_ready: Callable[[Sequence[str]], None] | None = None,
) -> list[InputReport]:
    """Listen on interfaces, and to ``records``, until SIGTERM or SIGINT, or for ``seconds``.

    Return the accounting of each. The sockets are opened first; then, with ``user``, root's rights are
    dropped; ``on_ready`` is told what is listened to when packets are taken. All end when one of them
    ends. Raises ResourceError when an interface, a port or the folder cannot be had.
    """
    interfaces = list(dict.fromkeys(interfaces))
    key_free = PacketStage(b"\0" * 32)
    for name in interfaces:  # a wrong name ends here, in words
        LiveCapture(name, key_free.core, lambda _core: None).close()
    with acting_as(user):
        opened = open_store(home, writer=True, role=LOCK)
    with opened as store:
        captures, listeners = _open(store, interfaces, site, user)
        ended = threading.Event()

        def stop() -> None:
            ended.set()
            for capture in captures:
                capture.stop()

        timer = threading.Timer(seconds, stop) if seconds is not None else None
        keeper = Storekeeper(store)
        try:
            with acting_as(user):
                sources = record_sources(
                    store, keeper, records, site, listeners[0].ingest if listeners else None
                )
            if user is not None:
                drop_privileges(user)
            for listener in listeners:
                listener.keeper = keeper
            with stopped_by_signals(stop):
                try:
                    if timer is not None:
                        timer.start()
                    if sources is not None:
                        sources.start()
                    if on_ready is not None:
                        on_ready([*interfaces, *(sources.names if sources else ())])
                    reports = _run(captures, stop, ended)
                finally:
                    if timer is not None:
                        timer.cancel()
            finished = [listener.finish(report) for listener, report in zip(listeners, reports, strict=True)]
            if sources is not None:
                finished += sources.finish()
        finally:
            keeper.end()
        return finished


def record_sources(
    store: Store, keeper: Storekeeper, records: Records | None, site: str | None, beside: Ingest | None
) -> RecordSources | None:
    """Open what brings records, beside an interface's resolver where there is one; None without any."""
    if records is None or not (records.listen or records.follow):
        return None
    from medwarden.app.listeners import read_spec
    from medwarden.app.record_sources import RecordSources

    specs = [read_spec(option, text, time_zone=records.time_zone) for option, text in records.listen]
    return RecordSources(
        store, keeper, specs, records.follow, site=site, time_zone=records.time_zone, beside=beside
    )


def _open(
    store: Store, interfaces: Sequence[str], site: str | None, user: str | None
) -> tuple[list[LiveCapture], list[_Listener]]:
    from medwarden.app.ingest import Ingest

    captures: list[LiveCapture] = []
    listeners: list[_Listener] = []
    first: Ingest | None = None
    for name in interfaces:
        sensor = f"live-{name}" if site is None else f"live-{name}@{site}"
        with acting_as(user):
            ingest = Ingest(store, sensor, kind="live", site=site, name=f"interface {name}", beside=first)
            stage = PacketStage(ingest.token_key)
            listener = _Listener(ingest, stage, name)
        first = first or ingest
        listener.capture = LiveCapture(name, stage.core, listener, blocks=_RING_BLOCKS)
        captures.append(listener.capture)
        listeners.append(listener)
    return captures, listeners


def _run(
    captures: Sequence[LiveCapture], stop: Callable[[], None], ended: threading.Event
) -> list[InputReport]:
    """Run one capture here, several in threads; the first error of any is raised once all have ended.

    Without any, wait until ``ended``.
    """
    if not captures:
        ended.wait()
        return []
    if len(captures) == 1:
        return [captures[0].run()]
    reports: dict[int, InputReport] = {}
    errors: list[BaseException] = []

    def hear(at: int, capture: LiveCapture) -> None:
        try:
            reports[at] = capture.run()
        except BaseException as error:  # noqa: BLE001 - raised again below, in the thread that is waited for
            errors.append(error)
        finally:
            stop()

    threads = [threading.Thread(target=hear, args=each) for each in enumerate(captures)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [reports[at] for at in range(len(captures))]
