"""Making an edition: records gathered beside the database, then blocks, then one transaction.

What is gathered lies in a file of its own that is thrown away: a reader that fails, a disk that is full or a
process that is killed leaves the editions in use untouched.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import cast

import msgspec

from medwarden.kernel.errors import ResourceError
from medwarden.model.feed import KINDS, Kind, Record
from medwarden.model.vulnerability import Exploitation
from medwarden.store.knowledge import Edition, Knowledge, together
from medwarden.store.knowledge_blocks import Held, bucket_of, pack, payload_of, record_of, updated_of

KEPT_EDITIONS = 8
"""Editions of each feed that stay: what asks for changes may have been away as long."""

_MOST_PROBLEMS = 100
_STAGED = """CREATE TABLE staged (feed TEXT, source INTEGER, kind TEXT, bucket TEXT, id TEXT, updated TEXT,
    payload BLOB, PRIMARY KEY (feed, source, kind, bucket, id)) WITHOUT ROWID"""


class Brought(msgspec.Struct):
    """What an import brought of one feed, counted: seen = kept + passed + rejected."""

    feed: str
    version: str = ""
    updated: str = ""
    came_from: str = ""
    proof: str = "unsigned"
    seen: int = 0
    kept: int = 0
    passed: int = 0
    rejected: int = 0
    problems: list[str] = msgspec.field(default_factory=list)

    def add(self, other: Brought) -> None:
        """Count another file of the feed in."""
        self.seen += other.seen
        self.kept += other.kept
        self.passed += other.passed
        self.rejected += other.rejected
        self.problems = (self.problems + other.problems)[:_MOST_PROBLEMS]
        if other.updated >= self.updated:
            self.version, self.updated = other.version or self.version, other.updated


class Gathering:
    """Records of an import on their way; a context manager that leaves nothing behind."""

    def __init__(self, folder: Path) -> None:
        for left in folder.glob("gathering-*"):
            left.unlink(missing_ok=True)
        self._path = folder / f"gathering-{os.getpid()}.sqlite3"
        try:
            self._db = sqlite3.connect(self._path, isolation_level=None)
            self._db.execute("PRAGMA synchronous = OFF")
            self._db.execute(_STAGED)
            self._db.execute("BEGIN")
        except sqlite3.DatabaseError as error:
            raise ResourceError(f"{self._path}: {error}") from error

    def __enter__(self) -> Gathering:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        for left in self._path.parent.glob(f"{self._path.name}*"):
            left.unlink(missing_ok=True)

    @contextmanager
    def file(self) -> Iterator[None]:
        """Take the records of the block, or none of them where it raises."""
        self._db.execute("SAVEPOINT one_file")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.OperationalError):
                self._db.execute("ROLLBACK TO one_file")
            raise
        finally:
            with suppress(sqlite3.OperationalError):
                self._db.execute("RELEASE one_file")

    def add(self, feed: str, source: int, record: Record) -> None:
        """Take a record. Of two with one id the newer stays; words on exploitation are put together.

        ``source`` keeps the files of a feed apart of which only one can be in use; 0 for all others.
        """
        kind = KINDS[type(record)]
        row = (feed, source, kind, bucket_of(record.id), record.id, updated_of(record), payload_of(record))
        try:
            done = self._db.execute("INSERT OR IGNORE INTO staged VALUES (?, ?, ?, ?, ?, ?, ?)", row).rowcount
            if done:
                return
            if isinstance(record, Exploitation):
                (payload,) = self._db.execute(
                    "SELECT payload FROM staged WHERE feed = ? AND source = ? AND kind = ? AND bucket = ?"
                    " AND id = ?",
                    row[:5],
                ).fetchone()
                known = cast(Exploitation, record_of(kind, Held(record.id, "", 0, msgspec.Raw(payload))))
                record = together(known, record)
                row = (*row[:5], updated_of(record), payload_of(record))
            self._db.execute(
                "UPDATE staged SET updated = ?6, payload = ?7 WHERE feed = ?1 AND source = ?2 AND kind = ?3"
                " AND bucket = ?4 AND id = ?5 AND updated <= ?6",
                row,
            )
        except sqlite3.DatabaseError as error:
            raise ResourceError(f"{self._path}: {error}: free space and import again") from error

    def buckets(self, feed: str, source: int) -> Iterator[tuple[Kind, str, list[Held]]]:
        """Yield what was gathered of a feed, bucket by bucket."""
        rows = self._db.execute(
            "SELECT kind, bucket, id, updated, payload FROM staged WHERE feed = ? AND source = ?"
            " ORDER BY kind, bucket, id",
            (feed, source),
        )
        for (kind, bucket), group in groupby(rows, key=lambda row: (row[0], row[1])):
            held = [Held(id, updated, 0, msgspec.Raw(payload)) for _, _, id, updated, payload in group]
            yield Kind(kind), bucket, held


def put_in_use(
    knowledge: Knowledge,
    gathering: Gathering,
    brought: Brought,
    *,
    source: int = 0,
    whole: bool,
    state: Mapping[str, str] | None = None,
    notes: str = "",
) -> Edition | None:
    """Make an edition of what was gathered and put it in use; None where nothing is new.

    ``whole``: what was gathered is all there is. Otherwise it is laid over the edition in use, and a record
    that is older than the one there is left out. ``state`` is what the next look at the publisher needs; it
    is kept together with the edition, ``notes`` is for people. Raises ResourceError; the edition in use then
    stays.
    """
    now = time.time_ns()
    known = knowledge.states().get(brought.feed)
    current = known.edition if known else None
    old = knowledge.parts(current.id) if current else {}
    with knowledge.change():
        parts = {} if whole else dict(old)
        counts: dict[str, int] = {}
        for kind, bucket, fresh in gathering.buckets(brought.feed, source):
            before = knowledge.block(kind, bucket, old[kind, bucket]) if (kind, bucket) in old else []
            held = _merged(before, fresh, now, whole)
            digest, data, count = pack(held)
            counts[digest] = count
            knowledge.db.execute("INSERT OR IGNORE INTO block VALUES (?, ?)", (digest, data))
            parts[kind, bucket] = digest
        new = None
        same = current is not None and (current.version, current.updated) == (
            brought.version,
            brought.updated,
        )
        if parts != old or (whole and parts and not same):
            made = _edition(brought, now, parts)
            new = record_edition(knowledge, made, parts, counts)
        kept_state = {**(known.state if known else {}), **(state or {})}
        _note_look(knowledge, brought.feed, new, now, kept_state, notes)
    return knowledge.edition(new) if new is not None else None


def record_edition(
    knowledge: Knowledge,
    made: Edition,
    parts: Mapping[tuple[str, str], str],
    counts: Mapping[str, int],
) -> int:
    """Write an edition whose blocks are stored, put it in use and forget the oldest; within a change.

    Returns its number, in microseconds of the clock: a file that is made anew never gives one twice.
    """
    db = knowledge.db
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM edition").fetchone()
    number = max(cast(int, last) + 1, time.time_ns() // 1000)
    (nth,) = db.execute(
        "SELECT coalesce(max(nth), 0) + 1 FROM edition WHERE feed = ?", (made.feed,)
    ).fetchone()
    db.execute(
        "INSERT INTO edition (id, feed, nth, made_ns, version, updated, came_from, proof, seen, kept, passed,"
        " rejected, records, problems, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            made.feed,
            nth,
            made.made_ns,
            made.version,
            made.updated,
            made.came_from,
            made.proof,
            made.seen,
            made.kept,
            made.passed,
            made.rejected,
            0,
            msgspec.json.encode(made.problems).decode(),
            made.digest,
        ),
    )
    db.execute("INSERT OR IGNORE INTO given SELECT id FROM edition")
    db.executemany(
        "INSERT INTO part SELECT ?1, ?2, ?3, ?4, coalesce(?5, (SELECT records FROM part WHERE digest = ?4))",
        [(number, kind, bucket, digest, counts.get(digest)) for (kind, bucket), digest in parts.items()],
    )
    db.execute(
        "UPDATE edition SET records = (SELECT coalesce(sum(records), 0) FROM part WHERE edition = ?1)"
        " WHERE id = ?1",
        (number,),
    )
    db.execute(
        "INSERT INTO feed (name, edition) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET edition = excluded.edition",
        (made.feed, number),
    )
    db.execute(
        "DELETE FROM edition WHERE feed = ?1 AND id NOT IN"
        " (SELECT id FROM edition WHERE feed = ?1 ORDER BY id DESC LIMIT ?2)",
        (made.feed, KEPT_EDITIONS),
    )
    db.execute("DELETE FROM block WHERE digest NOT IN (SELECT digest FROM part)")
    return number


def digest_of(parts: Mapping[tuple[str, str], str]) -> str:
    """Return the digest of an edition: of its blocks by kind and bucket."""
    lines = sorted(f"{kind} {bucket} {digest}\n" for (kind, bucket), digest in parts.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _edition(brought: Brought, now: int, parts: Mapping[tuple[str, str], str]) -> Edition:
    return Edition(
        id=0,
        feed=brought.feed,
        made_ns=now,
        version=brought.version,
        updated=brought.updated,
        came_from=brought.came_from,
        proof=brought.proof,
        seen=brought.seen,
        kept=brought.kept,
        passed=brought.passed,
        rejected=brought.rejected,
        records=0,
        problems=tuple(brought.problems),
        digest=digest_of(parts),
    )


def note_look(knowledge: Knowledge, feed: str, state: Mapping[str, str], notes: str = "") -> None:
    """Keep that the publisher was looked at and had nothing new."""
    known = knowledge.states().get(feed)
    with knowledge.change():
        kept = {**(known.state if known else {}), **state}
        _note_look(knowledge, feed, None, time.time_ns(), kept, notes)


def _note_look(
    knowledge: Knowledge, feed: str, edition: int | None, now: int, state: Mapping[str, str], notes: str
) -> None:
    knowledge.db.execute(
        "INSERT INTO feed (name, edition, looked_ns, state, notes) VALUES (?1, ?2, ?3, ?4, ?5)"
        " ON CONFLICT (name) DO UPDATE"
        " SET edition = coalesce(?2, edition), looked_ns = ?3, state = ?4, notes = ?5, failure = ''",
        (feed, edition, now, msgspec.json.encode(state).decode(), notes),
    )


def _merged(before: list[Held], fresh: Iterable[Held], now: int, whole: bool) -> list[Held]:
    known = {held.id: held for held in before}
    merged = {} if whole else dict(known)
    for held in fresh:
        there = known.get(held.id)
        if there is not None and bytes(there.payload) == bytes(held.payload):
            merged[held.id] = there
        elif whole or there is None or there.updated <= held.updated:
            merged[held.id] = Held(held.id, held.updated, now, held.payload)
    return list(merged.values())
