"""Delimited text that people keep (RFC 4180), whatever program wrote it.

It may be in UTF-8, in UTF-16 with a byte order mark or in the code page of Western Windows. Cells may hold
line ends; what a quote that is never closed would swallow is read again line by line.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

HEADING_WITHIN = 20
"""Rows among which a table's heading must stand."""

DELIMITERS = ",;\t|"

_PIECE = 1 << 20
_MOST_LINES = 1_000
_MOST_READ_AGAIN = 1_000


class TextRow(NamedTuple):
    """A row of delimited text: the line (from 1) and the byte (from 0) it begins at.

    ``cells`` is None where what stands there is no row: a cell that is too long, a quote without an end.
    """

    line: int
    offset: int
    cells: list[str] | None


def encoding_of(document: bytes) -> str:
    """Return how a text is encoded; its length may be that of memory, so it is tried in pieces."""
    if document[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        for at in range(0, len(document), _PIECE):
            decoder.decode(document[at : at + _PIECE], final=at + _PIECE >= len(document))
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def text_of(document: bytes, encoding: str) -> io.TextIOWrapper:
    """Return a text as lines that keep their ends, whatever these are."""
    return io.TextIOWrapper(io.BytesIO(document), encoding, "replace", newline="")


def split(line: str, delimiter: str) -> list[str]:
    """Return the cells of one line, none where it is no CSV."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def text_rows(lines: Iterable[str], delimiter: str, encoding: str, offset: int = 0) -> Iterator[TextRow]:
    """Yield the rows of delimited text; a line that begins none is told as such, and the next is tried.

    ``lines`` keep their ends, and the first begins at byte ``offset`` of what has the ``encoding``.
    A quote without an end is one that is still open after 1,000 lines or at the end of the text. How often
    lines are read again is bounded, so that text which is made for it takes no more than its length allows.
    """
    ahead = iter(lines)
    again: list[str] = []  # the next line last
    number, attempts = 1, 0
    octets = encoding.removesuffix("-sig")
    while True:
        taken: list[str] = []
        wanting = False

        def feed(taken: list[str] = taken) -> Iterator[str]:
            nonlocal wanting
            while len(taken) < _MOST_LINES:
                line = again.pop() if again else next(ahead, None)
                if line is None:
                    break
                taken.append(line)
                yield line
            wanting = True  # whoever asks on is inside a cell

        try:
            cells = next(csv.reader(feed(), delimiter=delimiter), None)
        except csv.Error:  # a cell longer than csv takes
            cells = None
        if not taken:
            return
        if wanting:
            cells = None
        if cells is None and attempts < _MOST_READ_AGAIN:
            attempts += 1
            again.extend(reversed(taken[1:]))
            del taken[1:]
        yield TextRow(number, offset, cells)
        number += len(taken)
        offset += sum(len(line.encode(octets, "replace")) for line in taken)


def width_refusal(cells: Sequence[str], heading: Sequence[str]) -> str | None:
    """Return why a row does not fit its heading, None where it does; empty cells at its end do no harm.

    A lost delimiter would shift every value behind it under a wrong heading.
    """
    short = len(cells) < len(heading) and any(heading[len(cells) :])
    if short or any(cells[len(heading) :]):
        return f"{len(cells)} cells, where the heading has {len(heading)}"
    return None
