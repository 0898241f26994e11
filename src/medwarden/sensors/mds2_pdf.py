"""MDS2 forms as PDF: fields (AcroForm, XFA) and flat text as tables. ISO 32000-1; XFA 3.3.

A field is told by its name, by its tooltip, or by the id that is printed beside it. Flat text is read in
lines as it stands on the page: id, question, answer, note. Nothing in a PDF is run or fetched.
"""

from __future__ import annotations

import io
import logging
import re
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.parsers import expat

import pypdf
from pypdf.errors import PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, NameObject, PdfObject

from medwarden.kernel.errors import MalformedInput
from medwarden.knowledge.mds2 import question_of
from medwarden.knowledge.mds2_answers import is_answer, numbered_note
from medwarden.knowledge.mds2_layout import Row, Table
from medwarden.model.mds2 import Edition

MOST_PAGES = 300
SECONDS = 120.0
"""Seconds of the processor that the pages of a document may take."""

LEAST_TEXT = 200
"""Letters below which a document with pictures counts as a scan."""

_MOST_FIELDS = 20_000
_MOST_XFA = 8 << 20
_DEEPEST = 40
_REACH = 16.0
"""Points between the middle of a field and the id that it belongs to."""

_DAMAGED = (
    PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError, OverflowError,
    ZeroDivisionError, NotImplementedError, UnicodeError, RecursionError, OSError, LookupError,
)  # fmt: skip
"""What a damaged PDF makes its reader raise; it promises nothing."""

TOO_MUCH = (
    "reading it takes more memory or time than any form needs: print it to a simpler PDF, or bring it as XLSX"
)
"""What is said of a form that cannot be read within bounds."""


class ReadPdf(NamedTuple):
    """Tables of a PDF, remarks, and by what it was read."""

    tables: list[Table]
    remarks: list[str]
    read_from: str


def read_pdf(document: bytes, source: str, seconds: float = SECONDS) -> ReadPdf:
    """Return the fields and pages of a PDF as tables.

    Raises MalformedInput with a sentence where it is encrypted, damaged, too long, takes too much of the
    processor or of memory, or is a scan without text.
    """
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(_opened(document, source), source, time.process_time() + seconds)
    except MemoryError as error:
        raise MalformedInput(source, TOO_MUCH) from error


def _opened(document: bytes, source: str) -> pypdf.PdfReader:
    try:
        reader = pypdf.PdfReader(io.BytesIO(document), strict=False)
        _unlock(reader, source)
        pages = len(reader.pages)
    except _DAMAGED as error:
        raise MalformedInput(source, f"a damaged PDF ({type(error).__name__})") from error
    if pages > MOST_PAGES:
        raise MalformedInput(source, f"a PDF of {pages:,} pages, which no form is: bring the form alone")
    return reader


def _unlock(reader: pypdf.PdfReader, source: str) -> None:
    if reader.is_encrypted and not reader.decrypt(""):
        raise MalformedInput(
            source,
            "it is encrypted with a password: open it with the password, print it to a PDF without one, and "
            "bring that in",
        )


def _read(reader: pypdf.PdfReader, source: str, until: float) -> ReadPdf:
    remarks: list[str] = []
    fields: list[Row] = []
    texts: list[Table] = []
    letters, pictures = 0, False
    for number in range(len(reader.pages)):
        if time.process_time() > until:
            raise MalformedInput(
                source, "reading it takes too long: print it to a simpler PDF, or bring XLSX"
            )
        try:
            page = reader.pages[number]
            lines = _lines(page)
            fields += _fields(page, number + 1)
            pictures = pictures or _has_pictures(page)
        except _DAMAGED as error:
            remarks.append(f"page {number + 1} could not be read ({type(error).__name__})")
            continue
        letters += sum(len(line.replace(" ", "")) for line in lines)
        texts.append(Table(f"page {number + 1}", list(_rows(lines)), answer_at=_ANSWER))
    try:
        fields += _xfa(reader)
    except (*_DAMAGED, expat.ExpatError) as error:
        remarks.append(f"the fields of its XFA form could not be read ({type(error).__name__})")
    if not fields and letters < LEAST_TEXT:
        if pictures:
            raise MalformedInput(
                source,
                "a scan: its pages are pictures without text. Ask the maker for the form as XLSX or as a PDF "
                "with text, or run it through text recognition first",
            )
        raise MalformedInput(source, "; ".join(["a PDF without text and fields", *remarks[:3]]))
    tables = [Table("fields", fields, answer_at=_ANSWER)] if fields else []
    return ReadPdf([*tables, *texts], remarks, "PDF fields" if fields else "PDF text")


