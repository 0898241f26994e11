"""Claims of knowledge by what they are looked up by, so that nobody reads all of it for one device.

``HOME/knowledge/filed-VERSION.sqlite3`` follows from the blocks of knowledge and from the code that files
them (:mod:`medwarden.risk.matching.filing`), whose version is in its name: processes of another release that
still run have a file of their own. A new edition has only those blocks filed that changed. Each is one
transaction, so who is killed leaves blocks that the next one files. Nothing else rests on the file: one that
is damaged is thrown away and made again, one of other code goes when nobody has used it for a day.
"""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import logging
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar, cast

import msgspec
import zstandard

from medwarden.kernel.errors import ResourceError
from medwarden.model.feed import Kind, Record
from medwarden.model.vulnerability import Advisory, Vulnerability
from medwarden.risk.matching.filing import RESTS_ON, Entry, Filed, Route, RouteKind, filed, pack, unpack
from medwarden.store.knowledge import Knowledge
from medwarden.store.knowledge_blocks import MOST_UNPACKED, record_of


def _filing_version() -> str:
    """Return the version of the code that says what a block comes to and how that is kept."""
    code = hashlib.sha256()
    for name in (*RESTS_ON, __name__):
        code.update(inspect.getsource(sys.modules[name]).encode())
    return code.hexdigest()[:16]


# Read now, with the code that runs: an upgrade may put other sources in its place while this process lives.
FILE = f"filed-{_filing_version()}.sqlite3"
"""The name of the file that this code files in."""
LOCK = "filed.lock"
FILED_KINDS = (Kind.VULNERABILITY, Kind.ADVISORY)
"""Kinds of records that are filed, in the order in which engines take them."""

