from __future__ import annotations

import pytest

from medwarden.model.statement import Authority, Statement
from medwarden.store import queries as q
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.models import Book, BookMatch, BookRow
from medwarden.store.open import Store

from .conftest import DeltaMaker

SAID = {"category": "Pumps, Infusion", "vendor": "B.Braun Melsungen AG", "serial": "4711", "room": "2.07"}


def book_with(key: str, device: str, state: str) -> None:
    book, _ = Book.objects.get_or_create(
        pk="b-1", defaults={"tenant_id": "default", "site_id": "main", "name": "CMMS", "created_ns": 1}
    )
    scope = {"tenant_id": "default", "site_id": "main", "book": book, "key": key}
    BookRow.objects.create(**scope, line=2, since=1, since_ns=77, said=SAID)
    BookMatch.objects.create(**scope, device_id=device, state=state, log_odds=9, margin=9, since_ns=1)


@pytest.mark.parametrize(
    ("state", "speaks"), [("matched", True), ("pinned", True), ("ambiguous", False), ("contradicted", False)]
)
def test_a_row_speaks_for_the_device_it_was_found_to_be(
    store: Store, heard: DeltaMaker, state: str, speaks: bool
) -> None:
    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(1, 2))
    book_with("A-17", "d-main-1", state)
    one, other = q.complete_devices(["d-main-1", "d-main-2"])
    assert other.statements == ()
    expected = (
        Statement(Authority.BOOK, "category", "infusion_pump", "CMMS", 77, "book:b-1:A-17"),
        Statement(Authority.BOOK, "vendor", "B. Braun", "CMMS", 77, "book:b-1:A-17"),
        Statement(Authority.BOOK, "serial", "4711", "CMMS", 77, "book:b-1:A-17"),
    )
    assert one.statements == (expected if speaks else ())


def test_a_row_that_is_no_longer_in_the_book_is_silent(store: Store, heard: DeltaMaker) -> None:
    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(1))
    book_with("A-17", "d-main-1", "matched")
    BookRow.objects.update(until=2)
    assert q.complete_devices(["d-main-1"])[0].statements == ()
