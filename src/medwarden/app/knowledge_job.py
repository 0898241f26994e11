"""One piece of work on knowledge at a time, in a process of its own, so that no page and no sensor waits.

``HOME/knowledge/job.json`` says what is under way or went last: pages read it, the process writes it. The
work is a look at publishers, an import of files that a person brought, or the look of the schedule.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from medwarden.app import knowledge_schedule as schedule
from medwarden.app.knowledge import FeedReport, import_files
from medwarden.app.knowledge_bundles import Bundled, import_bundle, is_bundle
from medwarden.app.knowledge_effect import ROLE, Effect, Watching, brought, taken
from medwarden.app.knowledge_settings import ordinary_feeds, read_settings
from medwarden.app.knowledge_status import standing
from medwarden.app.knowledge_sync import sync
from medwarden.app.stop_signals import end_all
from medwarden.kernel.errors import ConfigurationError, MedwardenError, ResourceError
from medwarden.store.folder import FolderLock, prepare
from medwarden.store.knowledge import FOLDER
from medwarden.store.open import open_store
from medwarden.transport.http import HttpSession

STATE = "job.json"
LOCK = "knowledge-job"
UPLOADS = "uploads"
_LOOK_SECONDS = 30.0
_TELL_SECONDS = 3600.0
_WRITE_SECONDS = 0.5
_NICE = 10
_END_SECONDS = 5.0
_MOST_SENTENCES = 12
_STALE = "knowledge.stale"


_log = logging.getLogger(__name__)


class Job(msgspec.Struct, frozen=True):
    """What is to be done, how far it is, and how it went.

    ``feeds`` are asked (empty: all of ordinary size), ``paths`` taken in; ``unsigned`` says that ``actor``
    vouches for them. ``ended_ns`` is 0 while it is under way. ``sentences`` say what it came to, ``errors``
    what failed.
    """

    kind: Literal["sync", "import", "scheduled"]
    actor: str
    feeds: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    unsigned: bool = False
    begun_ns: int = 0
    ended_ns: int = 0
    pid: int = 0
    what: str = ""
    done: int = 0
    total: int = 0
    sentences: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """Tell whether it is under way: begun, not ended, and its process lives."""
        if self.ended_ns or not self.pid:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    @property
    def cut(self) -> bool:
        """Tell whether its process ended before it was done: nothing half-written stays."""
        return not self.ended_ns and not self.running


def last_job(home: Path) -> Job | None:
    """Return what is under way or went last; None where nothing ever did."""
    path = home / FOLDER / STATE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Job)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ResourceError(f"{path} cannot be read ({error}): remove it") from error


def start(home: Path, job: Job) -> Job:
    """Begin a job in a process of its own and return it.

    Raises ConfigurationError where one is under way, ResourceError where no process can be made.
    """
    prepare(home)
    known = last_job(home)
    if known is not None and known.running:
        raise ConfigurationError("knowledge is being brought up to date already: wait until that is done")
    begun = msgspec.structs.replace(job, begun_ns=time.time_ns(), pid=os.getpid(), what="starting")
    _keep(home, begun)
    try:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "medwarden", "knowledge", "job", "--home", str(home)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        _keep(home, msgspec.structs.replace(begun, ended_ns=time.time_ns(), errors=(str(error),)))
        raise ResourceError(f"no process can be started: {error.strerror or error}") from error
    _children.append(process)
    begun = msgspec.structs.replace(begun, pid=process.pid)
    _keep(home, begun)
    return begun


_children: list[subprocess.Popen[bytes]] = []
"""Processes of this one's jobs, kept until they ended, so that none stays behind as a zombie."""


def reap() -> None:
    """Let go of jobs that ended."""
    _children[:] = [child for child in _children if child.poll() is None]


def run(home: Path, job: Job | None = None, session: HttpSession | None = None) -> Job:
    """Do a job (the one that is written down, where left out) and return how it went.

    Raises ResourceError where another is under way, ConfigurationError where none is written down.
    """
    prepare(home)
    with FolderLock(home, LOCK):
        if job is None:
            os.nice(_NICE)  # a process of its own: pages and sensors come first
        wanted = job or last_job(home)
        if wanted is None:
            raise ConfigurationError("there is nothing to be done")
        now = time.time_ns()
        wanted = msgspec.structs.replace(
            wanted, begun_ns=wanted.begun_ns or now, ended_ns=0, pid=os.getpid(), sentences=(), errors=()
        )
        return _Running(home, wanted, session).run()


