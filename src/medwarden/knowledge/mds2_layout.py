"""Finding the questions and answers of an MDS2 form in tables, whatever their layout.

The layout is told by content: the edition by whose ids are found, the column of ids by where they stand, the
column of answers by where yes and no stand (or under headings Yes, No and N/A by marks). Merged cells hold
their value once, so an answer may stand in a later row or column than its id. ANSI/NEMA HN 1-2019,
HIMSS/NEMA HN 1-2013.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from medwarden.knowledge.mds2 import Found, Question, claims_of, question_of, questions
from medwarden.knowledge.mds2_answers import (
    MARKS,
    distinct_ports,
    is_answer,
    numbered_note,
    ports_in,
    ports_of_table,
    referred,
    stance_of,
    text_answer,
    with_notes,
)
from medwarden.knowledge.mds2_header import header_of
from medwarden.model.mds2 import Answer, DeclaredPort, Edition, Form, Problem, ProblemKind, Stance

FEWEST = 8
"""Questions from which a document counts as a form of MDS2."""

_MOST_NOTED = 400
_LONGEST_WRITTEN = 400
_CONTACT = "DOC-5"
_HEADINGS = {
    "answer": frozenset(
        {
            "answer", "answers", "response", "responses", "reply", "yes, no, n/a, or see note",
            "yes no n/a see note", "yes, no, n/a or see note", "yes/no/n/a", "yes, no, or n/a",
        }
    ),
    "note": frozenset(
        {"note", "notes", "note #", "note no.", "see note", "see notes", "comment", "comments", "remark",
         "remarks", "explanation", "details"}
    ),
}  # fmt: skip
_MARKED = {
    "yes": Stance.YES, "no": Stance.NO, "n/a": Stance.NOT_APPLICABLE, "na": Stance.NOT_APPLICABLE,
    "see note": Stance.NOTE,
}  # fmt: skip
_REFERENCES = ("iec ", "iec/", "nist", "iso ", "iso/", "27002", "80001", "reference", "800-53")


class Row(NamedTuple):
    """A row of a table: its number from 1, and its cells as text."""

    line: int
    cells: Sequence[str]


class Table(NamedTuple):
    """A sheet, or a page of a document, as rows. ``name`` is how people find it.

    ``answer_at`` is the column of answers where the reader knows it.
    """

    name: str
    rows: Sequence[Row]
    unstored: frozenset[tuple[int, int]] = frozenset()
    """Line and column (from 0) of formulas whose result is not stored."""
    answer_at: int | None = None


class _Line(NamedTuple):
    """A row that holds an id, with the rows that belong to it."""

    found: Found
    row: Row
    at: int
    more: Sequence[Row]


def read_tables(tables: Sequence[Table], read_from: str) -> Form | None:
    """Return the form that the tables hold, or None where they hold none that is read."""
    found = _edition_of(tables)
    if found is None:
        return None
    edition, asked = found
    notes = _notes(asked)
    problems: list[Problem] = []
    answers: dict[str, Answer] = {}
    for table, lines in sorted(asked, key=lambda each: -len(each[1])):
        columns = _Columns.of(table, lines)
        for line in lines:
            where = f"{table.name}, row {line.row.line}" if table.name else f"row {line.row.line}"
            question = line.found.question
            written, beside, column = columns.answer(line, free=question is not None and question.free)
            remark = with_notes(beside, notes)
            if question is None:
                problems.append(_unknown(line.found.printed, written, remark, where))
                continue
            if line.found.misprinted:
                problems.append(_misprinted(line.found.printed, question.id, where))
            answer = _answer(question, written, remark, where, notes)
            _keep(answers, answer, problems, unstored=(line.row.line, column) in table.unstored)
    problems += _lacking(edition, answers)
    place = {key: number for number, key in enumerate(questions(edition))}
    ordered = tuple(answers[key] for key in sorted(answers, key=lambda k: (place.get(k, len(place)), k)))
    header, remarks = header_of(edition, tables, ordered)
    return Form(
        edition=edition,
        header=header,
        answers=tuple(answer for answer in ordered if answer.question != _CONTACT),
        ports=distinct_ports(_ports(tables, ordered)),
        problems=(*problems, *claims_of(edition, ordered)[1], *remarks),
        read_from=read_from,
    )


def _edition_of(tables: Sequence[Table]) -> tuple[Edition, list[tuple[Table, list[_Line]]]] | None:
    """Return the edition of whose questions the tables hold most, and the rows that ask them."""
    best: tuple[float, Edition, list[tuple[Table, list[_Line]]]] | None = None
    for edition in Edition:
        asked = [(table, _lines(table, edition)) for table in tables]
        known = {
            line.found.question.id for _, lines in asked for line in lines if line.found.question is not None
        }
        share = len(known) / len(questions(edition))
        if len(known) >= FEWEST and (best is None or share > best[0]):
            best = (share, edition, asked)
    return None if best is None else best[1:]


def _unknown(printed: str, written: str, remark: str, where: str) -> Problem:
    said = f"; its answer is {written[:60]!r}" if written else ""
    noted = f", its note {remark[:120]!r}" if remark else ""
    return Problem(
        ProblemKind.UNKNOWN_ID, printed, where, f"no question has the number {printed}{said}{noted}"
    )


def _misprinted(printed: str, meant: str, where: str) -> Problem:
    return Problem(ProblemKind.MISPRINTED_ID, meant, where, f"{printed} is printed where {meant} is meant")


def _answer(question: Question, written: str, remark: str, where: str, notes: dict[int, str]) -> Answer:
    if question.free:
        return text_answer(question.id, written, remark, where)
    stance, beside = stance_of(written)
    if stance is Stance.NOTE and not referred(beside):
        beside = ""
    note = with_notes((beside, remark), notes) if stance is not Stance.UNREADABLE else remark
    return Answer(question.id, stance, " ".join(written.split())[:_LONGEST_WRITTEN], note, where)


def _keep(answers: dict[str, Answer], answer: Answer, problems: list[Problem], *, unstored: bool) -> None:
    """Keep an answer; of two the one that is given, or the first, and say so where they differ."""
    before = answers.get(answer.question)
    if unstored and not answer.given:
        problems.append(
            Problem(
                ProblemKind.FORMULA,
                answer.question,
                answer.where,
                f"{answer.question} is answered by a formula whose result is not stored in the file: "
                "open it in a spreadsheet program and save it",
            )
        )
    if before is None or (answer.given and not before.given):
        answers[answer.question] = answer
        return
    if answer.given and (answer.stance, answer.written) != (before.stance, before.written):
        problems.append(
            Problem(
                ProblemKind.TWICE,
                answer.question,
                answer.where,
                f"{answer.question} is answered twice: {before.written[:60]!r} counts, "
                f"{answer.written[:60]!r} does not",
            )
        )


def _lacking(edition: Edition, answers: dict[str, Answer]) -> Iterator[Problem]:
    for question in questions(edition).values():
        answer = answers.get(question.id)
        if answer is None:
            if not question.heading:
                yield Problem(
                    ProblemKind.MISSING, question.id, "", f"the form does not have question {question.id}"
                )
        elif answer.stance is Stance.EMPTY and not question.heading:
            yield Problem(ProblemKind.EMPTY, question.id, answer.where, f"{question.id} is not answered")
        elif answer.stance is Stance.NOTE and not answer.note:
            yield Problem(
                ProblemKind.UNREADABLE,
                question.id,
                answer.where,
                f"{answer.written[:60]!r} points to a note that the form does not have",
            )
        elif answer.stance is Stance.UNREADABLE:
            yield Problem(
                ProblemKind.UNREADABLE,
                question.id,
                answer.where,
                f"{answer.written[:80]!r} is neither yes, no, not applicable nor a note",
            )


def _lines(table: Table, edition: Edition) -> list[_Line]:
    """Return the rows that hold an id, by the column in which most ids stand."""
    places: list[list[tuple[int, Found]]] = []
    counts: Counter[int] = Counter()
    for row in table.rows:
        here = [(at, found) for at, cell in enumerate(row.cells) if (found := question_of(cell, edition))]
        places.append(here)
        counts.update(at for at, found in here if found.question is not None)
    if not counts:
        return []
    column = max(counts, key=lambda at: (counts[at], -at))
    begun: list[tuple[int, int, Found]] = []
    for number, here in enumerate(places):
        own = next(((at, found) for at, found in here if at == column), None)
        if own is None and edition is Edition.HN1_2019:
            own = next(((at, f) for at, f in here if f.question and at < column + 2), None)
        if own is not None:
            begun.append((number, *own))
    lines = []
    for index, (number, at, found) in enumerate(begun):
        until = begun[index + 1][0] if index + 1 < len(begun) else number + 4
        lines.append(_Line(found, table.rows[number], at, table.rows[number + 1 : min(until, number + 4)]))
    return lines


class _Columns(NamedTuple):
    """Where answers and notes stand in a table; ``marks`` are columns headed Yes, No and N/A."""

    answer_at: int | None
    note_at: tuple[int, ...]
    marks: dict[int, Stance]

    @classmethod
    def of(cls, table: Table, lines: Sequence[_Line]) -> _Columns:
        """Return the columns by the headings above and the answers under them."""
        if table.answer_at is not None:
            return cls(table.answer_at, tuple(_to_the_right(table.answer_at + 1, table, frozenset())), {})
        votes: Counter[int] = Counter()
        filled: Counter[int] = Counter()
        for line in lines:
            for at in range(line.at + 1, len(line.row.cells)):
                cell = line.row.cells[at]
                votes[at] += is_answer(cell)
                filled[at] += bool(cell.strip())
        headed, references, marks = _headings(table, {line.row.line for line in lines})
        if len(marks) >= 2 and sum(votes[at] for at in marks) <= sum(filled[at] for at in marks) // 2 + 1:
            first = max(marks) + 1
            return cls(None, tuple(_to_the_right(first, table, references)), marks)
        answer = max(votes, key=lambda at: (votes[at], -at), default=None)
        if answer is None or votes[answer] == 0:
            answer = headed.get("answer")
        if answer is None:
            return cls(None, (), {})
        return cls(answer, tuple(_to_the_right(answer + 1, table, references)), {})

    def answer(self, line: _Line, *, free: bool) -> tuple[str, list[str], int]:
        """Return what is written as the answer, the notes beside it, and the column."""
        if self.marks:
            return self._marked(line)
        at = self.answer_at
        if at is None:
            return "", [], -1
        rows = [line.row, *line.more]
        notes = [row.cells[i] for row in rows[:1] for i in self.note_at if i < len(row.cells)]
        for number, row in enumerate(rows):
            written = row.cells[at] if at < len(row.cells) else ""
            if written.strip() and (number == 0 or is_answer(written)):
                if number:
                    notes = [row.cells[i] for i in self.note_at if i < len(row.cells)]
                return written, notes, at
        for i in range(line.at + (1 if not free else 2), len(line.row.cells)):
            cell = line.row.cells[i]
            if i not in self.note_at and (is_answer(cell) or (free and i < at and cell.strip())):
                return cell, notes, i
        if notes and is_answer(notes[0]):  # shifted by one: a column was put in, or cells were merged
            return notes[0], notes[1:], self.note_at[0]
        return "", notes, at

    def _marked(self, line: _Line) -> tuple[str, list[str], int]:
        cells = line.row.cells
        notes = [cells[i] for i in self.note_at if i < len(cells)]
        said = [
            (at, stance)
            for at, stance in self.marks.items()
            if at < len(cells) and (cells[at].strip().casefold() in MARKS or is_answer(cells[at]))
        ]
        words = {Stance.YES: "Yes", Stance.NO: "No", Stance.NOTE: "See note"}
        if len(said) > 1:
            return "/".join(words.get(stance, "N/A") for _, stance in said), notes, said[0][0]
        if said:
            return words.get(said[0][1], "N/A"), notes, said[0][0]
        odd = next((cells[at] for at in self.marks if at < len(cells) and cells[at].strip()), "")
        return odd, notes, min(self.marks)


def _headings(table: Table, with_ids: set[int]) -> tuple[dict[str, int], frozenset[int], dict[int, Stance]]:
    """Return the columns of headings, of references to other standards, and of marks."""
    headed: dict[str, int] = {}
    references: set[int] = set()
    marks: dict[int, Stance] = {}
    for row in table.rows:
        if row.line in with_ids:
            continue
        cells = [" ".join(cell.casefold().split()).strip(" :*") for cell in row.cells]
        here = {at: _MARKED[cell] for at, cell in enumerate(cells) if cell in _MARKED}
        if {Stance.YES, Stance.NO} <= set(here.values()) and not marks:
            marks = here
        for at, cell in enumerate(cells):
            for name, words in _HEADINGS.items():
                if cell in words:
                    headed.setdefault(name, at)
            if len(cell) < 60 and any(word in cell for word in _REFERENCES) and at > 1:
                references.add(at)
    return headed, frozenset(references), marks


def _to_the_right(first: int, table: Table, references: frozenset[int]) -> Iterator[int]:
    width = max((len(row.cells) for row in table.rows), default=0)
    stop = min((at for at in references if at >= first), default=width)
    yield from range(first, min(stop, first + 6))


def _notes(asked: Sequence[tuple[Table, Sequence[_Line]]]) -> dict[int, str]:
    """Return the notes at the end of a form by number."""
    found: dict[int, str] = {}
    for table, lines in asked:
        with_ids = {line.row.line for line in lines}
        for row in table.rows:
            if row.line in with_ids:
                continue
            filled = [cell for cell in row.cells if cell.strip()]
            for at, cell in enumerate(filled[:3]):
                noted = numbered_note(cell)
                if noted is None:
                    continue
                words = noted[1] or " ".join(filled[at + 1 :])
                if words and len(found) < _MOST_NOTED:
                    found.setdefault(noted[0], " ".join(words.split()))
                break
    return found


def _ports(tables: Sequence[Table], answers: Sequence[Answer]) -> Iterator[DeclaredPort]:
    for answer in answers:
        text = f"{answer.written} {answer.note}" if answer.stance is Stance.TEXT else answer.note
        if text:
            yield from ports_in(text, answer.question)
    for table in tables:
        yield from ports_of_table([(f"{table.name}, row {row.line}", row.cells) for row in table.rows])
