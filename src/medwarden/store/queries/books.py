"""Books of equipment as pages and exports show them: lists, rows, and what reconciliation says."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from math import exp

import msgspec
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.book import STAFF, BookFact, RowProblem
from medwarden.model.device import Device as ModelDevice
from medwarden.model.device import DeviceClass, Verdict
from medwarden.model.evidence import LedgerEntry
from medwarden.store.models import (
    Book,
    BookDecision,
    BookMatch,
    BookRow,
    BookVersion,
    Device,
    EvidenceEntry,
    Identification,
)
from medwarden.store.queries.device import to_model
from medwarden.store.queries.scope import Page, Scope, bounds
from medwarden.store.statements import HELD, statements_of

_AT_ONCE = 400
_SUREST = 0.9999  # certain is what a person says


class Situation(StrEnum):
    """What reconciliation says of a row or device; a list shows one of these."""

    BOTH = "both"
    OPEN = "open"  # a row with candidates that a person should look at
    BOOK_ONLY = "book_only"
    NETWORK_ONLY = "network_only"
    DISAGREEING = "disagreeing"
    RETIRED_HEARD = "retired_heard"
    SILENT = "silent"
    DUPLICATE = "duplicate"


class BookView(msgspec.Struct, frozen=True):
    """One book with what its latest import came to; ``columns`` are pairs of heading and field."""

    id: str
    site: str
    name: str
    system: str
    version: int
    rows: int
    imported_ns: int
    actor: str
    source: str
    rejected: int
    columns: list[tuple[str, str]]
    matched: int
    open: int


class VersionView(msgspec.Struct, frozen=True):
    """One import of a book."""

    number: int
    at_ns: int
    actor: str
    source: str
    rows: int
    new: int
    changed: int
    gone: int
    rejected: int
    problems: list[RowProblem]
    undone_ns: int | None


class RowView(msgspec.Struct, frozen=True):
    """One row of a book: its key, line, what it says, since when, and what it shares with other rows."""

    book: str
    book_name: str
    key: str
    line: int
    since_ns: int
    said: dict[str, str]
    twins: list[str]
    site: str = ""


class DeviceBrief(msgspec.Struct, frozen=True):
    """A device as reconciliation lists it."""

    id: str
    name: str | None
    category: str | None
    vendor: str | None
    model: str | None
    serial: str | None
    macs: list[str]
    ips: list[str]
    location: str | None
    first_seen: int
    last_seen: int


class MatchView(msgspec.Struct, frozen=True):
    """A row and a device that are or may be one; ``terms`` add up, with the prior, to ``log_odds``."""

    state: str
    log_odds: float
    lead: float
    terms: list[dict[str, object]]
    disagrees: list[str]
    since_ns: int
    decided_by: str | None
    reason: str | None
    device: DeviceBrief | None


class ReconciledRow(msgspec.Struct, frozen=True):
    """One line of the reconciliation: a row with its matches, or a device that no book has (``row`` None)."""

    situation: Situation
    row: RowView | None
    matches: list[MatchView]
    device: DeviceBrief | None


class ReconcileFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which lines: one situation, of one book (its name) or all, with ``text`` in row or device.

    ``silent_before`` and ``heard_since`` are nanoseconds UTC and decide SILENT and RETIRED_HEARD.
    """

    situation: Situation
    silent_before: int
    heard_since: int
    book: str = ""
    text: str = ""
    field: str = ""  # of DISAGREEING: only where this field does


SORTS = ("key", "line", "odds", "last_seen")


def books(scope: Scope) -> list[BookView]:
    """Return the books of a scope by name, with how many rows are matched and how many are open."""
    found = []
    for book in scope.over(Book.objects.all()).order_by("site_id", "name"):
        latest = BookVersion.objects.filter(book=book, number=book.version).first()
        rows = BookRow.objects.filter(book=book, until=None)
        held = _matches(HELD)
        found.append(
            BookView(
                id=book.pk,
                site=book.site_id,
                name=book.name,
                system=book.system,
                version=book.version,
                rows=rows.count(),
                imported_ns=latest.at_ns if latest else 0,
                actor=latest.actor if latest else "",
                source=latest.source if latest else "",
                rejected=latest.rejected if latest else 0,
                columns=[(heading, field) for heading, field in book.columns],
                matched=rows.filter(Exists(held)).count(),
                open=rows.filter(Exists(_matches(("ambiguous", "contradicted")))).count(),
            )
        )
    return found


