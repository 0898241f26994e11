"""Answers as a table: the queue written as CSV to be filled in, and read back.

A line is a cluster or a device with one column for each level that may be answered; lines without a label
are left alone. Cells that a spreadsheet would take for a formula begin with an apostrophe, which is taken
off again when the table comes back.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.unknown import ANSWERED_LEVELS
from medwarden.inventory.clusters import Cluster
from medwarden.kernel.errors import ConfigurationError, MedwardenError
from medwarden.kernel.printable import neutral_text

if TYPE_CHECKING:
    from medwarden.app.answers import Given
    from medwarden.store.queries.scope import Scope

HEADING = ("target", "devices", "what they share", "looks like", *ANSWERED_LEVELS, "reason")
LARGEST = 16 << 20
"""Bytes that a table of answers may have."""

_MOST_EVIDENCE = 6


class Problem(msgspec.Struct, frozen=True):
    """A line that could not be used, and why."""

    line: int
    reason: str


class Row(msgspec.Struct, frozen=True):
    """A line that answers: a cluster or devices, and what they are."""

    line: int
    target: tuple[str, ...]
    labels: dict[str, str]
    reason: str


class Imported(msgspec.Struct, frozen=True):
    """What a table of answers came to."""

    given: tuple[Given, ...]
    problems: tuple[Problem, ...]
    empty: int


def queue_table(found: Iterable[Cluster]) -> str:
    """Return the queue as CSV (RFC 4180) with empty columns for the answers."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(HEADING)
    for cluster in found:
        shared = "; ".join(words for _, _, words in cluster.evidence[:_MOST_EVIDENCE])
        looks = "; ".join(f"{g.level} {g.label} ({g.confidence:.0%})" for g in cluster.guesses)
        blank = [""] * (len(ANSWERED_LEVELS) + 1)
        table.writerow([cluster.id, len(cluster.devices), neutral_text(shared), neutral_text(looks), *blank])
    return text.getvalue()


def read_answers(data: bytes, name: str) -> tuple[list[Row], list[Problem], int]:
    """Return the lines that answer, those that cannot be used, and how many were left empty.

    ``target`` holds a cluster's id, or devices by id, MAC or IP address with blanks between. Raises
    ConfigurationError for what is no such table.
    """
    if len(data) > LARGEST:
        raise ConfigurationError(f"{name}: larger than {LARGEST >> 20} MiB, which no table of answers is")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name}, byte {error.start}: not UTF-8 text") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found: list[Row] = []
    problems: list[Problem] = []
    empty = 0
    try:
        heads = [head.strip().lower() for head in rows.fieldnames or ()]
        if "target" not in heads or not set(heads) & set(ANSWERED_LEVELS):
            raise ConfigurationError(
                f"{name}, line 1: the columns target and one of {', '.join(ANSWERED_LEVELS)} are missing"
            )
        rows.fieldnames = heads
        for row in rows:
            said = {head: (row.get(head) or "").strip().removeprefix("'") for head in heads}
            labels = {level: said[level] for level in ANSWERED_LEVELS if said.get(level)}
            target = tuple(said["target"].split())
            if not labels:
                empty += 1
            elif not target:
                problems.append(Problem(rows.line_num, "a label, but no cluster or device it is about"))
            else:
                found.append(Row(rows.line_num, target, labels, said.get("reason", "")))
    except csv.Error as error:
        raise ConfigurationError(f"{name}, line {rows.line_num}: not a table ({error})") from error
    return found, problems, empty


def import_answers(scope: Scope, data: bytes, name: str, *, home: Path, actor: str) -> Imported:
    """Give every answer of a table; a line that cannot be used is named, the others count.

    Raises ConfigurationError for what is no table of answers.
    """
    from medwarden.app.answers import give_answer

    rows, problems, empty = read_answers(data, name)
    targets = clusters_first(rows)
    given: list[Given] = []
    for row in targets:
        reason = row.reason or f"from {Path(name).name}, line {row.line}"
        target: str | Sequence[str] = row.target[0] if len(row.target) == 1 else row.target
        try:
            given.append(give_answer(scope, target, row.labels, home=home, actor=actor, reason=reason))
        except MedwardenError as error:
            problems.append(Problem(row.line, str(error)))
    return Imported(tuple(given), tuple(sorted(problems, key=lambda p: p.line)), empty)


def clusters_first(rows: Sequence[Row]) -> list[Row]:
    """Return lines about clusters before those about devices: an answer may take devices out of a cluster."""
    return sorted(rows, key=lambda row: (not row.target[0].startswith("u-"), row.line))
