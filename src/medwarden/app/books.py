"""Books of equipment: taken in from files, listed, compared between versions, taken back, removed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from medwarden.kernel.errors import ResourceError
from medwarden.sensors.equipment_headings import own_columns
from medwarden.sensors.equipment_list import LARGEST, read_list
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.books import BookImport
    from medwarden.store.queries import Page
    from medwarden.store.queries.books import BookView, RowView, VersionView


def import_file(
    home: Path,
    path: Path,
    *,
    actor: str,
    name: str = "",
    mapping: Iterable[str] = (),
    days_first: bool | None = None,
    site: str | None = None,
    trial: bool = False,
) -> BookImport:
    """Take the table in ``path`` in as a book (its file name without ending, unless ``name``) and reconcile.

    ``mapping`` are corrections ``Heading=field`` that are kept with the book; ``trial`` shows how the table
    would be read and changes nothing. Raises ResourceError where the file cannot be read, MalformedInput
    where it is no equipment list and ConfigurationError for a mapping that cannot be.
    """
    try:
        with path.open("rb") as file:
            document = file.read(LARGEST + 1)
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error
    with open_store(home, writer=True, role="books"):
        return import_document(
            document,
            str(path),
            actor=actor,
            name=name or path.stem,
            mapping=mapping,
            days_first=days_first,
            site=site,
            trial=trial,
        )


def import_document(
    document: bytes,
    source: str,
    *,
    actor: str,
    name: str,
    mapping: Iterable[str] = (),
    days_first: bool | None = None,
    site: str | None = None,
    tenant: str | None = None,
    trial: bool = False,
) -> BookImport:
    """Do the same on a store that is open already (the console)."""
    from medwarden.app.reconcile import reconcile_book
    from medwarden.store.books import BookImport, import_book
    from medwarden.store.changes import Change
    from medwarden.store.models import Book
    from medwarden.store.open import ensure_site

    tenant, place = ensure_site(tenant, site)
    standing = Book.objects.filter(tenant_id=tenant, site_id=place, name=name).first()
    own = dict(standing.own if standing else {}) | own_columns(mapping)
    read = read_list(document, source, own, days_first=days_first)
    if trial:
        return BookImport(
            name,
            0,
            len(read.records),
            0,
            0,
            0,
            0,
            read.rejected,
            read.columns,
            read.unmapped,
            read.problems,
            read.system,
        )
    digest = hashlib.sha256(document).hexdigest()
    with Change(actor, f"book imported from {Path(source).name}", tenant=tenant, site=place) as change:
        outcome = import_book(change, place, name, read, Path(source).name, digest, own)
    reconcile_book(tenant, place, name)
    return outcome


def undo(home: Path, name: str, *, actor: str, site: str | None = None) -> int:
    """Take the latest import of a book back, reconcile anew, and return the version that counts now."""
    with open_store(home, writer=True, role="books"):
        from medwarden.store.open import ensure_site

        tenant, place = ensure_site(None, site)
        return undo_stored(tenant, place, name, actor=actor)


def undo_stored(tenant: str, site: str, name: str, *, actor: str) -> int:
    """Do the same on a store that is open already."""
    from medwarden.app.reconcile import reconcile_book
    from medwarden.store.books import book_of, undo_import
    from medwarden.store.changes import Change

    with Change(actor, "import taken back", tenant=tenant, site=site) as change:
        undo_import(change, site, name)
    reconcile_book(tenant, site, name)
    return book_of(tenant, site, name).version


def remove(home: Path, name: str, *, actor: str, reason: str, site: str | None = None) -> None:
    """Remove a book with everything that was said of it, and judge its devices anew."""
    with open_store(home, writer=True, role="books"):
        from medwarden.app.reconcile import forget_book
        from medwarden.store.open import ensure_site

        tenant, place = ensure_site(None, site)
        forget_book(tenant, place, name, actor=actor, reason=reason)


def book_list(home: Path) -> list[BookView]:
    """Return all books."""
    with open_store(home, writer=False):
        from medwarden.store.queries import Scope
        from medwarden.store.queries.books import books

        return books(Scope())


def versions(home: Path, name: str, site: str | None = None) -> list[VersionView]:
    """Return the imports of a book, the latest first. Raises ConfigurationError where there is none."""
    with open_store(home, writer=False):
        from medwarden.store.books import book_of
        from medwarden.store.models import DEFAULT_SITE, DEFAULT_TENANT
        from medwarden.store.queries import Scope
        from medwarden.store.queries.books import book_versions

        book_of(DEFAULT_TENANT, site or DEFAULT_SITE, name)
        return book_versions(Scope(sites=(site or DEFAULT_SITE,)), name)


def rows(
    home: Path, name: str, *, text: str = "", offset: int = 0, limit: int = 100, site: str | None = None
) -> Page[RowView]:
    """Return a page of the rows of a book, names of people included: whoever reads the folder sees them."""
    with open_store(home, writer=False):
        from medwarden.store.books import book_of
        from medwarden.store.models import DEFAULT_SITE, DEFAULT_TENANT
        from medwarden.store.queries import Scope
        from medwarden.store.queries.books import book_rows

        book_of(DEFAULT_TENANT, site or DEFAULT_SITE, name)
        scope = Scope(sites=(site or DEFAULT_SITE,))
        return book_rows(scope, name, text=text, offset=offset, limit=limit, staff=True)
