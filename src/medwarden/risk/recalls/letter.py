"""The letter in which a hospital asks a maker for the status of vulnerabilities on a model.

Written in plain words, with a table that a maker can fill in and the statuses of CSAF and VEX, so that an
answer by machine is as welcome as one by hand. No device of the hospital is named: the maker needs the model.
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from medwarden.kernel.printable import neutral_text
from medwarden.model.vulnerability import ProductStatus


class LetterState(StrEnum):
    """Where a letter stands."""

    DRAFT = "draft"
    SENT = "sent"
    ANSWERED = "answered"
    CLOSED = "closed"  # without an answer, for a reason


class Asked(msgspec.Struct, frozen=True):
    """One vulnerability that the letter asks about: what is known of it."""

    id: str
    title: str = ""
    score: float | None = None
    exploited: bool = False


class Answered(msgspec.Struct, frozen=True):
    """What a maker said of one vulnerability; ``fixed_in`` is the version that corrects it."""

    vulnerability: str
    status: ProductStatus
    detail: str = ""
    fixed_in: str = ""
    remedy: str = ""


class Letter(msgspec.Struct, frozen=True):
    """What a letter says: to which maker, about which model at which firmware, which vulnerabilities."""

    number: str
    maker: str
    model: str
    firmware: str
    asked: tuple[Asked, ...]
    count: int
    answer_by: str
    sender: str = ""


STATUSES = {
    ProductStatus.AFFECTED: "affected",
    ProductStatus.NOT_AFFECTED: "not affected",
    ProductStatus.FIXED: "fixed in the version named",
    ProductStatus.UNDER_INVESTIGATION: "still being looked into",
}
"""Statuses that a maker may give, in words."""


def text_of(letter: Letter) -> str:
    """Return the letter as text."""
    product = " ".join(part for part in (letter.maker, letter.model) if part)
    at = f" with firmware {letter.firmware}" if letter.firmware else ""
    devices = "one device" if letter.count == 1 else f"{letter.count} devices"
    lines = [
        f"Subject: Status of vulnerabilities on {product}{at} (our reference {letter.number})",
        "",
        "Dear product security team,",
        "",
        f"we operate {devices} of the model {product}{at}. The vulnerabilities below may concern them,"
        " and we found no statement of yours that settles it. Please tell us for each:",
        "",
        "1. Is the product affected at this version? If not, why not?",
        "2. If it is: which version corrects it, and how do we get it?",
        "3. What may we do until then without losing your support: which services can be switched off, which"
        " peers and ports does the device really need?",
        "",
        *(f"- {_line(asked)}" for asked in letter.asked),
        "",
        "A CSAF or VEX document is the answer we can use best. Otherwise fill in the table that comes with"
        f" this letter ({', '.join(STATUSES.values())}).",
        f"Please answer by {letter.answer_by} and name our reference {letter.number}.",
        "",
        "Kind regards",
        letter.sender or "Biomedical engineering and information security",
    ]
    return "\n".join(lines) + "\n"


def _line(asked: Asked) -> str:
    score = "" if asked.score is None else f", CVSS {asked.score:.1f}"
    used = ", used in attacks" if asked.exploited else ""
    title = f": {asked.title}" if asked.title else ""
    return f"{asked.id}{score}{used}{title}"


def html_of(text: str, title: str) -> str:
    """Return a letter as a page that prints, without any script or address of elsewhere."""
    paragraphs = "".join(
        f"<p>{html.escape(part).replace(chr(10), '<br>')}</p>" for part in text.strip().split("\n\n")
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title></head><body>{paragraphs}</body></html>\n"
    )


def table_of(letter: Letter) -> str:
    """Return the table that a maker fills in, as CSV; a cell that begins like a formula is made harmless."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ("reference", "maker", "model", "firmware", "vulnerability", "cvss", "status", "fixed_in", "detail")
    )
    for asked in letter.asked:
        score = "" if asked.score is None else f"{asked.score:.1f}"
        cells = (letter.number, letter.maker, letter.model, letter.firmware, asked.id, score, "", "", "")
        writer.writerow([neutral_text(cell) for cell in cells])
    return out.getvalue()


def status_of(word: str) -> ProductStatus | None:
    """Return the status that a word of a person, CSAF or OpenVEX means, or None."""
    plain = " ".join(word.lower().replace("_", " ").split())
    known = {words: status for status, words in STATUSES.items()}
    known |= {status.value.replace("_", " "): status for status in STATUSES}
    known |= {"fixed": ProductStatus.FIXED, "investigating": ProductStatus.UNDER_INVESTIGATION}
    return known.get(plain)


def unanswered(asked: Sequence[str], answers: Sequence[Answered]) -> tuple[str, ...]:
    """Return the vulnerabilities of a letter that no answer settles."""
    settled = {a.vulnerability for a in answers if a.status is not ProductStatus.UNDER_INVESTIGATION}
    return tuple(each for each in asked if each not in settled)
