"""A live interface into the store: a batch every two seconds, exact accounting, a clean end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from medwarden.app.packet_stage import PacketStage
from medwarden.app.replay import LOCK
from medwarden.flowcore import FlowCore
from medwarden.kernel.clock import wall_clock
from medwarden.model.accounting import InputReport
from medwarden.sensors.live import LiveCapture, drop_privileges
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.app.ingest import Ingest
    from medwarden.store.ingest import InputState

FLUSH_SECONDS = 2.0


class _Listener:
    """Hands what the ring brought to the stage, and every so often to the store."""

    def __init__(self, ingest: Ingest, stage: PacketStage, interface: str) -> None:
        self._ingest = ingest
        self._stage = stage
        self._interface = interface
        self._number = 0
        self._last = 0
        self.capture: LiveCapture | None = None
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
        """Store what has gathered; with ``final`` all open flows end."""
        batch = self._stage.take(final=final)
        report = self._report()
        if batch.empty():
            self._ingest.writer.heartbeat()
            return
        number, self._number = self._number, self._number + 1
        self._ingest.commit(self.state, number, batch, report)

    def _report(self) -> InputReport:
        assert self.capture is not None
        report = InputReport(self._interface, "live", packets=self.capture.packets)
        report.malformed = dict(self._stage.observer.malformed)
        report.rejected_reasons = dict(self._stage.core.reasons)
        return report


def listen(
    home: Path,
    interface: str,
    *,
    site: str | None = None,
    user: str | None = None,
    seconds: float | None = None,
    on_ready: Callable[[], None] | None = None,
) -> InputReport:
    """Listen on an interface until SIGTERM or SIGINT, or for ``seconds``; return the accounting.

    The socket is opened first; then, with ``user``, root's rights are dropped; ``on_ready`` is called
    when packets are taken. Raises ResourceError when the interface or the folder cannot be had.
    """
    key_free = PacketStage(b"\0" * 32)
    LiveCapture(interface, key_free.core, lambda _core: None).close()  # a wrong name ends here, in words
    with open_store(home, writer=True, role=LOCK) as store:
        from medwarden.app.ingest import Ingest

        sensor = f"live-{interface}" if site is None else f"live-{interface}@{site}"
        ingest = Ingest(store, sensor, kind="live", site=site, name=f"interface {interface}")
        stage = PacketStage(ingest.token_key)
        listener = _Listener(ingest, stage, interface)
        capture = listener.capture = LiveCapture(interface, stage.core, listener)
        if user is not None:
            drop_privileges(user)
        timer = threading.Timer(seconds, capture.stop) if seconds is not None else None
        before = {
            number: signal.signal(number, lambda _number, _frame: capture.stop())
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            if timer is not None:
                timer.start()
            if on_ready is not None:
                on_ready()
            report = capture.run()
        finally:
            if timer is not None:
                timer.cancel()
            for number, handler in before.items():
                signal.signal(number, handler)
        listener.flush(final=True)
        report.malformed = dict(stage.observer.malformed)
        ingest.writer.finish_input(listener.state, report)
        return report
