"""Disclosure statements of makers (MDS2): what a form says, question by question, and what it claims.

ANSI/NEMA HN 1-2019 and HIMSS/NEMA HN 1-2013, Manufacturer Disclosure Statement for Medical Device Security.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec


class Edition(StrEnum):
    """The editions of the form that are read."""

    HN1_2019 = "HN 1-2019"
    HN1_2013 = "HN 1-2013"


class Stance(StrEnum):
    """What an answer comes to."""

    YES = "yes"
    NO = "no"
    NOT_APPLICABLE = "not_applicable"
    NOTE = "note"  # "See note": the words decide, and a person reads them
    TEXT = "text"  # answered in words, as the question asks
    UNREADABLE = "unreadable"
    EMPTY = "empty"


class Answer(msgspec.Struct, frozen=True):
    """The answer to one question: what it comes to, the cell as it was written, remarks beside it, where."""

    question: str
    stance: Stance
    written: str = ""
    note: str = ""
    where: str = ""

    @property
    def given(self) -> bool:
        """Tell whether there is an answer that can be read."""
        return self.stance not in (Stance.EMPTY, Stance.UNREADABLE)


class ProblemKind(StrEnum):
    """What can be wrong with a part of a form. Nothing of it is dropped in silence."""

    UNKNOWN_ID = "unknown_id"  # looks like the number of a question, but no edition has it
    MISPRINTED_ID = "misprinted_id"  # taken for the question it must mean
    UNREADABLE = "unreadable"  # an answer that is neither yes, no, not applicable nor a note
    EMPTY = "empty"
    MISSING = "missing"  # a question of the edition that the form does not have
    TWICE = "twice"  # asked twice, and answered differently
    FORMULA = "formula"  # a formula whose result is not stored
    CONTRARY = "contrary"  # two answers of the form make opposite claims
    REMARK = "remark"  # macros, other sheets, personal data that were not taken over


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong or was set right, in a sentence, with where it stands."""

    kind: ProblemKind
    question: str
    where: str
    words: str


class Header(msgspec.Struct, frozen=True):
    """What a form says of itself and its device. ``released`` is a day (ISO 8601) where it can be read.

    Whom to ask at the maker is a person's name and is not taken over.
    """

    vendor: str = ""
    model: str = ""
    description: str = ""
    document: str = ""
    released: str = ""
    software: str = ""
    use: str = ""


class DeclaredPort(msgspec.Struct, frozen=True):
    """A port that the maker names; ``transport`` is tcp, udp or a blank, ``port_to`` ends a range."""

    transport: str
    port: int
    port_to: int | None = None
    words: str = ""
    where: str = ""

    def covers(self, transport: str, port: int) -> bool:
        """Tell whether a heard service is meant."""
        return self.transport in ("", transport) and self.port <= port <= (self.port_to or self.port)


class Form(msgspec.Struct, frozen=True):
    """A form as it was read: header, every question's answer in the order of the edition, ports, problems.

    ``read_from`` says by what it was read: cells of a spreadsheet, fields of a PDF, text of a PDF.
    """

    edition: Edition
    header: Header
    answers: tuple[Answer, ...]
    ports: tuple[DeclaredPort, ...] = ()
    problems: tuple[Problem, ...] = ()
    read_from: str = ""

    def answer(self, question: str) -> Answer | None:
        """Return the answer to a question, or None where the form does not have it."""
        return next((answer for answer in self.answers if answer.question == question), None)


class Claim(msgspec.Struct, frozen=True):
    """What a form claims on one matter, with the question that decides; ``holds`` is None where it leaves it.

    ``questions`` are all that speak to the matter.
    """

    name: str
    holds: bool | None
    question: str = ""
    written: str = ""
    note: str = ""
    questions: tuple[str, ...] = ()


class DeclaredSystem(msgspec.Struct, frozen=True):
    """An operating system that a form names: family (windows, linux, vxworks ...), version, its words."""

    family: str
    version: str
    words: str
    question: str


class Disclosure(msgspec.Struct, frozen=True):
    """What a maker discloses of a device: the claims of the form that counts for it.

    ``form`` is the form's id, ``released`` its day. ``attached`` says why it counts for the device.
    """

    form: str
    edition: Edition
    vendor: str
    model: str
    document: str = ""
    released: str = ""
    imported_ns: int = 0
    claims: Mapping[str, Claim] = MappingProxyType({})
    ports: tuple[DeclaredPort, ...] = ()
    systems: tuple[DeclaredSystem, ...] = ()
    attached: str = ""

    def says(self, name: str) -> bool | None:
        """Return what is claimed on a matter; None where nothing is."""
        claim = self.claims.get(name)
        return None if claim is None else claim.holds

    @property
    def title(self) -> str:
        """Return how a person calls the form."""
        named = self.document.upper().startswith("MDS2")
        number = self.document if named else " ".join(part for part in ("MDS2", self.document) if part)
        return f"{number} of {self.released}" if self.released else number


class NetworkNeeds(msgspec.Struct, frozen=True):
    """What a maker says that a device needs of the network: for the author of a policy.

    Each is None where the form leaves it open. ``ports`` are those that the form names; they are what the
    device may use, not what it must.
    """

    form: str
    title: str
    ports: tuple[DeclaredPort, ...]
    ports_listed: bool | None
    remote_service: bool | None
    remote_monitoring: bool | None
    external_communication: bool | None
    internet: bool | None
    fixed_destinations: bool | None
    wireless: bool | None
    time_server: bool | None
    directory: bool | None
