"""The audit chain: how a row is hashed, how the head is sealed, and how tampering is found.

Each row holds the SHA-256 over its own canonical JSON and the digest of the row before it, so a
flipped, deleted, inserted or reordered row breaks the chain at a known sequence number. Cutting off
the end leaves a sound but shorter chain; therefore the newest (sequence, digest) is also kept in
``audit.head`` beside the database, and one in every 256 in ``audit.anchors``, each sealed with
HMAC-SHA-256 (RFC 2104) under ``audit.key``. Who can read that key can forge the files: copy the
anchors to another machine where that matters.

The head is written after the commit, so after a crash the database may be ahead of it, never behind.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from django.db import connection

from medwarden.kernel.errors import InternalError, ResourceError
from medwarden.store.folder import (
    AUDIT_ANCHORS_FILE,
    AUDIT_HEAD_FILE,
    AUDIT_KEY_FILE,
    replace_durably,
    sync_directory,
)
from medwarden.store.models.audit import AuditEntry

GENESIS = "0" * 64
ANCHOR_EVERY = 256
MISMATCH = "audit.head_mismatch"
"""Action of the row that records that the chain did not fit its sealed head when it was continued."""


class Head(msgspec.Struct, frozen=True):
    """A sealed point of the chain: the row ``sequence`` had ``digest``."""

    sequence: int
    digest: str
    at_ns: int
    seal: str = ""


class ChainReport(msgspec.Struct, frozen=True):
    """What a check of the chain found; ``broken`` is the first bad sequence, ``reason`` says how."""

    entries: int
    broken: int | None = None
    reason: str = ""


def canonical(value: object) -> str:
    """Return ``value`` as JSON with sorted keys and no blanks, the same for the same content."""
    plain = msgspec.to_builtins(value)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(entry: AuditEntry) -> str:
    """Return the SHA-256 that ``entry`` must carry, over everything in it and the row before."""
    parts = [
        entry.sequence,
        entry.tenant_id,
        entry.site_id,
        entry.at_ns,
        entry.actor,
        entry.action,
        entry.subject,
        entry.before,
        entry.after,
        entry.reason,
        entry.version,
        entry.previous,
    ]
    return hashlib.sha256(canonical(parts).encode("utf-8", "surrogatepass")).hexdigest()


def folder_of_database() -> Path | None:
    """Return the folder of the open database, or None for one in memory (tests), which has no head."""
    name = str(connection.settings_dict["NAME"])
    if name == ":memory:" or "mode=memory" in name:
        return None
    return Path(name).parent


def _key(folder: Path) -> bytes:
    try:
        return (folder / AUDIT_KEY_FILE).read_bytes().strip()
    except OSError as error:
        raise ResourceError(
            f"the key of the audit chain, {folder / AUDIT_KEY_FILE}, cannot be read ({error.strerror}): "
            "restore it from a backup"
        ) from error


def _sealed(folder: Path, sequence: int, digest: str, at_ns: int) -> Head:
    text = f"{sequence}:{digest}:{at_ns}".encode()
    return Head(sequence, digest, at_ns, hmac.new(_key(folder), text, hashlib.sha256).hexdigest())


def _genuine(folder: Path, head: Head) -> bool:
    return hmac.compare_digest(head.seal, _sealed(folder, head.sequence, head.digest, head.at_ns).seal)


def read_head(folder: Path) -> Head | None:
    """Return the sealed head, or None where it is missing or its seal does not hold."""
    try:
        head = msgspec.json.decode((folder / AUDIT_HEAD_FILE).read_bytes(), type=Head)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return head if _genuine(folder, head) else None


def begin_chain(folder: Path) -> None:
    """Seal the empty chain of a new data folder; does nothing once there is a head or an entry."""
    if not (folder / AUDIT_HEAD_FILE).exists() and not AuditEntry.objects.exists():
        head = _sealed(folder, 0, GENESIS, 0)
        replace_durably(folder / AUDIT_HEAD_FILE, msgspec.json.encode(head))


def head_fits(folder: Path, last: AuditEntry | None) -> bool:
    """Tell whether the chain that ends in ``last`` contains the sealed head."""
    head = read_head(folder)
    if head is None:
        return False
    if head.sequence == 0:
        return True
    if last is None or last.sequence < head.sequence:
        return False
    if last.sequence == head.sequence:
        return last.digest == head.digest
    return AuditEntry.objects.filter(sequence=head.sequence, digest=head.digest).exists()


def seal_head(folder: Path, sequence: int, digest: str, at_ns: int, *, force: bool = False) -> None:
    """Seal the head after a commit. Of two processes that do so at once, the later sequence stays.

    ``force`` also lets it go back, which only a recorded mismatch asks for.
    """
    guard = os.open(folder / "lock-audit", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX)
        known = read_head(folder)
        if known is not None and known.sequence >= sequence and not force:
            return
        head = _sealed(folder, sequence, digest, at_ns)
        replace_durably(folder / AUDIT_HEAD_FILE, msgspec.json.encode(head))
        before = 0 if known is None else known.sequence
        if before // ANCHOR_EVERY != sequence // ANCHOR_EVERY:
            _append_anchor(folder, head)
    except OSError as error:
        raise ResourceError(
            f"the head of the audit chain in {folder} cannot be written ({error.strerror}): free space there"
        ) from error
    finally:
        os.close(guard)


def _append_anchor(folder: Path, head: Head) -> None:
    descriptor = os.open(folder / AUDIT_ANCHORS_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, msgspec.json.encode(head) + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(folder)


def read_anchors(folder: Path) -> Iterator[Head]:
    """Yield the anchors; raises InternalError with the line number where one is not genuine."""
    path = folder / AUDIT_ANCHORS_FILE
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            head = msgspec.json.decode(line, type=Head)
        except msgspec.DecodeError as error:
            raise InternalError(f"{path}, line {number}: not an anchor") from error
        if not _genuine(folder, head):
            raise InternalError(f"{path}, line {number}: the seal does not hold")
        yield head


def check_chain() -> ChainReport:
    """Walk the whole chain and say where it first breaks, and how."""
    folder = folder_of_database()
    anchors: dict[int, str] = {}
    if folder is not None:
        try:
            anchors = {head.sequence: head.digest for head in read_anchors(folder)}
        except InternalError as error:
            return ChainReport(AuditEntry.objects.count(), 1, str(error))
    expected, previous = 1, GENESIS
    head = read_head(folder) if folder is not None else None
    if head is not None:
        anchors[head.sequence] = head.digest
    for entry in AuditEntry.objects.order_by("sequence").iterator(chunk_size=2000):
        fault = _fault(entry, expected, previous, anchors.get(entry.sequence))
        if fault:
            return ChainReport(AuditEntry.objects.count(), expected, fault)
        expected, previous = entry.sequence + 1, entry.digest
    if folder is not None and head is None:
        return ChainReport(expected - 1, expected, "the sealed head is missing or was altered")
    if head is not None and head.sequence >= expected:
        return ChainReport(expected - 1, expected, f"rows {expected} to {head.sequence} were cut off")
    return ChainReport(expected - 1)


def _fault(entry: AuditEntry, expected: int, previous: str, anchor: str | None) -> str:
    if entry.sequence != expected:
        return f"row {expected} is missing"
    if entry.previous != previous:
        return f"row {expected} does not follow the row before it"
    if entry.digest != digest_of(entry):
        return f"row {expected} was altered"
    if anchor is not None and anchor != entry.digest:
        return f"row {expected} is not the one that was sealed"
    if entry.action == MISMATCH:
        return f"before row {expected} the chain did not fit its sealed head"
    return ""


def verify_chain() -> int | None:
    """Return the first broken sequence number of the audit chain, or None where it is whole."""
    return check_chain().broken
