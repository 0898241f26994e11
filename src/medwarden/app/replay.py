"""Captures into the store: exactly once, also when cut off in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.inputs import find_inputs
from medwarden.app.intake import content_id, take_in
from medwarden.app.packet_stage import Batch
from medwarden.kernel.errors import ResourceError
from medwarden.model.accounting import InputReport
from medwarden.sensors.capture_file import sniff
from medwarden.store.open import Store, open_store

if TYPE_CHECKING:
    from medwarden.app.ingest import Ingest
    from medwarden.store.ingest import InputState

LOCK = "ingest"
"""One process at a time feeds an inventory: a resolver knows what only it has heard."""

Progress = Callable[[int, int, str], None]


class Replayed(msgspec.Struct, frozen=True):
    """What a replay came to: every input with its accounting, and the devices known afterwards."""

    inputs: tuple[InputReport, ...]
    beside: tuple[Path, ...]
    devices: int
    new_devices: int


def replay_captures(
    named: Iterable[str | Path], home: Path, *, site: str | None = None, progress: Progress | None = None
) -> Replayed:
    """Feed captures into the data folder, then identify and assess what changed.

    Raises ConfigurationError for a path that does not exist and ResourceError when another process
    feeds the same folder or the disk is full; what is wrong with a file stands in its report.
    """
    inputs = find_inputs(named)
    with open_store(home, writer=True, role=LOCK) as store:
        return _replay(store, inputs.files, inputs.beside, site, progress)


def _replay(
    store: Store,
    files: tuple[Path, ...],
    beside: tuple[Path, ...],
    site: str | None,
    progress: Progress | None,
) -> Replayed:
    from medwarden.app.ingest import Ingest
    from medwarden.app.judge import judge_stale
    from medwarden.store import queries

    sensor = "capture" if site is None else f"capture@{site}"
    ingest = Ingest(store, sensor, kind="capture", site=site, name="capture files")
    reports = []
    for number, path in enumerate(files):
        if progress is not None:
            progress(number, len(files), str(path))
        reports.append(replay_file(ingest, path))
    if progress is not None:
        progress(len(files), len(files), "identifying and assessing")
    judge_stale(ingest.writer.tenant, ingest.writer.site)
    known = queries.devices(queries.Scope(ingest.writer.tenant), limit=1).total
    return Replayed(tuple(reports), beside, known, ingest.new_devices)


def replay_file(ingest: Ingest, path: Path) -> InputReport:
    """Feed one capture file; content that was fed to its end before is only counted as seen again."""
    form = sniff(path) or ""
    if not path.is_file():
        return take_in(path, ingest.token_key, _nowhere)
    try:
        content = content_id(path) if form else ""
    except ResourceError as error:
        return InputReport(str(path), error=str(error))
    if not content:
        return take_in(path, ingest.token_key, _nowhere)
    state = ingest.writer.begin_input(content, str(path), form)
    if state.complete:
        return state.report
    report = take_in(path, ingest.token_key, _Numbered(ingest, state))
    ingest.writer.finish_input(state, report)
    return report


def _nowhere(_batch: Batch) -> None:
    """Take nothing: for what is no capture, reading it only says why."""


class _Numbered:
    """Gives the batches of one input their numbers; an empty one needs none."""

    def __init__(self, ingest: Ingest, state: InputState) -> None:
        self._ingest = ingest
        self._state = state
        self._next = 0

    def __call__(self, batch: Batch) -> None:
        if batch.empty():
            return
        number, self._next = self._next, self._next + 1
        self._ingest.commit(self._state, number, batch)
