"""Files as publishers pack them: plain, gzip, zstd, zip, tar and these in each other, as bounded streams.

Containers are told by their first bytes, not by their names.
"""

from __future__ import annotations

import errno
import gzip
import io
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import msgspec
import zstandard

from medwarden.kernel.errors import MalformedInput, ResourceError
from medwarden.knowledge.zip_archive import DAMAGE, damaged, open_archive

_DEEPEST = 4
_HEAD = 1 << 16
_TAR_AT, _TAR = 257, b"ustar"
_IN_MEMORY = 1 << 20
_HEADS = frozenset(b"LKxgX"[at : at + 1] for at in range(5))
"""Types of heads of a tar that say more of what follows: GNU's long names, those of POSIX and of Solaris."""
_HOLES = "a member with holes, whose map may be of any length"
_LONGEST_NAME = 200
_DAMAGE = (*DAMAGE, gzip.BadGzipFile, tarfile.TarError, zstandard.ZstdError)
"""What the readers raise for damage; ``tarfile`` also lets ValueError and RecursionError of heads pass."""
_OTHER_PACKERS = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a\x07": "RAR",
}


class Bounds(msgspec.Struct, frozen=True):
    """What one file may unpack to: bytes of one member and of all, members."""

    most_member: int = 8 << 30
    most_bytes: int = 32 << 30
    most_members: int = 2_000_000


class Member(msgspec.Struct):
    """A file that is no container: name (``outer!inner``), first bytes, and a stream from its start."""

    name: str
    head: bytes
    stream: IO[bytes]


class _Bounded(io.RawIOBase):
    """Reads a stream and counts; says what is wrong with a damaged archive in our words."""

    def __init__(self, inner: IO[bytes], name: str, bounds: Bounds, total: list[int]) -> None:
        super().__init__()
        self._inner = inner
        self._name = name
        self._bounds = bounds
        self._total = total
        self._own = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Read what comes next into a buffer."""
        view = memoryview(cast(bytearray, buffer)).cast("B")
        try:
            data = self._inner.read(len(view))
        except _DAMAGE as error:
            raise damaged(self._name, error) from error
        except OSError as error:
            raise _fault(self._name, error) from error
        self._own += len(data)
        self._total[0] += len(data)
        if self._own > self._bounds.most_member or self._total[0] > self._bounds.most_bytes:
            raise MalformedInput(self._name, f"it unpacks to more than {self._bounds.most_member >> 20} MiB")
        view[: len(data)] = data
        return len(data)


def members(path: Path, name: str = "", bounds: Bounds | None = None) -> Iterator[Member]:
    """Yield the files of a file, one after another; each is to be read before the next is asked for.

    Raises MalformedInput where an archive is damaged, ends too early or unpacks to more than it may, and
    ResourceError where the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            yield from _of(stream, name or path.name, bounds or Bounds(), [0], [0], 0)
    except OSError as error:
        raise _fault(str(path), error) from error


def _fault(name: str, error: OSError) -> MalformedInput | ResourceError:
    """Return whose fault it is: damaged bzip2 is an OSError, and so is a place before the file's begin."""
    if error.errno in (None, errno.EINVAL):
        return MalformedInput(name, f"a damaged archive ({error.strerror or error})")
    return ResourceError(f"{name}: {error.strerror or error}")


def _within(name: str, inner: str) -> str:
    """Return the name of a member: what an archive calls it is anything, and stands in sentences."""
    shown = inner[-_LONGEST_NAME:]
    return f"{name}!{''.join(sign if sign.isprintable() else ' ' for sign in shown)}"


def _of(
    raw: IO[bytes], name: str, bounds: Bounds, total: list[int], count: list[int], depth: int
) -> Iterator[Member]:
    stream = io.BufferedReader(_Bounded(raw, name, bounds, total), _IN_MEMORY)
    head = stream.peek(_HEAD)[:_HEAD]
    if depth > _DEEPEST:
        raise MalformedInput(name, f"archives in archives, more than {_DEEPEST} deep")
    if head.startswith(b"\x1f\x8b"):
        yield from _of(
            cast(IO[bytes], gzip.GzipFile(fileobj=stream)),
            _without(name, ".gz", ".tgz"),
            bounds,
            total,
            count,
            depth + 1,
        )
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        plain = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
        yield from _of(cast(IO[bytes], plain), _without(name, ".zst"), bounds, total, count, depth + 1)
    elif head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield from _of_zip(raw, stream, name, bounds, total, count, depth)
    elif head[_TAR_AT : _TAR_AT + 5] == _TAR:
        yield from _of_tar(stream, name, bounds, total, count, depth)
    else:
        packer = next((name for magic, name in _OTHER_PACKERS.items() if head.startswith(magic)), "")
        if packer and not depth:  # beside other files of an archive it is one of no feed
            raise MalformedInput(
                name, f"packed with {packer}: unpack it first, or use gzip, zstd, zip or tar"
            )
        count[0] += 1
        if count[0] > bounds.most_members:
            raise MalformedInput(name, f"more than {bounds.most_members} files")
        yield Member(name, head, stream)


def _without(name: str, *endings: str) -> str:
    return next((name[: -len(e)] for e in endings if name.lower().endswith(e)), name)


def _of_zip(
    raw: IO[bytes],
    stream: IO[bytes],
    name: str,
    bounds: Bounds,
    total: list[int],
    count: list[int],
    depth: int,
) -> Iterator[Member]:
    """Read a zip; one within another archive is laid down first, for a zip is read from its end."""
    if depth == 0:
        raw.seek(0)
        yield from _opened_zip(raw, name, bounds, total, count, depth)
        return
    with tempfile.TemporaryFile() as laid_down:
        while piece := stream.read(_IN_MEMORY):
            laid_down.write(piece)
        laid_down.seek(0)
        yield from _opened_zip(cast(IO[bytes], laid_down), name, bounds, total, count, depth)


def _opened_zip(
    file: IO[bytes], name: str, bounds: Bounds, total: list[int], count: list[int], depth: int
) -> Iterator[Member]:
    with open_archive(file, name, bounds.most_members) as archive:
        for info in archive.infolist():
            if info.filename.endswith("/"):
                continue
            inner = _within(name, info.filename)
            try:
                member = archive.open(info)
            except _DAMAGE as error:
                raise MalformedInput(inner, f"cannot be unpacked ({str(error)[:_LONGEST_NAME]})") from error
            with member:
                yield from _of(member, inner, bounds, total, count, depth + 1)


class _Head(tarfile.TarInfo):
    """The head of a member; what is read whole with it, names, further heads, maps of holes, is bounded."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADS and self.size > _IN_MEMORY:
            raise tarfile.ReadError(f"a head of {self.size} bytes")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError(_HOLES)
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]  # no public way to it

    def _proc_gnusparse_10(self, *_: object) -> None:
        raise tarfile.ReadError(_HOLES)


def _of_tar(
    stream: IO[bytes], name: str, bounds: Bounds, total: list[int], count: list[int], depth: int
) -> Iterator[Member]:
    try:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Head) as archive:
            for number, info in enumerate(archive):
                if number >= bounds.most_members:
                    raise MalformedInput(name, f"more than {bounds.most_members} files")
                archive.members.clear()  # type: ignore[attr-defined]  # else every head stays in memory
                member = archive.extractfile(info) if info.isreg() else None
                if member is not None:
                    yield from _of(member, _within(name, info.name), bounds, total, count, depth + 1)
    except _DAMAGE as error:
        raise damaged(name, error) from error
