"""Files of the lake: written durably, remembered by their digest, addressed relative to the lake.

Iceberg keeps absolute locations in its metadata. The lake's are ``lake:<path below the lake folder>``,
so the data folder can be moved, backed up and restored elsewhere; :class:`LakeFileIO` resolves them.
Every file is flushed to disk with its folder when it is closed, and its SHA-256 is entered into
``files.sqlite3``; the entries are made durable when a table's new metadata is written, which is
before the catalogue points to it.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from io import BufferedReader, FileIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from pyiceberg.io import FileIO as IcebergFileIO
from pyiceberg.io import InputFile, InputStream, OutputFile, OutputStream
from pyiceberg.typedef import EMPTY_DICT, Properties

from medwarden.kernel.errors import InternalError
from medwarden.store.folder import sync_directory

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

SCHEME = "lake:"
ROOT_PROPERTY = "medwarden.root"
LEDGER_FILE = "files.sqlite3"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS file (path TEXT PRIMARY KEY, size INTEGER NOT NULL,
    sha256 TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batch (lake_table TEXT NOT NULL, batch TEXT NOT NULL,
    PRIMARY KEY (lake_table, batch)) WITHOUT ROWID;
"""


class FileLedger:
    """Digests of the lake's files and the batches its tables hold, in ``files.sqlite3``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._database = sqlite3.connect(root / LEDGER_FILE, check_same_thread=False, timeout=30)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_SCHEMA)
        self._pending: list[tuple[str, int, str]] = []
        self._guard = threading.Lock()

    def note(self, path: str, size: int, sha256: str) -> None:
        """Remember a file that was written; :meth:`flush` makes it durable."""
        with self._guard:
            self._pending.append((path, size, sha256))

    def flush(self) -> None:
        """Write what was noted to disk."""
        with self._guard, self._database:
            self._database.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?)", self._pending)
            self._pending.clear()

    def forget(self, paths: Iterable[str]) -> None:
        """Drop the digests of files that were deleted."""
        with self._guard, self._database:
            self._database.executemany("DELETE FROM file WHERE path = ?", [(path,) for path in paths])

    def digests(self) -> dict[str, tuple[int, str]]:
        """Return size and SHA-256 of every file by its path below the lake."""
        with self._guard:
            rows = self._database.execute("SELECT path, size, sha256 FROM file").fetchall()
        return {path: (size, sha256) for path, size, sha256 in rows}

    def has_batch(self, table: str, batch: str) -> bool:
        """Tell whether ``table`` is known to hold ``batch``."""
        with self._guard:
            statement = "SELECT 1 FROM batch WHERE lake_table = ? AND batch = ?"
            return self._database.execute(statement, (table, batch)).fetchone() is not None

    def extent(self, table: str, batch: str) -> str | None:
        """Return how far the input of ``batch`` was read with it, None where that was not noted."""
        with self._guard:
            statement = "SELECT batch FROM batch WHERE lake_table = ? AND batch > ? AND batch < ?"
            found = self._database.execute(statement, (table, f"{batch}\t", f"{batch}\n")).fetchone()
        return None if found is None else str(found[0]).partition("\t")[2]

    def add_batches(self, table: str, batches: Iterable[str]) -> None:
        """Remember that ``table`` holds ``batches``, for when their snapshots have expired."""
        with self._guard, self._database:
            self._database.executemany(
                "INSERT OR IGNORE INTO batch VALUES (?, ?)", [(table, batch) for batch in batches]
            )

    def close(self) -> None:
        """Make everything durable and close."""
        self.flush()
        with self._guard:
            self._database.close()


class _Open(NamedTuple):
    ledger: FileLedger
    users: int


_ledgers: dict[Path, _Open] = {}
_ledgers_guard = threading.Lock()


def open_ledger(root: Path) -> FileLedger:
    """Return the one ledger of a lake in this process, for :func:`close_ledger` to give back."""
    with _ledgers_guard:
        known = _ledgers.get(root) or _Open(FileLedger(root), 0)
        _ledgers[root] = known._replace(users=known.users + 1)
        return known.ledger


def close_ledger(root: Path) -> None:
    """Give the ledger of a lake back; the last one closes it."""
    with _ledgers_guard:
        known = _ledgers.pop(root)
        if known.users > 1:
            _ledgers[root] = known._replace(users=known.users - 1)
            return
    known.ledger.close()


def _ledger_of(root: Path) -> FileLedger:
    """Return the open ledger of a lake: PyIceberg makes its FileIO objects by itself."""
    with _ledgers_guard:
        known = _ledgers.get(root)
    if known is None:
        raise InternalError(f"the lake {root} was used after it was closed")
    return known.ledger


class DurableStream(FileIO):
    """A new file that is on the disk, and in the ledger, once :meth:`close` has returned."""

    def __init__(self, path: Path, relative: str, ledger: FileLedger) -> None:
        super().__init__(str(path), "w")
        self._path = path
        self._relative = relative
        self._ledger = ledger
        self._hash = hashlib.sha256()

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of ``data`` and return its length in bytes."""
        view = memoryview(data).cast("B")
        written = 0
        while written < len(view):
            written += super().write(view[written:]) or 0
        self._hash.update(view)
        return written

    def close(self) -> None:
        """Flush file and folder to disk and note the digest; closing twice is harmless."""
        if self.closed:
            return
        size = self.tell()
        try:
            os.fsync(self.fileno())
        finally:
            super().close()
        sync_directory(self._path.parent)
        self._ledger.note(self._relative, size, self._hash.hexdigest())
        if self._relative.endswith(".metadata.json"):
            self._ledger.flush()

    def __enter__(self) -> DurableStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class LakeFile(InputFile, OutputFile):
    """One file of the lake by its location."""

    def __init__(self, location: str, path: Path, ledger: FileLedger) -> None:
        super().__init__(location)
        self._path = path
        self._ledger = ledger

    def __len__(self) -> int:
        return self._path.stat().st_size

    def exists(self) -> bool:
        """Tell whether the file is there."""
        return self._path.exists()

    def open(self, seekable: bool = True) -> InputStream:  # noqa: ARG002 (the interface's argument)
        """Open for reading; Iceberg's streams may always be sought."""
        return _reader(self._path)

    def create(self, overwrite: bool = False) -> OutputStream:
        """Create the file and the folders above it. Raises FileExistsError unless ``overwrite``."""
        if not overwrite and self._path.exists():
            raise FileExistsError(f"cannot create {self.location}: it is there already")
        _make_durably(self._path.parent)
        return DurableStream(self._path, self.location.removeprefix(SCHEME), self._ledger)

    def to_input_file(self) -> InputFile:
        """Return the same file for reading."""
        return self