def book_versions(scope: Scope, book: str) -> list[VersionView]:
    """Return the imports of the book with this name, the latest first, those taken back too."""
    rows = scope.over(BookVersion.objects.filter(book__name=book)).order_by("-at_ns", "-number")
    return [
        VersionView(
            r.number, r.at_ns, r.actor, r.source, r.rows, r.new, r.changed, r.gone, r.rejected,
            msgspec.convert(r.problems, list[RowProblem]), r.undone_ns,
        )
        for r in rows
    ]  # fmt: skip


def book_rows(
    scope: Scope, book: str, *, text: str = "", offset: int = 0, limit: int = 50, staff: bool = False
) -> Page[RowView]:
    """Return a page of the present rows of the book with this name, in its order.

    Names of people are left out unless ``staff``: show them only to roles that may see them.
    """
    offset, limit = bounds(offset, limit)
    rows = scope.over(BookRow.objects.filter(book__name=book, until=None))
    rows = _with_text(rows, text).select_related("book").order_by("line", "key")
    return Page(
        tuple(_row_view(r, staff) for r in rows[offset : offset + limit]), rows.count(), offset, limit
    )


def reconciled(
    scope: Scope,
    wanted: ReconcileFilter,
    *,
    sort: str = "key",
    offset: int = 0,
    limit: int = 50,
    staff: bool = False,
) -> Page[ReconciledRow]:
    """Return a page of one situation. ``sort`` is one of :data:`SORTS`, with ``-`` for descending.

    Raises ConfigurationError for another one. Devices that no book has are sorted by ``last_seen`` or id.
    """
    offset, limit = bounds(offset, limit)
    name, sign = sort.removeprefix("-"), "-" if sort.startswith("-") else ""
    if name not in SORTS:
        raise ConfigurationError(
            f"reconciliation cannot be sorted by {name[:40]!r}: use one of {', '.join(SORTS)}"
        )
    if wanted.situation is Situation.NETWORK_ONLY:
        devices = _unbooked(scope, wanted.text)
        ordered = devices.order_by(f"{sign}last_seen" if name == "last_seen" else f"{sign}id", "id")
        items = tuple(
            ReconciledRow(wanted.situation, None, [], _brief(device))
            for device in ordered[offset : offset + limit]
        )
        return Page(items, devices.count(), offset, limit)
    rows = _rows_of(scope, wanted)
    best = BookMatch.objects.filter(book_id=OuterRef("book_id"), key=OuterRef("key")).order_by("-log_odds")
    columns = {"key": "key", "line": "line", "odds": "odds", "last_seen": "heard"}
    if name == "odds":
        rows = rows.annotate(odds=best.values("log_odds")[:1])
    elif name == "last_seen":
        rows = rows.annotate(heard=best.values("device__last_seen")[:1])
    chosen = list(
        rows.select_related("book").order_by(f"{sign}{columns[name]}", "pk")[offset : offset + limit]
    )
    return Page(tuple(_lines(chosen, wanted.situation, staff)), rows.count(), offset, limit)


def situation_counts(scope: Scope, silent_before: int, heard_since: int, book: str = "") -> dict[str, int]:
    """Return how many lines each situation has."""
    counts: dict[str, int] = {}
    for situation in Situation:
        wanted = ReconcileFilter(situation, silent_before, heard_since, book)
        rows = _unbooked(scope, "") if situation is Situation.NETWORK_ONLY else _rows_of(scope, wanted)
        counts[situation.value] = rows.count()
    return counts


def booked(scope: Scope, device: str, *, staff: bool = False) -> list[ReconciledRow]:
    """Return the rows of books that are this device, for its page: department, room, maintenance, technician.

    Names of people are left out unless ``staff``.
    """
    held = scope.over(BookMatch.objects.filter(device_id=device, state__in=HELD)).values_list(
        "book_id", "key"
    )
    rows: list[BookRow] = []
    for book, key in held:
        rows += BookRow.objects.filter(book_id=book, key=key, until=None).select_related("book")
    return list(_lines(rows, Situation.BOTH, staff))


