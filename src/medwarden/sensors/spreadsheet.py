"""Spreadsheets that others made, looked into before the native reader opens them.

An XLSX file is a zip archive (ECMA-376 part 2). How much it would unpack to and how far its cells reach is
looked up first, for the reader makes room for every place up to the last cell, and a process that asks for
more than there is ends. What the reader is then given is packed anew from what was looked at: two readers of
one archive need not see the same members in it. Formulas are never evaluated and macros never run.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import python_calamine

from medwarden.kernel.errors import MalformedInput
from medwarden.knowledge.zip_archive import DAMAGE, open_archive

ARCHIVE = b"PK\x03\x04"
"""How an archive begins."""

MOST_UNPACKED = 256 << 20
"""Bytes a spreadsheet may unpack to."""

MOST_RATIO = 200
"""How many times its own size a member of a spreadsheet may unpack to, once past a mebibyte."""

MOST_CELLS = 20_000_000

_PLACE = re.compile(rb"""[\s"']r\s*=\s*["']\s*([A-Za-z]*)(\d+)""")
_LONGEST_LETTERS, _LONGEST_DIGITS = len("XFD"), len("1048576")  # of the last cell that a sheet has
_ROW = re.compile(rb"<(?:[\w.-]+:)?row(?=[\s/>])")
_CELL = re.compile(rb"<(?:[\w.-]+:)?c(?=[\s/>])")
_LONGEST_TEXT = 4 << 20
_OTHER_BOOKS = ("content.xml", "xl/workbook.bin")
_DAMAGE = (*DAMAGE, OSError)


class Sheet(NamedTuple):
    """The values of a sheet, from its first row and column on, and how many rows it has in all."""

    height: int
    rows: Sequence[Sequence[object]]


class Book:
    """A spreadsheet in the native reader: XLSX that was looked into (:func:`opened`), or XLS."""

    def __init__(self, content: bytes, source: str) -> None:
        self._source = source
        with _native(source):
            self._book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
            self.names: list[str] = self._book.sheet_names

    def sheet(self, name: str, most_rows: int) -> Sheet:
        """Return the first rows of a sheet; raises MalformedInput where it cannot be read."""
        with _native(self._source):
            sheet = self._book.get_sheet_by_name(name)
            return Sheet(
                sheet.end[0] + 1 if sheet.end else 0, sheet.to_python(skip_empty_area=False, nrows=most_rows)
            )


def opened(document: bytes, source: str) -> Book:
    """Open an XLSX file; raises MalformedInput where it is damaged, locked or reaches too far."""
    return Book(looked_into(document, source), source)


def looked_into(document: bytes, source: str, most_cells: int = MOST_CELLS) -> bytes:
    """Return an archive packed anew from what was looked at; raises MalformedInput as :func:`opened` does."""
    reason = archive_refusal(document, most_cells)
    if reason is not None:
        raise MalformedInput(source, reason)
    packed = io.BytesIO()
    try:
        with (
            open_archive(io.BytesIO(document), source) as archive,
            zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as anew,
        ):
            for member in archive.infolist():
                anew.writestr(member.filename, archive.read(member))
    except _DAMAGE as error:
        raise MalformedInput(source, f"a damaged spreadsheet ({error})") from error
    return packed.getvalue()


@contextmanager
def _native(source: str) -> Iterator[None]:
    try:
        yield
    except (python_calamine.CalamineError, OSError, ValueError, KeyError, IndexError) as error:
        raise MalformedInput(source, f"no readable spreadsheet ({type(error).__name__})") from error
    except BaseException as error:
        # The native reader panics on some damage; its exception is no Exception and cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise MalformedInput(source, "a damaged spreadsheet") from error


def archive_refusal(document: bytes, most_cells: int = MOST_CELLS) -> str | None:
    """Return why an archive is not to be opened, by its directory and how far its cells reach."""
    try:
        with open_archive(io.BytesIO(document), "a spreadsheet") as archive:
            members = archive.infolist()
            reach = 0
            if sum(member.file_size for member in members) <= MOST_UNPACKED:
                reach = max((_reach(archive, member) for member in members), default=0)
    except MalformedInput as error:
        return f"a spreadsheet that cannot be opened: {error.reason}"
    except _DAMAGE as error:
        return f"a damaged spreadsheet ({error})"
    if any(member.filename.lower() in _OTHER_BOOKS for member in members):
        return "a spreadsheet in another form than XLSX: save it as XLSX or CSV"
    if reach > most_cells:
        return f"a spreadsheet whose cells reach over more than {most_cells:,} places"
    if len({member.filename.casefold() for member in members}) < len(members):
        return "a spreadsheet with two members of one name"
    total = sum(member.file_size for member in members)
    if total > MOST_UNPACKED:
        return f"a spreadsheet that unpacks to more than {MOST_UNPACKED >> 20} MiB"
    for member in members:
        packed = max(member.compress_size, 1)
        if member.file_size > 1 << 20 and member.file_size > MOST_RATIO * packed:
            return f"a spreadsheet that unpacks to more than {MOST_RATIO} times its size"
        if member.flag_bits & 1:
            return "a spreadsheet with a password"
    return None


def _reach(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Return over how many places the cells of a sheet reach at most: that much room its reader would take.

    Any member may be a sheet, for relationships name them; cells and rows without a place follow the last.
    """
    if member.flag_bits & 1 or member.file_size > MOST_RATIO * max(member.compress_size, 5243):
        return 0  # refused for that
    row = column = unplaced_rows = unplaced = most_unplaced = 0
    with archive.open(member) as sheet:
        rest = b""
        while piece := sheet.read(1 << 20):
            whole, end, rest = (rest + piece).rpartition(b">")
            if len(rest) > _LONGEST_TEXT:
                return MOST_CELLS + 1
            for number, part in enumerate(_ROW.split(whole + end)):
                places = _PLACE.findall(part)
                placed = sum(bool(letters) for letters, _ in places)
                unplaced = (0 if number else unplaced) + max(len(_CELL.findall(part)) - placed, 0)
                most_unplaced = max(most_unplaced, unplaced)
                unplaced_rows += bool(number) and placed == len(places)
                if not places:
                    continue
                letters, digits = ({place[half] for place in places} for half in (0, 1))
                if max(map(len, letters)) > _LONGEST_LETTERS or max(map(len, digits)) > _LONGEST_DIGITS:
                    return MOST_CELLS + 1  # the native reader's numbers would run over
                row = max(row, max(map(int, digits)))
                column = max(column, max(map(_column, letters)))
    return (row + unplaced_rows) * (column + most_unplaced)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number
