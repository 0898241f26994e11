"""A second process that reads devices of a large backlog and judges them while the first one stores.

Identifying is sums over the evidence of one device and needs nobody's leave; the database has one
writer. So a process beside reads and judges, and the one that holds the store writes what comes back. Where
that process ends early, the first goes on alone: nothing was stored that would have to be taken back. What
others tell of a device may have changed since the process beside read it: the one that stores asks again.
"""

from __future__ import annotations

import logging
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import msgspec

from medwarden.app.models import load_model
from medwarden.app.shares import end_with_parent
from medwarden.inventory.labelling import Judged, labelling_version
from medwarden.kernel.errors import ResourceError
from medwarden.model.finding import Finding
from medwarden.model.risk import RiskScore

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

MANY = 4000
"""A backlog from which a second process is worth its start, of a second or two."""

_AHEAD = 2

Identified = tuple[Judged, int]
"""A device that was identified, and how often it was marked as to be judged before it was read."""

Outcome = tuple[RiskScore, tuple[Finding, ...]]
Answer = TypeVar("Answer")
Here = Callable[[Sequence[str]], list[Answer]]

_ALONE = "judging goes on in one process: %s"
_log = logging.getLogger(__name__)


class Lost(ResourceError):
    """The process beside has ended, or labels by something else than this one."""


class _Question(msgspec.Struct, frozen=True):
    """Devices to be identified, or assessed."""

    ids: list[str]
    assess: bool


class Beside:
    """The process beside, for one site. Use as a context manager; answers come in the order of questions."""

    def __init__(self, home: Path, tenant: str, site: str) -> None:
        self._arguments = str(home), tenant, site
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._checked = False

    def __enter__(self) -> Beside:
        """Start the process; it reads fingerprints and model while questions are put."""
        context = get_context("spawn")
        self._pipe, far = context.Pipe()
        self._process = context.Process(
            target=_answer_questions, args=(far, os.getpid(), *self._arguments), daemon=True
        )
        self._process.start()
        far.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()

    @property
    def pid(self) -> int | None:
        """Return the number of the process."""
        return None if self._process is None else self._process.pid

    def ask(self, ids: Sequence[str], *, assess: bool) -> None:
        """Have devices identified, or assessed. Raises Lost where the process has ended."""
        assert self._pipe is not None
        try:
            self._pipe.send_bytes(msgspec.msgpack.encode(_Question(list(ids), assess)))
        except OSError as error:
            raise Lost(f"the second judging process ended: {error}") from error

    def ready(self) -> bool:
        """Tell whether the answer to the oldest question is there, or there will be none."""
        assert self._pipe is not None
        try:
            return self._pipe.poll()
        except OSError:
            return True  # it has ended: asking for the answer says so

    def answer(self, kind: type[list[Answer]]) -> list[Answer]:
        """Return the answer to the oldest question. Raises Lost where there will be none."""
        assert self._pipe is not None
        try:
            if not self._checked:
                theirs = self._pipe.recv_bytes().decode()
                if theirs != labelling_version():
                    raise Lost(f"the second judging process labels by {theirs}, not {labelling_version()}")
                self._checked = True
            return msgspec.msgpack.decode(self._pipe.recv_bytes(), type=kind)
        except (EOFError, OSError) as error:
            raise Lost("the second judging process ended") from error


def in_parts(
    beside: Beside | None,
    following: Callable[[Sequence[str]], list[str]],
    here: Here[Answer],
    kind: type[list[Answer]],
    *,
    assess: bool,
) -> Iterator[tuple[list[str], list[Answer]]]:
    """Yield the ids of each part with what was found of its devices, until ``following`` has no more.

    ``following`` returns the next ids and is told which are under way; ``here`` judges in this process,
    where there is none beside, when it is lost, and while its answer is not there yet.
    """
    under_way: deque[list[str]] = deque()
    while True:
        while len(under_way) < (_AHEAD if beside else 1):
            ids = following([each for part in under_way for each in part])
            if not ids:
                break
            under_way.append(ids)
            if beside is not None:
                try:
                    beside.ask(ids, assess=assess)
                except Lost as error:
                    beside = None
                    _log.warning(_ALONE, error)
        if not under_way:
            return
        if beside is not None and not beside.ready():
            own = following([each for part in under_way for each in part])
            if own:
                yield own, here(own)
                continue
        found: list[Answer] | None = None
        if beside is not None:
            try:
                found = beside.answer(kind)
            except Lost as error:
                beside = None
                _log.warning(_ALONE, error)
        ids = under_way.popleft()
        yield ids, here(ids) if found is None else found


def _answer_questions(pipe: Connection, parent: int, home: str, tenant: str, site: str) -> None:
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to deal with
    from medwarden.app.fingerprints import load_own
    from medwarden.store.open import open_store

    with open_store(Path(home), writer=False):
        from medwarden.app.judge import Judging

        load_own(Path(home))
        load_model(Path(home))
        judging = Judging(tenant, site)
        try:
            pipe.send_bytes(labelling_version().encode())
            while True:
                question = msgspec.msgpack.decode(pipe.recv_bytes(), type=_Question)
                found: list[Identified] | list[Outcome] = (
                    judging.assessed(question.ids) if question.assess else judging.identified(question.ids)
                )
                pipe.send_bytes(msgspec.msgpack.encode(found))
        except (BrokenPipeError, ConnectionResetError, EOFError):
            return  # the parent has ended or wants no more