def book_facts(ids: Sequence[str], *, staff: bool = False) -> dict[str, list[BookFact]]:
    """Return what the rows of books say that are these devices, by device.

    A device that no book has is left out; names of people are told to ``staff`` alone.
    """
    found: dict[str, list[BookFact]] = {}
    for start in range(0, len(ids), _AT_ONCE):
        held = list(
            BookMatch.objects.filter(device_id__in=ids[start : start + _AT_ONCE], state__in=HELD)
            .order_by("book__name", "key")
            .values_list("device_id", "book_id", "key", "state", "log_odds")
        )
        books, keys = {book for _, book, *_ in held}, {key for _, _, key, *_ in held}
        rows = {
            (row.book_id, row.key): row
            for row in BookRow.objects.filter(book_id__in=books, key__in=keys, until=None).select_related(
                "book"
            )
        }
        seen = dict(
            BookVersion.objects.filter(book_id__in=books, number=F("book__version")).values_list(
                "book_id", "at_ns"
            )
        )
        for device, book, key, state, log_odds in held:
            row = rows.get((book, key))
            if row is None:
                continue
            odds = 1 / (1 + exp(-max(min(log_odds, 700.0), -700.0)))
            sure = 1.0 if state == "pinned" else min(round(odds, 4), _SUREST)
            found.setdefault(device, []).extend(
                BookFact(field, value, row.book.name, sure, row.since_ns, seen.get(book, row.since_ns))
                for field, value in row.said.items()
                if staff or field not in STAFF
            )
    return found


def unbooked_ids(tenant: str, site: str) -> list[str]:
    """Return the devices of a site that are in no book, without retired ones."""
    return list(_unbooked(Scope(tenant, (site,)), "").order_by("id").values_list("id", flat=True))


def matchable(site: str) -> list[ModelDevice]:
    """Return the devices of a site that are not retired with what reconciliation looks at, and no more."""
    verdicts: dict[str, tuple[Verdict, ...]] = {}
    rows = list(Device.objects.filter(site_id=site, retired_at=None).order_by("id"))
    said = {}
    for start in range(0, len(rows), _AT_ONCE):
        said.update(statements_of([row.pk for row in rows[start : start + _AT_ONCE]]))
    spoken = list(said)
    for start in range(0, len(spoken), _AT_ONCE):
        stored = Identification.objects.filter(device_id__in=spoken[start : start + _AT_ONCE])
        for device, values in stored.values_list("device_id", "verdicts"):
            verdicts[device] = msgspec.convert(values, tuple[Verdict, ...])
    ledger: dict[str, list[LedgerEntry]] = {}
    heard = EvidenceEntry.objects.filter(site_id=site).filter(
        Q(field__endswith=".serial_number") | Q(field__endswith=".serial") | Q(field__endswith=".asset_tag")
    )
    for device, *entry in heard.values_list("device_id", *LedgerEntry.__struct_fields__).iterator():
        ledger.setdefault(device, []).append(LedgerEntry(*entry))
    return [
        to_model(
            row,
            verdicts.get(row.pk) or _verdicts(row),
            ledger.get(row.pk, ()),
            statements=said.get(row.pk, ()),
        )
        for row in rows
    ]


def _verdicts(row: Device) -> tuple[Verdict, ...]:
    """Return the answer for the category with its confidence, from the flat row."""
    if row.category is None or row.device_class == DeviceClass.UNKNOWN.value:
        return ()
    return (Verdict("category", row.category, row.confidence.get("category", 0.0)),)


def _matches(states: tuple[str, ...]) -> QuerySet[BookMatch]:
    return BookMatch.objects.filter(book_id=OuterRef("book_id"), key=OuterRef("key"), state__in=states)


