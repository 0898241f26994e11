"""One file that carries knowledge to a place without internet: editions and their blocks, signed as a whole.

A bundle is a zip (stored, not compressed again)::

    manifest.json     what it holds: every edition with the digests of all its blocks
    manifest.sig      Ed25519 signature over the manifest
    heirs.json        which key of the writer followed which, each signed by the one before
    blocks/DIGEST     the blocks themselves, without those of the bundle it was made against

The signature covers the digests, the digests cover the blocks. A bundle made against an older one leaves out
what that one carried, and says so. One without any block is a list of what a folder holds, against which
another folder can write only what is missing.
"""

from __future__ import annotations

import hashlib
import os
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from medwarden.kernel.errors import ConfigurationError, MalformedInput, ResourceError
from medwarden.knowledge.zip_archive import DAMAGE, open_archive
from medwarden.model.feed import TYPES, Kind
from medwarden.store.folder import sync_directory
from medwarden.store.knowledge import Edition, Knowledge
from medwarden.store.knowledge_blocks import record_of, unpack
from medwarden.store.knowledge_editions import digest_of, record_edition
from medwarden.store.knowledge_keys import BundleKeys, Heir, TrustedKey

FORMAT = 1
_MANIFEST, _SIGNATURE, _BLOCKS = "manifest.json", "manifest.sig", "blocks/"
_HEIRS = "heirs.json"
_MOST_HEIRS = 64 << 10
_AHEAD_NS = 24 * 3_600_000_000_000
_MOST_MANIFEST = 128 << 20
_MOST_BLOCK = 256 << 20
_MOST_BYTES = 32 << 30
_MOST_MEMBERS = 1_000_000
_DATE = (1980, 1, 1, 0, 0, 0)


class BundledPart(msgspec.Struct, frozen=True, array_like=True):
    """One block of an edition."""

    kind: str
    bucket: str
    digest: str
    records: int


class BundledEdition(msgspec.Struct, frozen=True):
    """One edition with its blocks; ``looked_ns`` is when the publisher was last looked at."""

    edition: Edition
    parts: tuple[BundledPart, ...]
    looked_ns: int = 0


class Manifest(msgspec.Struct, frozen=True):
    """What a bundle holds. ``against`` is the SHA-256 of the manifest of the bundle it adds to."""

    format: int
    made_ns: int
    key: str
    editions: tuple[BundledEdition, ...]
    against: str = ""


class Bundled(msgspec.Struct, frozen=True):
    """What became of a bundle: editions now in use, and a sentence for each that was not taken."""

    key: str
    signed: bool
    made_ns: int
    editions: tuple[Edition, ...]
    notes: tuple[str, ...]


