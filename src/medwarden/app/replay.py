"""Captures and logs into the store: exactly once, also when cut off in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.carried_exports import CONTENT, FORMAT, Watching, take_in_exports
from medwarden.app.inputs import find_inputs
from medwarden.app.intake import content_id, seldom_collecting, take_in
from medwarden.app.log_intake import grown_from, setting_of, take_in_log
from medwarden.app.shares import form_of_shares, shares_of_form, take_in_shares
from medwarden.kernel.errors import MedwardenError, ResourceError
from medwarden.kernel.printable import printable
from medwarden.model.accounting import InputReport
from medwarden.model.batch import Batch
from medwarden.model.log_source import LogParser
from medwarden.sensors.capture_file import sniff
from medwarden.sensors.log_files import form_of, head_of, is_document, log_id
from medwarden.store.open import Store, open_store

if TYPE_CHECKING:
    from medwarden.app.ingest import Ingest, Taken
    from medwarden.store.ingest import InputState

LOCK = "ingest"
"""One process at a time feeds an inventory: a resolver knows what only it has heard."""

_GROUP_ROWS = 20_000
_GROUP_FILES = 100
_SHARED_BYTES = 1 << 24  # a file below is read before another process has started
_MOST_ALIKE = 64

Progress = Callable[[int, int, str], None]


class Replayed(msgspec.Struct, frozen=True):
    """What a replay came to: every input with its accounting, and the devices known afterwards."""

    inputs: tuple[InputReport, ...]
    beside: tuple[Path, ...]
    devices: int
    new_devices: int


def replay_captures(
    named: Iterable[str | Path],
    home: Path,
    *,
    site: str | None = None,
    progress: Progress | None = None,
    processes: int = 1,
) -> Replayed:
    """Feed captures into the data folder, then identify and assess what changed.

    A large capture is read by ``processes`` processes, each its share of the conversations.
    Raises ConfigurationError for a path that does not exist and ResourceError when another process
    feeds the same folder or the disk is full; what is wrong with a file stands in its report.
    """
    inputs = find_inputs(named)
    with open_store(home, writer=True, role=LOCK) as store:
        return _replay(store, inputs.files, inputs.beside, site, progress, processes)


def _replay(
    store: Store,
    files: tuple[Path, ...],
    beside: tuple[Path, ...],
    site: str | None,
    progress: Progress | None,
    processes: int,
) -> Replayed:
    from medwarden.app.identity import settle
    from medwarden.app.ingest import Ingest
    from medwarden.app.judge import assess_due, judge_stale
    from medwarden.store import queries

    sensor = "capture" if site is None else f"capture@{site}"
    replay = Replay(Ingest(store, sensor, kind="capture", site=site, name="capture files"), processes)
    ingest = replay.ingest
    for number, path in enumerate(files):
        if progress is not None:
            progress(number, len(files), str(path))
        replay.file(path)
    replay.flush()
    if progress is not None:
        progress(len(files), len(files), "identifying and assessing")
    heard = (ingest.writer.site, *(ingest.others.sites() if ingest.others else ()))
    for place in heard:
        judge_stale(ingest.writer.tenant, place)
        assess_due(ingest.writer.tenant, place)  # of a replay that was cut off before it had scored
    settle(ingest.writer.tenant)
    known = queries.devices(queries.Scope(ingest.writer.tenant), limit=1).total
    return Replayed(tuple(replay.reports), beside, known, ingest.new_devices)


class Replay:
    """Feeds files one after the other; small ones wait for each other and are stored together.

    A file whose beginning was acknowledged before a crash is relived by itself: a group holds only
    files that are new from their first batch, so that it is acknowledged as a whole or not at all.
    """

    def __init__(self, ingest: Ingest, processes: int = 1) -> None:
        self.ingest = ingest
        self._processes = processes
        self.reports: list[InputReport] = []
        self._waiting: list[Taken] = []
        self._rows = 0
        self._known = InputReport("")
        self._inside: list[InputReport] = []

    def file(self, path: Path) -> None:
        """Feed one capture or log; content that was fed to its end before is only counted as seen again."""
        with seldom_collecting():
            self.reports += [self._file(path), *self._inside]
        self._inside.clear()

    def flush(self) -> None:
        """Store what waits."""
        waiting, self._waiting, self._rows = self._waiting, [], 0
        if waiting:
            with seldom_collecting():
                self.ingest.commit_group(waiting)

    def _file(self, path: Path) -> InputReport:
        form = sniff(path)
        if form is None or not path.is_file():
            parser = form_of(path)
            if parser is not None:
                return self._log(path, parser)
            return take_in(path, self.ingest.token_key, _nowhere)
        try:
            content = content_id(path)
        except ResourceError as error:
            return InputReport(printable(str(path)), error=printable(str(error)))
        if any(taken.state.content == content for taken in self._waiting):
            self.flush()  # the same content twice in one call
        processes = self._processes if path.stat().st_size >= _SHARED_BYTES else 1
        state = self.ingest.writer.begin_input(content, printable(str(path)), form_of_shares(form, processes))
        if state.complete:
            return state.report
        numbered = _Numbered(self, state)
        watching = Watching(numbered)
        report = self._read(path, state, watching)
        if watching.found:  # before the capture is complete: a crash between the two forgets neither
            self._exports(path, content)
        numbered.end(report)
        return report

    def _exports(self, path: Path, content: str) -> None:
        """Feed the flow exports that a capture carries, as an input of their own."""
        name = f"{printable(str(path))} (flow exports inside)"
        state = self.ingest.writer.begin_input(content + CONTENT, name, FORMAT)
        if state.complete:
            self._inside.append(state.report)
            return
        numbered = _Numbered(self, state)
        report = take_in_exports(path, setting_of(self.ingest.token_key), numbered)
        numbered.end(report or InputReport(name, FORMAT))
        if report is not None:
            self._inside.append(report)

    def _log(self, path: Path, parser: type[LogParser]) -> InputReport:
        """Feed a log; one of lines that has grown since goes on where it was left."""
        name = printable(str(path))
        self.flush()  # what another file of the same call told is part of how far an input is
        try:
            state = self._state_of_log(path, parser, name)
        except MedwardenError as error:
            return InputReport(name, parser.manifest.name, error=printable(str(error)))
        if state is None:
            return self._known
        since = state.report if state.report.mark else None
        state.complete = False
        numbered = _Numbered(self, state, first=state.next_batch)
        setting = setting_of(self.ingest.token_key)
        report = take_in_log(path, parser, setting, numbered.reported, since, state.redo)
        numbered.end(report)
        return report

    def _state_of_log(self, path: Path, parser: type[LogParser], name: str) -> InputState | None:
        """Return how far the input is, None (and its report as known) where nothing is left to read."""
        if is_document(parser):
            state = self.ingest.writer.begin_input(content_id(path), name, parser.manifest.name)
            return None if self._told(state, state.complete) else state
        content = log_id(head_of(path))
        for number in range(_MOST_ALIKE):
            key = f"{content}:{number}" if number else content
            state = self.ingest.writer.begin_input(key, name, parser.manifest.name)
            grown = grown_from(path, state.report)
            if grown is not None:
                return None if self._told(state, not grown) else state
        raise ResourceError(f"{path}: {_MOST_ALIKE} other logs begin with the same record")

    def _told(self, state: InputState, everything: bool) -> bool:
        if everything:
            state.report.already = True
            self._known = state.report
        return everything

    def _read(self, path: Path, state: InputState, sink: Callable[[Batch], None]) -> InputReport:
        """Read a capture by as many processes and the deal it was begun with: its batches depend on that."""
        processes, deal = shares_of_form(state.report.format)
        if processes == 1:
            return take_in(path, self.ingest.token_key, sink)
        return take_in_shares(path, self.ingest.token_key, sink, processes, deal)

    def wait(self, taken: Taken) -> None:
        """Let the only batch of a new file wait for others."""
        self._waiting.append(taken)
        self._rows += taken.batch.flows.num_rows + len(taken.batch.facts)
        if self._rows >= _GROUP_ROWS or len(self._waiting) >= _GROUP_FILES:
            self.flush()


def _nowhere(_batch: Batch) -> None:
    """Take nothing: for what is no capture, reading it only says why."""


class _Numbered:
    """Gives the batches of one input their numbers; the last is held back until the input has ended."""

    def __init__(self, replay: Replay, state: InputState, first: int = 0) -> None:
        self._replay = replay
        self._state = state
        self._next = first
        self._held: Batch | None = None
        self._report: InputReport | None = None

    def __call__(self, batch: Batch) -> None:
        self.reported(batch, None)

    def reported(self, batch: Batch, report: InputReport | None) -> None:
        """Take a batch with the accounting of the input up to its end."""
        if batch.empty():
            return
        if self._held is not None:
            self._replay.flush()
            self._replay.ingest.commit(self._state, self._number(), self._held, self._report)
        self._held, self._report = batch, report

    def end(self, report: InputReport) -> None:
        """Store the last batch together with the input's final accounting."""
        if self._held is None:
            self._replay.ingest.writer.finish_input(self._state, report)
        elif self._next == 0 and self._state.next_batch == 0:
            self._replay.wait(self._taken(report))
        else:
            self._replay.flush()
            taken = self._taken(report)
            self._replay.ingest.commit_group([taken])
            if not self._state.complete:
                self._replay.ingest.writer.finish_input(self._state, report)

    def _taken(self, report: InputReport) -> Taken:
        from medwarden.app.ingest import Taken

        assert self._held is not None
        return Taken(self._state, self._number(), self._held, final=report)

    def _number(self) -> int:
        number, self._next = self._next, self._next + 1
        return number
