from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from tests.knowledge.mds2_forms import Cells, rows_2013, rows_2019

from medwarden.knowledge.mds2_layout import Row, Table, read_tables
from medwarden.model.mds2 import Edition, Form, ProblemKind, Stance


def table(rows: list[Cells], name: str = "Form") -> Table:
    return Table(name, [Row(n, ["" if c is None else str(c) for c in row]) for n, row in enumerate(rows, 1)])


def read(*tables: Table) -> Form:
    form = read_tables(tables, "test")
    assert form is not None
    return form


def stance(form: Form, question: str) -> Stance:
    answer = form.answer(question)
    assert answer is not None
    return answer.stance


def test_every_answer_of_2019_is_read_and_nothing_of_it_is_lost() -> None:
    rows = rows_2019(
        {"TXCF-2": "Yes", "ALOF-1": "Perhaps", "ALOF-2": "", "RMOT-1": "See Note"},
        printed={"SAHD-15": "SHAD-15", "AUDT-8": "AUDT-88"},
        notes={"RMOT-1": "by VPN", "CONN-2": "DICOM 104/tcp"},
    )
    form = read(table(rows))
    assert form.edition is Edition.HN1_2019
    assert (form.header.vendor, form.header.model, form.header.released) == (
        "Nordlicht Medizintechnik GmbH", "Perfusor Aurora 200", "2024-05-17",
    )  # fmt: skip
    assert stance(form, "TXCF-2") is Stance.YES and stance(form, "SAHD-15") is Stance.NO
    remote = form.answer("RMOT-1")
    assert remote is not None and (remote.stance, remote.note) == (Stance.NOTE, "by VPN")
    assert [(p.port, p.transport, p.where) for p in form.ports] == [(104, "tcp", "CONN-2")]
    kinds = {(p.kind, p.question) for p in form.problems}
    assert {
        (ProblemKind.UNKNOWN_ID, "AUDT-88"), (ProblemKind.MISSING, "AUDT-8"),
        (ProblemKind.MISPRINTED_ID, "SAHD-15"), (ProblemKind.UNREADABLE, "ALOF-1"),
        (ProblemKind.EMPTY, "ALOF-2"),
    } <= kinds  # fmt: skip
    assert len(form.problems) == 6  # and the person to ask, who is not taken over


def test_people_named_in_a_form_are_not_taken_over() -> None:
    for form in (read(table(rows_2019())), read(table(rows_2013()))):
        assert "Erika" not in repr(form) and "0100" not in repr(form)
        assert any(p.kind is ProblemKind.REMARK and "names people" in p.words for p in form.problems)


def test_a_form_of_2013_is_read_with_its_notes() -> None:
    form = read(table(rows_2013({"18-2": "Yes", "20-1": "See Note"}, notes={"14-1": "1", "20-1": "2"})))
    assert form.edition is Edition.HN1_2013 and form.header.document == "MDS2-99"
    assert (form.header.released, form.header.software) == ("2016-05-17", "2.1")
    system = form.answer("14-1")
    assert system is not None and "Windows 7 Embedded" in system.note
    assert [(p.port, p.transport) for p in form.ports] == [(104, "tcp"), (2762, "tcp")]
    assert stance(form, "18-2") is Stance.YES and stance(form, "A") is Stance.NO


def test_a_note_that_is_not_there_is_named() -> None:
    form = read(table(rows_2019({"RMOT-1": "See Note"})))
    assert [p.question for p in form.problems if "does not have" in p.words] == ["RMOT-1"]


def test_answers_under_headings_of_their_own_are_read_by_marks() -> None:
    rows: list[Cells] = [["Question #", "Question", "Yes", "No", "N/A", "Note"]]
    marks = {"Yes": ["X", "", ""], "No": ["", "x", ""], "N/A": ["", "", "✓"]}
    rows += [
        [row[0], row[1], *marks[str(row[2])], row[3]]
        for row in rows_2013({"18-2": "Yes", "17-1": "N/A", "16-1": "Yes"})
        if len(row) == 4 and row[0] and row[2] in marks
    ]
    rows.append(["15-3", "Both", "X", "X", "", ""])
    form = read(table([r for r in rows if r[:2] != ["15-3", "It can communicate with the outside?"]]))
    assert stance(form, "18-2") is Stance.YES and stance(form, "17-1") is Stance.NOT_APPLICABLE
    assert stance(form, "20-1") is Stance.NO and stance(form, "15-3") is Stance.UNREADABLE


def test_merged_and_shifted_cells_keep_their_answers() -> None:
    rows = rows_2019({"TXCF-2": "Yes"})
    shifted: list[Cells] = []
    for row in rows:
        if row and row[0] == "TXCF-2":  # id merged over two rows, the answer in the lower one
            shifted += [[row[0], row[1], None, None], [None, None, row[2], None]]
        elif row and row[0] == "STCF-1":  # question merged over two columns
            shifted.append([row[0], row[1], None, "Yes, AES"])
        else:
            shifted.append(row)
    form = read(table(shifted))
    assert stance(form, "TXCF-2") is Stance.YES and stance(form, "STCF-1") is Stance.YES


def test_an_answer_given_twice_is_named_and_sheets_are_put_together() -> None:
    first = table([row for row in rows_2019() if row and str(row[0]).split("-")[0] != "TXCF"], "One")
    rest: list[Cells] = [["TXCF-2", "q", "Yes"], ["ALOF-1", "q", "Yes"]]
    rest += [[f"TXCF-{n}", "q", "No"] for n in (1, 3, 4, 5, "2.1")]
    form = read(table(rest, "Two"), first)
    assert stance(form, "TXCF-2") is Stance.YES and stance(form, "ALOF-1") is Stance.NO
    twice = [p for p in form.problems if p.kind is ProblemKind.TWICE]
    assert [(p.question, p.where) for p in twice] == [("ALOF-1", "Two, row 2")]


def test_what_is_no_form_is_none() -> None:
    assert read_tables([table([["hello"], ["Yes", "No"]])], "test") is None
    assert read_tables([], "test") is None


@given(
    st.lists(
        st.lists(
            st.sampled_from(["ALOF-1", "1-1", "Yes", "No", "", "Note 1", "A", "x", "TXCF-2"]), max_size=5
        )
    )
)
def test_any_table_is_read_or_refused(rows: list[list[str]]) -> None:
    form = read_tables([Table("t", [Row(n, row) for n, row in enumerate(rows, 1)])], "test")
    if form is not None:
        assert max(Counter(a.question for a in form.answers).values()) == 1
