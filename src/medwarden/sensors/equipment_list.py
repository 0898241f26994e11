"""Equipment lists: the table that a CMMS, CMDB or ITSM exports, as CSV, TSV or XLSX.

Headings are recognised by their words in several languages and may be corrected. A row is named by its
line; one that cannot be used is counted with the reason, and nothing else is lost. Formulas are never
evaluated. RFC 4180; ECMA-376 (SpreadsheetML).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from medwarden.kernel.errors import MalformedInput
from medwarden.model.book import DATES, KEYS, BookRecord, EquipmentList
from medwarden.model.evidence import clean
from medwarden.sensors.delimited_text import HEADING_WITHIN
from medwarden.sensors.equipment_headings import (
    book_columns,
    date_of,
    day_first,
    demand_headings,
    money_of,
    standing_of,
    system_of,
)
from medwarden.sensors.logs.inventory_headings import ips_of, macs_of
from medwarden.sensors.table_rows import Row, RowProblems, sound_rows, tables

LARGEST = 256 << 20
"""Bytes a list may have."""

MOST_PROBLEMS = 10_000
"""Problems that are named; of more, those that leave a row out are counted."""

MOST_ROWS = 1_000_000
MOST_COLUMNS = 500


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
    found = tables(
        document,
        source,
        lambda cells: len(book_columns(cells, own)),
        most_rows=MOST_ROWS,
        most_columns=MOST_COLUMNS,
    )
    for rows in found:
        heading = _heading(rows, own)
        if heading is not None:
            demand_headings(own, heading, source)
            return _read(heading, rows, own, days_first)
    raise MalformedInput(
        source, "none of its first lines is the heading of an equipment list: map its columns by hand"
    )


def _heading(rows: Iterator[Row], own: Mapping[str, str]) -> list[str] | None:
    """Return the heading among the first rows; those behind it stay to be read."""
    for row in islice(rows, HEADING_WITHIN):
        fields = set(book_columns(row.cells or (), own).values())
        if row.cells and len(row.cells) <= MOST_COLUMNS and len(fields) >= 2 and fields & set(KEYS):
            return row.cells
    return None


def _read(
    heading: list[str], rows: Iterator[Row], own: Mapping[str, str], days_first: bool | None
) -> EquipmentList:
    columns = book_columns(heading, own)
    problems = RowProblems(MOST_PROBLEMS)
    kept: list[tuple[int, dict[str, list[str]]]] = []
    for line, cells in sound_rows(rows, heading, MOST_ROWS, problems):
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
        problems=problems.named(),
        system=system_of(heading),
        rejected=problems.rejected,
    )


def _records(
    rows: Iterable[tuple[int, dict[str, list[str]]]], order: bool | None, problems: RowProblems
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
    line: int, cells: Mapping[str, list[str]], order: bool | None, problems: RowProblems
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