_MAKERS, _PRODUCTS, _BUILDS, _ABOUT = "makers", "products", "builds", "about"
_SMALL = 400
"""Bytes up to which a row is kept as it is: compressing it would not make it smaller."""
_LEVEL = 3
_COMPRESSED = b"\x28\xb5\x2f\xfd"
"""What a compressed row begins with (RFC 8878, 3.1.1); MessagePack of a list or map never does."""
_SCHEMA = (
    "CREATE TABLE block (id INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL UNIQUE)",
    "CREATE TABLE shelf (kind TEXT NOT NULL, key TEXT NOT NULL, block INTEGER NOT NULL, data BLOB NOT NULL,"
    " PRIMARY KEY (kind, key, block)) WITHOUT ROWID",
    "CREATE INDEX shelf_block ON shelf (block)",
)
_UNUSED = 86_400
"""Seconds without use after which a file of other code is taken away."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_Act = Callable[[sqlite3.Connection, Sequence[int]], _T]
"""What is done with the open file and the numbers of blocks in their order."""
_DAMAGED = (sqlite3.DatabaseError, zstandard.ZstdError, msgspec.MsgspecError)


class _Block(msgspec.Struct, frozen=True):
    """A block of knowledge in use."""

    kind: Kind
    bucket: str
    digest: str


class FiledClaims:
    """The claims of the edition that is in use when this is made; later editions do not change them.

    Blocks that are not filed yet are filed when they are first needed.
    """

    def __init__(self, knowledge: Knowledge) -> None:
        self._home = knowledge.folder.parent
        self._path = knowledge.folder / FILE
        self._blocks = tuple(_in_use(knowledge))

    # ------------------------------------------------------------ as an engine asks

    def makers(self) -> list[str]:
        """Return the makers as written, in the order in which they are first named."""
        rows = self._rows(_MAKERS, list[str])
        return list(dict.fromkeys(maker for makers in rows for maker in makers))

    def take(self, route: Route) -> list[Entry]:
        """Return the claims under a route."""
        return [entry for part in self._read(route.kind, route.key, unpack) for entry in part]

    def builds(self) -> list[tuple[str, str]]:
        """Return pairs of an article and a build that it makes."""
        return [pair for pairs in self._rows(_BUILDS, list[tuple[str, str]]) for pair in pairs]

    def products(self) -> dict[str, list[str]]:
        """Return the products of each maker as both are written."""
        found: dict[str, dict[str, None]] = {}
        for part in self._rows(_PRODUCTS, dict[str, list[str]]):
            for maker, products in part.items():
                found.setdefault(maker, {}).update(dict.fromkeys(products))
        return {maker: list(products) for maker, products in found.items()}

    # ------------------------------------------------------------ as knowledge is asked

    def advisories_about(self, knowledge: Knowledge, vulnerabilities: Collection[str]) -> Iterator[Advisory]:
        """Yield the advisories that speak of any of some vulnerabilities, in the order of knowledge."""
        wanted = frozenset(vulnerabilities)
        blocks = [block for block in self._blocks if block.kind is Kind.ADVISORY]
        found = self._rows(_ABOUT, dict[str, list[str]], (Kind.ADVISORY,))
        for block, about in zip(blocks, found, strict=True):
            ids = {advisory for advisory, each in about.items() if not wanted.isdisjoint(each)}
            if not ids:
                continue
            yield from cast(list[Advisory], _records(knowledge, block, ids))

    def file(self) -> None:
        """File what is not filed yet, and forget what is in no edition any more, block by block.

        Files of other code that nobody used for a day are taken away.
        """
        if not self._blocks:
            return
        filed = self._with(self._blocks, lambda db, _: _known(db))
        # Asked after that: what another process filed of a newer edition is in knowledge by now.
        with Knowledge(self._home) as knowledge:
            kept = {str(digest) for (digest,) in knowledge.rows("SELECT digest FROM block")}
        gone = sorted(filed.keys() - kept)
        if gone:
            self._using(lambda db: _forget(db, gone))
        try:
            _take_away_unused(self._path.parent)
        except OSError as error:
            raise ResourceError(f"{self._path.parent}: {error.strerror or error}") from error

    # ------------------------------------------------------------ reading

    def _rows(self, kind: str, type: type[_T], kinds: Collection[Kind] = FILED_KINDS) -> list[_T]:
        """Return what is kept of each block as a whole."""
        return self._read(kind, "", msgspec.msgpack.Decoder(type).decode, kinds)

    def _read(
        self, kind: str, key: str, decode: Callable[[bytes], _T], kinds: Collection[Kind] = FILED_KINDS
    ) -> list[_T]:
        """Return what stands under a key, block by block in their order."""

        def read(db: sqlite3.Connection, ids: Sequence[int]) -> list[_T]:
            rows = db.execute("SELECT block, data FROM shelf WHERE kind = ? AND key = ?", (kind, key))
            there = dict(rows.fetchall())
            return [decode(_unpacked(there[number])) for number in ids if number in there]

        blocks = [block for block in self._blocks if block.kind in kinds]
        return self._with(blocks, read) if blocks else []

    def _with(self, blocks: Sequence[_Block], act: _Act[_T]) -> _T:
        """Do something with the numbers of blocks that are all filed, in one view of the file."""

        def when_filed(db: sqlite3.Connection) -> _T:
            while True:
                with _transaction(db, "DEFERRED"):
                    known = _known(db)
                    missing = [block for block in blocks if block.digest not in known]
                    if not missing:
                        return act(db, [known[block.digest] for block in blocks])
                self._file(db, missing)

        return self._using(when_filed)

    def _using(self, act: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do something with the open file; a damaged one is made again, once."""
        try:
            try:
                with _opened(self._path) as db:
                    return act(db)
            except _DAMAGED as error:
                if not _is_damage(error):
                    raise
                _log.warning("%s is made again, because it is damaged: %s", self._path, error)
            with _alone(self._path.parent):
                _remove(self._path)
            with _opened(self._path) as db:
                return act(db)
        except _DAMAGED as error:
            raise ResourceError(f"{self._path} cannot be used: {error}") from error
        except OSError as error:
            raise ResourceError(f"{self._path}: {error.strerror or error}") from error

    def _file(self, db: sqlite3.Connection, missing: Sequence[_Block]) -> None:
        with Knowledge(self._home) as knowledge:
            for block in missing:
                records = cast(list[Vulnerability | Advisory], _records(knowledge, block))
                _put(db, block.digest, filed(records))


def _records(knowledge: Knowledge, block: _Block, only: Collection[str] | None = None) -> list[Record]:
    """Return the records of a block, or those of some ids.

    Raises ResourceError where the block is gone or damaged, or this code cannot read what stands there.
    """
    try:
        held = knowledge.block(block.kind, block.bucket, block.digest)
        return [record_of(block.kind, each) for each in held if only is None or each.id in only]
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise ResourceError(
            f"the block {block.bucket} of {block.kind} in {knowledge.path} cannot be read by this version of "
            f"medwarden ({error}): import or sync this feed again"
        ) from error


