"""The data folder: its layout, its version, its keys, and who may write to it at a time.

One folder holds everything medwarden keeps::

    version           layout version, one line
    secret.key        Django's secret key, mode 0600
    audit.key         key that seals the head of the audit chain, mode 0600
    audit.head        newest sequence and hash of the audit chain, sealed
    audit.anchors     older heads, one line each
    state.sqlite3     relational state
    lake/             telemetry: Iceberg tables and their catalogue
    seal.json         digests of the databases, written on a clean close
    lock-<role>       held by the process that writes in this role
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from medwarden.kernel.errors import ConfigurationError, ResourceError

LAYOUT_VERSION = 1
VERSION_FILE = "version"
SECRET_KEY_FILE = "secret.key"  # noqa: S105 (a file name)
AUDIT_KEY_FILE = "audit.key"
AUDIT_HEAD_FILE = "audit.head"
AUDIT_ANCHORS_FILE = "audit.anchors"
DATABASE_FILE = "state.sqlite3"
SEAL_FILE = "seal.json"
LAKE_FOLDER = "lake"


def prepare(home: Path) -> None:
    """Create the data folder with its version file and keys, or check the one that is there.

    Raises ConfigurationError for a folder of a newer medwarden or one that holds foreign files, and
    ResourceError where it cannot be created or written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        version = home / VERSION_FILE
        if not version.exists():
            _refuse_foreign(home)
            _create(version, f"{LAYOUT_VERSION}\n", 0o644)
        check(home)
        (home / LAKE_FOLDER).mkdir(exist_ok=True, mode=0o700)
        for name in (SECRET_KEY_FILE, AUDIT_KEY_FILE):
            if not (home / name).exists():
                _create(home / name, secrets.token_urlsafe(48) + "\n", 0o600)
        if not (home / DATABASE_FILE).exists():
            _create(home / DATABASE_FILE, "", 0o600)  # SQLite gives its logs the mode of the database
    except NotADirectoryError as error:
        raise ConfigurationError(f"{home} is not a folder: name a folder with --home") from error
    except FileExistsError as error:
        raise ConfigurationError(f"{home} is not a folder: name a folder with --home") from error
    except OSError as error:
        raise ResourceError(
            f"the data folder {home} cannot be prepared ({error.strerror}): "
            "free space or give the user that runs medwarden the right to write there"
        ) from error


def check(home: Path) -> None:
    """Raise ConfigurationError unless ``home`` is a data folder this version can read."""
    try:
        text = (home / VERSION_FILE).read_text().strip()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigurationError(
            f"{home} holds no medwarden data yet: run `medwarden up` or `medwarden replay` first, "
            "or name the folder with --home"
        ) from error
    except OSError as error:
        raise ResourceError(f"the data folder {home} cannot be read ({error.strerror})") from error
    if not text.isdigit() or int(text) > LAYOUT_VERSION:
        raise ConfigurationError(
            f"{home} was written by a newer medwarden (layout {text[:20]!r}, known here: {LAYOUT_VERSION}): "
            "update medwarden"
        )


def _refuse_foreign(home: Path) -> None:
    foreign = sorted(p.name for p in home.iterdir() if not p.name.startswith((".", "lock-")))
    if foreign:
        raise ConfigurationError(
            f"{home} is no medwarden folder and not empty (it holds {foreign[0]!r}): name another with --home"
        )


def _create(path: Path, text: str, mode: int) -> None:
    """Create ``path`` durably, leaving a file that another process created first as it is."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    with suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Flush a directory to disk, so that files created or renamed in it survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_durably(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write ``data`` to ``path`` so that after any crash either the old or the new content stands there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    sync_directory(path.parent)


@contextmanager
def waiting_lock(home: Path, name: str) -> Iterator[None]:
    """Hold the lock ``name`` meanwhile, waiting for whoever has it: for steps that are short."""
    descriptor = os.open(home / f"lock-{name}", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class FolderLock:
    """The right to write to a data folder in one role, held until :meth:`release` or the process ends.

    The lock is the operating system's (flock), so a killed process leaves none behind.
    """

    def __init__(self, home: Path, role: str) -> None:
        self.path = home / f"lock-{role}"
        self._descriptor: int | None = None

    def acquire(self) -> FolderLock:
        """Take the lock. Raises ResourceError, naming the process that holds it, where it is taken."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ResourceError(
                f"{self.path} cannot be opened ({error.strerror}): "
                "give the user that runs medwarden the right to write there"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise ResourceError(f"{self.path} cannot be locked ({error.strerror})") from error
            raise ResourceError(
                f"medwarden is already running on this folder (pid {holder}): "
                f"stop it first or name another folder with --home (this one is {self.path.parent})"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def release(self) -> None:
        """Give the lock back; releasing twice is harmless."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> FolderLock:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
