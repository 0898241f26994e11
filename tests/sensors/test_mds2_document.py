from __future__ import annotations

import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.knowledge import mds2_forms as made
from tests.knowledge.mds2_forms import Cells, Field

from medwarden.kernel.errors import MalformedInput
from medwarden.model.mds2 import Edition, Form, ProblemKind, Stance
from medwarden.sensors.mds2_apart import read_apart
from medwarden.sensors.mds2_document import read_form

SAID = {"TXCF-2": "Yes", "CSUP-2": "Yes, Windows 10", "RMOT-1": "See Note", "ALOF-2": "Perhaps"}
NOTES = {"RMOT-1": "by VPN", "CONN-2": "DICOM on 104/tcp"}
ROWS = made.rows_2019(SAID, notes=NOTES, printed={"SAHD-15": "SHAD-15"})


def right(form: Form) -> None:
    assert form.edition is Edition.HN1_2019
    assert form.header.model == "Perfusor Aurora 200" and form.header.released == "2024-05-17"
    stances = {answer.question: answer.stance for answer in form.answers}
    assert stances["TXCF-2"] is stances["CSUP-2"] is Stance.YES
    assert stances["RMOT-1"] is Stance.NOTE and stances["ALOF-2"] is Stance.UNREADABLE
    assert stances["SAHD-15"] is Stance.NO and len(stances) == 239
    remote = form.answer("RMOT-1")
    assert remote is not None and remote.note == "by VPN"
    assert [(p.port, p.transport) for p in form.ports] == [(104, "tcp")]
    named = {p.question for p in form.problems if p.kind is ProblemKind.MISPRINTED_ID}
    assert named == {"SAHD-15"}


def wrong(document: bytes) -> str:
    with pytest.raises(MalformedInput) as caught:
        read_form(document, "form.bin")
    return str(caught.value)


def test_an_xlsx_is_read_on_whatever_sheet_it_stands() -> None:
    right(
        read_form(
            made.xlsx({"Instructions": [["Read me"]], "MDS2": ROWS, "Ports": [["Nothing"]]}), "form.xlsx"
        )
    )


def test_merged_cells_are_read() -> None:
    areas = [f"B{n}:C{n}" for n in range(5, 12)]
    rows = [[row[0], row[1], None, *row[2:]] if len(row) > 2 else row for row in ROWS]
    right(read_form(made.xlsx({"MDS2": rows}, {"MDS2": areas}), "form.xlsx"))


def test_results_of_formulas_count_and_a_formula_without_one_is_named() -> None:
    rows = made.rows_2019({"TXCF-2": '=IF(TRUE,"Yes","No")', "STCF-1": '="N"&"o"'})
    line = next(n for n, row in enumerate(rows, 1) if row and row[0] == "TXCF-2")
    document = made.xlsx({"MDS2": rows})
    form = read_form(made.with_values(document, {f"C{line}": "Yes"}), "form.xlsx")
    assert {a.question: a.stance for a in form.answers}["TXCF-2"] is Stance.YES
    missing = [(p.kind, p.question) for p in form.problems if p.kind is ProblemKind.FORMULA]
    assert missing == [(ProblemKind.FORMULA, "STCF-1")]
    assert any(p.kind is ProblemKind.EMPTY and p.question == "STCF-1" for p in form.problems)


def test_macros_are_not_run_and_the_form_is_read() -> None:
    document = made.with_member(made.xlsx({"MDS2": ROWS}), "xl/vbaProject.bin", b"\xd0\xcf\x11\xe0 Attribut")
    form = read_form(document, "form.xlsm")
    right(form)
    assert [p.words for p in form.problems if "macros" in p.words] == ["it holds macros; they were not run"]


def test_the_older_form_of_excel_is_read() -> None:
    right(read_form(made.xls(ROWS), "form.xls"))


def test_a_form_of_fifty_megabytes_is_read() -> None:
    picture = os.urandom(1 << 20) * 50
    document = made.with_member(made.xlsx({"MDS2": ROWS}), "xl/media/image1.png", picture, stored=True)
    assert len(document) > 50 << 20
    right(read_apart(document, "form.xlsx"))
    right(read_apart(made.pdf(made.lines_of(ROWS), picture=True, padding=50 << 20), "form.pdf"))


def test_encrypted_files_are_named() -> None:
    assert "encrypted with a password" in wrong(made.encrypted_package())
    assert "encrypted with a password" in wrong(made.xls(ROWS, locked=True))
    flat = made.pdf(made.lines_of(ROWS))
    assert "encrypted with a password" in wrong(made.locked_pdf(flat, "secret"))
    right(read_form(made.locked_pdf(flat, "secret", owner_only=True), "form.pdf"))


def test_flat_text_of_a_pdf_is_read() -> None:
    form = read_form(made.pdf(made.lines_of(ROWS)), "form.pdf")
    right(form)
    assert form.read_from == "PDF text"
    old = read_form(made.pdf(made.lines_of(made.rows_2013({"18-2": "Yes"}, notes={"14-1": "1"}))), "old.pdf")
    assert old.edition is Edition.HN1_2013 and old.header.model == "Perfusor Aurora 100"
    system = old.answer("14-1")
    assert system is not None and "Windows 7" in system.note
    encrypted = old.answer("18-2")
    assert encrypted is not None and encrypted.stance is Stance.YES


def test_a_maker_whose_name_begins_with_a_letter_and_a_dot_is_no_question() -> None:
    head = ("B. Braun", "MDS2-3", "17-May-2016", "A model of pumps", "2.1")
    form = read_form(made.pdf(made.lines_of(made.rows_2013(head=head))), "form.pdf")
    assert (form.header.vendor, form.header.model) == ("B. Braun", "A model of pumps")
    assert sum(answer.question == "B" for answer in form.answers) <= 1


