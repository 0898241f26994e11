"""The questions of both editions of the MDS2 form, the ids by which they are found, and their claims.

Ids are printed in many ways: with dots for hyphens, long dashes, blanks, ``SHAD-15`` where ``SAHD-15`` is
meant (the published form of 2019 prints it so). :func:`question_of` finds the one that is meant, or says that
there is none. ANSI/NEMA HN 1-2019, HIMSS/NEMA HN 1-2013.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from types import MappingProxyType

import msgspec
from rapidfuzz.distance import OSA

from medwarden.kernel.errors import InternalError
from medwarden.knowledge.packaged import load_yaml
from medwarden.model.mds2 import Answer, Claim, Edition, Problem, ProblemKind, Stance

TEXT, HEADING = "text", "heading"


class Question(msgspec.Struct, frozen=True):
    """One question: its id, its section, our words for it, and the claims that an answer makes.

    ``claims`` are pairs of a name and a mark: blank, ``!`` (contrary), ``+`` (a yes alone says something) or
    ``-`` (a no alone does). ``free`` ones are answered in words, a ``heading`` needs no answer of its own.
    """

    id: str
    edition: Edition
    section: str
    words: str
    claims: tuple[tuple[str, str], ...] = ()
    free: bool = False
    heading: bool = False


class Section(msgspec.Struct, frozen=True):
    """A section of an edition, with its questions in their order."""

    id: str
    title: str
    questions: tuple[Question, ...]


class _Section(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    questions: dict[str, list[str]]


@cache
def sections(edition: Edition) -> tuple[Section, ...]:
    """Return the sections of an edition. Raises InternalError where the packaged file does not hold."""
    said = load_yaml("mds2.yaml", dict[str, dict[str, _Section]])
    if set(said) != set(Edition):
        raise InternalError("the packaged file mds2.yaml does not hold the editions there are")
    return tuple(
        Section(
            name,
            section.title,
            tuple(_question(edition, name, key, words) for key, words in section.questions.items()),
        )
        for name, section in said[edition].items()
    )


def _question(edition: Edition, section: str, key: str, words: list[str]) -> Question:
    marked = [word for word in words[1:] if word not in (TEXT, HEADING)]
    claims = tuple((word.lstrip("!+-"), word[0] if word[0] in "!+-" else "") for word in marked)
    return Question(key, edition, section, words[0], claims, TEXT in words[1:], HEADING in words[1:])


@cache
def questions(edition: Edition) -> Mapping[str, Question]:
    """Return the questions of an edition by id."""
    return MappingProxyType({q.id: q for section in sections(edition) for q in section.questions})


class ClaimWords(msgspec.Struct, frozen=True):
    """What a yes to a claim means, and the group under which it is shown."""

    title: str
    group: str


@cache
def claim_words() -> Mapping[str, ClaimWords]:
    """Return the claims there are, by name, in the order in which they are shown."""
    said = load_yaml("mds2_claims.yaml", dict[str, tuple[str, str]])
    return MappingProxyType({name: ClaimWords(*words) for name, words in said.items()})


@cache
def claim_questions(edition: Edition) -> Mapping[str, tuple[tuple[Question, str], ...]]:
    """Return, by claim, the questions that speak to it in the order in which they decide, with their marks.

    Questions that speak both ways come before those of which a yes or a no alone says something.
    """
    found: dict[str, list[tuple[Question, str]]] = {}
    for question in questions(edition).values():
        for name, mark in question.claims:
            found.setdefault(name, []).append((question, mark))
    return MappingProxyType(
        {name: tuple(sorted(asked, key=lambda each: each[1] in ("+", "-"))) for name, asked in found.items()}
    )


_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\uff0d\u00ad_", "-"))
_NEW = re.compile(r"(D[O0]C|[A-Z][A-Z0-9]{3})[.\-]*([0-9IL][0-9OIL]*(?:[.,\-]+[0-9OIL]+){0,3})")
_OLD_LETTER = re.compile(r"([A-D])(?:[.\-]*([0-9IL]))?")
_OLD_NUMBER = re.compile(r"([0-9IL][0-9OIL]?)-([0-9OIL]{1,2}(?:[.,][0-9OIL]+){0,2})")
_DAY = re.compile(r"(?:19|20)\d\d-(\d\d)-(\d\d)")
_LONGEST_ID = 18
_MOST_SECTIONS = 24
"""Section numbers from which two numbers with a hyphen are no id of the form of 2013 (it has 20)."""

_DIGITS = str.maketrans("OIL", "011")


class Found(msgspec.Struct, frozen=True):
    """The question that a printed id means; ``misprinted`` where that is another than it says."""

    question: Question | None
    printed: str
    misprinted: bool = False


@lru_cache(maxsize=8192)
def question_of(printed: str, edition: Edition) -> Found | None:
    """Return the question of an edition that a printed id means; None for text that is no id.

    An id that looks like one of the form, but that the edition does not have, comes without a question.
    """
    text = " ".join(printed.translate(_DASHES).split())
    if not text or len(text) > _LONGEST_ID:
        return None
    plain = text.replace(" ", "").rstrip(".:)").upper()
    if edition is Edition.HN1_2013:
        return _of_2013(plain, text)
    return _of_2019(plain, text)


def _of_2019(plain: str, text: str) -> Found | None:
    known = questions(Edition.HN1_2019)
    if plain in known:
        return Found(known[plain], text)
    shaped = _NEW.fullmatch(plain)
    if shaped is None:
        return None
    parts = re.split(r"[.,\-]+", shaped.group(2).translate(_DIGITS))
    number = ".".join(part.lstrip("0") or "0" for part in parts)
    name = shaped.group(1)
    if name == "OTHR":
        words = questions(Edition.HN1_2019)["OTHR-1"]
        return Found(msgspec.structs.replace(words, id=f"OTHR-{number}"), text)
    meant = _near(name)
    if len(meant) == 1 and (question := known.get(f"{meant[0]}-{number}")) is not None:
        return Found(question, text, misprinted=meant[0] != name)
    return Found(None, text) if meant else None


def _near(name: str) -> tuple[str, ...]:
    """Return the sections that a printed name may mean: itself, or those it is a misprint of."""
    names = _section_names()
    spelt = name.replace("0", "O").replace("1", "I")
    if spelt in names:
        return (spelt,)
    return tuple(each for each in names if len(each) > 3 and OSA.distance(spelt, each, score_cutoff=1) <= 1)


@cache
def _section_names() -> frozenset[str]:
    return frozenset(section.id for section in sections(Edition.HN1_2019))


def _of_2013(plain: str, text: str) -> Found | None:
    known = questions(Edition.HN1_2013)
    if plain in known:
        return Found(known[plain], text)
    day = _DAY.fullmatch(plain)
    if day is not None:  # a spreadsheet program took 2-1 for the first of February
        meant = known.get(f"{int(day.group(1))}-{int(day.group(2))}")
        return None if meant is None else Found(meant, text, misprinted=True)
    letter = _OLD_LETTER.fullmatch(plain)
    if letter is not None:
        number = (letter.group(2) or "").translate(_DIGITS)
        key = f"{letter.group(1)}.{number}" if number else letter.group(1)
        return Found(known.get(key), text)
    shaped = _OLD_NUMBER.fullmatch(plain)
    if shaped is None:
        return None
    section, number = (part.translate(_DIGITS).replace(",", ".") for part in shaped.groups())
    if int(section) > _MOST_SECTIONS:
        return None
    key = f"{int(section)}-{number}"
    return Found(known.get(key), text)


def claims_of(edition: Edition, answers: Iterable[Answer]) -> tuple[dict[str, Claim], tuple[Problem, ...]]:
    """Return the claims that answers make, by name, and where two of them contradict each other."""
    given = {answer.question: answer for answer in answers}
    claims: dict[str, Claim] = {}
    problems: list[Problem] = []
    for name, asked in claim_questions(edition).items():
        spoken = [
            (given[question.id], holds)
            for question, mark in asked
            if question.id in given and (holds := _holds(given[question.id], mark)) is not None
        ]
        every = tuple(question.id for question, _ in asked)
        if not spoken:
            left_open = (given[q.id] for q, _ in asked if q.id in given and given[q.id].stance in _OPEN)
            open_answer = next(left_open, None)
            if open_answer is not None:
                claims[name] = Claim(
                    name, None, open_answer.question, open_answer.written, open_answer.note, every
                )
            continue
        answer, holds = spoken[0]
        claims[name] = Claim(name, holds, answer.question, answer.written, answer.note, every)
        problems.extend(
            Problem(
                ProblemKind.CONTRARY,
                other.question,
                other.where,
                f"{other.question} says the contrary of {answer.question}; {answer.question} counts",
            )
            for other, said in spoken[1:]
            if said is not holds
        )
    return claims, tuple(problems)


_OPEN = frozenset({Stance.NOTE, Stance.NOT_APPLICABLE, Stance.TEXT})


def _holds(answer: Answer, mark: str) -> bool | None:
    """Return whether an answer affirms a claim: None where it says nothing of it."""
    if answer.stance is Stance.YES:
        return None if mark == "-" else mark != "!"
    if answer.stance is Stance.NO:
        return None if mark == "+" else mark == "!"
    return None
