"""Detect bytes that changed on disk behind medwarden's back, and name the file.

While a database is open its pages change all the time; therefore its digest is sealed when the last
writer closes it cleanly and compared by the next check of a folder nobody has written to since. Lake
files never change: their digests are kept from the moment they are written.
"""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import msgspec

from medwarden.kernel.errors import ResourceError
from medwarden.store.folder import DATABASE_FILE, LAKE_FOLDER, SEAL_FILE, replace_durably

SEALED = (DATABASE_FILE, f"{LAKE_FOLDER}/catalog.sqlite3", f"{LAKE_FOLDER}/files.sqlite3")


class FileSeal(msgspec.Struct, frozen=True):
    """Size and SHA-256 of one file at a clean close."""

    size: int
    sha256: str


class Damage(msgspec.Struct, frozen=True):
    """One stored file that is not what was written, and what is wrong with it."""

    path: str
    fault: str


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal_databases(home: Path) -> None:
    """Fold the write-ahead logs into the databases and keep their digests.

    Does nothing while another process has one of them open: that process seals when it closes.
    """
    seals: dict[str, FileSeal] = {}
    try:
        for name in SEALED:
            path = home / name
            if not path.exists():
                continue
            if not _checkpoint(path):
                unseal(home)
                return
            seals[name] = FileSeal(path.stat().st_size, sha256_of(path))
        replace_durably(home / SEAL_FILE, msgspec.json.encode(seals))
    except (OSError, sqlite3.Error) as error:
        raise ResourceError(f"the data folder {home} could not be sealed on closing ({error})") from error


def unseal(home: Path) -> None:
    """Forget the digests: from here on the databases change."""
    (home / SEAL_FILE).unlink(missing_ok=True)


def _checkpoint(path: Path) -> bool:
    """Fold the log in and tell whether nobody else holds the database open."""
    database = sqlite3.connect(path, timeout=1)
    try:
        busy = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        busy = 1
    finally:
        database.close()
    # SQLite removes the log when the last connection closes; one that stays belongs to somebody else.
    return busy == 0 and not _log(path).exists()


def check_seals(home: Path) -> list[Damage]:
    """Compare the databases that were closed cleanly with their digests."""
    found: list[Damage] = []
    for name, seal in _seals(home).items():
        if not _log(home / name).exists():
            found.extend(_compare(home / name, name, seal))
    return found


def check_databases(home: Path) -> list[Damage]:
    """Compare the databases with their digests; where they are in use, ask SQLite about their structure."""
    found = check_seals(home)
    sealed = {name for name in _seals(home) if not _log(home / name).exists()}
    for name in SEALED:
        if name not in sealed and (home / name).exists():
            found.extend(_structure(home / name, name))
    return found


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _seals(home: Path) -> dict[str, FileSeal]:
    try:
        return msgspec.json.decode((home / SEAL_FILE).read_bytes(), type=dict[str, FileSeal])
    except FileNotFoundError:
        return {}


def _compare(path: Path, name: str, seal: FileSeal) -> list[Damage]:
    try:
        if path.stat().st_size != seal.size:
            return [Damage(name, f"it has {path.stat().st_size} bytes, {seal.size} were written")]
        if sha256_of(path) != seal.sha256:
            return [Damage(name, "its content is not what was written")]
    except OSError as error:
        return [Damage(name, f"it cannot be read ({error.strerror})")]
    return []


def _structure(path: Path, name: str) -> list[Damage]:
    try:
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            rows = database.execute("PRAGMA integrity_check(5)").fetchall()
        finally:
            database.close()
    except sqlite3.DatabaseError as error:
        return [Damage(name, str(error))]
    return [Damage(name, row[0]) for row in rows if row[0] != "ok"]