_ID, _QUESTION, _ANSWER, _NOTE = range(4)
_APART = re.compile(r" {2,}|\t")
_TRAILING = re.compile(r"(.*[?:.)])\s+((?:Yes|No|N/?A|See\s+Note|Not\s+applicable)\b.*)", re.IGNORECASE)
_LONGEST_LINE = 4000


def _lines(page: pypdf.PageObject) -> list[str]:
    """Return the lines of a page as they stand; where that fails, as they come."""
    try:
        text = page.extract_text(extraction_mode="layout", layout_mode_space_vertically=False)
    except _DAMAGED:
        text = page.extract_text()
    return [line.rstrip()[:_LONGEST_LINE] for line in text.replace("\u00a0", " ").split("\n") if line.strip()]


class _Piece(NamedTuple):
    at: int
    text: str


def _pieces(line: str) -> list[_Piece]:
    found, at = [], 0
    for part in _APART.split(line):
        if part.strip():
            at = line.find(part, at)
            found.append(_Piece(at + len(part) - len(part.lstrip()), part.strip()))
            at += len(part)
    return found


def _begins(line: str) -> tuple[str, str] | None:
    """Return the id at the beginning of a line and what follows, or None."""
    for words in (1, 2, 3):
        parts = line.split(None, words)
        head = " ".join(parts[:words])
        for edition in Edition:
            found = question_of(head, edition)
            if found is None or (len(head.rstrip(".)")) == 1 and not _answered(line)):
                continue  # a sentence that begins with A, or a maker called B. Braun
            rest = line.lstrip()
            for part in parts[:words]:
                rest = rest[len(part) :].lstrip() if rest.startswith(part) else rest
            return head, " " * (len(line) - len(rest)) + rest
    return None


def _answered(line: str) -> bool:
    pieces = _pieces(line)
    apart = len(pieces) > 1 and any(is_answer(piece.text) for piece in pieces[1:])
    return apart or _TRAILING.fullmatch(line) is not None


def _rows(lines: Sequence[str]) -> Iterator[Row]:
    """Yield the lines of a page as rows of id, question, answer and note; what runs on is joined."""
    begun = [_begins(line) for line in lines]
    answers = Counter(
        piece.at // 4
        for line, begin in zip(lines, begun, strict=True)
        if begin is not None
        for piece in _pieces(begin[1])[:6]
        if is_answer(piece.text)
    )
    usual = answers.most_common(1)[0][0] * 4 + 2 if answers else None
    row: list[str] | None = None
    for number, (line, begin) in enumerate(zip(lines, begun, strict=True), 1):
        if begin is not None:
            if row is not None:
                yield Row(number - 1, row)
            row = [begin[0], *_parted(_pieces(begin[1]), usual)]
        elif row is not None and _runs_on(row, line):
            _run_on(row, _pieces(line), usual)
        else:
            if row is not None:
                yield Row(number - 1, row)
            row = ["", " ".join(line.split()), "", ""]
            pieces = _pieces(line)
            if len(pieces) > 1 and numbered_note(line) is None:
                yield Row(number, [piece.text for piece in pieces])
                row = None
    if row is not None:
        yield Row(len(lines), row)


_HEADED = frozenset(
    {
        "question id", "question", "question #", "answer", "response", "note", "notes", "see note", "note #",
        "yes, no, n/a, or see note", "comment", "comments", "#",
    }
)  # fmt: skip


def _runs_on(row: Sequence[str], line: str) -> bool:
    """Tell whether a line without an id belongs to the row before it: no note and no heading."""
    if numbered_note(line) is not None:
        return False
    if sum(piece.text.casefold() in _HEADED for piece in _pieces(line)) >= 2:
        return False
    return bool(row[_ID]) or numbered_note(row[_QUESTION]) is not None


def _parted(pieces: Sequence[_Piece], usual: int | None) -> list[str]:
    """Return question, answer and note of what stands behind an id."""
    at = next(
        (i for i, piece in enumerate(pieces) if is_answer(piece.text) and (i or len(pieces) == 1)), None
    )
    if at is None and usual is not None:
        at = next((i for i, piece in enumerate(pieces) if i and abs(piece.at - usual) <= 8), None)
    if at is None:
        whole = " ".join(piece.text for piece in pieces)
        trailing = _TRAILING.fullmatch(whole)
        if trailing is not None and is_answer(trailing.group(2)):
            return [trailing.group(1), trailing.group(2), ""]
        return (
            [pieces[0].text, " ".join(p.text for p in pieces[1:]), ""] if len(pieces) > 1 else [whole, "", ""]
        )
    text = [piece.text for piece in pieces]
    return [" ".join(text[:at]), text[at], " ".join(text[at + 1 :])]