def _rows_of(scope: Scope, wanted: ReconcileFilter) -> QuerySet[BookRow]:
    rows = scope.over(BookRow.objects.filter(until=None))
    if wanted.book:
        rows = rows.filter(book__name=wanted.book)
    held = _matches(HELD)
    match wanted.situation:
        case Situation.BOTH:
            rows = rows.filter(Exists(held))
        case Situation.OPEN:
            rows = rows.filter(Exists(_matches(("ambiguous", "contradicted"))))
        case Situation.BOOK_ONLY:
            any_match = BookMatch.objects.filter(book_id=OuterRef("book_id"), key=OuterRef("key"))
            rows = rows.filter(~Exists(any_match))
        case Situation.DISAGREEING:
            contradicting = held.exclude(disagrees="")
            if wanted.field:
                contradicting = held.filter(disagrees__contains=f" {wanted.field} ")
            rows = rows.filter(Exists(contradicting))
        case Situation.RETIRED_HEARD:
            rows = rows.filter(
                Exists(held.filter(device__last_seen__gte=wanted.heard_since)), status="retired"
            )
        case Situation.SILENT:
            rows = rows.filter(
                Exists(held.filter(device__last_seen__lt=wanted.silent_before)), status="active"
            )
        case Situation.DUPLICATE:
            rows = rows.exclude(twins="")
        case Situation.NETWORK_ONLY:
            rows = rows.none()
    return _with_text(rows, wanted.text)


_SEARCHED = (
    "asset_tag", "serial", "mac", "ip", "name", "vendor", "model", "category", "department", "building",
    "room", "location",
)  # fmt: skip
# never what names people: a search that finds a row tells as much as showing the name


def _with_text(rows: QuerySet[BookRow], text: str) -> QuerySet[BookRow]:
    for term in text.split()[:8]:
        condition = Q(key__icontains=term)
        for field in _SEARCHED:
            condition |= Q(**{f"said__{field}__icontains": term})
        rows = rows.filter(condition)
    return rows


def _unbooked(scope: Scope, text: str) -> QuerySet[Device]:
    held = BookMatch.objects.filter(device_id=OuterRef("pk"), state__in=HELD)
    rows = scope.over(Device.objects.filter(retired_at=None)).filter(~Exists(held))
    for term in text.split()[:8]:
        rows = rows.filter(Q(name__icontains=term) | Q(vendor__icontains=term) | Q(model__icontains=term))
    return rows


def _row_view(row: BookRow, staff: bool) -> RowView:
    said = {field: value for field, value in row.said.items() if staff or field not in STAFF}
    return RowView(
        row.book_id, row.book.name, row.key, row.line, row.since_ns, said, row.twins.split(), row.site_id
    )


def _brief(row: Device) -> DeviceBrief:
    return DeviceBrief(
        row.pk, row.name, row.category, row.vendor, row.model, row.serial, list(row.macs), list(row.ips),
        row.location, row.first_seen, row.last_seen,
    )  # fmt: skip


def _lines(rows: list[BookRow], situation: Situation, staff: bool) -> list[ReconciledRow]:
    pairs = {(row.book_id, row.key) for row in rows}
    keys, of_books = {key for _, key in pairs}, {book for book, _ in pairs}
    matches: dict[tuple[str, str], list[BookMatch]] = {}
    stored = BookMatch.objects.filter(book_id__in=of_books, key__in=keys).order_by("-log_odds", "device_id")
    for match in stored:
        matches.setdefault((match.book_id, match.key), []).append(match)
    devices = {
        d.pk: _brief(d)
        for d in Device.objects.filter(pk__in={m.device_id for several in matches.values() for m in several})
    }
    decided = {
        (d.book_id, d.key, d.device_id): d
        for d in BookDecision.objects.filter(book_id__in=of_books, key__in=keys)
    }
    return [
        ReconciledRow(
            situation,
            _row_view(row, staff),
            [
                _match_view(m, devices.get(m.device_id), decided.get((m.book_id, m.key, m.device_id)))
                for m in matches.get((row.book_id, row.key), ())
            ],
            next(
                (
                    devices.get(m.device_id)
                    for m in matches.get((row.book_id, row.key), ())
                    if m.state in HELD
                ),
                None,
            ),
        )
        for row in rows
    ]


def _match_view(match: BookMatch, device: DeviceBrief | None, decision: BookDecision | None) -> MatchView:
    return MatchView(
        match.state, match.log_odds, match.margin, match.evidence, match.disagrees.split(), match.since_ns,
        decision.actor if decision else None, decision.reason if decision else None, device,
    )  # fmt: skip
