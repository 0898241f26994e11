"""Store what sensors bring in a thread of its own, in the order it was brought."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from medwarden.store.open import Store

_MOST_WAITING = 4


class Storekeeper:
    """Stores batches in a thread of its own, so that a slow disk does not keep a ring from being read.

    A few batches may wait; when more do, whoever brings the next one waits too, and what the kernel
    drops meanwhile is counted. The first error is raised at whoever comes next.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: queue.Queue[Callable[[], None] | None] = queue.Queue(_MOST_WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="storekeeper")
        self._thread.start()

    def bring(self, job: Callable[[], None]) -> None:
        """Let ``job`` be done after those that wait. Raises what an earlier one raised."""
        if self._error is not None:
            raise self._error
        self._waiting.put(job)

    def end(self) -> None:
        """Wait until everything is stored. Raises what a job raised."""
        self._waiting.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            while (job := self._waiting.get()) is not None:
                if self._error is None:
                    self._do(job)
        finally:
            self._store.leave_thread()

    def _do(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - raised again at whoever brings or ends
            self._error = error
