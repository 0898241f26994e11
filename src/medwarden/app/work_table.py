"""The work queue as a table for ticketing systems: out as rows, and owner, state and due day back in.

What comes back is matched by the action's id. Columns that are absent change nothing, an empty cell neither
(a single ``-`` empties); every row that cannot be used is named with its line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.work import state_named, step
from medwarden.kernel.clock import from_datetime, iso, wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.kernel.printable import neutral_text
from medwarden.risk.work.actions import day_of

if TYPE_CHECKING:
    from medwarden.store.queries import Scope
    from medwarden.store.queries.work import ActionFilter, ActionRow
    from medwarden.store.work import Step

HEADER = (
    "id", "site", "priority", "severity", "exploited", "kind", "title", "devices", "findings", "perhaps",
    "accepted", "known", "due", "late", "state", "owner", "team", "work_order", "labels", "target",
    "vulnerabilities", "why", "note",
)  # fmt: skip

LARGEST = 8 << 20
_MOST_ROWS = 50_000
_EMPTY = "-"
_YES = frozenset({"yes", "true", "1", "y"})


class Problem(msgspec.Struct, frozen=True):
    """A row that could not be used: its line in the file and why."""

    line: int
    reason: str


class TakenIn(msgspec.Struct, frozen=True):
    """What a table came to: rows read, actions changed, rows as before, those that could not be used.

    ``batch`` names the decisions, so that all of them can be taken back.
    """

    rows: int
    changed: int
    same: int
    problems: tuple[Problem, ...]
    batches: tuple[str, ...]


def export_row(row: ActionRow) -> dict[str, object]:
    """Return an action as exports carry it."""
    return {
        "id": row.id,
        "site": row.site,
        "priority": row.priority,
        "severity": row.severity,
        "exploited": row.exploited,
        "kind": row.kind,
        "title": row.title,
        "devices": row.devices,
        "findings": row.findings,
        "perhaps": row.shown.perhaps,
        "accepted": row.shown.accepted,
        "known": iso(row.known_ns)[:10],
        "due": "" if row.due_ns is None else iso(row.due_ns)[:10],
        "late": row.late,
        "state": row.state,
        "owner": row.owner,
        "team": row.team,
        "work_order": row.work_order,
        "labels": "; ".join(row.labels),
        "target": row.shown.target,
        "vulnerabilities": list(row.shown.vulnerabilities),
        "why": "; ".join(reason.why for reason in row.shown.reasons),
        "note": "",
    }


def csv_cells(row: dict[str, object]) -> list[str]:
    """Return a row as cells of a spreadsheet, in which nothing is a formula."""
    cells = []
    for name in HEADER:
        value = row[name]
        text = "; ".join(map(str, value)) if isinstance(value, list) else str(value)
        text = text.lower() if isinstance(value, bool) else text
        cells.append(neutral_text(text))
    return cells


def export_rows(
    scope: Scope, wanted: ActionFilter, *, sort: str = "-priority"
) -> Iterator[dict[str, object]]:
    """Yield the actions of a filter as exports carry them."""
    from medwarden.store.queries.work import actions

    now, offset = wall_clock(), 0
    while True:
        page = actions(scope, wanted, now_ns=now, sort=sort, offset=offset, limit=500)
        yield from (export_row(row) for row in page.items)
        offset += len(page.items)
        if not page.items or offset >= page.total:
            return


def take_in(scope: Scope, document: bytes, source: str, *, actor: str, reason: str) -> TakenIn:
    """Take owner, state, due day, work order, labels and notes back from a table (CSV, UTF-8).

    Raises MalformedInput where it is no table with a column ``id``; what is wrong with a row is among the
    problems, and the other rows count.
    """
    changed, same, problems, batches = 0, 0, list[Problem](), list[str]()
    rows = list(_rows(document, source))
    for line, cells in rows:
        try:
            held = _held(scope, cells)
            wanted = _step(cells, held)
            why = reason or f"taken in from {source.rpartition('/')[2]}, line {line}"
            batch = step(scope, [held.id], wanted, actor=actor, reason=why)
        except ConfigurationError as error:
            problems.append(Problem(line, str(error)))
            continue
        if batch:
            changed += 1
            batches.append(batch)
        else:
            same += 1
    return TakenIn(len(rows), changed, same, tuple(problems), tuple(batches))


def _rows(document: bytes, source: str) -> Iterator[tuple[int, dict[str, str]]]:
    if len(document) > LARGEST:
        raise MalformedInput(source, f"larger than {LARGEST >> 20} MiB, which no work queue is")
    try:
        text = document.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedInput(source, "not UTF-8: save the table as CSV in UTF-8", error.start) from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        head = [name.strip().lower().replace(" ", "_") for name in next(reader, [])]
        if "id" not in head:
            raise MalformedInput(source, "line 1 has no column id: export the queue and fill in that table")
        for number, cells in enumerate(reader):
            if number >= _MOST_ROWS:
                raise MalformedInput(source, f"more than {_MOST_ROWS:,} rows, which no work queue has")
            if any(cell.strip() for cell in cells):
                yield reader.line_num, dict(zip(head, (_plain(cell) for cell in cells), strict=False))
    except csv.Error as error:
        raise MalformedInput(source, f"line {reader.line_num} is no CSV ({error})") from error


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max(",;\t", key=head.count)


def _plain(cell: str) -> str:
    """Return a cell without the apostrophe by which exports keep spreadsheets from computing it."""
    text = cell.strip()
    return text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@") else text


def _held(scope: Scope, cells: dict[str, str]) -> ActionRow:
    from medwarden.store.queries.work import action

    row = action(scope, cells.get("id", ""), wall_clock())
    if row is None:
        raise ConfigurationError(f"there is no action {cells.get('id', '')[:40]!r}")
    return row


def _step(cells: dict[str, str], held: ActionRow) -> Step:
    from medwarden.store.work import Step

    def said(name: str) -> str | None:
        text = cells.get(name, "")
        return None if not text else "" if text == _EMPTY else text

    state, due, owner, labels = said("state"), said("due"), said("owner"), said("labels")
    team = held.team if "team" not in cells else cells["team"].lower() in _YES
    wanted = None if not state else state_named(state)
    return Step(
        state=None if wanted is None or wanted.value == held.state else wanted,
        owner=None if owner is None or (owner, team) == (held.owner, held.team) else owner,
        team=team,
        due_ns=_due(due, held),
        work_order=said("work_order"),
        labels=None if labels is None else tuple(labels.replace(";", ",").split(",")),
        note=said("note") or "",
    )


def _due(text: str | None, held: ActionRow) -> int | None:
    """Return the day that a cell sets: None where it is the one there is, 0 back to that of the rules."""
    if text is None:
        return None
    if text == "":
        return 0
    if held.due_ns is not None and text[:10] == iso(held.due_ns)[:10]:
        return None
    return due_day(text)


def due_day(text: str) -> int:
    """Return the end of a day (YYYY-MM-DD). Raises ConfigurationError for anything else."""
    found = day_of(text) if len(text.strip()) == 10 else None
    if found is None:
        today = datetime.now(UTC).strftime("%Y-%m-%d")
        raise ConfigurationError(f"{text[:30]!r} is no day: write it like {today}")
    return min(found, from_datetime(datetime(9999, 1, 1, tzinfo=UTC)))
