"""Open zip archives of strangers: stored and deflated members alone, and damage said in our words.

``zipfile`` unpacks bzip2 and LZMA without a bound, whatever size a member says it has, and gives LZMA as much
memory for its dictionary as the file asks for: a few hundred bytes take gigabytes. Nothing that is read here
is packed so (ECMA-376 part 2 allows deflate alone). APPNOTE.TXT 6.3, section 4.4.5.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import IO

from medwarden.kernel.errors import MalformedInput

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What ``zipfile`` raises for damage, passwords, and ways of packing and places that it does not know."""


def open_archive(file: IO[bytes] | Path, source: str) -> zipfile.ZipFile:
    """Return an archive to read from, which the caller closes.

    Raises MalformedInput where it is damaged or a member is packed otherwise than stored or deflated, OSError
    where the file cannot be read.
    """
    try:
        archive = zipfile.ZipFile(file)
    except DAMAGE as error:
        raise MalformedInput(source, f"a damaged archive ({str(error)[:200]})") from error
    reason = packed_otherwise(archive)
    if reason is not None:
        archive.close()
        raise MalformedInput(source, reason)
    return archive


def packed_otherwise(archive: zipfile.ZipFile) -> str | None:
    """Return why an archive is not unpacked here by the way in which its members are packed."""
    if all(info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in archive.infolist()):
        return None
    return "an archive whose members are not packed with deflate: unpack it, and pack it as usual"
