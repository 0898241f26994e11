"""Rows of tables that people keep: delimited text and the sheets of XLSX files (ECMA-376, SpreadsheetML).

Formulas are never evaluated: of a spreadsheet the values that its program stored are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from medwarden.model.book import RowProblem
from medwarden.sensors.delimited_text import (
    DELIMITERS,
    HEADING_WITHIN,
    encoding_of,
    split,
    text_of,
    text_rows,
    width_refusal,
)
from medwarden.sensors.logs.inventory_headings import cell_text
from medwarden.sensors.spreadsheet import ARCHIVE, opened

_FIRST = 1 << 20


class Row(NamedTuple):
    """A row of a table, its cells as people mean them; None where what stands there is no row."""

    line: int
    cells: list[str] | None


def tables(
    document: bytes, source: str, fit: Callable[[Sequence[str]], int], *, most_rows: int, most_columns: int
) -> Iterator[Iterator[Row]]:
    """Yield the tables of a file: the sheets of a spreadsheet, or the one of a text.

    The delimiter of a text is the one by which ``fit`` finds the most columns in one of its first lines. Of
    each row come up to ``most_columns`` cells and one more, which tells that there are too many. Raises
    MalformedInput for a spreadsheet that cannot or must not be opened.
    """
    if document.startswith(ARCHIVE):
        yield from _sheets(document, source, most_rows, most_columns)
        return
    encoding = encoding_of(document)
    text = text_of(document, encoding)
    first = text.read(_FIRST).splitlines()[:HEADING_WITHIN]
    text.seek(0)
    delimiter = max(
        DELIMITERS,
        key=lambda mark: max((fit(split(line, mark)[:most_columns]) for line in first), default=0),
    )
    yield (
        Row(row.line, None if row.cells is None else [cell_text(c) for c in row.cells[: most_columns + 1]])
        for row in text_rows(text, delimiter, encoding)
    )


def _sheets(document: bytes, source: str, most_rows: int, most_columns: int) -> Iterator[Iterator[Row]]:
    book = opened(document, source)
    for name in book.names:
        yield (
            Row(line, [_sheet_cell(value) for value in row[: most_columns + 1]] if any(row) else [""])
            for line, row in enumerate(book.sheet(name, most_rows + HEADING_WITHIN).rows, 1)
        )


def _sheet_cell(value: object) -> str:
    return cell_text(value).removesuffix("T00:00:00")


class RowProblems:
    """What is wrong with the rows of a table: the first of it named, all of it counted."""

    def __init__(self, most_named: int) -> None:
        self._most = most_named
        self._named: list[RowProblem] = []
        self.rejected = 0

    def add(self, line: int, reason: str, *, rejected: bool = True) -> None:
        """Add a fault of the row at ``line``; ``rejected`` says that nothing of the row was kept."""
        self.rejected += rejected
        if len(self._named) < self._most:
            self._named.append(RowProblem(line, reason, rejected))

    def named(self) -> tuple[RowProblem, ...]:
        """Return those that are named, by their lines."""
        return tuple(sorted(self._named, key=lambda problem: problem.line))


def sound_rows(
    rows: Iterable[Row], heading: Sequence[str], most_rows: int, problems: RowProblems
) -> Iterator[tuple[int, list[str]]]:
    """Yield line and cells of the rows that fit their heading; of the others say why they do not."""
    kept = 0
    for line, cells in rows:
        if cells is None:
            problems.add(line, "a row that is no CSV")
        elif not any(cells):
            continue
        elif (refusal := width_refusal(cells, heading)) is not None:
            problems.add(line, refusal)
        elif kept >= most_rows:
            problems.add(line, f"beyond {most_rows:,} rows")
        else:
            kept += 1
            yield line, cells