class _Bundle:
    """A bundle that is open; the caller closes ``archive``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.archive = open_archive(path, str(path), _MOST_MEMBERS)
            names = self.archive.namelist()
            if _MANIFEST not in names or _SIGNATURE not in names:
                raise MalformedInput(str(path), "no bundle of knowledge")
            if sum(info.file_size for info in self.archive.infolist()) > _MOST_BYTES:
                raise MalformedInput(str(path), f"it unpacks to more than {_MOST_BYTES >> 30} GiB")
            self.blocks = {name.removeprefix(_BLOCKS) for name in names if name.startswith(_BLOCKS)}
            self.data = self._read(_MANIFEST, _MOST_MANIFEST)
            self.signature = self._read(_SIGNATURE, 4096)
            self.heirs = self._heirs() if _HEIRS in names else []
        except DAMAGE as error:
            raise MalformedInput(str(path), f"a damaged bundle ({error})") from error
        except OSError as error:
            raise ResourceError(f"{path}: {error.strerror or error}") from error
        try:
            self.manifest = msgspec.json.decode(self.data, type=Manifest)
        except ValueError as error:
            raise MalformedInput(str(path), f"its manifest cannot be read ({error})") from error
        if self.manifest.format != FORMAT:
            raise ConfigurationError(
                f"{path} is of a newer medwarden (format {self.manifest.format}): update"
            )

    def _heirs(self) -> list[Heir]:
        try:
            return msgspec.json.decode(self._read(_HEIRS, _MOST_HEIRS), type=list[Heir])
        except ValueError as error:
            raise MalformedInput(str(self.path), f"its line of keys cannot be read ({error})") from error

    def _read(self, name: str, most: int) -> bytes:
        with self.archive.open(name) as member:
            data = member.read(most + 1)
        if len(data) > most:
            raise MalformedInput(str(self.path), f"{name} is larger than it may be")
        return data

    def block(self, digest: str) -> bytes:
        """Return a block whose bytes have their digest; anything else raises MalformedInput."""
        try:
            data = self._read(_BLOCKS + digest, _MOST_BLOCK)
        except DAMAGE as error:
            raise MalformedInput(str(self.path), f"the block {digest[:12]} is damaged ({error})") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise MalformedInput(
                str(self.path), f"the block {digest[:12]} has not the digest of the manifest"
            )
        return data


def is_bundle(path: Path) -> bool:
    """Tell whether a file is a bundle, by its content."""
    try:
        if not path.is_file() or not zipfile.is_zipfile(path):
            return False
        with open_archive(path, str(path), _MOST_MEMBERS) as archive:
            return {_MANIFEST, _SIGNATURE} <= set(archive.namelist())
    except (MalformedInput, *DAMAGE):
        return False


def write_bundle(
    knowledge: Knowledge,
    keys: BundleKeys,
    target: Path,
    *,
    feeds: Iterable[str] = (),
    against: Path | None = None,
    list_only: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Manifest:
    """Write the editions in use to a signed bundle, ``target`` appearing only when it is whole.

    ``feeds`` chooses some; ``against`` names an older bundle, or a list of what another folder holds, whose
    blocks are left out; ``list_only`` writes such a list. Raises ConfigurationError where there is nothing to
    write, ResourceError for the disk and for damaged blocks.
    """
    chosen = set(feeds)
    states = knowledge.states()
    held = [s.edition for s in states.values() if s.edition and (not chosen or s.feed in chosen)]
    missing = chosen - {edition.feed for edition in held}
    if missing or not held:
        raise ConfigurationError(f"there is nothing of {', '.join(sorted(missing)) or 'any feed'} to export")
    known: set[str] = set()
    base = ""
    if against is not None:
        older = _Bundle(against)
        with older.archive:
            known = {part.digest for one in older.manifest.editions for part in one.parts}
            base = hashlib.sha256(older.data).hexdigest()
    manifest = Manifest(
        FORMAT,
        time.time_ns(),
        keys.own()[0],
        tuple(
            BundledEdition(edition, _parts(knowledge, edition.id), states[edition.feed].looked_ns)
            for edition in held
        ),
        base,
    )
    wanted = {
        part.digest: part
        for one in manifest.editions
        for part in one.parts
        if part.digest not in known and not list_only
    }
    _write(knowledge, keys, target, manifest, wanted, progress)
    return manifest


def _write(
    knowledge: Knowledge,
    keys: BundleKeys,
    target: Path,
    manifest: Manifest,
    wanted: Mapping[str, BundledPart],
    progress: Callable[[int, int, str], None] | None,
) -> None:
    data = msgspec.json.encode(manifest)
    part_file = target.with_name(f".{target.name}.part")
    try:
        with zipfile.ZipFile(part_file, "w", zipfile.ZIP_STORED) as archive:
            _put(archive, _MANIFEST, data)
            _put(archive, _SIGNATURE, keys.sign(data)[1])
            _put(archive, _HEIRS, msgspec.json.encode(keys.heirs()))
            for number, (digest, part) in enumerate(sorted(wanted.items())):
                if progress is not None:
                    progress(number, len(wanted), part.bucket)
                knowledge.block(part.kind, part.bucket, digest)  # a damaged block is not carried on
                (row,) = knowledge.rows("SELECT data FROM block WHERE digest = ?", (digest,))
                assert isinstance(row[0], bytes)
                _put(archive, _BLOCKS + digest, row[0])
        with part_file.open("rb") as whole:
            os.fsync(whole.fileno())  # a stick is pulled out as soon as the command ends
        part_file.replace(target)
        sync_directory(target.absolute().parent)
    except OSError as error:
        raise ResourceError(f"{target}: {error.strerror or error}") from error
    finally:
        part_file.unlink(missing_ok=True)


def read_bundle(
    knowledge: Knowledge,
    keys: BundleKeys,
    path: Path,
    known_feeds: Mapping[str, bool],
    *,
    unsigned: bool = False,
    replace: bool = False,
) -> Bundled:
    """Take the editions of a bundle in, all in one transaction.

    ``known_feeds`` tells of each feed whether one file is all there is. An edition that is older than the one
    in use is left out and named, unless ``replace``. Raises ConfigurationError for a bundle of a key that is
    not trusted (unless ``unsigned``), that adds to a bundle that was not taken in, of which everything is
    older than what is in use, or that was made in the future; MalformedInput where it is damaged or its
    signature does not hold; nothing is then changed.
    """
    bundle = _Bundle(path)
    with bundle.archive:
        manifest = bundle.manifest
        line = keys.successor(manifest.key, bundle.heirs)
        holds = _held_to_its_key(keys, bundle, line[1] if line else None, unsigned=unsigned)
        ahead = manifest.made_ns - time.time_ns()
        if ahead > _AHEAD_NS and not replace:
            raise ConfigurationError(
                f"{path} says that it was made {ahead // _AHEAD_NS} days from now, which would keep"
                " everything after it out: set the clock here or there, or say --replace"
            )
        notes: list[str] = []
        made: list[int] = []
        refused = 0
        proof = f"bundle {manifest.key[:32]}" if holds else "unsigned"
        with knowledge.change():
            for one in manifest.editions:
                note, older = _reason_against(knowledge, one, known_feeds)
                if note and not (older and replace):
                    notes.append(note)
                    refused += older
                    continue
                made.append(_take(knowledge, bundle, one, proof))
        if refused and not made:
            raise ConfigurationError(
                f"{path} is older than what is in use here ({'; '.join(notes)[:300]}): nothing was changed;"
                " say --replace to go back"
            )
        if line is not None and holds:
            keys.inherit(*line)
            notes.append(f"the key {line[1].id} took the place of {line[0].id}, which signed for it")
        return Bundled(
            manifest.key,
            holds,
            manifest.made_ns,
            tuple(knowledge.edition(id) for id in made),
            tuple(notes),
        )


def _held_to_its_key(keys: BundleKeys, bundle: _Bundle, also: TrustedKey | None, *, unsigned: bool) -> bool:
    """Tell whether a trusted key signed a bundle. Raises where one did not, or nobody vouches."""
    key = bundle.manifest.key
    holds = keys.holds(key, bundle.data, bundle.signature, also=also)
    if holds is False:
        raise MalformedInput(str(bundle.path), f"its signature is not of the key {key[:32]} that it names")
    if holds is None and not unsigned:
        raise ConfigurationError(
            f"{bundle.path} is signed with the key {key[:32]!r}, which is not trusted here: trust it"
            " with `medwarden knowledge key trust`, or say --unsigned where you vouch for the file"
        )
    return holds is True


def _reason_against(
    knowledge: Knowledge, one: BundledEdition, known_feeds: Mapping[str, bool]
) -> tuple[str, bool]:
    """Return why an edition is not taken, '' where it is, and whether that is because it is older."""
    feed, offered = one.edition.feed, one.edition
    if feed not in known_feeds:
        return f"{feed[:40]}: this medwarden does not know the feed", False
    state = knowledge.states().get(feed)
    current = state.edition if state else None
    if current is None:
        return "", False
    if current.digest == offered.digest:
        return f"{feed}: it is in use already", False
    if known_feeds[feed] and current.updated and offered.updated and current.updated != offered.updated:
        older = offered.updated < current.updated
    else:
        older = offered.made_ns < current.made_ns
    return (f"{feed}: older than what is in use", True) if older else ("", False)


def _take(knowledge: Knowledge, bundle: _Bundle, one: BundledEdition, proof: str) -> int:
    feed = one.edition.feed
    parts = {(part.kind, part.bucket): part.digest for part in one.parts}
    if digest_of(parts) != one.edition.digest or len(parts) != len(one.parts):
        raise MalformedInput(str(bundle.path), f"the blocks of {feed} are not those of its edition")
    counts: dict[str, int] = {}
    for part in one.parts:
        what = f"{bundle.path}: the block {part.bucket[:40]} of {feed}"
        if part.digest in bundle.blocks:
            data = bundle.block(part.digest)
            counts[part.digest] = _checked(data, part, what)
            knowledge.db.execute("INSERT OR IGNORE INTO block VALUES (?, ?)", (part.digest, data))
        elif not knowledge.rows("SELECT 1 FROM block WHERE digest = ?", (part.digest,)):
            raise ConfigurationError(
                f"{bundle.path} adds to an older bundle that was not taken in here: take that one in first,"
                " or export without --since"
            )
        else:
            counts[part.digest] = part.records
    number = record_edition(knowledge, msgspec.structs.replace(one.edition, proof=proof), parts, counts)
    knowledge.db.execute(
        "UPDATE feed SET looked_ns = ?, failure = '', state = '{}' WHERE name = ?",
        (max(one.edition.made_ns, one.looked_ns), feed),
    )
    return number


def _checked(data: bytes, part: BundledPart, what: str) -> int:
    """Return how many records a block holds, every one of them read."""
    if part.kind not in {kind.value for kind in TYPES}:
        raise MalformedInput(what, f"records of an unknown kind {part.kind[:40]!r}")
    try:
        held = unpack(data, part.digest, what)
        for record in held:
            record_of(Kind(part.kind), record)
    except ValueError as error:
        raise MalformedInput(what, f"records that cannot be read ({error})") from error
    return len(held)


def _parts(knowledge: Knowledge, edition: int) -> tuple[BundledPart, ...]:
    return tuple(
        BundledPart(str(kind), str(bucket), str(digest), int(str(records)))
        for kind, bucket, digest, records in knowledge.rows(
            "SELECT kind, bucket, digest, records FROM part WHERE edition = ? ORDER BY kind, bucket",
            (edition,),
        )
    )


def _put(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, _DATE), data)


class Difference(msgspec.Struct, frozen=True):
    """What a bundle would change of a feed: ids of new, changed and gone records; ``refused``: why not."""

    feed: str
    new: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]
    refused: str = ""


def compare_bundle(knowledge: Knowledge, path: Path, known_feeds: Mapping[str, bool]) -> list[Difference]:
    """Return what a bundle would change; its signature is not looked at. Raises as :func:`read_bundle`."""
    bundle = _Bundle(path)
    with bundle.archive:
        return [_difference(knowledge, bundle, one, known_feeds) for one in bundle.manifest.editions]


def _difference(
    knowledge: Knowledge, bundle: _Bundle, one: BundledEdition, known_feeds: Mapping[str, bool]
) -> Difference:
    state = knowledge.states().get(one.edition.feed)
    old = knowledge.parts(state.edition.id) if state and state.edition else {}
    new = {(part.kind, part.bucket): part.digest for part in one.parts}
    then: dict[str, bytes] = {}
    here: dict[str, bytes] = {}
    for key in old.keys() | new.keys():
        if old.get(key) == new.get(key):
            continue
        if key in old:
            then |= {held.id: bytes(held.payload) for held in knowledge.block(*key, old[key])}
        if key in new:
            what = f"{bundle.path}: the block {key[1][:40]} of {one.edition.feed}"
            if new[key] in bundle.blocks:
                held_blocks = unpack(bundle.block(new[key]), new[key], what)
            else:
                held_blocks = knowledge.block(*key, new[key])
            here |= {held.id: bytes(held.payload) for held in held_blocks}
    return Difference(
        one.edition.feed,
        tuple(sorted(here.keys() - then.keys())),
        tuple(sorted(id for id in here.keys() & then.keys() if here[id] != then[id])),
        tuple(sorted(then.keys() - here.keys())),
        _reason_against(knowledge, one, known_feeds)[0],
    )
