"""Back up a data folder while it is in use, and restore it into an empty one.

A backup is one file: a tar compressed with Zstandard (RFC 8878), mode 0600 because it holds the keys,
whose last member, ``manifest.json``, names every other with its size and SHA-256. What is read when
keeps it consistent: first the head of the audit chain, then the relational state, then the lake, so
the chain contains its head and the lake holds every batch that the state acknowledges.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import msgspec
import zstandard

from medwarden.kernel.clock import Clock, iso, wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput, ResourceError
from medwarden.store import folder
from medwarden.store.integrity import sha256_of, unseal
from medwarden.store.lake import CATALOG_FILE, TABLES, Lake
from medwarden.store.lake_files import LEDGER_FILE
from medwarden.store.storage_errors import storage_errors

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
_PLAIN = (
    folder.VERSION_FILE,
    folder.SECRET_KEY_FILE,
    folder.AUDIT_KEY_FILE,
    folder.AUDIT_ANCHORS_FILE,
    folder.AUDIT_HEAD_FILE,
)
_TRIES = 3
_LARGEST_MANIFEST = 256 * 1024 * 1024


class Member(msgspec.Struct, frozen=True):
    """One file of a backup."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds: when it was made, its files, and how many rows each table had."""

    format: int
    made: str
    files: dict[str, Member]
    rows: dict[str, int]


def back_up(home: Path, target: Path, *, clock: Clock = wall_clock) -> Manifest:
    """Write a backup of the data folder ``home`` to ``target`` and return what it holds.

    The folder may be in use. Raises ConfigurationError where ``target`` is there already, and
    ResourceError where it cannot be written; then nothing is left behind.
    """
    folder.check(home)
    if target.exists():
        raise ConfigurationError(f"{target} is there already: name another file or remove it")
    if not target.parent.is_dir():
        raise ConfigurationError(f"{target.parent} is not a folder: create it or name another")
    partial = target.with_name(f".{target.name}.partial")
    with (
        storage_errors(target.parent),
        tempfile.TemporaryDirectory(prefix=".medwarden-backup-", dir=target.parent) as staging,
    ):
        try:
            stage = Path(staging)
            paths = _stage(home, stage)
            manifest = _write(partial, paths, _rows(stage / folder.DATABASE_FILE), clock)
            partial.replace(target)
            folder.sync_directory(target.parent)
        finally:
            partial.unlink(missing_ok=True)
    return manifest


def _stage(home: Path, stage: Path) -> dict[str, Path]:
    """Copy what changes into ``stage`` and return every file of the backup by its name."""
    paths: dict[str, Path] = {}
    for name in reversed(_PLAIN):  # the head first
        if (home / name).exists():
            shutil.copyfile(home / name, stage / name)
            paths[name] = stage / name
    _copy_database(home / folder.DATABASE_FILE, stage / folder.DATABASE_FILE)
    paths[folder.DATABASE_FILE] = stage / folder.DATABASE_FILE
    if (home / folder.LAKE_FOLDER / CATALOG_FILE).exists():
        for attempt in range(1, _TRIES + 1):
            try:
                paths |= _stage_lake(home / folder.LAKE_FOLDER, stage / folder.LAKE_FOLDER)
                break
            except FileNotFoundError as error:
                # The writer expired a file between our look at the catalogue and our copy of it.
                if attempt == _TRIES:
                    raise ResourceError(
                        f"the lake changed {_TRIES} times while it was copied ({error.filename}): try again"
                    ) from error
                shutil.rmtree(stage / folder.LAKE_FOLDER)
    return paths


def _stage_lake(source: Path, stage: Path) -> dict[str, Path]:
    stage.mkdir()
    for name in (CATALOG_FILE, LEDGER_FILE):
        _copy_database(source / name, stage / name)
    paths = {f"{folder.LAKE_FOLDER}/{name}": stage / name for name in (CATALOG_FILE, LEDGER_FILE)}
    with closing(Lake(source, writer=False, catalog=stage / CATALOG_FILE)) as lake:
        for table in TABLES:
            for relative in sorted(lake.referenced(table)):
                copy = stage / relative
                copy.parent.mkdir(parents=True, exist_ok=True)
                _link_or_copy(source / relative, copy)
                paths[f"{folder.LAKE_FOLDER}/{relative}"] = copy
    return paths


def _link_or_copy(source: Path, copy: Path) -> None:
    """Hold on to a file that never changes but may be deleted meanwhile."""
    try:
        os.link(source, copy)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, copy)


