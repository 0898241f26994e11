"""Compound files: the container of Excel 97 to 2003 and of encrypted Office documents. MS-CFB, MS-XLS.

Only what is needed to say what a file is before its reader opens it: which streams there are, whether a
workbook has a password, and how far its cells reach.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FREE = 0xFFFFFFFA
_HEADER, _ENTRY = 512, 128
_ROOT, _STREAM = 5, 2
_MOST_STREAMS = 4096


class CompoundError(Exception):
    """What stands in the file is no compound file, or a damaged one."""


class _Entry(NamedTuple):
    name: str
    kind: int
    first: int
    size: int


class CompoundFile:
    """The streams of a compound file by name. Raises CompoundError where it is none, or damaged."""

    def __init__(self, document: bytes) -> None:
        if len(document) < _HEADER or not document.startswith(MAGIC):
            raise CompoundError("no compound file")
        self._document = document
        shift, mini_shift = struct.unpack_from("<HH", document, 30)
        if shift not in (9, 12) or mini_shift != 6:
            raise CompoundError("sectors of an unknown size")
        self._size, self._mini_size = 1 << shift, 1 << mini_shift
        directory, self._cutoff, mini_fat = struct.unpack_from("<I4xII", document, 48)
        self._fat = self._table()
        self.entries = self._entries(self._chain(directory, self._fat))
        root = next((entry for entry in self.entries if entry.kind == _ROOT), None)
        if root is None:
            raise CompoundError("a damaged directory")
        self._mini = self._chain(root.first, self._fat)[: root.size]
        held = self._chain(mini_fat, self._fat)
        self._mini_fat = struct.unpack(f"<{len(held) // 4}I", held[: len(held) // 4 * 4])

    def stream(self, name: str) -> bytes | None:
        """Return the bytes of a stream, None where there is none of that name."""
        entry = next((e for e in self.entries if e.kind == _STREAM and e.name == name), None)
        if entry is None:
            return None
        if entry.size < self._cutoff:
            return self._small(entry)
        return self._chain(entry.first, self._fat)[: entry.size]

    def _table(self) -> tuple[int, ...]:
        places = list(struct.unpack_from("<109I", self._document, 76))
        following = struct.unpack_from("<I", self._document, 68)[0]
        seen: set[int] = set()
        while following < _FREE and following not in seen:
            seen.add(following)
            more = struct.unpack(f"<{self._size // 4}I", self._sector(following))
            places += more[:-1]
            following = more[-1]
        table = b"".join(self._sector(place) for place in places if place < _FREE)
        return struct.unpack(f"<{len(table) // 4}I", table)

    def _sector(self, number: int) -> bytes:
        at = (number + 1) * self._size
        sector = self._document[at : at + self._size]
        if not sector:
            raise CompoundError("a sector beyond the end")
        return sector.ljust(self._size, b"\x00")

    def _chain(self, first: int, table: tuple[int, ...]) -> bytes:
        parts: list[bytes] = []
        seen: set[int] = set()
        while first < _FREE:
            if first in seen or first >= len(table):
                raise CompoundError("a damaged chain of sectors")
            seen.add(first)
            parts.append(self._sector(first))
            first = table[first]
        return b"".join(parts)

    def _small(self, entry: _Entry) -> bytes:
        parts: list[bytes] = []
        seen: set[int] = set()
        at = entry.first
        while at < _FREE:
            if at in seen or at >= len(self._mini_fat):
                raise CompoundError("a damaged chain of small sectors")
            seen.add(at)
            parts.append(self._mini[at * self._mini_size : (at + 1) * self._mini_size])
            at = self._mini_fat[at]
        return b"".join(parts)[: entry.size]

    @staticmethod
    def _entries(directory: bytes) -> list[_Entry]:
        found = []
        for at in range(0, min(len(directory), _MOST_STREAMS * _ENTRY) - _ENTRY + 1, _ENTRY):
            length, kind = struct.unpack_from("<HB", directory, at + 64)
            first, size = struct.unpack_from("<II", directory, at + 116)
            name = directory[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
            found.append(_Entry(name, kind, first, size))
        return found


_FILE_PASS = 0x2F
_CELLS = frozenset({0x06, 0xBD, 0xBE, 0xD6, 0xFD, 0x201, 0x203, 0x204, 0x205, 0x27E, 0x02, 0x03, 0x04, 0x05})
_RUNS = frozenset({0xBD, 0xBE})
"""Records of several cells of a row (MULRK, MULBLANK): their last two octets are the last column."""


def records(workbook: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield kind, begin and length of the records of a workbook's stream (MS-XLS 2.1.4)."""
    at = 0
    while at + 4 <= len(workbook):
        kind, length = struct.unpack_from("<HH", workbook, at)
        yield kind, at + 4, length
        at += 4 + length


def has_password(workbook: bytes) -> bool:
    """Tell whether a workbook is encrypted: a FilePass record (MS-XLS 2.4.117) stands at its beginning."""
    for number, (kind, _, _) in enumerate(records(workbook)):
        if kind == _FILE_PASS:
            return True
        if number > 8:
            break
    return False


def reach(workbook: bytes) -> int:
    """Return over how many places the cells of a workbook reach at most."""
    rows = columns = 0
    for kind, at, length in records(workbook):
        if kind in _CELLS and length >= 4 and at + 4 <= len(workbook):
            row, column = struct.unpack_from("<HH", workbook, at)
            if kind in _RUNS and length >= 6 and at + length <= len(workbook):
                column = max(column, struct.unpack_from("<H", workbook, at + length - 2)[0])
            rows, columns = max(rows, row + 1), max(columns, column + 1)
    return rows * columns
