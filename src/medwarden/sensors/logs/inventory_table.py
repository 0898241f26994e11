"""Inventories as tables: CSV, TSV and XLSX of a CMMS, an asset list or a spreadsheet somebody keeps.

What a table says is what the hospital's books say, not what a device said of itself: evidence under
``inventory.``. Headings are recognised in several languages, others by ``LogSetting.columns``. Formulas are
never evaluated: of a spreadsheet the values that its program stored are read (ECMA-376).
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import ClassVar, NamedTuple

from medwarden.kernel.errors import MalformedInput
from medwarden.model.batch import Batch
from medwarden.model.log_source import Framing, LogManifest, LogSetting, LogTally, Tells
from medwarden.sensors.delimited_text import (
    DELIMITERS,
    HEADING_WITHIN,
    encoding_of,
    split,
    text_of,
    text_rows,
    width_refusal,
)
from medwarden.sensors.logs.gathering import Gathering
from medwarden.sensors.logs.inventory_headings import (
    FIELDS,
    cell_text,
    columns_of,
    ips_of,
    is_heading,
    macs_of,
)
from medwarden.sensors.spreadsheet import ARCHIVE, opened

MOST_ROWS = 1_000_000

_SHEETS = (b"xl/", b"[Content_Types].xml")
_MOST_ADDRESSES = 16


class _Record(NamedTuple):
    """One row of a table and where it begins."""

    cells: Sequence[object] | None  # None: what stands there is no row
    offset: int
    exact: bool = False  # a row has a cell for each of the heading


class InventoryTable:
    """Read what the books say of each device, by its MAC or IP address."""

    general: ClassVar[bool] = True
    manifest: ClassVar[LogManifest] = LogManifest(
        name="inventory_table",
        title="Inventory table",
        reference="RFC 4180; ECMA-376 (SpreadsheetML)",
        framing=Framing.DOCUMENT,
        fields=tuple(f"inventory.{field}" for field in FIELDS),
        tells=frozenset(
            {
                Tells.HARDWARE_ADDRESS,
                Tells.NAME,
                Tells.MAKE_AND_MODEL,
                Tells.OPERATING_SYSTEM,
                Tells.FIRMWARE,
                Tells.SERIAL,
                Tells.LOCATION,
            }
        ),
    )

    def __init__(self, name: str, setting: LogSetting) -> None:
        self._gathering = Gathering(self.manifest.name, name)
        self.tally: LogTally = self._gathering.tally
        self._own = setting.columns
        self._now = setting.now_ns

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether it is a spreadsheet, or text with an inventory's heading among its first lines."""
        if head.startswith(ARCHIVE):
            return any(name in head for name in _SHEETS) and b"word/" not in head and b"ppt/" not in head
        text = head[:8192].rpartition(b"\n")[0] or head[:8192]
        if b"\0" in text:
            return False
        lines = islice(text_of(text, encoding_of(text)), HEADING_WITHIN)
        return any(is_heading(columns_of(_split(line), {})) for line in lines)

    def feed(self, piece: bytes | memoryview, offset: int) -> None:
        """Take the whole table."""
        document = bytes(piece)
        if document.startswith(ARCHIVE):
            self._spreadsheet(document, offset)
        elif not self._table(_text_records(document, offset, self._own)) and document.strip():
            self._gathering.reject(offset, "no heading of an inventory in its first lines")

    def take(self, *, final: bool = False) -> Batch:
        """Return what has gathered since the last call."""
        del final
        return self._gathering.take()

    def _spreadsheet(self, document: bytes, offset: int) -> None:
        found = False
        try:
            book = opened(document, self.manifest.name)
            for name in book.names:
                rows = book.sheet(name, MOST_ROWS).rows
                found = self._table(_Record(row, offset) for row in rows) or found
        except MalformedInput as error:
            self._gathering.reject(offset, error.reason)
            return
        if not found:
            self._gathering.reject(offset, "no sheet has the heading of an inventory")

    def _table(self, records: Iterator[_Record]) -> bool:
        """Take the rows behind the heading; tell whether there was one."""
        columns: dict[int, str] | None = None
        heading: Sequence[str] = ()
        for number, record in enumerate(records):
            if record.cells is None:
                self._gathering.reject(record.offset, "a row that is no CSV")
                continue
            cells = [cell_text(value) for value in record.cells]
            if columns is None:
                fit = columns_of(cells, self._own)
                if is_heading(fit):
                    columns, heading = fit, cells
                elif number >= HEADING_WITHIN:
                    return False
            elif any(cells) and record.exact and width_refusal(cells, heading):
                self._gathering.reject(record.offset, "another number of cells than its heading has")
            elif any(cells):
                self._row(cells, columns, record.offset)
        return columns is not None

    def _row(self, cells: Sequence[str], columns: Mapping[int, str], offset: int) -> None:
        said = {field: cells[at] for at, field in columns.items() if at < len(cells) and cells[at]}
        macs = macs_of(said.pop("mac", ""))[:_MOST_ADDRESSES]
        ips = ips_of(said.pop("ip", ""))[:_MOST_ADDRESSES]
        if not macs and not ips:
            self._gathering.reject(offset, "a row without a sound MAC or IP address")
            return
        facts = self._gathering.facts
        # several cards with several addresses: which has which is not told, beyond the first
        ends: list[tuple[str | None, str | None]] = [(mac, None) for mac in macs] or [
            (None, ip) for ip in ips
        ]
        if macs and ips:
            ends[0] = macs[0], ips[0]
        for mac, ip in ends:
            if mac:
                facts.add(self._now, mac, ip, "inventory.mac", mac)
            for address in ips if macs else [ip or ""]:
                facts.add(self._now, mac, ip, "inventory.ip", address)
            for field, value in said.items():
                facts.add(self._now, mac, ip, f"inventory.{field}", value)
        self._gathering.accept()


def _delimiter(line: str) -> str:
    return max(DELIMITERS, key=line.count)


def _split(line: str) -> list[str]:
    return split(line, _delimiter(line))


def _text_records(document: bytes, offset: int, own: Mapping[str, str]) -> Iterator[_Record]:
    """Yield the records of a text; quoted cells may hold line ends."""
    encoding = encoding_of(document)
    first = list(islice(text_of(document, encoding), HEADING_WITHIN))
    heading = next((line for line in first if is_heading(columns_of(_split(line), own))), "")
    delimiter = _delimiter(heading or next(iter(first), ""))
    begin = offset + (len(codecs.BOM_UTF8) if document.startswith(codecs.BOM_UTF8) else 0)
    for row in text_rows(text_of(document, encoding), delimiter, encoding, begin):
        yield _Record(row.cells, row.offset, exact=True)


PARSER = InventoryTable
