"""Log files as they grow, through rotation and restarts, each record once.

A log is known by its first record, wherever it lies and whatever it is called by now. So a file that is
renamed (``conn.log`` to ``conn.log.1``), moved into a folder with a date, or packed is the log it was, and
goes on where it was left; a file that is cut and begun anew is another log. How far each is, is stored with
its last batch.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from medwarden.app.intake import content_id
from medwarden.app.log_intake import LogReading, going_on, grown_from, take_in_log
from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import MedwardenError
from medwarden.kernel.printable import printable
from medwarden.model.accounting import InputReport
from medwarden.model.batch import Batch
from medwarden.model.log_source import LogParser, LogSetting
from medwarden.sensors.log_files import (
    LogFile,
    form_of,
    has_record,
    head_of,
    is_document,
    is_packed,
    log_id,
    opened_log,
)

if TYPE_CHECKING:
    from medwarden.app.ingest import Ingest
    from medwarden.store.ingest import InputState

POLL_SECONDS = 1.0
_BATCH_BYTES = 16 << 20
_MOST_ALIKE = 64
_MOST_OPEN = 256
_PATIENCE = 3  # looks at a file that was moved away before it is closed
_WAIT_S = 0.5

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
Job = Callable[[], None]
Bring = Callable[[Job], None]
Identity = tuple[int, int]


class Lag(msgspec.Struct, frozen=True):
    """How far behind a follower is, and what it missed.

    ``unread`` bytes wait in files; ``seconds`` have passed since the last record's own time (None before the
    first); ``gaps`` times a file was cut or vanished with bytes in it that nobody had read; ``again`` files
    turned up that hold nothing but what had been read.
    """

    files: int
    unread: int
    seconds: float | None
    gaps: int
    again: int


class _Followed:
    """One log that is open."""

    def __init__(self, path: Path, form: type[LogParser], state: InputState, setting: LogSetting) -> None:
        self.path = path
        self.state = state
        self.number = state.next_batch
        self._stack = ExitStack()
        self._file: LogFile = self._stack.enter_context(opened_log(path))
        self.reading = LogReading(printable(str(path)), form, setting, going_on(state.report))
        self._rest = self.reading.enter(self._file)
        self._redo = state.redo
        self.quiet = 0
        self.key = state.content
        self.begins = log_id(self._file.beginning())

    def identity(self) -> Identity:
        """Return which file it is, whatever it is called."""
        return self._file.identity()

    def size(self) -> int:
        """Return how large the file is now."""
        return self._file.size()

    def is_same(self) -> bool:
        """Tell whether the file begins as it did: one that was cut and written anew does not."""
        return log_id(self._file.beginning()) == self.begins or not self.taken

    @property
    def taken(self) -> int:
        """Bytes read from the file."""
        return self._file.taken

    def read(self) -> int:
        """Take what has been written since, up to a batch; return how much that was."""
        redo, self._redo = self._redo, None
        if redo is not None:
            before = self.reading.position
            self._rest = self.reading.again(self._file, self._rest, redo)
            return self.reading.position - before
        read = 0
        while read < _BATCH_BYTES and (piece := self._rest or self._file.read()):
            self._rest = b""
            read += len(piece)
            self.reading.push(piece)
            self.reading.taken = self._file.taken
        return read

    def close(self) -> None:
        """Let go of the file."""
        self._stack.close()


class Follower:
    """Follows log files, and folders of them, into a store.

    ``bring`` gives a job to whoever stores (:meth:`medwarden.app.storekeeper.Storekeeper.bring`); left out,
    it is done at once in the follower's own thread, which then must be the only one that feeds the folder.
    What is wrong with a file is logged once and stands in its input's report.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        ingest: Ingest,
        setting: LogSetting,
        *,
        bring: Bring | None = None,
        poll_seconds: float = POLL_SECONDS,
        clock: Clock = wall_clock,
    ) -> None:
        self._paths = tuple(paths)
        self._ingest = ingest
        self._setting = setting
        self._bring: Bring = bring or _at_once
        self._poll = poll_seconds
        self._clock = clock
        self._open: dict[Identity, _Followed] = {}
        self._done: dict[Identity, tuple[int, int]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._gaps = 0
        self._again = 0
        self._last_ns: int | None = None
        self.error: BaseException | None = None

    def start(self) -> None:
        """Begin to follow in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="log follower")
        self._thread.start()

    def stop(self) -> None:
        """Take what is there, close all files and end. Raises what ended the follower before."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self.error is not None:
            raise self.error

    def lag(self) -> Lag:
        """Return how far behind the follower is."""
        unread = 0
        for followed in list(self._open.values()):
            unread += max(0, followed.size() - followed.taken)
        seconds = None if self._last_ns is None else max(0.0, (self._clock() - self._last_ns) / 1e9)
        return Lag(len(self._open), unread, seconds, self._gaps, self._again)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if not self.look():
                    self._stop.wait(self._poll)
            while self.look():
                pass
            self.close()
        except BaseException as error:  # noqa: BLE001 - raised again by stop()
            self.error = error

    def look(self) -> bool:
        """Look at all files once; tell whether anything was read."""
        found = self._files()
        for identity, path in found.items():
            if identity not in self._open:
                self._begin(identity, path)
        read = False
        for identity, followed in list(self._open.items()):
            read = self._on(identity, followed, found) or read
        return read

    def close(self) -> None:
        """Close all files; their unfinished last lines wait for the next start."""
        for followed in self._open.values():
            followed.close()
        self._open.clear()

    def _files(self) -> dict[Identity, Path]:
        found: dict[Identity, Path] = {}
        for root in self._paths:
            if root.is_dir():
                for place, _, names in os.walk(root.resolve()):
                    for name in sorted(names):
                        if not name.startswith("."):
                            _note(found, Path(place, name))
            else:
                _note(found, root)
        return found

    def _begin(self, identity: Identity, path: Path) -> None:
        """Open a file that is new, or has grown since it was found to hold nothing new."""
        try:
            status = path.stat()
            seen = (status.st_size, status.st_mtime_ns)
            if not status.st_size or self._done.get(identity) == seen:
                return
            self._done[identity] = seen
            form = form_of(path)
            if form is None or len(self._open) >= _MOST_OPEN:
                return
            if is_document(form) or is_packed(path):
                self._whole(path, form)
                return
            if not has_record(head_of(path)):
                return
            state = self._state(path, form)
            if state is not None:
                self._open[identity] = _Followed(path, form, state, self._setting)
        except FileNotFoundError:
            return  # moved on between being found and being opened: found again under its new name
        except (MedwardenError, OSError) as error:
            _log.warning("%s cannot be followed: %s", printable(str(path)), printable(str(error)))

    def _state(self, path: Path, form: type[LogParser]) -> InputState | None:
        """Return how far a log is; None where another open file is the same log, or all of them differ."""
        content = log_id(head_of(path))
        for number in range(_MOST_ALIKE):
            key = f"{content}:{number}" if number else content
            if any(followed.key == key for followed in self._open.values()):
                return None
            state = self._ask(
                partial(self._ingest.writer.begin_input, key, printable(str(path)), form.manifest.name)
            )
            if grown_from(path, state.report) is not None:
                state.complete = False
                return state
        return None

    def _whole(self, path: Path, form: type[LogParser]) -> None:
        """Take a document or a packed log, which does not grow."""
        if is_document(form):
            key = content_id(path)
            state = self._ask(
                partial(self._ingest.writer.begin_input, key, printable(str(path)), form.manifest.name)
            )
            since, nothing = None, state.complete
        else:
            found = self._state(path, form)
            if found is None:
                return
            state, since = found, found.report if found.report.mark else None
            nothing = grown_from(path, state.report) is False
        if nothing:
            self._again += 1
            return
        kept: list[tuple[Batch, InputReport]] = []
        report = take_in_log(
            path, form, self._setting, lambda batch, report: kept.append((batch, report)), since, state.redo
        )
        number = state.next_batch
        for batch, so_far in kept:
            if not batch.empty():
                self._bring(partial(self._ingest.commit, state, number, batch, so_far))
                number += 1
        self._bring(partial(self._ingest.writer.finish_input, state, report))

    def _on(self, identity: Identity, followed: _Followed, found: Mapping[Identity, Path]) -> bool:
        """Read on in one file; tell whether there was anything."""
        try:
            if followed.size() < followed.taken or not followed.is_same():
                self._cut(identity, followed, found)
                return True
            read = followed.read()
        except MedwardenError as error:
            _log.warning("%s", printable(str(error)))
            self._end(identity, followed, error=printable(str(error)))
            return False
        if read:
            followed.quiet = 0
            self._store(followed)
            return True
        if identity not in found:
            followed.quiet += 1
            if followed.quiet >= _PATIENCE:
                self._end(identity, followed)
        return False

    def _cut(self, identity: Identity, followed: _Followed, found: Mapping[Identity, Path]) -> None:
        """Close a file that was begun anew; what stood in it unread is lost unless a copy was left."""
        copies = (path for other, path in found.items() if other != identity)
        if not any(log_id(head_of(path)) == followed.begins for path in copies):
            self._gaps += 1
            followed.reading.missing += 1
            _log.warning("%s was cut while it was followed", printable(str(followed.path)))
        self._done.clear()  # the copy goes on where this one was left
        self._end(identity, followed)

    def _store(self, followed: _Followed) -> None:
        batch = followed.reading.take()
        report = followed.reading.report()
        if report.last_ns is not None:
            self._last_ns = max(self._last_ns or 0, report.last_ns)
        if batch.empty():
            return
        number, followed.number = followed.number, followed.number + 1
        self._bring(partial(self._ingest.commit, followed.state, number, batch, report))

    def _end(self, identity: Identity, followed: _Followed, *, error: str | None = None) -> None:
        """Close one file and its input."""
        followed.reading.end()
        self._store(followed)
        report = followed.reading.report(error)
        self._bring(partial(self._finish, followed.state, report))
        followed.close()
        del self._open[identity]

    def _finish(self, state: InputState, report: InputReport) -> None:
        self._ingest.writer.finish_input(state, report)

    def _ask(self, question: Callable[[], _T]) -> _T:
        """Have a question answered by whoever stores, and wait for it."""
        answered = threading.Event()
        box: list[_T] = []

        def job() -> None:
            try:
                box.append(question())
            finally:
                answered.set()

        self._bring(job)
        while not answered.wait(_WAIT_S):
            self._bring(_nothing)  # raises where the storekeeper has failed meanwhile
        if not box:
            self._bring(_nothing)
        return box[0]


def _note(found: dict[Identity, Path], path: Path) -> None:
    try:
        status = path.stat()
    except OSError:
        return  # gone between being listed and being looked at
    found.setdefault((status.st_dev, status.st_ino), path)


def _at_once(job: Job) -> None:
    job()


def _nothing() -> None:
    """Do nothing: bringing it shows whether jobs are still done."""
