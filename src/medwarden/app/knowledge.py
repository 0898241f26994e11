"""Knowledge from publishers: taken in from files and kept in editions."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from medwarden.app.knowledge_settings import publishers_by_key, read_settings
from medwarden.app.publisher_keys import bind_known
from medwarden.feeds.beside import Beside, Companions
from medwarden.feeds.containers import Member, members
from medwarden.feeds.registry import HEAD, feed_named, recognise
from medwarden.feeds.vouching import is_among, without_proof
from medwarden.kernel.errors import ConfigurationError, MalformedInput, MedwardenError, ResourceError
from medwarden.kernel.printable import printable
from medwarden.model.feed import About, Feed, Kind, Record, Rejected
from medwarden.model.vulnerability import Advisory, Provenance
from medwarden.store.folder import FolderLock, prepare
from medwarden.store.knowledge import Edition, Knowledge
from medwarden.store.knowledge_blocks import updated_of
from medwarden.store.knowledge_editions import Brought, Gathering, put_in_use

Progress = Callable[[int, int, str], None]

_log = logging.getLogger(__name__)

_MOST_PROBLEMS = 100
_ARRIVING = "arriving-"
"""How folders begin in which files lie while they are checked and read."""


class FileReport(msgspec.Struct, frozen=True):
    """What one file came to. ``feed`` is '' where none knows it; ``error`` says why nothing of it was kept.

    ``note`` says what is no error but worth knowing: older than what is in use, fewer records than the file
    says it has.
    """

    name: str
    feed: str
    seen: int = 0
    kept: int = 0
    passed: int = 0
    rejected: int = 0
    error: str = ""
    note: str = ""


class FeedReport(msgspec.Struct, frozen=True):
    """What an import came to for one feed: the edition that is now in use (None: nothing new)."""

    feed: str
    seen: int
    kept: int
    passed: int
    rejected: int
    edition: Edition | None
    problems: tuple[str, ...] = ()
    error: str = ""


class Imported(msgspec.Struct, frozen=True):
    """What an import came to: by file and by feed. ``unknown`` are names of files of no feed."""

    files: tuple[FileReport, ...]
    feeds: tuple[FeedReport, ...]
    unknown: tuple[str, ...]

    @property
    def errors(self) -> tuple[str, ...]:
        """Return a sentence for each file or feed that failed, or for all where none is of a feed."""
        if not self.files:
            among = (
                f"none of {len(self.unknown)} files is of a feed that is known" if self.unknown else "no file"
            )
            return (f"nothing was taken in: {among}",)
        return tuple(
            [_named(file.name, file.error) for file in self.files if file.error]
            + [f"{feed.feed}: {feed.error}" for feed in self.feeds if feed.error]
        )


def _named(name: str, error: str) -> str:
    return error if error.startswith((f"{name}:", f"{name},")) else f"{name}: {error}"


class Arriving:
    """Files of one import on their way into a gathering."""

    def __init__(self, gathering: Gathering, proof: str, only: str = "") -> None:
        self._gathering = gathering
        self._proof = proof
        self._only = only
        self._source = 0
        self.files: list[FileReport] = []
        self.unknown: list[str] = []
        self.failed: dict[str, list[str]] = {}
        self.brought: dict[str, dict[int, Brought]] = {}
        self.unproven: dict[str, int] = {}
        """Records in the name of a publisher whose word the key that signed them does not prove."""

    def take(
        self,
        member: Member,
        reference: str = "",
        verified: bool = False,
        note: str = "",
        publishers: tuple[str, ...] | None = None,
    ) -> None:
        """Read one file into the gathering, all of it or nothing.

        ``reference`` is the address it came from, ``verified`` that a signature of it holds, ``publishers``
        whose word that proves (None: whoever is named), ``note`` what is worth knowing beforehand.
        """
        feed = recognise(member.name, member.head[:HEAD])
        if feed is None or (self._only and feed.manifest.id != self._only):
            self.unknown.append(member.name)
            return
        manifest = feed.manifest
        self._source += 1
        source = self._source if manifest.whole else 0
        brought = Brought(manifest.id, came_from=member.name, proof=self._proof)
        try:
            with self._gathering.file():
                origin = _origin(feed, reference or member.name, verified, publishers)
                said = self._read(feed, member, brought, source, origin, publishers)
        except MalformedInput as error:
            self.failed.setdefault(manifest.id, []).append(str(error))
            self.files.append(FileReport(member.name, manifest.id, seen=brought.seen, error=str(error)))
            return
        self.files.append(
            FileReport(
                member.name,
                manifest.id,
                brought.seen,
                brought.kept,
                brought.passed,
                brought.rejected,
                note=said or note,
            )
        )
        known = self.brought.setdefault(manifest.id, {})
        if source in known:
            known[source].add(brought)
            known[source].came_from = _several(known[source].came_from)
        else:
            known[source] = brought

    def _read(
        self,
        feed: type[Feed],
        member: Member,
        brought: Brought,
        source: int,
        origin: Provenance,
        publishers: tuple[str, ...] | None,
    ) -> str:
        expected: int | None = None
        newest = ""
        for item in feed.read(member.stream, origin):
            if isinstance(item, About):
                brought.version, brought.updated = item.version, item.updated
                expected = item.expected
                continue
            brought.seen += 1
            if isinstance(item, Rejected):
                brought.rejected += 1
                if len(brought.problems) < _MOST_PROBLEMS:
                    brought.problems.append(f"{item.where}: {item.reason}")
                continue
            if item.records:
                brought.kept += 1
            else:
                brought.passed += 1
            for record in item.records:
                self._gathering.add(brought.feed, source, self._proven(record, publishers))
                newest = max(newest, updated_of(record))
        brought.updated = brought.updated or newest
        if brought.seen and brought.rejected == brought.seen:
            raise MalformedInput(
                member.name,
                f"not one of its {brought.seen} records can be read, the first: {brought.problems[0]}",
            )
        if expected is not None and expected != brought.seen:
            return f"it says that it has {expected} records and has {brought.seen}"
        return ""

    def _proven(self, record: Record, publishers: tuple[str, ...] | None) -> Record:
        """Return a record as far as a signature proves it: an advisory in another's name is unproven."""
        if publishers is None or not isinstance(record, Advisory) or not record.provenance.verified:
            return record
        if is_among(record.publisher, publishers):
            return record
        self.unproven[record.publisher] = self.unproven.get(record.publisher, 0) + 1
        return without_proof(record)


