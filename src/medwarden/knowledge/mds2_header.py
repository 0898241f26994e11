"""What an MDS2 form says of itself: maker, model, number, day. People's names are not taken over."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from medwarden.knowledge.mds2_answers import day_of
from medwarden.model.mds2 import Answer, Edition, Header, Problem, ProblemKind

_NUMBERED = {
    "DOC-1": "vendor", "DOC-2": "description", "DOC-3": "model", "DOC-4": "document", "DOC-6": "use",
    "DOC-7": "released",
}  # fmt: skip
_LABELS = {
    "manufacturer": "vendor",
    "manufacturer name": "vendor",
    "company name": "vendor",
    "device model": "model",
    "device model(s)": "model",
    "model": "model",
    "model name": "model",
    "device category": "description",
    "device description": "description",
    "document id": "document",
    "document number": "document",
    "document release date": "released",
    "release date": "released",
    "software revision": "software",
    "software version": "software",
    "intended use of device in network-connected environment": "use",
}
_OTHER_LABELS = frozenset(
    {
        "software release date", "representative name/position", "representative contact information",
        "manufacturer contact information", "manufacturer or representative contact information", "title",
        "name", "department", "telephone #", "telephone", "e-mail", "email", "device description",
        "manufacturer disclosure statement for medical device security",
    }
)  # fmt: skip
_PERSON = re.compile(r"contact information|representative|telephone|e-?mail", re.IGNORECASE)
_LABEL_AND_VALUE = re.compile(r"\s*([A-Za-z][A-Za-z /()#-]{3,60}?)\s*:\s*(\S.*)", re.DOTALL)
_LONGEST = 500


class _Row(Protocol):
    @property
    def line(self) -> int: ...

    @property
    def cells(self) -> Sequence[str]: ...


class _Table(Protocol):
    @property
    def rows(self) -> Sequence[_Row]: ...


def header_of(
    edition: Edition, tables: Sequence[_Table], answers: Sequence[Answer]
) -> tuple[Header, tuple[Problem, ...]]:
    """Return the header, and a remark where contact data of a person were left where they are."""
    said: dict[str, str] = {}
    person = any(answer.question == "DOC-5" and answer.given for answer in answers)
    if edition is Edition.HN1_2019:
        for answer in answers:
            field = _NUMBERED.get(answer.question)
            if field is not None and answer.given:
                said[field] = answer.written
    for table in tables:
        for number, row in enumerate(table.rows):
            below = table.rows[number + 1].cells if number + 1 < len(table.rows) else ()
            person = _labelled(row.cells, below, said) or person
    released = day_of(said.get("released", ""))
    header = Header(
        vendor=_short(said.get("vendor", "")),
        model=_short(said.get("model", "")),
        description=_short(said.get("description", "")),
        document=_short(said.get("document", ""))[:200],
        released=released,
        software=_short(said.get("software", ""))[:200],
        use=" ".join(said.get("use", "").split())[:2000],
    )
    remarks = []
    if person:
        remarks.append(
            Problem(
                ProblemKind.REMARK,
                "DOC-5" if edition is Edition.HN1_2019 else "",
                "",
                "whom to ask at the maker stands in the file; it names people and is not taken over",
            )
        )
    if said.get("released") and not released:
        remarks.append(
            Problem(ProblemKind.UNREADABLE, "DOC-7" if edition is Edition.HN1_2019 else "", "",
                    f"the day of the document, {said['released'][:40]!r}, cannot be read")
        )  # fmt: skip
    return header, tuple(remarks)


def _labelled(cells: Sequence[str], below: Sequence[str], said: dict[str, str]) -> bool:
    """Take over what stands beside or under the labels of a row; tell whether one is of a person."""
    person = False
    labels = [_label(cell) for cell in cells]
    for at, cell in enumerate(cells):
        label = labels[at]
        if not label:
            joined = _LABEL_AND_VALUE.fullmatch(cell)
            field = _LABELS.get(_label(joined.group(1))) if joined else None
            if joined is not None and field is not None:
                said.setdefault(field, joined.group(2))
            continue
        if _PERSON.search(label):
            person = True
        field = _LABELS.get(label)
        if field is None:
            continue
        right = next((i for i in range(at + 1, len(cells)) if cells[i].strip()), None)
        if right is not None and not labels[right]:
            said.setdefault(field, cells[right])
        elif at < len(below) and below[at].strip() and not _label(below[at]):
            said.setdefault(field, below[at])
    return person


def _label(cell: str) -> str:
    """Return the label that a cell is, in lower case; a blank where it is none."""
    plain = " ".join(cell.casefold().split()).strip(" :*.")
    return plain if plain in _LABELS or plain in _OTHER_LABELS else ""


def _short(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