def fields(rows: list[Cells], named: bool) -> bytes:
    """Return a PDF whose answers stand in fields, named after ids or by running numbers."""
    printed = [row[:2] if len(row) > 2 and row[0] else row for row in rows]
    held: dict[int, list[Field]] = {}
    for number, row in enumerate(rows):
        if len(row) > 2 and row[0] and row[0] != "Question ID" and row[2]:
            name = str(row[0]).replace(".", "_") if named else f"Text{number}"
            height = 800 - (number % 34) * 22
            held.setdefault(number // 34, []).append((name, str(row[2]), 430, height))
            if row[3]:
                held[number // 34].append((f"{name}_Note", str(row[3]), 480, height))
    return made.pdf(made.lines_of(printed), held)


@pytest.mark.parametrize("named", [True, False])
def test_fields_of_a_pdf_are_read_by_name_or_by_place(named: bool) -> None:
    form = read_form(fields(ROWS, named), "form.pdf")
    right(form)
    assert form.read_from == "PDF fields"


def test_buttons_and_xfa_are_read() -> None:
    buttons = [("ALOF-1_Yes", "/Yes", 430.0, 700.0), ("ALOF-1_No", "/Off", 460.0, 700.0)]
    answers = made.usual(Edition.HN1_2019)
    others = [(key, value, 430.0, 600.0) for key, value in answers.items() if key != "ALOF-1"]
    form = read_form(made.pdf([[(40, 800, "A form")]], {0: [*buttons, *others]}), "form.pdf")
    assert {a.question: a.stance for a in form.answers}["ALOF-1"] is Stance.YES
    values = "".join(f"<{key}>{value}</{key}>" for key, value in answers.items())
    xfa = f'<x:datasets xmlns:x="http://www.xfa.org/schema/xfa-data/1.0/"><x:data>{values}</x:data></x:datasets>'
    form = read_form(made.pdf([[(40, 800, "Please wait")]], xfa=xfa), "form.pdf")
    assert form.header.vendor == "Nordlicht Medizintechnik GmbH" and len(form.answers) == 239
    assert "XFA form could not be read" in wrong(
        made.pdf([[(40, 800, "Please wait")]], xfa=f'<!DOCTYPE a [<!ENTITY b "c">]>{xfa}')
    )


def test_a_scan_is_named() -> None:
    reason = wrong(made.pdf([[] for _ in range(6)], picture=True))
    assert "a scan" in reason and "Ask the maker" in reason


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"", "empty"),
        (b"hello", "neither a spreadsheet"),
        (b"PK\x03\x04 broken", "damaged"),
        (b"%PDF-1.7 broken", "damaged PDF"),
        (made.xlsx({"A": [["hello"]]}), "no MDS2 form is in it"),
        (made.xlsx({"A": [["MDS2, HN 1-2008"]]}), "2008 or before"),
        (made.pdf([[(40, 800, "A letter that asks nothing. " * 9)]]), "no MDS2 form is in it"),
        (made.many_pages(301), "301 pages"),
        (made.pdf(made.lines_of(ROWS))[:9000], "damaged PDF"),
    ],
)
def test_what_is_no_form_is_refused_with_a_sentence(document: bytes, words: str) -> None:
    assert words in wrong(document)


def test_a_bomb_is_refused_before_it_is_opened() -> None:
    document = made.with_member(made.xlsx({"MDS2": ROWS}), "xl/worksheets/sheet9.xml", bytes(300 << 20))
    assert "unpacks to more than" in wrong(document)


def test_a_sheet_that_reaches_too_far_is_refused_before_it_is_opened() -> None:
    near = made.xls([["ALOF-1", "q", "Yes"]])
    label = struct.Struct("<HHHHHHB")  # kind, length, row, column, format, letters, wide
    far = near.replace(label.pack(0x204, 15, 0, 2, 0, 3, 1), label.pack(0x204, 15, 65535, 65535, 0, 3, 1))
    assert far != near
    assert "cells reach over" in wrong(far)


def test_a_cell_in_a_column_that_no_sheet_has_is_refused_before_it_is_opened() -> None:
    document = made.xlsx({"MDS2": [["ALOF-1", "q", "Yes"]]})
    assert "cells reach over" in wrong(made.moved(document, "C1", "nullC1"))


def test_a_text_document_is_told_from_a_spreadsheet() -> None:
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    assert "a text document, not a spreadsheet" in wrong(out.getvalue())


def test_a_reader_that_takes_too_much_is_ended() -> None:
    document = made.pdf(made.lines_of(ROWS), padding=30 << 20)
    with pytest.raises(MalformedInput, match="more memory or time"):
        read_apart(document, "form.pdf", memory=150 << 20)
    with pytest.raises(MalformedInput, match="a scan"):
        read_apart(made.pdf([[]], picture=True), "scan.pdf")


FLAT, BOOK, OLD = made.pdf(made.lines_of(ROWS)), made.xlsx({"MDS2": ROWS}), made.xls(ROWS)


@settings(max_examples=40)
@given(st.sampled_from([FLAT, BOOK, OLD]), st.data())
def test_any_damage_is_an_answer_or_a_sentence(document: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(document) - 1))
    damaged = bytearray(document)
    damaged[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged))) :]
    try:
        assert read_form(bytes(damaged), "form").answers
    except MalformedInput as error:
        assert error.reason
