"""Ask scanners for their reports: one process at a time, by hand or by the hours that were set.

What a scanner brings is taken in as if a person had brought the file. Each report is stored before the next
is asked for, and with it where the connector stopped: a pull that is killed neither loses nor repeats one.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.scanners import credentials_of
from medwarden.app.scans import take_file_in
from medwarden.app.stop_signals import end_all
from medwarden.connectors.scanners.desk import Allowance, Asked, Credentials, Desk
from medwarden.connectors.scanners.registry import connector_named
from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput, MedwardenError, ResourceError
from medwarden.store.open import open_store
from medwarden.transport.http import DownloadFailed, HttpSession, Limits
from medwarden.transport.kept import Kept
from medwarden.transport.xml_stream import XmlStream

if TYPE_CHECKING:
    from medwarden.store.models import ScannerConnection

ROLE = "scanner-pull"
FOLDER = "scanners"
"""Below the data folder: what came of pulls that did not come to their end, by connection."""
_LOOK_SECONDS = 30.0
_WRITE_SECONDS = 1.0
_END_SECONDS = 5.0
_SAME_NS = 2 * NANOSECONDS
"""How exactly the start of a process is known from its ticks."""

_log = logging.getLogger(__name__)


def _tidy(folder: Path) -> None:
    """Make the folder of pulls and remove what killed ones left; one process at a time comes here."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for left in folder.glob("arriving-*"):
            shutil.rmtree(left)
    except OSError as error:
        raise ResourceError(f"{folder}: {error.strerror or error}") from error


class PullReport(msgspec.Struct, frozen=True):
    """What asking one scanner came to.

    ``reports`` were taken in; of their ``hosts`` so many are ``known`` devices; ``sightings`` are what the
    scanner saw on those. ``failures`` are reports that did not come, ``error`` is what ended the pull early.
    """

    connection: str
    reports: int
    hosts: int
    known: int
    sightings: int
    failures: tuple[str, ...]
    error: str


def pull(
    home: Path,
    names: Sequence[str] = (),
    *,
    only_due: bool = False,
    actor: str = "",
    limits: Limits | None = None,
    sleep_s: float | None = None,
    allowance: Allowance | None = None,
) -> tuple[PullReport, ...]:
    """Ask scanners: those named, those that are due, or all.

    ``limits``, ``allowance`` and ``sleep_s`` (in place of every pause) are given by tests. One scanner's
    failure does not keep others from being asked. Raises ConfigurationError for an unknown name,
    ResourceError where another process asks scanners at the moment.
    """
    with open_store(home, writer=True, role=ROLE):
        from medwarden.store.models import DEFAULT_TENANT, ScannerConnection
        from medwarden.store.scanners import connection_called, due

        if only_due:
            rows = due(wall_clock())
        elif names:
            rows = [connection_called(DEFAULT_TENANT, name) for name in names]
        else:
            rows = list(ScannerConnection.objects.filter(removed_ns=None).order_by("name"))
        return tuple(_Pull(home, row, actor, limits, sleep_s, allowance).run() for row in rows)


