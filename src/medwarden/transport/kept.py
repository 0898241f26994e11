"""Files of a long download that came before it failed, so that the next try does not ask for them again."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path

import zstandard

_KEPT_S = 48 * 3600.0
_PIECE = 1 << 20
_HEAD = 32
"""Bytes that hold the header of a frame (RFC 8878, 3.1.1.1)."""
_ENDINGS = ("zst", "note", "part", "part.of")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\Z")


class Kept:
    """Files and notes of a look that has not come to its end, compressed, for two days at most.

    Names may be made of what a peer says: one that is long or no plain word stands on disk as its digest.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in self._folder.iterdir():
            if abs(time.time() - old.stat().st_mtime) > _KEPT_S:
                old.unlink(missing_ok=True)

    def partial(self, name: str) -> Path:
        """Return where a file lies that has not come to its end."""
        return self._at(name, "part")

    def store(self, name: str, path: Path) -> None:
        """Keep a file that came."""
        part = self._at(name, "writing")
        with path.open("rb") as plain, part.open("wb") as packed:
            packer = zstandard.ZstdCompressor(level=1, write_checksum=True)
            packer.copy_stream(plain, packed, size=path.stat().st_size)
        part.replace(self._at(name, "zst"))

    def restore(self, name: str, path: Path) -> bool:
        """Lay a file that is kept down at ``path``; tell whether there is one.

        One that a loss of power cut short or damaged is thrown away: it is asked for again.
        """
        held = self._at(name, "zst")
        if not held.exists():
            return False
        if _unpacked(held, path):
            return True
        held.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        return False

    def drop(self, name: str) -> None:
        """Remove what is kept under a name: it has served."""
        for ending in _ENDINGS:
            self._at(name, ending).unlink(missing_ok=True)

    def note(self, name: str, text: str) -> None:
        """Keep a few words, as where a look under way is to be found."""
        part = self._at(name, "writing")
        part.write_text(text, encoding="utf-8")
        part.replace(self._at(name, "note"))

    def noted(self, name: str) -> str:
        """Return the words kept under a name; empty where there are none."""
        path = self._at(name, "note")
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def clear(self) -> None:
        """Remove everything; there is nothing to do where the folder itself was removed meanwhile."""
        if not self._folder.exists():
            return
        for held in self._folder.iterdir():
            held.unlink(missing_ok=True)

    def _at(self, name: str, ending: str) -> Path:
        if not _NAME.match(name):
            name = (
                f"digest-{hashlib.blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=20).hexdigest()}"
            )
        return self._folder / f"{name}.{ending}"


def _unpacked(held: Path, path: Path) -> bool:
    """Unpack a kept file to ``path``; tell whether all of it came out as it was put in."""
    try:
        with held.open("rb") as packed, path.open("wb") as plain:
            whole = zstandard.frame_content_size(packed.read(_HEAD))
            packed.seek(0)
            for piece in zstandard.ZstdDecompressor().read_to_iter(packed, read_size=_PIECE):
                plain.write(piece)
            return plain.tell() == whole
    except zstandard.ZstdError:
        return False
