"""Operations on books of equipment and their reconciliation with the network."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Field, Router, Schema, Status

from medwarden.app.books import import_document, undo_stored
from medwarden.app.reconcile import decide, filter_of, forget_book, situation_named
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.role import Permission
from medwarden.store import queries
from medwarden.store.books import BookImport
from medwarden.store.queries import books as of_books
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, page_of, page_schema, plain, schema_of
from medwarden.web.recent import forget
from medwarden.web.scope import actor_of, scope_of, signed_in, site_named

router = Router(tags=["Books"])
SEE = needs(Permission.SEE_INVENTORY)
EDIT = needs(Permission.EDIT_BOOKS)


@router.get("/books", response=list_of(of_books.BookView), auth=SEE, url_name="books", summary="Books")
def books(request: HttpRequest) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the books of equipment with how many of their rows were found."""
    return plain(of_books.books(scope_of(request).store))


@router.get(
    "/books/{name}/imports", response=list_of(of_books.VersionView), auth=SEE, summary="Imports of a book"
)
def book_imports(request: HttpRequest, name: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return the imports of a book, the latest first, those taken back too."""
    return plain(of_books.book_versions(scope_of(request).store, name))


@router.get("/books/{name}/rows", response=page_schema(of_books.RowView), auth=SEE, summary="Rows of a book")
def book_rows(request: HttpRequest, name: str, q: str = "", page: int = 1, per: int = 100) -> dict[str, Any]:
    """Return the rows of a book that contain ``q``; names of people only to roles that may see them."""
    page, per = max(1, page), min(max(1, per), 1000)
    staff = signed_in(request).may(Permission.SEE_STAFF_NAMES)
    found = of_books.book_rows(
        scope_of(request).store, name, text=q, offset=(page - 1) * per, limit=per, staff=staff
    )
    return page_of(found, page, per)


class BookIn(Schema):
    """An equipment list as a CSV table, its site, and corrections of columns."""

    site: str
    table: str
    map: list[str] = Field([], description="Heading=field, where a heading was read wrongly")


@router.put(
    "/books/{name}",
    response={200: schema_of(BookImport), 404: Problem, 422: Problem},
    auth=EDIT,
    summary="Import a book",
)
def book_import(request: HttpRequest, name: str, body: BookIn) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Take a CSV table in as a version of a book and reconcile it."""
    scope = scope_of(request)
    try:
        done = import_document(
            body.table.encode(),
            "table.csv",
            actor=actor_of(request),
            name=name,
            mapping=body.map,
            site=site_named(request, body.site),
            tenant=scope.tenant,
        )
    except MalformedInput as error:
        raise ConfigurationError(str(error)) from error
    forget()
    return plain(done)


class Why(Schema):
    """The site of a book and the reason of a step."""

    site: str
    reason: str = Field("", max_length=500)


class Version(Schema):
    """Which version of a book counts now."""

    version: int


@router.post(
    "/books/{name}/undo",
    response={200: Version, 404: Problem, 422: Problem},
    auth=EDIT,
    summary="Take an import back",
)
def book_undo(request: HttpRequest, name: str, body: Why) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Take the latest import of a book back."""
    place = site_named(request, body.site)
    version = undo_stored(scope_of(request).tenant, place, name, actor=actor_of(request))
    forget()
    return {"version": version}


@router.post(
    "/books/{name}/remove",
    response={204: None, 404: Problem, 422: Problem},
    auth=EDIT,
    summary="Remove a book",
)
def book_remove(request: HttpRequest, name: str, body: Why) -> Any:  # noqa: ANN401 (an empty answer)
    """Remove a book with everything that it said."""
    place = site_named(request, body.site)
    forget_book(scope_of(request).tenant, place, name, actor=actor_of(request), reason=body.reason)
    forget()
    return Status(204, None)


@router.get(
    "/reconciliation",
    response=page_schema(of_books.ReconciledRow),
    auth=SEE,
    url_name="reconciliation",
    summary="Books against the network",
)
def reconciliation(
    request: HttpRequest,
    situation: str = "both",
    book: str = "",
    q: str = "",
    field: str = "",
    sort: str = "key",
    page: int = 1,
    per: int = 100,
) -> dict[str, Any]:
    """Return the lines of one situation: both, open, disagreeing, network_only, book_only and so on."""
    page, per = max(1, page), min(max(1, per), 1000)
    wanted = filter_of(situation_named(situation), book=book, text=q, field=field)
    staff = signed_in(request).may(Permission.SEE_STAFF_NAMES)
    found = of_books.reconciled(
        scope_of(request).store, wanted, sort=sort, offset=(page - 1) * per, limit=per, staff=staff
    )
    return page_of(found, page, per)


@router.get("/reconciliation/counts", response=dict[str, int], auth=SEE, summary="Lines of each situation")
def reconciliation_counts(request: HttpRequest, book: str = "") -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return how many lines each situation has."""
    wanted = filter_of(of_books.Situation.BOTH, book=book)
    return of_books.situation_counts(scope_of(request).store, wanted.silent_before, wanted.heard_since, book)


class DecisionIn(Schema):
    """A person's word on a row and a device."""

    site: str
    key: str = Field(..., description="The key of the row")
    device: str = Field(..., description="The id of the device")
    decision: str = Field(..., description="pin, reject or forget")
    reason: str = Field(..., min_length=1, max_length=500)


@router.post(
    "/books/{name}/decisions",
    response={204: None, 404: Problem, 422: Problem},
    auth=EDIT,
    summary="Say which device a row is",
)
def book_decide(request: HttpRequest, name: str, body: DecisionIn) -> Any:  # noqa: ANN401 (an empty answer)
    """Keep a person's word on a row and a device, and reconcile the book."""
    decide(
        scope_of(request).tenant,
        site_named(request, body.site),
        name,
        body.key,
        body.device,
        body.decision,
        actor=actor_of(request),
        reason=body.reason,
    )
    forget()
    return Status(204, None)


@router.get(
    "/devices/{device_id}/books",
    response=list_of(of_books.ReconciledRow),
    auth=SEE,
    summary="Rows of books that are this device",
)
def device_books(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return what books say of a device: department, room, maintenance; people only to roles that may."""
    scope = scope_of(request)
    row = queries.find_device(scope.store, device_id)
    if row is None:
        raise Http404("There is no such device in what you may see.")
    staff = signed_in(request).may(Permission.SEE_STAFF_NAMES)
    return plain(of_books.booked(scope.store, row.pk, staff=staff))
