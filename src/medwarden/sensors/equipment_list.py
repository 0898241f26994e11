"""Equipment lists: the table that a CMMS, CMDB or ITSM exports, as CSV, TSV or XLSX.

Headings are recognised by their words in several languages and may be corrected. A row is named by its
line; one that cannot be used is counted with the reason, and nothing else is lost. Formulas are never
evaluated. RFC 4180; ECMA-376 (SpreadsheetML).
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import python_calamine

from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.book import DATES, KEYS, BookRecord, EquipmentList, RowProblem
from medwarden.model.evidence import clean
from medwarden.sensors.equipment_headings import (
    book_columns,
    date_of,
    day_first,
    money_of,
    standing_of,
    system_of,
)
from medwarden.sensors.logs.inventory_headings import cell_text, folded, ips_of, macs_of
from medwarden.sensors.logs.inventory_table import archive_refusal

LARGEST = 256 << 20
"""Bytes a list may have."""

MOST_PROBLEMS = 10_000
"""Problems that are named; of more, those that leave a row out are counted."""

MOST_ROWS = 1_000_000
MOST_COLUMNS = 500
_HEADING_WITHIN = 20
_DELIMITERS = ",;\t|"
_PIECE = 1 << 20
_ARCHIVE = b"PK\x03\x04"

Row = tuple[int, Sequence[str] | None]
"""A line number from 1 and its cells; None where what stands there is no row."""


def read_list(
    document: bytes, source: str, own: Mapping[str, str] | None = None, *, days_first: bool | None = None
) -> EquipmentList:
    """Read a list from the bytes of a file that people call ``source``.

    ``own`` maps headings to fields (:func:`~medwarden.sensors.equipment_headings.own_columns`);
    ``days_first`` says how dates such as 03/04/2026 are meant where the list itself does not tell. Raises
    MalformedInput where it is no table or none of its lines is the heading of an equipment list, and
    ConfigurationError where ``own`` names a heading that is not there.
    """
    own = own or {}
    if len(document) > LARGEST:
        raise MalformedInput(source, f"larger than {LARGEST >> 20} MiB, which no equipment list is")
    tables = _sheets(document, source) if document.startswith(_ARCHIVE) else [_text_rows(document, own)]
    for rows in tables:
        heading, rest = _heading(rows, own)
        if heading is None:
            continue
        missing = [name for name in own if folded(name) not in {folded(h) for h in heading}]
        if missing:
            raise ConfigurationError(
                f"{source}: no column is headed {missing[0][:60]!r}: "
                f"its headings are {', '.join(h for h in heading if h)[:400]}"
            )
        return _read(heading, rest, own, days_first)
    raise MalformedInput(
        source, "none of its first lines is the heading of an equipment list: map its columns by hand"
    )


def _sheets(document: bytes, source: str) -> Iterator[Iterator[Row]]:
    reason = archive_refusal(document)
    if reason is not None:
        raise MalformedInput(source, reason)
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(document))
        sheets = [book.get_sheet_by_name(name) for name in book.sheet_names]
        for sheet in sheets:
            values = sheet.to_python(skip_empty_area=False, nrows=MOST_ROWS + _HEADING_WITHIN)
            yield (
                (line, [_cell(value) for value in row[: MOST_COLUMNS + 1]] if any(row) else [""])
                for line, row in enumerate(values, 1)
            )
    except (python_calamine.CalamineError, OSError, ValueError, KeyError) as error:
        raise MalformedInput(source, f"no readable spreadsheet ({type(error).__name__})") from error


def _cell(value: object) -> str:
    text = cell_text(value)
    return text.removesuffix("T00:00:00")


def _encoding(document: bytes) -> str:
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


def _text_rows(document: bytes, own: Mapping[str, str]) -> Iterator[Row]:
    text = io.TextIOWrapper(io.BytesIO(document), _encoding(document), "replace", newline="")
    first = text.read(_PIECE).splitlines()[:_HEADING_WITHIN]
    text.seek(0)
    delimiter = max(_DELIMITERS, key=lambda mark: max((_fit(line, mark, own) for line in first), default=0))
    reader = csv.reader(text, delimiter=delimiter)
    while True:
        begun = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error:  # a cell longer than csv takes, or a NUL
            yield begun, None
            continue
        if row is None:
            return
        yield begun, [cell_text(value) for value in row[: MOST_COLUMNS + 1]]


def _fit(line: str, delimiter: str, own: Mapping[str, str]) -> int:
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return 0
    return len(book_columns(cells[:MOST_COLUMNS], own))


class _Problems:
    """What is wrong with the rows: the first of it named, all of it counted."""

    def __init__(self) -> None:
        self.named: list[RowProblem] = []
        self.rejected = 0

    def add(self, line: int, reason: str, *, rejected: bool = True) -> None:
        self.rejected += rejected
        if len(self.named) < MOST_PROBLEMS:
            self.named.append(RowProblem(line, reason, rejected))


def _heading(rows: Iterator[Row], own: Mapping[str, str]) -> tuple[list[str] | None, Iterator[Row]]:
    """Return the heading among the first rows, and the rows behind it."""
    for number, (_, cells) in enumerate(rows):
        if number >= _HEADING_WITHIN:
            break
        fields = set(book_columns(cells or (), own).values())
        if cells and len(cells) <= MOST_COLUMNS and len(fields) >= 2 and fields & set(KEYS):
            return list(cells), rows
    return None, rows


def _read(
    heading: list[str], rows: Iterator[Row], own: Mapping[str, str], days_first: bool | None
) -> EquipmentList:
    columns = book_columns(heading, own)
    problems = _Problems()
    kept: list[tuple[int, dict[str, list[str]]]] = []
    for line, cells in rows:
        if cells is None:
            problems.add(line, "a row that is no CSV")
        elif not any(cells):
            continue
        elif (len(cells) > len(heading) and any(cells[len(heading) :])) or len(cells) < len(heading):
            # a lost delimiter shifts every value behind it under a wrong heading
            problems.add(line, f"{len(cells)} cells, where the heading has {len(heading)}")
        elif len(kept) >= MOST_ROWS:
            problems.add(line, f"beyond {MOST_ROWS:,} rows")
        else:
            said: dict[str, list[str]] = {}
            for at, field in columns.items():
                value = clean(cells[at])
                if value:
                    said.setdefault(field, []).append(value)
            kept.append((line, said))
    order = days_first
    if order is None:
        order = day_first(value for _, said in kept for field in DATES for value in said.get(field, ()))
    records = list(_records(kept, order, problems))
    return EquipmentList(
        columns=tuple((heading[at], field) for at, field in columns.items()),
        unmapped=tuple(name for at, name in enumerate(heading) if name and at not in columns),
        records=tuple(records),
        problems=tuple(sorted(problems.named, key=lambda p: p.line)),
        system=system_of(heading),
        rejected=problems.rejected,
    )


def _records(
    rows: Iterable[tuple[int, dict[str, list[str]]]], order: bool | None, problems: _Problems
) -> Iterator[BookRecord]:
    used: Counter[str] = Counter()
    for line, cells in rows:
        said = _said(line, cells, order, problems)
        field = next((name for name in KEYS if said.get(name)), None)
        if field is None:
            problems.add(line, "nothing in it that a device could be known by")
            continue
        key = f"{field}:{said[field].partition(' ')[0] if field == 'mac' else said[field]}"[:180]
        used[key] += 1
        if used[key] > 1:
            problems.add(line, f"the same {field} as a row before it", rejected=False)
            key = f"{key}#{used[key]}"
        yield BookRecord(key, line, said)


def _said(
    line: int, cells: Mapping[str, list[str]], order: bool | None, problems: _Problems
) -> dict[str, str]:
    """Return the cells of a row in the forms of a record; what cannot be read is left out and named."""
    said: dict[str, str] = {}
    for field, values in cells.items():
        text: str | None = values[0][:400]
        if field == "mac":
            text = " ".join(dict.fromkeys(mac for value in values for mac in macs_of(value)))
        elif field == "ip":
            text = " ".join(dict.fromkeys(ip for value in values for ip in ips_of(value)))
        elif field in DATES:
            text = date_of(values[0], order)
        elif field == "status":
            text = standing_of(values[0])
        elif field == "cost":
            money = money_of(values[0])
            text = None if money is None else money[0]
            if money is not None and money[1]:
                said.setdefault("currency", money[1])
        if text:
            said[field] = text
        else:
            problems.add(line, f"{field}: {values[0][:40]!r} cannot be read", rejected=False)
    return said
