"""Seeds and readers of makers' disclosure forms: any file, the inside of a spreadsheet, a table."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from fuzz.equipment_seeds import workbook
from tests.knowledge import mds2_forms as made

from medwarden.knowledge.mds2 import claims_of
from medwarden.knowledge.mds2_layout import Row, Table, read_tables
from medwarden.model.mds2 import Edition, Form
from medwarden.sensors.mds2_document import read_form

_SAID = {"TXCF-2": "Yes", "ALOF-1": "Perhaps", "RMOT-1": "See Note", "CSUP-2": "Yes, Windows 10"}
_NEW = made.rows_2019(_SAID, printed={"SAHD-15": "SHAD-15"}, notes={"RMOT-1": "1", "CONN-2": "TCP 104"})[:60]
_OLD = made.rows_2013({"18-2": "Yes", "20-1": "See Note"}, notes={"14-1": "1", "20-1": "2"})
_XFA = "<d>" + "".join(f"<{k}>{v}</{k}>" for k, v in made.usual(Edition.HN1_2019, _SAID).items()) + "</d>"


def _lines(rows: Sequence[Sequence[object]]) -> bytes:
    return "\n".join("\t".join("" if c is None else str(c) for c in row) for row in rows).encode()


MDS2_SEEDS: dict[str, dict[str, bytes]] = {
    "mds2": {
        "xls": made.xls(_NEW),
        "xls_locked": made.xls([["ALOF-1", "q", "Yes"]], locked=True),
        "encrypted": made.encrypted_package(),
        "xlsx": made.xlsx({"A": _NEW}),
        "pdf": made.pdf(made.lines_of(_OLD)),
        "fields": made.pdf(
            [[(40, 800, "A form")]], {0: [("ALOF-1", "Yes", 430, 700), ("A_Note", "x", 480, 9)]}
        ),
        "xfa": made.pdf([[]], xfa=_XFA),
        "scan": made.pdf([[]], picture=True),
    },
    "mds2_sheet": {
        "cells": b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        + b"".join(
            b'<row r="%d"><c r="A%d" t="inlineStr"><is><t>AUDT-%d</t></is></c><c r="C%d" t="str"><f>A1</f>'
            b'<v>Yes</v></c><c r="D%d"><f>A2</f></c></row>' % (n, n, n, n, n)
            for n in range(1, 12)
        )
        + b'</sheetData><mergeCells><mergeCell ref="A1:B1"/></mergeCells></worksheet>',
    },
    "mds2_table": {"new": _lines(_NEW), "old": _lines(_OLD)},
}


def _told(form: Form) -> Hashable:
    """Hold a form to what it promises: every question once, claims that have questions, sentences."""
    asked = [answer.question for answer in form.answers]
    if len(asked) != len(set(asked)):
        raise AssertionError("a question is answered twice")
    claims, _ = claims_of(form.edition, form.answers)
    if any(claim.question not in asked for claim in claims.values()):
        raise AssertionError("a claim without its question")
    if any(not problem.words.strip() for problem in form.problems):
        raise AssertionError("a problem without words")
    return form.edition, min(len(asked), 9), frozenset(p.kind for p in form.problems), min(len(form.ports), 3)


def _any_file(data: bytes) -> Hashable:
    return _told(read_form(data, "file"))


def _sheet(data: bytes) -> Hashable:
    return _told(read_form(workbook(data), "file"))


def _table(data: bytes) -> Hashable:
    rows = [
        Row(n, line.split("\t")[:64])
        for n, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1)
    ]
    form = read_tables([Table("t", rows[:2000])], "table")
    return None if form is None else _told(form)


MDS2_TARGETS: dict[str, Callable[[bytes], Hashable]] = {
    "mds2": _any_file, "mds2_sheet": _sheet, "mds2_table": _table,
}  # fmt: skip