def import_files(
    home: Path,
    paths: Iterable[Path],
    *,
    unsigned: bool = False,
    progress: Progress | None = None,
    proof: str = "unsigned",
) -> Imported:
    """Take publishers' files, folders of them and archives in, each feed into a new edition.

    ``unsigned`` says that a person vouches for the files; without it ConfigurationError is raised, for
    nothing else does. ``proof`` is what the editions say of that. A file that cannot be read as a whole is
    named and nothing of it is kept; of the others every record is kept or named. Keys that were trusted
    before keys were bound are bound first, for which a store of a writer has to be open. Raises
    ResourceError for the disk.
    """
    demand_voucher(unsigned)
    bind_known(home)
    files = list(_files(paths))
    companions = Companions(files, publishers_by_key(read_settings(home)))
    files = [path for path in files if not companions.is_companion(path)]
    with writing(home) as knowledge, Gathering(knowledge.folder) as gathering:
        arriving = Arriving(gathering, proof)
        for number, path in enumerate(files):
            if progress is not None:
                progress(number, len(files), path.name)
            try:
                _bring(arriving, companions, path, knowledge.folder)
            except MedwardenError as error:
                arriving.files.append(FileReport(str(path), "", error=str(error)))
        for id, sentences in arriving.failed.items():
            for brought in arriving.brought.get(id, {}).values():
                brought.problems = (brought.problems + sentences)[:_MOST_PROBLEMS]
            if id not in arriving.brought:
                knowledge.note_failure(id, sentences[0])
        reports = tuple(
            _use(knowledge, gathering, arriving.brought[feed]) for feed in sorted(arriving.brought)
        )
        if progress is not None:
            progress(len(files), len(files), "")
    return Imported(tuple(arriving.files), reports, tuple(arriving.unknown))


def _origin(
    feed: type[Feed], reference: str, verified: bool, publishers: tuple[str, ...] | None
) -> Provenance:
    """Return where the records of a file are from; advisories are held each against its own publisher."""
    manifest = feed.manifest
    own = publishers is None or Kind.ADVISORY in manifest.kinds or is_among(manifest.publisher, publishers)
    return Provenance(feed=manifest.id, reference=reference, verified=verified and own)


