"""Reading an MDS2 form from the bytes of a file: told by its content, within bounds."""

from __future__ import annotations

import msgspec

from medwarden.kernel.errors import MalformedInput
from medwarden.knowledge.mds2_layout import FEWEST, Table, read_tables
from medwarden.model.mds2 import Form, Problem, ProblemKind
from medwarden.sensors.compound_file import MAGIC
from medwarden.sensors.mds2_pdf import read_pdf
from medwarden.sensors.mds2_sheet import ZIP, read_sheets

LARGEST = 100 << 20
"""Bytes a form may have; makers put pictures into theirs."""

_PDF_WITHIN = 1024
_OLD = ("hn 1-2008", "hn 1-2004", "v 1.0 (2004")


def read_form(document: bytes, source: str) -> Form:
    """Return the form in a file that people call ``source``.

    Raises MalformedInput with a sentence for what is no form that is read: another kind of file, an encrypted
    or damaged one, a scan, a form of 2008 or before, a document without its questions.
    """
    if not document:
        raise MalformedInput(source, "the file is empty")
    if len(document) > LARGEST:
        raise MalformedInput(source, f"larger than {LARGEST >> 20} MiB, which no form is")
    if document.startswith((ZIP, MAGIC)):
        tables, remarks = read_sheets(document, source)
        read_from = "spreadsheet"
    elif b"%PDF-" in document[:_PDF_WITHIN]:
        tables, remarks, read_from = read_pdf(document, source)
    else:
        raise MalformedInput(source, "neither a spreadsheet (XLSX, XLSM, XLS) nor a PDF")
    form = read_tables(tables, read_from)
    if form is None:
        raise MalformedInput(source, _why_not(tables))
    noted = tuple(Problem(ProblemKind.REMARK, "", "", remark) for remark in remarks)
    return msgspec.structs.replace(form, problems=(*form.problems, *noted))


def _why_not(tables: list[Table]) -> str:
    text = " ".join(
        cell.casefold() for table in tables for row in table.rows[:60] for cell in row.cells if cell
    )[:200_000]
    if any(mark in text for mark in _OLD):
        return "a form of 2008 or before, which has other questions: ask the maker for HN 1-2019"
    return (
        f"no MDS2 form is in it: fewer than {FEWEST} of its lines have the number of a question of HN 1-2019"
        " or HN 1-2013"
    )