def _run_on(row: list[str], pieces: Sequence[_Piece], usual: int | None) -> None:
    """Add a line that belongs to the row before it: to the question, the answer or the note."""
    if not row[_ID]:
        row[_QUESTION] += " " + " ".join(piece.text for piece in pieces)
        return
    for number, piece in enumerate(pieces):
        beside = usual is not None and piece.at >= usual - 8
        if (beside and not row[_ANSWER] and abs(piece.at - (usual or 0)) <= 8) or (
            not row[_ANSWER] and is_answer(piece.text) and (number or len(pieces) == 1)
        ):
            row[_ANSWER] = piece.text
        elif beside and usual is not None and piece.at > usual + 8:
            row[_NOTE] = f"{row[_NOTE]} {piece.text}".strip()
        elif beside and not is_answer(row[_ANSWER]):
            row[_ANSWER] += f" {piece.text}"
        else:
            row[_QUESTION] += f" {piece.text}"


def _has_pictures(page: pypdf.PageObject) -> bool:
    resources = page.get("/Resources")
    resources = resources.get_object() if resources is not None else {}
    things = resources.get("/XObject") if isinstance(resources, DictionaryObject) else None
    held = things.get_object() if things is not None else {}
    if not isinstance(held, DictionaryObject):
        return False
    kinds = (each.get_object() for each in list(held.values())[:50])
    return any(isinstance(each, DictionaryObject) and each.get("/Subtype") == "/Image" for each in kinds)