class _Running:
    """One job on its way."""

    def __init__(self, home: Path, job: Job, session: HttpSession | None) -> None:
        self._home = home
        self._job = job
        self._session = session
        self._written = 0.0

    def run(self) -> Job:
        self._tell()
        try:
            with open_store(self._home, writer=True, role=ROLE):
                sentences, errors = self._do()
        except MedwardenError as error:
            sentences, errors = (), (str(error),)
        finally:
            for path in self._job.paths:
                if Path(path).parent == self._home / FOLDER / UPLOADS:
                    Path(path).unlink(missing_ok=True)
        self._job = msgspec.structs.replace(
            self._job,
            ended_ns=time.time_ns(),
            what="",
            sentences=tuple(sentences)[:_MOST_SENTENCES],
            errors=tuple(errors)[:_MOST_SENTENCES],
        )
        self._tell()
        return self._job

    def _do(self) -> tuple[Sequence[str], Sequence[str]]:
        job = self._job
        if job.kind == "import":
            return self._import(job)
        feeds = job.feeds
        if job.kind == "sync":
            return self._look(feeds, "synced")
        due = schedule.due_now(self._home, time.time_ns())
        if due is None:
            return ("Nothing is due",), ()
        schedule.begin(self._home, time.time_ns())
        wanted = due.feeds or read_settings(self._home).schedule.feeds
        reports: list[FeedReport] = []
        try:
            return self._look(wanted, "synced_by_schedule", reports)
        finally:
            failed = [r.feed for r in reports if r.error] if reports else list(self._names(wanted))
            schedule.end(self._home, failed, time.time_ns())

    def _names(self, feeds: Sequence[str]) -> Sequence[str]:
        return feeds or [feed.manifest.id for feed in ordinary_feeds(read_settings(self._home))]

    def _look(
        self, feeds: Sequence[str], action: str, reports: list[FeedReport] | None = None
    ) -> tuple[Sequence[str], Sequence[str]]:
        watching = Watching(self._home)
        came = sync(self._home, feeds, progress=self._progress, session=self._session)
        if reports is not None:
            reports += came
        effects = watching.close(self._job.actor, action, brought(came), self._progress)
        fresh = [r.feed for r in came if r.edition is not None]
        said = [f"{len(came)} sources were asked, {len(fresh)} had something new"]
        return [*said, *_said(effects)], [f"{r.feed}: {r.error}" for r in came if r.error]

    def _import(self, job: Job) -> tuple[Sequence[str], Sequence[str]]:
        paths = [Path(path) for path in job.paths]
        watching = Watching(self._home)
        bundles = [path for path in paths if is_bundle(path)]
        files = [path for path in paths if path not in bundles]
        said: list[str] = []
        errors: list[str] = []
        done: list[dict[str, object]] = []
        for path in bundles:
            came: Bundled = import_bundle(self._home, path, unsigned=job.unsigned)
            done += taken(came.editions)
            said += [f"{len(came.editions)} sources came with the bundle", *came.notes]
        if files:
            read = import_files(self._home, files, unsigned=job.unsigned, progress=self._progress)
            done += brought(read.feeds)
            errors += read.errors
            said.append(f"{len(read.files)} files of {len(read.feeds)} sources were read")
            if read.unknown:
                said.append(f"{len(read.unknown)} files are of no source that is known")
        effects = watching.close(job.actor, "imported", done, self._progress)
        return [*said, *_said(effects)], errors

    def _progress(self, done: int, total: int, what: str) -> None:
        self._job = msgspec.structs.replace(self._job, done=done, total=total, what=what[:120])
        if time.monotonic() - self._written > _WRITE_SECONDS:
            self._tell()

    def _tell(self) -> None:
        self._written = time.monotonic()
        _keep(self._home, self._job)


def _said(effects: Sequence[Effect]) -> list[str]:
    return [sentence for effect in effects for sentence in effect.sentences]


def _keep(home: Path, job: Job) -> None:
    schedule.write_state(home / FOLDER / STATE, job)


class Keeper:
    """Looks for knowledge when the schedule asks, and notes in the audit when some grows old.

    Asked often by a process that stays (the worker); looks at the clock twice a minute.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._looked = 0.0
        self._told = 0.0

    def tick(self) -> None:
        """Begin a look that is due. What cannot be read now is read again in half a minute."""
        now = time.monotonic()
        if self._looked and now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        reap()
        try:
            if schedule.due_now(self._home, time.time_ns()) is not None:
                known = last_job(self._home)
                if known is None or not known.running:
                    start(self._home, Job("scheduled", "system"))
            if not self._told or now - self._told > _TELL_SECONDS:
                self._told = now
                note_age(self._home)
        except MedwardenError as error:
            _log.warning("knowledge is not looked after for now: %s", error)

    @staticmethod
    def close() -> None:
        """End the looks that were begun here; what was in use before stays in use."""
        end_all(_children, _END_SECONDS)
        reap()


def note_age(home: Path) -> None:
    """Write to the audit which sources grew stale or became fresh; on an open store of a writer."""
    from medwarden.store.changes import Change
    from medwarden.store.settings import set_setting, setting

    now = standing(home)
    none: list[str] = []
    before = tuple(setting(_STALE, none))
    if now.stale == before:
        return
    with Change("system", "knowledge grew old" if now.stale else "knowledge is fresh again") as change:
        set_setting(change, _STALE, list(now.stale))
        change.record("knowledge.stale", "knowledge:feeds", before, now.stale)
