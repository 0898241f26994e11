"""Books of equipment against the network: what is in both, in one alone, at odds, and who decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.app.books import import_document, undo_stored
from medwarden.app.reconcile import decide, filter_of, forget_book
from medwarden.kernel.errors import MalformedInput
from medwarden.model.book import FIELDS, STAFF
from medwarden.model.role import Permission
from medwarden.sensors.equipment_list import LARGEST
from medwarden.store import queries
from medwarden.store.queries import books as of_books
from medwarden.store.queries.books import ReconciledRow, ReconcileFilter, Situation
from medwarden.store.queries.scope import MOST_ROWS
from medwarden.web.decisions import reason_of, refused, said
from medwarden.web.exports import FORMATS, download
from medwarden.web.guard import requires
from medwarden.web.operation_lists import text_of
from medwarden.web.paging import offset_of, page_number, paging, sort_of
from medwarden.web.recent import forget
from medwarden.web.scope import actor_of, scope_of, signed_in, site_named
from medwarden.web.templatetags.console import page_url

SITUATIONS: dict[Situation, tuple[str, str]] = {
    Situation.BOTH: ("In both", "Rows and devices that are one and the same."),
    Situation.OPEN: ("To decide", "More than one device may be meant, or something speaks against it."),
    Situation.DISAGREEING: ("At odds", "The same device, but book and network say different things of it."),
    Situation.NETWORK_ONLY: ("Network only", "Heard, but in no book: who owns them?"),
    Situation.BOOK_ONLY: (
        "Books only",
        "In a book, but never heard: lost, stored, or out of the sensors' sight?",
    ),
    Situation.RETIRED_HEARD: ("Retired, heard", "The book says retired, the network says alive."),
    Situation.SILENT: ("Active, silent", "The book says active, but nothing was heard for long."),
    Situation.DUPLICATE: ("Twice in a book", "Rows that share a serial number, a tag or an address."),
}
"""What reconciliation says, with the words of its tab and what it means."""

_SHOWN = ("vendor", "model", "serial", "mac", "name", "department", "room", "next_pm")
_PER_PAGE = 25
_MOST_PROBLEMS = 5
_HEADER = (
    "situation", "book", "key", "line", *(f for f in FIELDS if f not in STAFF), "device", "device_name",
    "state", "odds", "disagrees",
)  # fmt: skip


def _wanted(request: HttpRequest) -> ReconcileFilter:
    asked = request.GET.get("situation", "")
    situation = Situation(asked) if asked in set(Situation) else Situation.BOTH
    field = request.GET.get("field", "")
    return filter_of(
        situation,
        book=request.GET.get("book", "")[:200],
        text=text_of(request),
        field=field if field in FIELDS else "",
    )


@requires(Permission.SEE_INVENTORY)
@require_GET
def books(request: HttpRequest) -> HttpResponse:
    """Show one situation of the reconciliation and the books it stands on."""
    scope, user = scope_of(request), signed_in(request)
    wanted, number = _wanted(request), page_number(request)
    sort = sort_of(request, of_books.SORTS, "key")
    page = of_books.reconciled(
        scope.store,
        wanted,
        sort=sort,
        offset=offset_of(number, _PER_PAGE),
        limit=_PER_PAGE,
        staff=user.may(Permission.SEE_STAFF_NAMES),
    )
    counts = of_books.situation_counts(scope.store, wanted.silent_before, wanted.heard_since, wanted.book)
    context = {
        **paging(page, number),
        "lines": [(line, _facts(line)) for line in page.items],
        "situations": [(s.value, *words, counts[s.value]) for s, words in SITUATIONS.items()],
        "situation": wanted.situation.value,
        "about": SITUATIONS[wanted.situation][1],
        "books": of_books.books(scope.store),
        "book": wanted.book,
        "field": wanted.field,
        "fields": FIELDS,
        "text": text_of(request),
        "sort": sort,
        "may_edit": user.may(Permission.EDIT_BOOKS),
        "may_import": user.may(Permission.EDIT_BOOKS) and scope.one_site is not None,
        "may_export": user.may(Permission.EXPORT),
    }
    return render(request, "web/devices_books.html", context)


def _facts(line: ReconciledRow) -> list[tuple[str, str]]:
    """Return what the row says, in the order in which people look at it."""
    if line.row is None:
        return []
    return [(FIELDS[f], line.row.said[f]) for f in _SHOWN if line.row.said.get(f)]


@requires(Permission.SEE_INVENTORY)
@require_GET
def book(request: HttpRequest, name: str) -> HttpResponse:
    """Show one book: its imports, how its columns were read, and its rows."""
    scope, user = scope_of(request), signed_in(request)
    found = next((b for b in of_books.books(scope.store) if b.name == name), None)
    if found is None:
        raise Http404("There is no such book in what you may see.")
    number = page_number(request)
    page = of_books.book_rows(
        scope.store,
        name,
        text=text_of(request),
        offset=offset_of(number, _PER_PAGE),
        limit=_PER_PAGE,
        staff=user.may(Permission.SEE_STAFF_NAMES),
    )
    context = {
        **paging(page, number),
        "book": found,
        "columns": [(heading, FIELDS.get(field, field)) for heading, field in found.columns],
        "versions": of_books.book_versions(scope.store, name),
        "rows": [(row, [(FIELDS[f], v) for f, v in row.said.items() if f in FIELDS]) for row in page.items],
        "text": text_of(request),
        "may_edit": user.may(Permission.EDIT_BOOKS),
    }
    return render(request, "web/devices_book.html", context)


@requires(Permission.EDIT_BOOKS)
@require_POST
def book_import(request: HttpRequest) -> HttpResponse:
    """Take an uploaded equipment list in as a book of the chosen site."""
    scope, table = scope_of(request), request.FILES.get("table")
    name = request.POST.get("name", "").strip()[:120]
    if scope.one_site is None:
        return refused(request, "devices_books", "choose one site above: a book is of one site")
    if table is None or isinstance(table, list) or not name:
        return refused(request, "devices_books", "choose a CSV or XLSX file and give the book a name")
    if "/" in name:
        return refused(request, "devices_books", "the name of a book has no slash: it is part of an address")
    if table.size is not None and table.size > LARGEST:
        return refused(
            request,
            "devices_books",
            f"the file is larger than {LARGEST >> 20} MiB, which no equipment list is",
        )
    mapping = [line for line in request.POST.get("map", "")[:4000].splitlines() if line.strip()]
    document, source, place = table.read(), table.name or "table", scope.one_site

    def take_in() -> str:
        try:
            done = import_document(
                document,
                source,
                actor=actor_of(request),
                name=name,
                mapping=mapping,
                site=place,
                tenant=scope.tenant,
            )
        except MalformedInput as error:
            messages.error(request, f"Not imported: {error}.")
            return f"{name} is as it was"
        for problem in done.problems[:_MOST_PROBLEMS]:
            messages.warning(request, f"Line {problem.line}: {problem.reason}.")
        if done.unmapped:
            messages.info(request, f"Columns nobody knows: {', '.join(done.unmapped[:12])}.")
        return (
            f"{done.book}: {done.rows:,} rows, {done.new:,} new, {done.changed:,} changed,"
            f" {done.gone:,} gone, {done.rejected:,} could not be used"
        )

    return _done(request, "devices_books", take_in)


@requires(Permission.EDIT_BOOKS)
@require_POST
def book_undo(request: HttpRequest, site: str, name: str) -> HttpResponse:
    """Take the latest import of a book back."""
    place = site_named(request, site)

    def undo() -> str:
        version = undo_stored(scope_of(request).tenant, place, name, actor=actor_of(request))
        return f"the import is taken back; version {version} of {name} counts now"

    return _done(request, "devices_books", undo)


@requires(Permission.EDIT_BOOKS)
@require_POST
def book_remove(request: HttpRequest, site: str, name: str) -> HttpResponse:
    """Remove a book with everything it said."""
    place = site_named(request, site)

    def remove() -> str:
        forget_book(scope_of(request).tenant, place, name, actor=actor_of(request), reason=reason_of(request))
        return f"{name} is removed, and what it said of devices with it"

    return _done(request, "devices_books", remove)


@requires(Permission.EDIT_BOOKS)
@require_POST
def book_decide(request: HttpRequest, site: str, name: str) -> HttpResponse:
    """Say that a row is a device, is not, or leave it to reconciliation again."""
    place = site_named(request, site)
    key, device = request.POST.get("key", "")[:300], request.POST.get("device", "").strip()[:200]
    decision = request.POST.get("decision", "")

    def keep() -> str:
        found = queries.find_device(scope_of(request).store, device)
        decide(
            scope_of(request).tenant,
            place,
            name,
            key,
            device if found is None else found.pk,
            decision,
            actor=actor_of(request),
            reason=reason_of(request),
        )
        words = {"pin": "they are one", "reject": "they are two", "forget": "it is left to reconciliation"}
        return f"kept: {words.get(decision, decision)}"

    _done(request, "devices_books", keep)
    return HttpResponseRedirect(
        page_url(request, "devices_books", situation=request.POST.get("situation", ""))
    )


def _done(request: HttpRequest, page: str, act: Callable[[], str]) -> HttpResponse:
    answer = said(request, page, act)
    forget()
    return answer


@requires(Permission.EXPORT)
@require_GET
def books_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Download one situation, without names of people, as CSV or JSON."""
    if kind not in FORMATS:
        raise Http404("Downloads are CSV or JSON.")
    return download(
        request, "reconciliation", kind, _rows(scope_of(request).store, _wanted(request)), _HEADER
    )


def _rows(scope: queries.Scope, wanted: ReconcileFilter) -> Iterator[dict[str, object]]:
    offset = 0
    while True:
        page = of_books.reconciled(scope, wanted, offset=offset, limit=MOST_ROWS)
        for line in page.items:
            yield _exported(line)
        offset += MOST_ROWS
        if offset >= page.total:
            return


def _exported(line: ReconciledRow) -> dict[str, object]:
    best = line.matches[0] if line.matches else None
    plain: dict[str, object] = dict.fromkeys(_HEADER, "")
    plain |= {"situation": line.situation.value}
    if line.row is not None:
        plain |= {"book": line.row.book_name, "key": line.row.key, "line": line.row.line}
        plain |= {field: value for field, value in line.row.said.items() if field in _HEADER}
    device = line.device or (None if best is None else best.device)
    if device is not None:
        plain |= {"device": device.id, "device_name": device.name or ""}
    if best is not None:
        plain |= {"state": best.state, "odds": round(best.log_odds, 2), "disagrees": " ".join(best.disagrees)}
    return plain