_NAMED_2019 = re.compile(
    r"(?<![A-Z0-9])(D[O0]C|[A-Z][A-Z0-9]{3})[\s._-]{0,2}(\d{1,2}(?:[._-]\d{1,2}){0,3})(?!\d)"
)
_NAMED_2013 = re.compile(r"(?<!\d)(\d{1,2})[-_](\d{1,2}(?:[._]\d{1,2}){0,2})(?!\d)")
_LETTERED = re.compile(r"(?:^|[\s_.Q])([A-D])[._-]?(\d)?(?=$|[\s_])")
_OF_NOTE = re.compile(r"note|comment|remark|expl", re.IGNORECASE)
_CHOICE = re.compile(r"(?:^|[\s._-])(yes|no|na|n/a|see ?note)(?:$|[\s._-])", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|[._]")
_OFF = frozenset({"off", "0", "false", ""})


class _Field(NamedTuple):
    name: str
    hint: str
    value: str
    button: bool
    middle: float


def _fields(page: pypdf.PageObject, number: int) -> list[Row]:
    """Return the fields of a page as rows of id, nothing, answer and note."""
    found = list(_widgets(page))
    if not found:
        return []
    beside: list[tuple[float, str]] = []
    if sum(_id_in(field) is not None for field in found) * 2 < len(found):
        beside = _ids_on(page)
    rows: dict[str, list[str]] = {}
    others: list[Row] = []
    for field in found:
        key = _id_in(field) or _nearest(field.middle, beside)
        if key is None:
            label = " ".join(_CAMEL.sub(" ", field.name.rpartition(".")[2]).split())
            if field.value and not field.button:
                others.append(Row(number, [label, field.value]))
            continue
        row = rows.setdefault(key, [key, "", "", ""])
        if field.button:
            choice = _CHOICE.search(f"{field.value} {field.name} {field.hint}")
            if field.value.casefold() not in _OFF:
                row[_ANSWER] = choice.group(1) if choice else field.value
        elif _OF_NOTE.search(field.name) or (row[_ANSWER] and not _id_in(field)):
            row[_NOTE] = f"{row[_NOTE]} {field.value}".strip()
        elif field.value or not row[_ANSWER]:
            row[_ANSWER] = field.value
    return [*(Row(number, row) for row in rows.values()), *others]


def _widgets(page: pypdf.PageObject) -> Iterator[_Field]:
    held = page.get("/Annots")
    annotations = held.get_object() if held is not None else ()
    if not isinstance(annotations, ArrayObject):
        return
    for each in annotations[:_MOST_FIELDS]:
        widget = each.get_object()
        if not isinstance(widget, DictionaryObject) or widget.get("/Subtype") != "/Widget":
            continue
        names, kind, value, hint = [], "", None, ""
        node: PdfObject | None = widget
        for _ in range(_DEEPEST):
            if not isinstance(node, DictionaryObject):
                break
            if "/T" in node:
                names.append(str(node["/T"]))
            kind = kind or str(node.get("/FT", ""))
            hint = hint or str(node.get("/TU", ""))
            value = node.get("/V") if value is None else value
            parent = node.get("/Parent")
            node = parent.get_object() if parent is not None else None
        button = kind == "/Btn"
        state = widget.get("/AS", value) if button else value
        yield _Field(".".join(reversed(names)), hint, _value(state), button, _middle(widget))


def _value(value: object) -> str:
    if isinstance(value, IndirectObject):
        value = value.get_object()
    if isinstance(value, ArrayObject):
        return ", ".join(_value(each) for each in value[:20])
    if value is None:
        return ""
    text = str(value)
    return (text.removeprefix("/") if isinstance(value, NameObject) else text).strip()[:8000]


def _middle(widget: DictionaryObject) -> float:
    area = widget.get("/Rect")
    area = area.get_object() if area is not None else None
    if not isinstance(area, ArrayObject) or len(area) != 4:
        return -1e9
    return (float(area[1]) + float(area[3])) / 2


def _id_in(field: _Field) -> str | None:
    """Return the id that a field's name or tooltip holds."""
    for text in (field.name.rpartition(".")[2], field.name, field.hint):
        if key := _id_of(text):
            return key
    return None


def _id_of(text: str) -> str | None:
    for match in _NAMED_2019.finditer(text.upper()):
        found = question_of(f"{match.group(1)}-{match.group(2).replace('_', '.')}", Edition.HN1_2019)
        if found is not None:
            return found.printed
    for match in _NAMED_2013.finditer(text):
        key = f"{match.group(1)}-{match.group(2).replace('_', '.')}"
        found = question_of(key, Edition.HN1_2013)
        if found is not None and found.question is not None:
            return key
    lettered = _LETTERED.search(text)
    if lettered is not None:
        return f"{lettered.group(1)}.{lettered.group(2)}" if lettered.group(2) else lettered.group(1)
    return None


def _ids_on(page: pypdf.PageObject) -> list[tuple[float, str]]:
    """Return the ids that are printed on a page with how high they stand."""
    found: list[tuple[float, str]] = []

    def take(text: str, outer: list[float], inner: list[float], _font: object, _size: float) -> None:
        words = text.split()
        for count in (1, 2):
            head = " ".join(words[:count])
            if head and any(question_of(head, edition) for edition in Edition):
                height = inner[4] * outer[1] + inner[5] * outer[3] + outer[5]
                found.append((height, head))
                break

    page.extract_text(visitor_text=take)
    return found


def _nearest(middle: float, ids: Sequence[tuple[float, str]]) -> str | None:
    near = min(ids, key=lambda each: abs(each[0] - middle), default=None)
    return near[1] if near is not None and abs(near[0] - middle) <= _REACH else None


def _xfa(reader: pypdf.PdfReader) -> list[Row]:
    """Return the values of an XFA form as rows; a document type with entities is refused."""
    parts = reader.xfa or {}
    data = parts.get("datasets") or b""
    if not data:
        return []
    if len(data) > _MOST_XFA:
        raise ValueError("too large")
    parser = expat.ParserCreate()
    path: list[str] = []
    text: list[str] = []
    rows: dict[str, list[str]] = {}
    others: list[Row] = []

    def start(name: str, _attributes: dict[str, str]) -> None:
        path.append(name.rpartition(":")[2])
        text.clear()

    def end(_name: str) -> None:
        name = path.pop()
        value = " ".join("".join(text).split())
        text.clear()
        key = _id_of(name) or (_id_of(path[-1]) if path else None)
        if key is None:
            if value:
                others.append(Row(0, [" ".join(_CAMEL.sub(" ", name).split()), value]))
            return
        row = rows.setdefault(key, [key, "", "", ""])
        place = _NOTE if _OF_NOTE.search(name) else _ANSWER
        row[place] = row[place] or value

    def refuse(*_said: object) -> None:
        raise ValueError("a document type")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text.append
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(data, True)
    return [*(Row(0, row) for row in rows.values()), *others][:_MOST_FIELDS]
