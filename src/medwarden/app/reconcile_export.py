"""What reconciliation says as tables: for people, and for a CMMS or CMDB to take back in its own columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.reconcile import booked_as, rules_of
from medwarden.inventory.reconcile_fields import fields_of
from medwarden.inventory.reconcile_findings import BookedAs
from medwarden.inventory.reconcile_sides import device_side
from medwarden.kernel.clock import iso
from medwarden.kernel.printable import neutral_cell
from medwarden.knowledge.reconciliation import ReconciliationRules, Winner
from medwarden.knowledge.taxonomy import name_of
from medwarden.model.book import KEYS, SEVERAL
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.model.device import Device
    from medwarden.store.models import Book
    from medwarden.store.queries.books import ReconciledRow

LINE_COLUMNS = (
    "situation", "book", "row", "line", "asset_tag", "serial", "vendor", "model", "department", "room",
    "status", "state", "probability", "disagrees", "shared_with_other_rows", "device", "device_name",
    "device_vendor", "device_model", "device_macs", "device_ips", "device_last_seen",
)  # fmt: skip
"""Columns of an export of reconciliation."""

ACTION = "medwarden action"
"""Heading of the column that says whether to update or to create."""

_AT_ONCE = 200


class WriteBack(msgspec.Struct, frozen=True):
    """Rows for a book's own system: its headings behind :data:`ACTION`, cells in that order.

    An update names the row by its keys and fills in what the network knows better; an empty cell means that
    the book's own stays.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    updated: int
    created: int


def line_cells(line: ReconciledRow) -> tuple[object, ...]:
    """Return a line of the reconciliation as cells under :data:`LINE_COLUMNS`."""
    row, match = line.row, line.matches[0] if line.matches else None
    device = line.device or (match.device if match else None)
    said = row.said if row else {}
    probability = None if match is None else round(_probability(match.log_odds), 4)
    return (
        line.situation.value,
        row.book_name if row else "",
        row.key if row else "",
        row.line if row else "",
        *(
            said.get(f, "")
            for f in ("asset_tag", "serial", "vendor", "model", "department", "room", "status")
        ),
        match.state if match else "",
        "" if probability is None else probability,
        " ".join(match.disagrees) if match else "",
        " ".join(row.twins) if row else "",
        device.id if device else "",
        (device.name or "") if device else "",
        (device.vendor or "") if device else "",
        (device.model or "") if device else "",
        " ".join(device.macs) if device else "",
        " ".join(device.ips) if device else "",
        iso(device.last_seen) if device else "",
    )


def _probability(log_odds: float) -> float:
    from math import exp

    return 1 / (1 + exp(-max(min(log_odds, 700.0), -700.0)))


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV (RFC 4180) in which no cell is a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([neutral_cell(column) for column in columns])
    writer.writerows([neutral_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def rows_for(home: Path, name: str, *, actor: str, site: str | None = None) -> WriteBack:
    """Return what to create and update in the system behind a book, and write to the audit chain who took it.

    Raises ConfigurationError where there is no such book.
    """
    with open_store(home, writer=True, role="books"):
        from medwarden.store.open import ensure_site

        tenant, place = ensure_site(None, site)
        return write_back(tenant, place, name, actor=actor)


def write_back(tenant: str, site: str, name: str, *, actor: str) -> WriteBack:
    """Do the same on a store that is open already."""
    from medwarden.store.books import book_of
    from medwarden.store.chain import folder_of_database
    from medwarden.store.changes import Change

    book, rules = book_of(tenant, site, name), rules_of(folder_of_database())
    updates = list(_updates(book, rules))
    creations = list(_creations(book))
    with Change(actor, "export for the book's own system", tenant=tenant, site=site) as change:
        change.record(
            "book.exported", f"book:{book.pk}", None, {"updated": len(updates), "created": len(creations)}
        )
    columns = [(heading, field) for heading, field in book.columns]
    rows = [("update", *_cells(columns, values)) for values in updates]
    rows += [("create", *_cells(columns, values)) for values in creations]
    return WriteBack((ACTION, *(h for h, _ in columns)), tuple(rows), len(updates), len(creations))


def _cells(columns: Sequence[tuple[str, str]], values: Mapping[str, str]) -> Iterator[str]:
    """Yield the values under a book's columns; several addresses fill several columns for them."""
    left = {field: values.get(field, "").split() for field in SEVERAL}
    last = {field: at for at, (_, field) in enumerate(columns)}
    for at, (_, field) in enumerate(columns):
        if field not in SEVERAL:
            yield values.get(field, "")
        elif at == last[field]:
            yield " ".join(left[field])
        else:
            yield left[field].pop(0) if left[field] else ""


def _updates(book: Book, rules: ReconciliationRules) -> Iterator[dict[str, str]]:
    from medwarden.store.queries import complete_devices

    has = {field for _, field in book.columns}
    mine = {
        device: row
        for device, rows in booked_as(book.site_id).items()
        for row in rows
        if row.book == book.name
    }
    ids = sorted(mine)
    for start in range(0, len(ids), _AT_ONCE):
        for device in complete_devices(ids[start : start + _AT_ONCE]):
            changes = {f: v for f, v in _better(device, mine[device.id], rules).items() if f in has}
            if changes:
                yield {field: mine[device.id].said.get(field, "") for field in KEYS if field in has} | changes


def _better(device: Device, row: BookedAs, rules: ReconciliationRules) -> dict[str, str]:
    """Return what the network knows and the row has not, or has otherwise where the network's word counts."""
    views = fields_of(row.said, row.since_ns, row.book, device, rules)
    return {
        view.field: _written(view.field, view.network.value)
        for view in views
        if view.network is not None
        and not view.agree
        and (view.book is None or view.winner == Winner.NETWORK.value)
    }


def _written(field: str, value: str) -> str:
    return name_of(value) if field == "category" else value


def _creations(book: Book) -> Iterator[dict[str, str]]:
    """Yield what is known of devices that no book of the site has."""
    from medwarden.store.queries import complete_devices
    from medwarden.store.queries.books import unbooked_ids

    ids = unbooked_ids(book.tenant_id, book.site_id)
    for start in range(0, len(ids), _AT_ONCE):
        for device in complete_devices(ids[start : start + _AT_ONCE]):
            shown = device_side(device).shown
            yield {field: _written(field, value) for field, value in shown.items()}
