"""Open zip archives of strangers: stored and deflated members alone, and damage said in our words.

``zipfile`` unpacks bzip2 and LZMA without a bound, whatever size a member says it has, and gives LZMA as much
memory for its dictionary as the file asks for: a few hundred bytes take gigabytes. Nothing that is read here
is packed so (ECMA-376 part 2 allows deflate alone). It also takes in a whole directory before anybody can ask
how long it is, so members are counted while it reads them. APPNOTE.TXT 6.3, sections 4.3.12 and 4.4.5.
"""

from __future__ import annotations

import errno
import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

from medwarden.kernel.errors import MalformedInput

DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OverflowError, RuntimeError,
    ValueError,
)  # fmt: skip
"""What ``zipfile`` raises for damage, passwords, and ways of packing and places that it does not know."""

MOST_MEMBERS = 4096
"""Members of an archive whose reader knows no reason for more."""

_ENTRY = b"PK\x01\x02"
_LONGEST_ENTRY = 1024
"""Bytes that an entry of a directory has on average at most: head, name, comment and further fields."""


class _Counted(io.RawIOBase):
    """Hands a file on, and looks at its directory before ``zipfile`` makes an object of each entry.

    How many entries the end of an archive declares binds nobody: ``zipfile`` reads as many as stand in the
    directory, which it asks for in one piece. So the entries of that piece are counted.
    """

    def __init__(self, file: IO[bytes], source: str, most_members: int) -> None:
        super().__init__()
        self._file = file
        self._source = source
        self._most = most_members
        self.opened = False

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it has places."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place of the file; one before its beginning is damage, and no fault of the disk."""
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            if error.errno != errno.EINVAL or whence == io.SEEK_END:
                raise  # zipfile looks before the end of a short file, and takes that for an answer
            raise zipfile.BadZipFile("a place outside of the file") from error

    def tell(self) -> int:
        """Return the place in the file."""
        return self._file.tell()

    def read(self, size: int = -1, /) -> bytes:
        """Read what comes next; raises MalformedInput for a directory of too many members."""
        if not self.opened and size > self._most * _LONGEST_ENTRY and size > 1 << 20:
            raise MalformedInput(self._source, f"an archive whose directory alone has {size:,} bytes")
        data = self._file.read(size)
        if not self.opened and data.startswith(_ENTRY) and data.count(_ENTRY) > self._most:
            raise MalformedInput(self._source, f"an archive of more than {self._most:,} members")
        return data


class _Archive(zipfile.ZipFile):
    """An archive of a file, which is closed with it where it was opened here."""

    _own: IO[bytes] | None = None

    def __init__(self, file: IO[bytes] | Path, source: str, most_members: int) -> None:
        self._own = file.open("rb") if isinstance(file, Path) else None
        try:
            counted = _Counted(self._own or file, source, most_members)  # type: ignore[arg-type]  # one of both is a stream
            super().__init__(counted)
            counted.opened = True
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        if self._own is not None:
            self._own.close()

    def close(self) -> None:
        """Close the archive."""
        super().close()
        self._release()


def open_archive(file: IO[bytes] | Path, source: str, most_members: int = MOST_MEMBERS) -> zipfile.ZipFile:
    """Return an archive to read from, which the caller closes.

    Raises MalformedInput where it is damaged, has more than ``most_members`` or a member is packed otherwise
    than stored or deflated, OSError where the file cannot be read.
    """
    try:
        archive = _Archive(file, source, most_members)
    except DAMAGE as error:
        raise damaged(source, error) from error
    reason = packed_otherwise(archive)
    if reason is not None:
        archive.close()
        raise MalformedInput(source, reason)
    return archive


def damaged(source: str, error: Exception) -> MalformedInput:
    """Return the error to raise for what ``zipfile`` raised (:data:`DAMAGE`)."""
    return MalformedInput(source, f"a damaged archive ({str(error)[:200]})")


def packed_otherwise(archive: zipfile.ZipFile) -> str | None:
    """Return why an archive is not unpacked here by the way in which its members are packed."""
    if all(info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in archive.infolist()):
        return None
    return "an archive whose members are not packed with deflate: unpack it, and pack it as usual"
