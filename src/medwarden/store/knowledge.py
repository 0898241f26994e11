"""What feeds brought, shared by all tenants: editions of each feed in one SQLite file of their own.

``HOME/knowledge/feeds.sqlite3`` holds for each feed the edition in use and some before it. An edition is a
list of blocks (:mod:`medwarden.store.knowledge_blocks`); it comes into use in one transaction, so that a
process that is killed leaves the one before it. This module needs no open store.

The file is in no backup, and may be removed, or put back as it was, while verdicts of later editions stand.
So numbers of editions are taken from the clock, never to be given twice, and the file knows which it gave:
since a number of another file nobody can tell what changed.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeVar, cast

import msgspec

from medwarden.kernel.errors import ResourceError
from medwarden.model.feed import (
    Assignment,
    Kind,
    LifeCycle,
    Listing,
    ProductCode,
    Record,
    Technique,
    Weakness,
)
from medwarden.model.recall import Recall
from medwarden.model.vulnerability import Advisory, Exploitation, Vulnerability
from medwarden.store.knowledge_blocks import Held, bucket_of, record_of, unpack

FOLDER = "knowledge"
FILE = "feeds.sqlite3"

_R = TypeVar("_R", bound=Record)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS edition (
    id INTEGER PRIMARY KEY AUTOINCREMENT, feed TEXT NOT NULL, nth INTEGER NOT NULL,
    made_ns INTEGER NOT NULL, version TEXT NOT NULL, updated TEXT NOT NULL,
    came_from TEXT NOT NULL, proof TEXT NOT NULL,
    seen INTEGER NOT NULL, kept INTEGER NOT NULL, passed INTEGER NOT NULL, rejected INTEGER NOT NULL,
    records INTEGER NOT NULL, problems TEXT NOT NULL, digest TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS edition_feed ON edition (feed, id);
CREATE TABLE IF NOT EXISTS part (
    edition INTEGER NOT NULL REFERENCES edition (id) ON DELETE CASCADE, kind TEXT NOT NULL,
    bucket TEXT NOT NULL, digest TEXT NOT NULL, records INTEGER NOT NULL,
    PRIMARY KEY (edition, kind, bucket)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS part_digest ON part (digest);
CREATE TABLE IF NOT EXISTS block (digest TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS given (edition INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS feed (
    name TEXT PRIMARY KEY, edition INTEGER REFERENCES edition (id), looked_ns INTEGER NOT NULL DEFAULT 0,
    failed_ns INTEGER NOT NULL DEFAULT 0, failure TEXT NOT NULL DEFAULT '',
    notes TEXT NOT NULL DEFAULT '', state TEXT NOT NULL DEFAULT '{}') WITHOUT ROWID;
"""


class Edition(msgspec.Struct, frozen=True):
    """One edition of a feed.

    ``version`` and ``updated`` are the publisher's, ``made_ns`` when it was made (here or where a bundle
    came from), ``came_from`` files, addresses or bundle, ``proof`` what speaks for it: ``publisher``
    (signature or digest held), ``bundle KEY``, ``transport`` (https alone), ``unsigned`` or
    ``demonstration`` (what only shows how the product works). Of the last import: seen = kept + passed +
    rejected; ``records`` is all that the edition holds. ``id`` is what programs compare, of all feeds
    together; ``nth`` is for people: how many editions of this feed there were.
    """

    id: int
    feed: str
    made_ns: int
    version: str
    updated: str
    came_from: str
    proof: str
    seen: int
    kept: int
    passed: int
    rejected: int
    records: int
    problems: tuple[str, ...]
    digest: str
    nth: int = 0


class FeedState(msgspec.Struct, frozen=True):
    """How a feed stands: its edition in use, the last look at the publisher, the last failure after it.

    ``failure`` is '' once a later look went well. ``state`` is what the next look needs (etags, dates).
    """

    feed: str
    edition: Edition | None
    looked_ns: int
    failed_ns: int
    failure: str
    notes: str
    state: Mapping[str, str]


class Changes(msgspec.Struct, frozen=True):
    """Ids that are new, changed or gone since an edition.

    ``complete`` is False where that edition's successors are no longer kept, or this file never held it: then
    look at everything.
    """

    newest: int
    complete: bool
    ids: Mapping[Kind, frozenset[str]]