def _bring(arriving: Arriving, companions: Companions, path: Path, folder: Path) -> None:
    """Read one file of a person; what is checked is laid aside first, for the file may change meanwhile."""
    if not companions.has_any(path):
        for member in members(path, path.name):
            arriving.take(member)
        return
    try:
        with tempfile.TemporaryDirectory(prefix=_ARRIVING, dir=folder) as aside:
            held = Path(aside) / "held"
            shutil.copyfile(path, held)
            with held.open("rb") as document:
                beside = companions.check(path, document)
            for member in members(held, path.name):
                _signed(arriving, member, beside)
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror or error}") from error


def _signed(arriving: Arriving, member: Member, beside: Beside) -> None:
    before = dict(arriving.unproven)
    arriving.take(member, verified=beside.trusted, note=beside.note, publishers=beside.publishers)
    foreign = [name for name, n in arriving.unproven.items() if n != before.get(name, 0)]
    if foreign and beside.publishers:
        arriving.files[-1] = msgspec.structs.replace(arriving.files[-1], note=_foreign(beside, foreign[0]))


def _foreign(beside: Beside, publisher: str) -> str:
    return (
        f"it is signed with the key {beside.fingerprint}, which proves the word of"
        f" {', '.join(beside.publishers)}, not of {printable(publisher)}: it counts as unsigned"
    )


def demand_voucher(unsigned: bool) -> None:
    """Raise ConfigurationError unless a person vouches for files that no trusted key signed."""
    if not unsigned:
        raise ConfigurationError(
            "files of publishers are not signed by anybody this medwarden trusts: import a bundle of"
            " `medwarden knowledge export`, or say --unsigned where you vouch for them"
        )


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(_members(path))
        elif path.exists():
            yield path
        else:
            raise ConfigurationError(f"{path} does not exist")


def _members(folder: Path) -> Iterator[Path]:
    """Yield the files beneath a folder, and the folders that cannot be looked into: opening them says why."""
    shut: list[Path] = []
    for place, _, names in os.walk(folder, onerror=lambda error: shut.append(Path(error.filename))):
        yield from (path for path in (Path(place, name) for name in names) if path.is_file())
    yield from shut


def _several(names: str) -> str:
    first, _, rest = names.rpartition(" and ")
    first, more = (first, rest.partition(" ")[0]) if rest.endswith(" more") else (names, "0")
    return f"{first} and {int(more) + 1} more"


def _use(knowledge: Knowledge, gathering: Gathering, brought: Mapping[int, Brought]) -> FeedReport:
    """Put what came of a feed in use: of files that are the whole feed, the newest."""
    source, best = max(brought.items(), key=lambda pair: (pair[1].updated, pair[0]))
    feed = feed_named(best.feed)
    state = knowledge.states().get(best.feed)
    current = state.edition if state else None
    if feed.manifest.whole and current is not None and best.updated < current.updated:
        why = (
            f"{best.came_from} is of {best.updated[:10]}, older than what is in use ({current.updated[:10]})"
        )
        return _report(best, None, why)
    try:
        made = put_in_use(knowledge, gathering, best, source=source, whole=feed.manifest.whole)
    except MedwardenError as error:
        knowledge.note_failure(best.feed, str(error))
        return _report(best, None, str(error))
    return _report(best, made, "")


def _report(brought: Brought, edition: Edition | None, error: str) -> FeedReport:
    return FeedReport(
        brought.feed,
        brought.seen,
        brought.kept,
        brought.passed,
        brought.rejected,
        edition,
        tuple(brought.problems),
        error,
    )


@contextmanager
def writing(home: Path) -> Iterator[Knowledge]:
    """Open the knowledge of a data folder to write, one process at a time, making the folder.

    What killed processes left there half-way is removed. Raises ResourceError where another process is
    writing.
    """
    prepare(home)
    with FolderLock(home, "knowledge"), Knowledge(home, writable=True) as knowledge:
        _tidy(knowledge.folder)
        yield knowledge


def _tidy(folder: Path) -> None:
    """Remove what killed processes left; what is another user's and stays keeps nobody from working."""
    for left in (*folder.glob(f"{_ARRIVING}*"), *folder.glob("gathering-*")):
        try:
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink(missing_ok=True)
        except OSError as error:
            _log.warning(
                "%s was left by a process that was killed, remove it: %s", left, error.strerror or error
            )
