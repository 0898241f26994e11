"""MDS2 forms as spreadsheets: XLSX, XLSM and XLS as tables of text.

Values are those that the program which wrote the file stored: formulas are not evaluated and macros not run.
ECMA-376 (SpreadsheetML); MS-XLS, MS-CFB, MS-OFFCRYPTO for what is recognised of the older form and of
encryption.
"""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from collections.abc import Iterator
from xml.sax.saxutils import unescape

from medwarden.kernel.errors import MalformedInput
from medwarden.knowledge.mds2_layout import Row, Table
from medwarden.knowledge.zip_archive import DAMAGE, open_archive
from medwarden.sensors.compound_file import CompoundError, CompoundFile, has_password, reach
from medwarden.sensors.spreadsheet import Book, looked_into

ZIP = b"PK\x03\x04"
MOST_ROWS = 20_000
MOST_COLUMNS = 64
MOST_SHEETS = 60
MOST_CELLS = 2_000_000
"""Places over which the cells of a form may reach."""

_LONGEST_CELL = 8000
_MOST_XML = 32 << 20
_SHEET = re.compile(rb"<(?:\w+:)?sheet\s[^>]*>")
_ATTRIBUTE = re.compile(rb"""(?<![\w:])([\w:]++)\s*+=\s*+["']([^"']*+)["']""")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\s[^>]*>")
_CELL = re.compile(
    rb"""<(?:\w{1,40}:)?c\s[^<>]{0,500}?r\s{0,9}=\s{0,9}["']([A-Z]{1,3})(\d{1,7})["'][^<>]{0,500}>(.{0,20000}?)</(?:\w+:)?c>""",
    re.DOTALL,
)
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
_VALUE = re.compile(rb"<(?:\w+:)?(?:v|t)(?:\s[^>]*)?>[^<]")


def read_sheets(document: bytes, source: str) -> tuple[list[Table], list[str]]:
    """Return the sheets of a spreadsheet as tables, and remarks (macros that were not run, cut sheets).

    Raises MalformedInput with a sentence for a file that is encrypted, damaged, too large once unpacked, or
    no spreadsheet of these forms.
    """
    remarks: list[str] = []
    if document.startswith(ZIP):
        document = looked_into(document, source, MOST_CELLS)
        _look_at_members(document, source, remarks)
        unstored = _formulas(document)
    else:
        _compound(document, source, remarks)
        unstored = {}
    book = Book(document, source)
    if len(book.names) > MOST_SHEETS:
        remarks.append(f"it has {len(book.names)} sheets; the first {MOST_SHEETS} were read")
    return [_table(book, name, unstored, remarks) for name in book.names[:MOST_SHEETS]], remarks


_LOCKED = "it is encrypted with a password: open it with the password, save it without, and bring that in"


def _look_at_members(document: bytes, source: str, remarks: list[str]) -> None:
    with open_archive(io.BytesIO(document), source) as archive:
        names = {name.casefold() for name in archive.namelist()}
    if not any(name.startswith("xl/") for name in names):
        kind = "a text document" if any(n.startswith("word/") for n in names) else "an archive"
        raise MalformedInput(source, f"{kind}, not a spreadsheet: save the form as XLSX or PDF")
    if any(name.endswith("vbaproject.bin") for name in names):
        remarks.append("it holds macros; they were not run")
    if any(name.startswith("xl/externallinks/") for name in names):
        remarks.append("it refers to other files; they were not opened")


def _compound(document: bytes, source: str, remarks: list[str]) -> None:
    try:
        file = CompoundFile(document)
        if any(entry.name == "EncryptedPackage" for entry in file.entries):
            raise MalformedInput(source, _LOCKED)
        book = file.stream("Workbook") or file.stream("Book")
    except CompoundError as error:
        raise MalformedInput(source, f"a damaged document ({error})") from error
    if book is None:
        raise MalformedInput(source, "no spreadsheet: save the form as XLSX or PDF")
    if has_password(book):
        raise MalformedInput(source, _LOCKED)
    if reach(book) > MOST_CELLS:
        raise MalformedInput(source, f"a spreadsheet whose cells reach over more than {MOST_CELLS:,} places")
    if any(entry.name == "_VBA_PROJECT_CUR" for entry in file.entries):
        remarks.append("it holds macros; they were not run")


def _table(
    book: Book,
    name: str,
    unstored: dict[str, frozenset[tuple[int, int]]],
    remarks: list[str],
) -> Table:
    sheet = book.sheet(name, MOST_ROWS)
    if sheet.height > MOST_ROWS:
        remarks.append(f"sheet {name[:60]!r} has {sheet.height:,} rows; {MOST_ROWS:,} were read")
    rows = [
        Row(line, [_text(value) for value in cells[:MOST_COLUMNS]])
        for line, cells in enumerate(sheet.rows, 1)
        if any(value not in ("", None) for value in cells)
    ]
    return Table(name, rows, unstored.get(name, frozenset()))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat().removesuffix("T00:00:00")
    return str(value).replace("\u00a0", " ").strip()[:_LONGEST_CELL]


def _formulas(document: bytes) -> dict[str, frozenset[tuple[int, int]]]:
    """Return, by sheet, line and column of formulas whose result the file does not hold.

    Only serves to say why an answer is empty: what cannot be looked up here is left out.
    """
    found: dict[str, frozenset[tuple[int, int]]] = {}
    try:
        with open_archive(io.BytesIO(document), "a form") as archive:
            targets = dict(_relations(_member(archive, "xl/_rels/workbook.xml.rels")))
            for tag in _SHEET.findall(_member(archive, "xl/workbook.xml")):
                said = dict(_ATTRIBUTE.findall(tag))
                name = unescape(said.get(b"name", b"").decode("utf-8", "replace"), {"&quot;": '"'})
                target = targets.get(next((v for k, v in said.items() if k.endswith(b":id")), b""), "")
                found[name] = frozenset(_unstored(_member(archive, target)))
    except (KeyError, MalformedInput, OSError, *DAMAGE):
        return found
    return found


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _MOST_XML:
        return b""
    return archive.read(name)


def _relations(document: bytes) -> Iterator[tuple[bytes, str]]:
    for tag in _RELATION.findall(document):
        said = dict(_ATTRIBUTE.findall(tag))
        target = said.get(b"Target", b"").decode("utf-8", "replace")
        yield said.get(b"Id", b""), target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _unstored(sheet: bytes) -> Iterator[tuple[int, int]]:
    for letters, line, inside in _CELL.findall(sheet):
        if _FORMULA.search(inside) and not _VALUE.search(inside):
            column = 0
            for letter in letters:
                column = column * 26 + letter - 64
            yield int(line), column - 1
