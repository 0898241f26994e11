"""Spreadsheets are looked into, and the native reader is given what was looked at."""

from __future__ import annotations

import io
import warnings
import zipfile

import openpyxl
import pytest

from medwarden.kernel.errors import MalformedInput
from medwarden.sensors.spreadsheet import Book, archive_refusal, looked_into, opened

_ROWS = {
    "quoted otherwise": "<row r='1048576'><c r='XFD1048576'><v>1</v></c></row>",
    "behind a long attribute": f'<row r="9"><c a="{"x" * 200}" r="XFD1048576"><v>1</v></c></row>',
    "behind a greater-than sign": '<row r="9"><c a=">" r="XFD1048576"><v>1</v></c></row>',
    "with blanks": '<row r="9"><c r = "XFD1048576"><v>1</v></c></row>',
    "in small letters": '<row r="9"><c r="xfd1048576"><v>1</v></c></row>',
    "counted instead of named": '<row r="1048576">' + "<c><v>1</v></c>" * 16_000 + "</row>",
    "with letters that run over": f'<row r="9"><c r="{"a" * 64}A9"><v>1</v></c></row>',
    "with digits that run over": f'<row r="9"><c r="A{"9" * 40}"><v>1</v></c></row>',
    "with a prefix": '<x:row r="1048576"><x:c r="XFD1048576"><x:v>1</x:v></x:c></x:row>',
}


@pytest.mark.parametrize("rows", _ROWS.values(), ids=_ROWS)
@pytest.mark.parametrize("member", ["xl/worksheets/sheet1.xml", "xl/elsewhere/a.bin"])
def test_cells_far_apart_are_found_however_they_are_written(rows: str, member: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, f"<worksheet><sheetData>{rows}</sheetData></worksheet>")
    assert "reach over more than" in (archive_refusal(packed.getvalue()) or "")


@pytest.mark.parametrize("cell", ['<c r="A{n}"/><c r="B{n}"/>', "<c/><c/>"])
def test_ordinary_sheets_reach_as_far_as_they_go(cell: str) -> None:
    packed = io.BytesIO()
    rows = "".join(f'<row r="{n}">{cell.format(n=n)}</row>' for n in range(1, 60_000))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", f"<worksheet><sheetData>{rows}</sheetData></worksheet>")
    assert archive_refusal(packed.getvalue()) is None


@pytest.mark.parametrize("member", ["content.xml", "xl/workbook.bin"])
def test_other_forms_of_spreadsheets_are_named(member: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(member, "x")
    assert "another form than XLSX" in (archive_refusal(packed.getvalue()) or "")


def workbook(*rows: list[object]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def test_values_come_as_they_are_stored_and_the_height_with_them() -> None:
    book = opened(workbook(["mac", "serial"], ["02:00:00:00:00:01", 7], ["x", "y"]), "list.xlsx")
    assert book.names == ["Sheet"]
    sheet = book.sheet("Sheet", most_rows=2)
    assert (sheet.height, sheet.rows) == (3, [["mac", "serial"], ["02:00:00:00:00:01", 7.0]])


def test_the_reader_gets_only_members_that_were_looked_at() -> None:
    hidden, shown = workbook(["smuggled"]), workbook(["shown"])
    both = hidden + shown  # an archive begins anywhere; its directory, at the end, says what is in it
    assert b"smuggled" not in looked_into(both, "list.xlsx")
    assert opened(both, "list.xlsx").sheet("Sheet", 9).rows == [["shown"]]


def test_two_members_of_one_name_are_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        archive.writestr("xl/worksheets/sheet1.xml", "<worksheet/>")
        archive.writestr("xl/worksheets/Sheet1.xml", "<worksheet/>")
    assert archive_refusal(packed.getvalue()) == "a spreadsheet with two members of one name"


def test_a_member_that_is_damaged_is_named_so() -> None:
    document = bytearray(workbook(["mac"]))
    at = document.index(b"xl/worksheets/sheet1.xml") + 60
    document[at] ^= 0xFF
    with pytest.raises(MalformedInput, match=r"list.xlsx: a damaged spreadsheet"):
        opened(bytes(document), "list.xlsx")


@pytest.mark.parametrize("content", [b"", b"no spreadsheet", b"PK\x03\x04" + bytes(40)])
def test_what_is_no_spreadsheet_is_a_fault_of_the_file(content: bytes) -> None:
    with pytest.raises(MalformedInput, match=r"list.xlsx: "):
        Book(content, "list.xlsx")
