"""Claims of knowledge by what they are looked up by, so that nobody reads all of it for one device.

``HOME/knowledge/filed.sqlite3`` follows from the blocks of knowledge and from the code that files them
(:mod:`medwarden.risk.matching.filing`), block by block: a new edition has only those filed that changed. Each
block is one transaction, so who is killed leaves blocks that the next one files. Nothing else rests on the
file: one that is damaged, or was filed by other code, is thrown away and made again.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TypeVar, cast

import msgspec
import zstandard

from medwarden.kernel.errors import ResourceError
from medwarden.model.feed import Kind
from medwarden.model.vulnerability import Advisory, Vulnerability
from medwarden.risk.matching.filing import RESTS_ON, Entry, Filed, Route, RouteKind, filed, pack, unpack
from medwarden.store.knowledge import Knowledge
from medwarden.store.knowledge_blocks import MOST_UNPACKED, record_of

FILE = "filed.sqlite3"
FILED_KINDS = (Kind.VULNERABILITY, Kind.ADVISORY)
"""Kinds of records that are filed, in the order in which engines take them."""

_MAKERS, _PRODUCTS, _BUILDS, _ABOUT = "makers", "products", "builds", "about"
_SMALL = 400
"""Bytes up to which a row is kept as it is: compressing it would not make it smaller."""
_LEVEL = 3
_COMPRESSED = b"\x28\xb5\x2f\xfd"
"""What a compressed row begins with (RFC 8878, 3.1.1); MessagePack of a list or map never does."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS made_by (version TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS block (id INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS shelf (
    kind TEXT NOT NULL, key TEXT NOT NULL, block INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (kind, key, block)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS shelf_block ON shelf (block);
"""

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
            for held in knowledge.block(block.kind, block.bucket, block.digest):
                if held.id in ids:
                    yield cast(Advisory, record_of(block.kind, held))

    def file(self) -> None:
        """File what is not filed yet, and forget what is in no edition any more."""
        if not self._blocks:
            return

        def forget(db: sqlite3.Connection, _: Sequence[int]) -> None:
            known: dict[str, int] = dict(db.execute("SELECT digest, id FROM block").fetchall())
            gone = [(known[digest],) for digest in known.keys() - kept]
            if gone:
                db.executemany("DELETE FROM shelf WHERE block = ?", gone)
                db.executemany("DELETE FROM block WHERE id = ?", gone)

        with Knowledge(self._home) as knowledge:
            kept = {str(digest) for (digest,) in knowledge.rows("SELECT digest FROM block")}
        self._with(self._blocks, forget, "IMMEDIATE")

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

    def _with(self, blocks: Sequence[_Block], act: _Act[_T], lock: str = "DEFERRED") -> _T:
        """Do something with the numbers of blocks that are all filed; a damaged file is made again, once."""
        try:
            return self._with_filed(blocks, act, lock)
        except _DAMAGED as error:
            if isinstance(error, sqlite3.OperationalError):  # locked, full, not to be opened
                raise ResourceError(f"{self._path} cannot be used: {error}") from error
            _log.warning("%s is made again, because it is damaged: %s", self._path, error)
        for path in (self._path, *(self._path.with_name(FILE + end) for end in ("-wal", "-shm"))):
            path.unlink(missing_ok=True)
        try:
            return self._with_filed(blocks, act, lock)
        except _DAMAGED as error:
            raise ResourceError(f"{self._path} cannot be used: {error}") from error

    def _with_filed(self, blocks: Sequence[_Block], act: _Act[_T], lock: str) -> _T:
        with _opened(self._path) as db:
            while True:
                with _transaction(db, lock):
                    known: dict[str, int] = dict(db.execute("SELECT digest, id FROM block").fetchall())
                    missing = [block for block in blocks if block.digest not in known]
                    if not missing:
                        return act(db, [known[block.digest] for block in blocks])
                self._file(db, missing)

    def _file(self, db: sqlite3.Connection, missing: Sequence[_Block]) -> None:
        with Knowledge(self._home) as knowledge:
            for block in missing:
                held = knowledge.block(block.kind, block.bucket, block.digest)
                records = [cast(Vulnerability | Advisory, record_of(block.kind, each)) for each in held]
                _put(db, block.digest, filed(records))


@cache
def filing_version() -> str:
    """Return the version of the code that says what a block comes to."""
    code = hashlib.sha256()
    for name in RESTS_ON:
        code.update(inspect.getsource(import_module(name)).encode())
    return code.hexdigest()[:16]


def _in_use(knowledge: Knowledge) -> Iterator[_Block]:
    """Yield the blocks that are filed, in the order in which knowledge tells their records."""
    for kind in FILED_KINDS:
        for bucket, digest in knowledge.rows(
            "SELECT bucket, digest FROM feed JOIN part USING (edition) WHERE kind = ? ORDER BY name, bucket",
            (kind,),
        ):
            yield _Block(kind, str(bucket), str(digest))


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file; what other code filed is emptied."""
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as db:
        tables = "SELECT count(*) FROM sqlite_master WHERE name = 'made_by'"
        if not db.execute(tables).fetchone()[0]:
            path.chmod(0o600)
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_SCHEMA)
        # What is lost with the power is filed again.
        db.execute("PRAGMA synchronous = NORMAL")
        if db.execute("SELECT version FROM made_by").fetchall() != [(filing_version(),)]:
            with _transaction(db, "IMMEDIATE"):
                for table in ("shelf", "block", "made_by"):
                    db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of this module
                db.execute("INSERT INTO made_by VALUES (?)", (filing_version(),))
        yield db


@contextmanager
def _transaction(db: sqlite3.Connection, kind: str) -> Iterator[None]:
    db.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
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
