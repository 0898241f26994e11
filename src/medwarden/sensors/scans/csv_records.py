"""Read CSV reports of strangers piece by piece (RFC 4180): bounded records, any of the usual separators."""

from __future__ import annotations

import csv
import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from io import IncrementalNewlineDecoder

from medwarden.kernel.errors import MalformedInput

LONGEST = 8 << 20
"""Letters of one record: the output of one check."""
_MOST_CELLS = 512


class CsvRecords:
    """Turns pieces of a file into rows of cells, with the line each begins on."""

    def __init__(self, source: str) -> None:
        self._source = source
        # A line end of two octets is one also where a piece ends between them.
        self._decoder = IncrementalNewlineDecoder(getincrementaldecoder("utf-8-sig")("replace"), False)
        self._rest: list[str] = []
        self._letters = 0
        self._quotes = 0
        self._line = 1
        self._begun = 1
        self.separator = ""

    def rows(self, piece: bytes, *, final: bool = False) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows that are whole. Raises MalformedInput for a record beyond bounds."""
        text = self._decoder.decode(piece, final).replace("\x00", "")
        for line in text.splitlines(keepends=True) if text else ():
            yield from self._line_of(line)
        if final and self._rest:
            yield from self._whole()

    def _line_of(self, line: str) -> Iterator[tuple[int, list[str]]]:
        self._rest.append(line)
        self._letters += len(line)
        self._quotes += line.count('"')
        if self._letters > LONGEST:
            raise MalformedInput(self._source, f"line {self._begun}: a record of over {LONGEST >> 20} MiB")
        if not line.endswith(("\n", "\r")):
            return
        self._line += 1
        if self._quotes % 2 == 0:
            yield from self._whole()

    def _whole(self) -> Iterator[tuple[int, list[str]]]:
        text, begun = "".join(self._rest), self._begun
        self._rest, self._letters, self._quotes, self._begun = [], 0, 0, self._line
        if not text.strip():
            return
        if not self.separator:
            self.separator = max(",;\t", key=text.count)
        try:
            for cells in csv.reader([text], delimiter=self.separator):
                yield begun, cells[:_MOST_CELLS]
        except csv.Error as error:
            raise MalformedInput(self._source, f"line {begun}: {error}") from error


def heading(cell: str) -> str:
    """Return a column heading in lower case, letters and digits only, words set apart by one blank."""
    return " ".join(re.findall(r"[a-z0-9]+", cell.lower()))


class Row:
    """The cells of one record by their headings."""

    def __init__(self, columns: dict[str, int], cells: list[str]) -> None:
        self._columns, self._cells = columns, cells

    def get(self, *names: str) -> str:
        """Return the first cell under one of these headings that is not empty."""
        for name in names:
            at = self._columns.get(name)
            if at is not None and at < len(self._cells):
                said = self._cells[at].strip()
                if said and said not in ("'-", "-", "N/A"):
                    return said
        return ""