def _reader(path: Path) -> BufferedReader:
    return path.open("rb")


def _make_durably(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_durably(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_directory(folder.parent)


class LakeFileIO(IcebergFileIO):
    """PyIceberg's way to files, for locations that begin with ``lake:``."""

    def __init__(self, properties: Properties = EMPTY_DICT) -> None:
        super().__init__(properties)
        self._root = Path(properties[ROOT_PROPERTY])

    def _file(self, location: str) -> LakeFile:
        return LakeFile(location, resolve(self._root, location), _ledger_of(self._root))

    def new_input(self, location: str) -> LakeFile:
        """Return the file at ``location`` for reading."""
        return self._file(location)

    def new_output(self, location: str) -> LakeFile:
        """Return the file at ``location`` for writing."""
        return self._file(location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Delete a file. Raises FileNotFoundError where there is none."""
        text = location if isinstance(location, str) else location.location
        resolve(self._root, text).unlink()
        _ledger_of(self._root).forget([text.removeprefix(SCHEME)])


def resolve(root: Path, location: str) -> Path:
    """Return the path of a ``lake:`` location. Raises InternalError for any other, or one outside."""
    if not location.startswith(SCHEME):
        raise InternalError(f"{location[:80]!r} is no location of the lake")
    path = (root / location.removeprefix(SCHEME)).resolve()
    if not path.is_relative_to(root):
        raise InternalError(f"{location[:80]!r} lies outside the lake")
    return path


def files_on_disk(root: Path) -> Iterator[Path]:
    """Yield every file of the lake's tables; the databases beside them are not among them."""
    for folder in sorted(p for p in root.iterdir() if p.is_dir()):
        yield from sorted(p for p in folder.rglob("*") if p.is_file())
