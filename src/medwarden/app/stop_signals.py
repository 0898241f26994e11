"""What ends a process from outside: the signals of a service manager and of Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` on SIGTERM and SIGINT and go on; afterwards they mean what they did before.

    To be entered in the main thread, which alone may handle signals.
    """
    before = {
        number: signal.signal(number, lambda _number, _frame: stop())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_all(children: Sequence[subprocess.Popen[bytes]], patience_s: float) -> None:
    """End processes by SIGTERM, all at once, and by SIGKILL those that are not gone after so many seconds."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    for child in children:
        try:
            child.wait(patience_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