def _copy_database(source: Path, copy: Path) -> None:
    """Copy a database as of one moment, also while it is written to (SQLite's online backup)."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)) as old,
        closing(sqlite3.connect(copy)) as new,
    ):
        old.backup(new)
        new.execute("PRAGMA journal_mode=DELETE")


def _write(target: Path, paths: dict[str, Path], rows: dict[str, int], clock: Clock) -> Manifest:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    members: dict[str, Member] = {}
    with os.fdopen(descriptor, "wb") as raw:
        with (
            zstandard.ZstdCompressor(level=6, write_checksum=True).stream_writer(
                raw, closefd=False
            ) as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
        ):
            for name, path in paths.items():
                members[name] = Member(path.stat().st_size, sha256_of(path))
                archive.add(path, name, recursive=False)
            manifest = Manifest(FORMAT_VERSION, iso(clock()), members, rows)
            _add_manifest(archive, manifest)
        raw.flush()
        os.fsync(raw.fileno())
    return manifest


def _add_manifest(archive: tarfile.TarFile, manifest: Manifest) -> None:
    with tempfile.TemporaryFile() as file:
        size = file.write(msgspec.json.encode(manifest))
        file.seek(0)
        entry = tarfile.TarInfo(MANIFEST)
        entry.size, entry.mode = size, 0o600
        archive.addfile(entry, file)


def restore(backup: Path, home: Path) -> Manifest:
    """Restore ``backup`` into ``home``, which must be empty or not there, and return what it held.

    Every file is compared with the manifest. Raises MalformedInput for a file that is no backup or was
    altered, ConfigurationError for a folder that is not empty; then ``home`` is left as it was.
    """
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise ConfigurationError(f"{home} is not empty: restore into an empty folder")
    if not backup.is_file():
        raise ConfigurationError(f"there is no backup {backup}")
    home.parent.mkdir(parents=True, exist_ok=True)
    with (
        storage_errors(home.parent),
        tempfile.TemporaryDirectory(prefix=".medwarden-restore-", dir=home.parent) as staging,
    ):
        stage = Path(staging) / "home"
        stage.mkdir(mode=0o700)
        manifest = _unpack(backup, stage)
        folder.check(stage)
        unseal(stage)
        (stage / folder.LAKE_FOLDER).mkdir(exist_ok=True, mode=0o700)
        if home.exists():
            home.rmdir()
        stage.rename(home)
        folder.sync_directory(home.parent)
    return manifest


def _unpack(backup: Path, stage: Path) -> Manifest:
    found: dict[str, Member] = {}
    manifest: Manifest | None = None
    try:
        with (
            backup.open("rb") as raw,
            zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=False) as packed,
            tarfile.open(fileobj=packed, mode="r|") as archive,
        ):
            for entry in archive:
                content = archive.extractfile(entry) if entry.isreg() else None
                if content is None:
                    raise MalformedInput(str(backup), f"{entry.name!r} is not a plain file")
                if entry.name == MANIFEST:
                    manifest = _manifest(backup, content)
                else:
                    found[entry.name] = _place(backup, stage, entry.name, content)
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        raise MalformedInput(str(backup), f"not a whole backup of medwarden ({error})") from error
    if manifest is None:
        raise MalformedInput(str(backup), "not a whole backup of medwarden (it has no manifest)")
    if manifest.format != FORMAT_VERSION:
        raise ConfigurationError(f"{backup} was made by a newer medwarden: update medwarden")
    for name in sorted(manifest.files.keys() | found.keys()):
        if manifest.files.get(name) != found.get(name):
            raise MalformedInput(str(backup), f"{name} is missing, foreign or was altered")
    return manifest


def _manifest(backup: Path, content: IO[bytes]) -> Manifest:
    data = content.read(_LARGEST_MANIFEST + 1)
    if len(data) > _LARGEST_MANIFEST:
        raise MalformedInput(str(backup), "its manifest is larger than any backup's")
    try:
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise MalformedInput(str(backup), f"its manifest cannot be read ({error})") from error


def _place(backup: Path, stage: Path, name: str, content: IO[bytes]) -> Member:
    path = (stage / name).resolve()
    if not path.is_relative_to(stage.resolve()) or path == stage.resolve():
        raise MalformedInput(str(backup), f"{name!r} points outside the data folder")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for chunk in iter(lambda: content.read(1 << 20), b""):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    return Member(size, digest.hexdigest())


def _tables(database: sqlite3.Connection) -> Iterator[str]:
    rows = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        " AND name NOT LIKE 'sqlite_%' ORDER BY name"
    )
    yield from [name for (name,) in rows.fetchall()]


def _rows(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as database:
        return {
            table: int(database.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])  # noqa: S608
            for table in _tables(database)
        }


def row_hashes(path: Path) -> dict[str, str]:
    """Return for each table of a database the SHA-256 over all its rows, whatever their order."""
    hashes = {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        for table in _tables(database):
            digest = hashlib.sha256()
            rows = database.execute(f'SELECT * FROM "{table}"').fetchall()  # noqa: S608
            for row in sorted(map(repr, rows)):
                digest.update(row.encode())
            hashes[table] = digest.hexdigest()
    return hashes