class _Pull:
    """One pull from one scanner."""

    def __init__(
        self,
        home: Path,
        row: ScannerConnection,
        actor: str,
        limits: Limits | None,
        sleep_s: float | None,
        allowance: Allowance | None = None,
    ) -> None:
        self._home = home
        self._row = row
        self._actor = actor or f"scanner:{row.name}"
        self._limits = limits
        self._sleep_s = sleep_s
        self._allowance = allowance
        self._credentials: Credentials | None = None
        self._written = 0.0
        self._reports = self._hosts = self._known = self._sightings = 0
        self._failures: list[str] = []

    def run(self) -> PullReport:
        """Ask, take in what comes, and write down how it went."""
        from medwarden.store.changes import Change
        from medwarden.store.scanners import is_still, note_begun, note_ended

        self._row.refresh_from_db()  # others were asked since the row was read, which may take hours
        note_begun(self._row, os.getpid(), wall_clock())
        error = ""
        try:
            self._ask()
        except MedwardenError as failure:
            error = str(failure)
        except (ValueError, LookupError, TypeError, OSError, RuntimeError) as failure:
            # An answer that nobody thought of must not keep other scanners from being asked.
            if is_still(self._row):
                where = self._clean("".join(traceback.format_exception(failure)))
                _log.error("asking %s failed by a defect of medwarden: %s", self._row.name, where)
                error = "medwarden failed on what the scanner answered: its log says where"
            else:  # what came was removed beneath the pull
                error = str(_changed(self._row))
        error, self._failures = self._clean(error), [self._clean(each) for each in self._failures]
        with Change(
            self._actor, "scanner asked", tenant=self._row.tenant_id, site=self._row.site_id
        ) as change:
            note_ended(change, self._row, brought=self._reports, error=error, failures=self._failures)
        return PullReport(
            self._row.name, self._reports, self._hosts, self._known, self._sightings,
            tuple(self._failures), error,
        )  # fmt: skip

    def _ask(self) -> None:
        row = self._row
        connector = connector_named(row.interface)
        folder = self._home / FOLDER
        _tidy(folder)
        if row.removed_ns is not None:
            raise ConfigurationError(f"the connection {row.name} was ended")
        kept = Kept(folder / row.pk)
        self._credentials = credentials_of(self._home, row)
        with tempfile.TemporaryDirectory(prefix="arriving-", dir=folder) as arriving:
            session = self._session(Path(arriving))
            asked = Asked(connector.manifest.title, row.address, self._credentials, tuple(row.chosen))
            desk = Desk(
                asked, session, Path(arriving), kept, row.state, now_s=time.time(), progress=self._progress,
                open_stream=lambda address: self._stream(address, Path(arriving)), sleep=self._sleep,
                limits=self._limits, allowance=self._allowance,
            )  # fmt: skip
            try:
                before = dict(desk.state)
                for brought in connector.pull(desk):
                    self._check_still()
                    try:
                        self._take(desk, brought.path, brought.name)
                    except MalformedInput as error:
                        if not brought.alone:
                            raise
                        desk.failures.append(str(error))
                        desk.state = before  # so that it is asked for again
                    self._remember(desk)
                    before = dict(desk.state)
                self._remember(desk)
            except DownloadFailed:
                raise
            except MedwardenError:
                kept.clear()  # what cannot be read must not be taken up again
                raise
            finally:
                self._failures += desk.failures
                session.close()

    def _take(self, desk: Desk, path: Path, name: str) -> None:
        done = take_file_in(
            self._home, path, f"{self._row.name}: {name}", actor=self._actor, tenant=self._row.tenant_id,
            site=self._row.site_id,
        )  # fmt: skip
        desk.served(path)
        self._reports += not done.already
        self._hosts += done.hosts
        self._known += done.known
        self._sightings += done.sightings
        desk.spend(reports=1, rows=done.hosts + done.sightings)

    def _check_still(self) -> None:
        from medwarden.store.scanners import is_still

        if not is_still(self._row):
            raise _changed(self._row)

    def _remember(self, desk: Desk) -> None:
        from medwarden.store.scanners import note_state

        if not note_state(self._row, desk.state):
            raise _changed(self._row)

    def _clean(self, text: str) -> str:
        return text if self._credentials is None else self._credentials.without(text)

    def _sleep(self, seconds: float) -> None:
        time.sleep(seconds if self._sleep_s is None else self._sleep_s)

    def _authorities(self, folder: Path) -> Path | None:
        if not self._row.authorities:
            return None
        path = folder / "authorities.pem"
        path.write_text(self._row.authorities, encoding="ascii")
        return path

    def _session(self, folder: Path) -> HttpSession:
        return HttpSession(
            proxy=self._row.proxy or None, authorities=self._authorities(folder),
            fingerprint=self._row.fingerprint, sleep=self._sleep,
        )  # fmt: skip

    def _stream(self, address: str, folder: Path) -> XmlStream:
        return XmlStream(address, authorities=self._authorities(folder), fingerprint=self._row.fingerprint)

    def _progress(self, done: int, total: int, what: str) -> None:
        from medwarden.store.scanners import note_progress

        now = time.monotonic()
        if now - self._written > _WRITE_SECONDS:
            self._written = now
            note_progress(self._row, done, total, self._clean(what))