class Knowledge:
    """The file, for reading and writing; use as a context manager. Absent knowledge reads as empty."""

    def __init__(self, home: Path, *, writable: bool = False) -> None:
        self.folder = home / FOLDER
        self.path = self.folder / FILE
        try:
            if writable:
                self.folder.mkdir(mode=0o700, exist_ok=True, parents=True)
                self.db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
                self.path.chmod(0o600)
                self.db.execute("PRAGMA journal_mode = WAL")
                self.db.execute("PRAGMA synchronous = FULL")
            else:
                self.db = self._readable() or sqlite3.connect(":memory:", isolation_level=None)
            self.db.execute("PRAGMA foreign_keys = ON")
            if writable or not self._has("feed"):
                self.db.executescript(_SCHEMA)
        except OSError as error:
            raise ResourceError(f"{self.folder}: {error.strerror or error}") from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error

    def _readable(self) -> sqlite3.Connection | None:
        """Return the file open for reading; None where it is absent, or being made this moment."""
        if not self.path.exists():
            return None
        self.db = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=30, isolation_level=None)
        if self._has("feed"):  # the last table
            return self.db
        self.db.close()
        return None

    def _has(self, table: str) -> bool:
        """Tell whether a table is there."""
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return bool(self.db.execute(query, (table,)).fetchall())

    def __enter__(self) -> Knowledge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.db.close()

    def _damaged(self, error: sqlite3.Error) -> ResourceError:
        return ResourceError(f"{self.path} cannot be used ({error}): remove the file and import again")

    def rows(self, query: str, given: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Return the rows of a query. Raises ResourceError where the file is damaged or the disk full."""
        try:
            return self.db.execute(query, given).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error

    @contextmanager
    def change(self) -> Iterator[None]:
        """Make changes of the block in one transaction, or none of them."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error

    def states(self) -> dict[str, FeedState]:
        """Return how every feed stands that was ever looked at."""
        found = {}
        for name, edition, looked, failed, failure, notes, state in self.rows(
            "SELECT name, edition, looked_ns, failed_ns, failure, notes, state FROM feed ORDER BY name"
        ):
            found[str(name)] = FeedState(
                feed=str(name),
                edition=None if edition is None else self.edition(cast(int, edition)),
                looked_ns=cast(int, looked),
                failed_ns=cast(int, failed),
                failure=str(failure),
                notes=str(notes),
                state=msgspec.json.decode(str(state), type=dict[str, str]),
            )
        return found

    def edition(self, id: int) -> Edition:
        """Return an edition by its number."""
        row = self.rows(
            "SELECT id, feed, made_ns, version, updated, came_from, proof, seen, kept, passed, rejected,"
            " records, problems, digest, nth FROM edition WHERE id = ?",
            (id,),
        )[0]
        values = [*row]
        values[12] = msgspec.json.decode(str(row[12]), type=tuple[str, ...])
        return msgspec.convert(dict(zip(Edition.__struct_fields__, values, strict=True)), Edition)

    def counts(self, edition: int) -> dict[Kind, int]:
        """Return how many records of each kind an edition holds."""
        return {
            Kind(str(kind)): cast(int, count)
            for kind, count in self.rows(
                "SELECT kind, sum(records) FROM part WHERE edition = ? GROUP BY kind ORDER BY kind",
                (edition,),
            )
        }

    @property
    def newest(self) -> int:
        """Return the number of the newest edition in use; 0 without any."""
        return cast(int, self.rows("SELECT coalesce(max(edition), 0) FROM feed")[0][0])

    def vulnerabilities(self) -> Iterator[Vulnerability]:
        """Yield every record of every source; one id comes once per source that speaks of it."""
        return self._all(Kind.VULNERABILITY, Vulnerability)

    def vulnerability(self, id: str) -> tuple[Vulnerability, ...]:
        """Return what each source says of a vulnerability, by the names of the sources."""
        return self._one(Kind.VULNERABILITY, Vulnerability, id)

    def advisories(self) -> Iterator[Advisory]:
        """Yield every advisory."""
        return self._all(Kind.ADVISORY, Advisory)

    def advisory(self, id: str) -> Advisory | None:
        """Return an advisory by its publisher's id."""
        return next(iter(self._one(Kind.ADVISORY, Advisory, id)), None)

    def exploitations(self) -> dict[str, Exploitation]:
        """Return what is known of the use of each vulnerability, all sources together."""
        found: dict[str, Exploitation] = {}
        for record in self._all(Kind.EXPLOITATION, Exploitation):
            known = found.get(record.id)
            found[record.id] = record if known is None else together(known, record)
        return found

    def exploitation(self, id: str) -> Exploitation | None:
        """Return what is known of the use of one vulnerability."""
        found: Exploitation | None = None
        for record in self._one(Kind.EXPLOITATION, Exploitation, id):
            found = record if found is None else together(found, record)
        return found

    def recalls(self) -> Iterator[Recall]:
        """Yield every recall."""
        return self._all(Kind.RECALL, Recall)

    def recall(self, id: str) -> tuple[Recall, ...]:
        """Return what each source says of a recall by its number."""
        return self._one(Kind.RECALL, Recall, id)

    def life_cycles(self) -> Iterator[LifeCycle]:
        """Yield the life cycles of products."""
        return self._all(Kind.LIFE_CYCLE, LifeCycle)

    def techniques(self) -> dict[str, Technique]:
        """Return tactics, techniques, mitigations and assets of ATT&CK by id."""
        return {record.id: record for record in self._all(Kind.TECHNIQUE, Technique)}

    def weaknesses(self) -> dict[str, Weakness]:
        """Return kinds of weakness by CWE id."""
        return {record.id: record for record in self._all(Kind.WEAKNESS, Weakness)}

    def product_codes(self) -> dict[str, ProductCode]:
        """Return FDA product codes; the newest word of several sources."""
        found: dict[str, ProductCode] = {}
        for record in self._all(Kind.PRODUCT_CODE, ProductCode):
            known = found.get(record.id)
            if known is None or known.provenance.updated <= record.provenance.updated:
                found[record.id] = record
        return found

    def listings(self) -> Iterator[Listing]:
        """Yield products as registered under their UDI-DI."""
        return self._all(Kind.LISTING, Listing)

    def listing(self, di: str) -> Listing | None:
        """Return a registered product by its UDI-DI."""
        return next(iter(self._one(Kind.LISTING, Listing, di)), None)

    def assignments(self) -> Iterator[Assignment]:
        """Yield blocks of MAC addresses."""
        return self._all(Kind.ASSIGNMENT, Assignment)

    def gave(self, edition: int) -> bool:
        """Tell whether an edition got its number in this file, however long ago; 0 is before all of them.

        False where knowledge started over or was put back as it was before that edition.
        """
        if edition == 0 or self.rows("SELECT 1 FROM edition WHERE id = ?", (edition,)):
            return True
        # A file that an earlier release wrote last has no such table.
        return self._has("given") and bool(self.rows("SELECT 1 FROM given WHERE edition = ?", (edition,)))

    def changed_since(self, edition: int, kinds: Collection[Kind] = tuple(Kind)) -> Changes:
        """Return the ids of ``kinds`` that changed after an edition, by its number (0: from the beginning).

        Feeds without records of these kinds do not count: how often they came is no matter.
        """
        newest, complete = self.newest, self.gave(edition)
        ids: dict[Kind, set[str]] = {}
        for feed, before, now in self._moved_on(edition):
            if before is None and edition > 0 and self._has_to_do_with(feed, kinds):
                oldest = self.rows("SELECT min(nth) FROM edition WHERE feed = ?", (feed,))[0][0]
                complete = complete and oldest == 1
            for kind, then, here in self._differing(before, now, kinds):
                ids.setdefault(kind, set()).update(then.keys() | here.keys())
        return Changes(newest, complete, {kind: frozenset(found) for kind, found in ids.items()})

    def revised_since(
        self, edition: int, kinds: Collection[Kind]
    ) -> Iterator[tuple[Kind, str, Record | None, Record | None]]:
        """Yield kind and id of what changed after an edition, with the record then and now; None for none.

        Only where :meth:`changed_since` is complete all of it is told.
        """
        for _, before, now in self._moved_on(edition):
            for kind, then, here in self._differing(before, now, kinds):
                for id in sorted(then.keys() | here.keys()):
                    yield (
                        kind,
                        id,
                        record_of(kind, then[id]) if id in then else None,
                        record_of(kind, here[id]) if id in here else None,
                    )

    def _has_to_do_with(self, feed: str, kinds: Collection[Kind]) -> bool:
        """Tell whether the editions that are kept of a feed hold records of ``kinds``, or nothing at all."""
        held = self.rows(
            "SELECT DISTINCT kind FROM part WHERE edition IN (SELECT id FROM edition WHERE feed = ?)", (feed,)
        )
        return not held or any(Kind(str(kind)) in kinds for (kind,) in held)

    def _moved_on(self, edition: int) -> list[tuple[str, int | None, int]]:
        """Return the feeds of which a later edition is in use, with the one of then (if any) and that."""
        moved = []
        for feed, now in self.rows("SELECT name, edition FROM feed WHERE edition > ?", (edition,)):
            held = self.rows("SELECT max(id) FROM edition WHERE feed = ? AND id <= ?", (feed, edition))
            moved.append((str(feed), cast(int | None, held[0][0]), cast(int, now)))
        return moved

    def _differing(
        self, before: int | None, now: int, kinds: Collection[Kind] = tuple(Kind)
    ) -> Iterator[tuple[Kind, dict[str, Held], dict[str, Held]]]:
        """Yield the records of two editions that are not the same, by id, block by block."""
        old = self.parts(before) if before is not None else {}
        new = self.parts(now)
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) == new.get(key) or Kind(key[0]) not in kinds:
                continue
            then = {h.id: h for h in self.block(*key, old[key])} if key in old else {}
            here = {h.id: h for h in self.block(*key, new[key])} if key in new else {}
            same = {id for id in then.keys() & here.keys() if _alike(then[id], here[id])}
            yield (
                Kind(key[0]),
                {id: held for id, held in then.items() if id not in same},
                {id: held for id, held in here.items() if id not in same},
            )

    def parts(self, edition: int) -> dict[tuple[str, str], str]:
        """Return the digest of each block of an edition by kind and bucket."""
        return {
            (str(kind), str(bucket)): str(digest)
            for kind, bucket, digest in self.rows(
                "SELECT kind, bucket, digest FROM part WHERE edition = ? ORDER BY kind, bucket", (edition,)
            )
        }

    def block(self, kind: str, bucket: str, digest: str) -> list[Held]:
        """Return the records of a block. Raises ResourceError where it is gone or damaged."""
        what = f"the block {bucket} of {kind} in {self.path}"
        found = self.rows("SELECT data FROM block WHERE digest = ?", (digest,))
        if not found or not isinstance(found[0][0], bytes):
            raise ResourceError(f"{what} is missing: import or sync this feed again")
        return unpack(found[0][0], digest, what)

    def check(self) -> list[str]:
        """Read every block in use and return a sentence for each that is damaged."""
        problems = []
        for feed, kind, bucket, digest in self.rows(
            "SELECT name, kind, bucket, digest FROM feed JOIN part USING (edition) ORDER BY 1, 2, 3"
        ):
            try:
                self.block(str(kind), str(bucket), str(digest))
            except ResourceError as error:
                problems.append(f"{feed}: {error}")
        return problems

    def _all(self, kind: Kind, type: type[_R]) -> Iterator[_R]:
        del type  # it tells the type checker alone
        for bucket, digest in self.rows(
            "SELECT bucket, digest FROM feed JOIN part USING (edition) WHERE kind = ? ORDER BY name, bucket",
            (kind,),
        ):
            for held in self.block(kind, str(bucket), str(digest)):
                yield cast(_R, record_of(kind, held))

    def _one(self, kind: Kind, type: type[_R], id: str) -> tuple[_R, ...]:
        del type
        return tuple(
            cast(_R, record_of(kind, held))
            for (digest,) in self.rows(
                "SELECT digest FROM feed JOIN part USING (edition) WHERE kind = ? AND bucket = ?"
                " ORDER BY name",
                (kind, bucket_of(id)),
            )
            for held in self.block(kind, bucket_of(id), str(digest))
            if held.id == id
        )

    def said_of(self, id: str) -> list[tuple[str, Kind, Record]]:
        """Return every record of an id, of whatever kind, with the feed that brought it."""
        return [
            (str(feed), Kind(str(kind)), record_of(Kind(str(kind)), held))
            for feed, kind, digest in self.rows(
                "SELECT name, kind, digest FROM feed JOIN part USING (edition) WHERE bucket = ?"
                " ORDER BY name, kind",
                (bucket_of(id),),
            )
            for held in self.block(str(kind), bucket_of(id), str(digest))
            if held.id == id
        ]

    def note_failure(self, feed: str, sentence: str) -> None:
        """Keep why a feed could not be brought up to date; its edition stays in use."""
        with self.change():
            self.db.execute(
                "INSERT INTO feed (name, failed_ns, failure) VALUES (?, ?, ?) ON CONFLICT (name)"
                " DO UPDATE SET failed_ns = excluded.failed_ns, failure = excluded.failure",
                (feed, time.time_ns(), sentence),
            )


def _alike(one: Held, other: Held) -> bool:
    return bytes(one.payload) == bytes(other.payload)


def together(one: Exploitation, other: Exploitation) -> Exploitation:
    """Return what two sources say of the use of one vulnerability, neither word lost."""
    scored = other if other.epss is not None else one
    listed = [day for day in (one.kev_added, other.kev_added) if day]
    return Exploitation(
        id=one.id,
        kev_added=min(listed, default=""),
        kev_due=min((day for day in (one.kev_due, other.kev_due) if day), default=""),
        ransomware=one.ransomware or other.ransomware,
        epss=scored.epss,
        epss_percentile=scored.epss_percentile,
        epss_day=scored.epss_day,
        exploits=tuple(dict.fromkeys((*one.exploits, *other.exploits))),
        activity=one.activity or other.activity,
        automatable=one.automatable if one.automatable is not None else other.automatable,
        impact=one.impact or other.impact,
        sources=tuple(dict.fromkeys((*one.sources, *other.sources))),
        stands_for=tuple(dict.fromkeys((*one.stands_for, *other.stands_for))),
    )
