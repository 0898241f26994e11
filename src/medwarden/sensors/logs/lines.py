"""Whole lines out of arbitrary pieces of a file or a stream, in bounded memory.

Parsers take blocks of whole lines. Line ends are LF or CR LF (the CR is left for the parser to strip);
a UTF-8 byte order mark at the very start is passed over. A line longer than :data:`MOST_LINE` is never held:
its bytes are passed over up to its end, and :attr:`LineFramer.overlong` tells where it began.
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

MOST_LINE = 1 << 20
"""Bytes of the longest line that is taken, its end included."""

OVERLONG = "line longer than 1 MiB"

_MARK = codecs.BOM_UTF8


class Block(NamedTuple):
    """Whole lines that follow each other, and where the first of them begins in the input."""

    lines: bytes
    offset: int


class LineFramer:
    """Cut a stream into blocks of whole lines.

    ``offset`` is where the stream is entered: not 0 when reading goes on where it was left.
    :attr:`position` is the offset behind the last line that was handed out or passed over.
    """

    def __init__(self, offset: int = 0) -> None:
        self.position = offset
        self.overlong: list[int] = []
        self._begun = offset > 0
        self._parts: list[bytes] = []
        self._held = 0
        self._skipping = False

    @property
    def unfinished(self) -> int:
        """Bytes since the last line end."""
        return self._held

    def push(self, piece: bytes) -> list[Block]:
        """Take the next bytes and return the lines that they completed."""
        if not self._begun:
            piece = b"".join(self._parts) + piece
            self._parts, self._held = [], 0
            if len(piece) < len(_MARK) and _MARK.startswith(piece):
                self._hold(piece)
                return []
            self._begun = True
            if piece.startswith(_MARK):
                self.position += len(_MARK)
                piece = piece[len(_MARK) :]
        end = piece.rfind(b"\n") + 1
        if end == 0:
            self._hold(piece)
            return []
        if self._skipping:
            first = piece.find(b"\n") + 1
            blocks = self._completed(piece[:first])
            blocks += self._bounded(piece[first:end])
        else:
            whole = b"".join((*self._parts, memoryview(piece)[:end]))
            self._parts, self._held = [], 0
            blocks = self._bounded(whole)
        self._hold(piece[end:])
        return blocks

    def finish(self) -> list[Block]:
        """Return the last line where no line end follows it; nothing more may be pushed."""
        if not self._begun:
            self._begun = True  # a lone half of a byte order mark is a line like any other
        return self._completed(b"")

    def _hold(self, piece: bytes) -> None:
        if not piece:
            return
        self._held += len(piece)
        if self._held > MOST_LINE:
            if not self._skipping:
                self.overlong.append(self.position)
            self._skipping = True
            self._parts.clear()
        else:
            self._parts.append(piece)

    def _completed(self, end: bytes) -> list[Block]:
        """Return the line that is held, with its ``end``, as a block."""
        self._hold(end)
        line, skipped, start = b"".join(self._parts), self._skipping, self.position
        self.position += self._held
        self._parts, self._held, self._skipping = [], 0, False
        return [] if skipped or not line else [Block(line, start)]

    def _bounded(self, lines: bytes) -> list[Block]:
        """Return whole lines as blocks, cut where one is too long."""
        blocks: list[Block] = []
        at = begun = 0
        while len(lines) - at > MOST_LINE:
            end = lines.rfind(b"\n", at, at + MOST_LINE) + 1
            if end:
                at = end
                continue
            if at > begun:
                blocks.append(Block(lines[begun:at], self.position + begun))
            self.overlong.append(self.position + at)
            at = begun = lines.find(b"\n", at) + 1
        if begun < len(lines):
            blocks.append(Block(lines[begun:], self.position + begun))
        self.position += len(lines)
        return blocks