def _changed(row: ScannerConnection) -> ConfigurationError:
    """Return why a pull ends: nothing of it is remembered, for it is not of whom is asked from now on."""
    return ConfigurationError(
        f"the connection {row.name} was changed or ended while its scanner was asked: the rest was left"
    )


def is_running(pid: int, begun_ns: int, ended_ns: int) -> bool:
    """Tell whether a pull is under way: begun, not ended, and its process lives.

    A process of that number that was started since is another one: numbers come again, after a restart of the
    machine above all.
    """
    if not pid or ended_ns >= begun_ns:
        return False
    try:
        ticks = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[19]
        up = float(Path("/proc/uptime").read_text("ascii").split()[0])
    except (OSError, IndexError):
        return False
    age_s = up - int(ticks) / os.sysconf("SC_CLK_TCK")
    return wall_clock() - age_s * NANOSECONDS <= begun_ns + _SAME_NS


# ---------------------------------------------------------------- in a process of its own

_children: list[subprocess.Popen[bytes]] = []
"""Pulls that this process began, kept until they ended, so that none stays behind as a zombie."""


def start(home: Path, connection: str = "") -> None:
    """Begin to ask scanners in a process of its own: one by its id, or those that are due.

    Raises ConfigurationError where this process has begun that already, ResourceError where no process can
    be made.
    """
    reap()
    if _children:
        raise ConfigurationError("scanners are being asked already: wait until that is done")
    whom = ["--", connection] if connection else ["--due"]
    try:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "medwarden", "scans", "pull", "--home", str(home), *whom],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise ResourceError(f"no process can be started: {error.strerror or error}") from error
    _children.append(process)


def reap() -> None:
    """Let go of pulls that ended."""
    _children[:] = [child for child in _children if child.poll() is None]


class ScannerKeeper:
    """Asks scanners when their hours are over; asked often by a process that stays (the worker)."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._looked = 0.0

    def tick(self) -> None:
        """Begin to ask where something is due. What cannot be read now is read again in half a minute."""
        now = time.monotonic()
        if self._looked and now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        reap()
        try:
            if not _children and due_now():
                start(self._home)
        except MedwardenError as error:
            _log.warning("scanners are not asked for now: %s", error)

    @staticmethod
    def close() -> None:
        """End the pulls that were begun here; the next one takes up what they got."""
        end_all(_children, _END_SECONDS)
        reap()


def under_way() -> bool:
    """Tell whether a scanner is being asked at the moment, on an open store."""
    from medwarden.store.models import ScannerConnection

    rows = ScannerConnection.objects.filter(removed_ns=None, pid__gt=0)
    return any(is_running(row.pid, row.begun_ns, row.ended_ns) for row in rows)


def due_now() -> bool:
    """Tell whether a scanner is to be asked and none is being asked, on an open store."""
    from medwarden.store.scanners import due

    return not under_way() and bool(due(wall_clock()))


def ask_now(home: Path, tenant: str, name: str, *, actor: str) -> str:
    """Begin to ask one scanner for a person, on an open store, and return its name.

    Raises ConfigurationError where there is none of that name or scanners are being asked already.
    """
    from medwarden.store.changes import Change
    from medwarden.store.scanners import connection_called

    row = connection_called(tenant, name)
    if under_way():
        raise ConfigurationError("scanners are being asked already: wait until that is done")
    with Change(actor, "scanner asked by hand", tenant=tenant, site=row.site_id) as change:
        change.record("scanner.asked_for", f"scanner:{row.pk}", None, {"name": row.name}, site=row.site_id)
    start(home, row.pk)
    return row.name