def _in_use(knowledge: Knowledge) -> Iterator[_Block]:
    """Yield the blocks that are filed, in the order in which knowledge tells their records."""
    for kind in FILED_KINDS:
        for bucket, digest in knowledge.rows(
            "SELECT bucket, digest FROM feed JOIN part USING (edition) WHERE kind = ? ORDER BY name, bucket",
            (kind,),
        ):
            yield _Block(kind, str(bucket), str(digest))


def _is_damage(error: Exception) -> bool:
    """Tell whether a file is not what was written, rather than locked, full or not to be opened."""
    if not isinstance(error, sqlite3.OperationalError):
        return True
    # A table is missing or another; or, without a code of SQLite's own, a text that is none (UTF-8).
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) == sqlite3.SQLITE_ERROR


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from opening, making and removing files of filed claims meanwhile.

    Held for moments only: SQLite opens a database and its log by name, one after the other.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing would not do where a child was forked meanwhile
        os.close(descriptor)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file; one that is not there, or whose making was interrupted, is made."""
    with _alone(path.parent):
        db = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            _made(db, path)
        except BaseException:
            db.close()
            raise
    with closing(db):
        yield db


def _made(db: sqlite3.Connection, path: Path) -> None:
    os.utime(path)  # says that it is in use
    # What is lost with the power is filed again.
    db.execute("PRAGMA synchronous = NORMAL")
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return
    path.chmod(0o600)
    db.execute("PRAGMA journal_mode = WAL")
    with _transaction(db, "IMMEDIATE"):
        for statement in _SCHEMA:
            db.execute(statement)


def _remove(path: Path) -> None:
    """Remove a file; its log last, which SQLite takes away by itself from beside an empty database."""
    for end in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _take_away_unused(folder: Path) -> None:
    """Remove files of other code that nobody has used for a day; who has one open keeps it until then."""
    with _alone(folder):
        others: dict[str, float] = {}
        for path in folder.glob("filed*.sqlite3*"):
            name = path.name[: path.name.index(".sqlite3")] + ".sqlite3"
            others[name] = max(others.get(name, 0.0), path.stat().st_mtime)
        for name, used in others.items():
            if name != FILE and used < time.time() - _UNUSED:
                _remove(folder / name)


def _known(db: sqlite3.Connection) -> dict[str, int]:
    """Return the numbers of the blocks that are filed by their digests."""
    return dict(db.execute("SELECT digest, id FROM block").fetchall())


def _forget(db: sqlite3.Connection, digests: Iterable[str]) -> None:
    """Forget blocks, each in a transaction of its own: others wait for one at most."""
    for digest in digests:
        with _transaction(db, "IMMEDIATE"):
            db.execute("DELETE FROM shelf WHERE block = (SELECT id FROM block WHERE digest = ?)", (digest,))
            db.execute("DELETE FROM block WHERE digest = ?", (digest,))


@contextmanager
def _transaction(db: sqlite3.Connection, kind: str) -> Iterator[None]:
    db.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        if db.in_transaction:  # SQLite ends it by itself where the disk is full
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _put(db: sqlite3.Connection, digest: str, made: Filed) -> None:
    """Keep what a block comes to, unless another process did."""
    encode = msgspec.msgpack.encode
    makers = [route.key for route in made.entries if route.kind is RouteKind.MAKER]
    whole: dict[str, bytes] = {
        _MAKERS: encode(makers),
        _PRODUCTS: encode(made.products),
        _BUILDS: encode(made.builds),
        _ABOUT: encode(made.about),
    }
    rows = [(kind, "", data) for kind, data in whole.items()]
    rows += [(route.kind.value, route.key, pack(entries)) for route, entries in made.entries.items()]
    compress = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress
    with _transaction(db, "IMMEDIATE"):
        added = db.execute(
            "INSERT OR IGNORE INTO block (digest) VALUES (?) RETURNING id", (digest,)
        ).fetchone()
        if added is None:
            return
        db.executemany(
            "INSERT INTO shelf VALUES (?, ?, ?, ?)",
            [
                (kind, key, added[0], data if len(data) <= _SMALL else compress(data))
                for kind, key, data in rows
            ],
        )


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(_COMPRESSED):
        return data
    return zstandard.ZstdDecompressor().decompress(data, max_output_size=MOST_UNPACKED)
