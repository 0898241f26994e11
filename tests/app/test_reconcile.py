from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.store.conftest import DeltaMaker, heard, home, migrated, store  # noqa: F401 - fixtures

from medwarden.app import books as app_books
from medwarden.app.books import import_document, undo_stored
from medwarden.app.identity import merge_stored, split_stored
from medwarden.app.identity import undo_stored as undo_decision
from medwarden.app.judge import judge_stale
from medwarden.app.reconcile import compared, decide, filter_of, forget_book, reconcile_site, situation_named
from medwarden.app.reconcile_export import csv_text, line_cells, write_back
from medwarden.inventory.export import to_contract
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.inventory_delta import LedgerIncrement
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.open import Store

HEADING = "Asset Tag,Serial,Manufacturer,Model,Description,MAC,Department,Room,Technician,Status,Last PM\n"
ROWS = (
    "A-1,SN 100001,B. Braun,Infusomat Space,Infusion pump,,ICU,2.07,Jane Roe,In use,2026-03-01\n"
    "A-2,100002,B. Braun,Infusomat Space,Infusion pump,02:00:00:00:00:02,ICU,2.08,Jane Roe,Retired,\n"
    "A-3,100003,GE,Carescape,Patient monitor,,OR,1.01,,In use,\n"
)


@pytest.fixture
def ward(store: Store, heard: DeltaMaker) -> Store:  # noqa: F811 - fixtures
    """Four devices heard now, two of which say their serial numbers."""
    now = wall_clock()
    with Change("sensor:s", "heard", site="main") as change:
        delta = heard(1, 2, 3, 4, ts=now - 10)
        says = tuple(
            LedgerIncrement(
                f"d-main-{n}", "s", "dicom", "dicom.device_serial_number", f"10000{n}", now - 10, now, 2
            )
            for n in (1, 2)
        )
        apply_delta(change, msgspec.structs.replace(delta, ledger=delta.ledger + says))
    judge_stale("default", "main")
    return store


def take_in(text: str = HEADING + ROWS, **options: Any) -> Any:
    return import_document(text.encode(), "cmms.csv", actor="user:anna", name="CMMS", **options)


def lines(situation: str, **wanted: Any) -> list[Any]:
    from medwarden.store.queries import Scope
    from medwarden.store.queries.books import reconciled

    staff = wanted.pop("staff", False)
    return list(reconciled(Scope(), filter_of(situation_named(situation), **wanted), staff=staff).items)


def pairs(situation: str = "both") -> dict[str, str]:
    return {line.row.key: line.device.id for line in lines(situation)}


def open_findings() -> set[tuple[str, str]]:
    from medwarden.store.models import Finding

    return set(Finding.objects.filter(kind="asset", state="open").values_list("device_id", "type"))


def test_a_book_is_matched_and_speaks_for_its_devices(ward: Store) -> None:
    from medwarden.store import queries as q
    from medwarden.store.queries.books import booked, books, situation_counts

    outcome = take_in()
    assert (outcome.rows, outcome.new, outcome.rejected, outcome.unmapped) == (3, 3, 0, ())
    assert pairs() == {"asset_tag:A-1": "d-main-1", "asset_tag:A-2": "d-main-2"}
    device = q.device(q.Scope(), "d-main-1")
    assert device is not None and (device.vendor, device.category) == ("B. Braun", "infusion_pump")
    wanted = filter_of(situation_named("both"))
    counts = situation_counts(q.Scope(), wanted.silent_before, wanted.heard_since)
    assert {name: n for name, n in counts.items() if n} == {
        "both": 2, "book_only": 1, "network_only": 2, "retired_heard": 1,
    }  # fmt: skip
    (row,) = booked(q.Scope(), "d-main-1")
    assert row.row is not None and row.row.said["department"] == "ICU" and "technician" not in row.row.said
    (row,) = booked(q.Scope(), "d-main-1", staff=True)
    assert row.row is not None and row.row.said["technician"] == "Jane Roe"
    assert row.row.said["last_pm"] == "2026-03-01"
    (book,) = books(q.Scope())
    assert (book.name, book.rows, book.matched, book.open) == ("CMMS", 3, 2, 0)


def test_who_says_what_since_when_and_whose_word_counts(ward: Store) -> None:
    from medwarden.store import queries as q

    take_in()
    device = q.device(q.Scope(), "d-main-2")
    assert device is not None
    views = {view.field: view for view in compared(device)["CMMS"]}
    serial = views["serial"]
    assert serial.agree and serial.winner == "network" and serial.network is not None
    assert serial.network.value == "100002" and serial.network.since_ns > 0
    assert (
        views["vendor"].network is None and views["vendor"].winner == "book"
    )  # what a book said is not heard
    assert views["department"].value == "ICU"


def test_retired_in_the_books_and_heard_is_told_until_it_is_corrected(ward: Store) -> None:
    take_in()
    assert open_findings() == {("d-main-2", "asset_retired_heard")}
    take_in((HEADING + ROWS).replace("Retired", "In use"))
    assert open_findings() == set()


def test_what_is_in_no_book_is_told_where_the_hospital_wants_it(ward: Store) -> None:
    (ward.home / "reconciliation.yaml").write_text("findings: {not_in_books: true}\n")
    take_in()
    assert {d for d, kind in open_findings() if kind == "asset_not_in_books"} == {"d-main-3", "d-main-4"}
    (ward.home / "reconciliation.yaml").unlink()
    reconcile_site("default", "main")
    assert open_findings() == {("d-main-2", "asset_retired_heard")}


def test_own_rules_that_do_not_hold_are_left_out_and_named(
    ward: Store, caplog: pytest.LogCaptureFixture
) -> None:
    (ward.home / "reconciliation.yaml").write_text("winners: {serial: whoever}\n")
    take_in()
    assert "own rules of reconciliation left out" in caplog.text and len(pairs()) == 2


def test_imported_again_a_book_says_what_changed_and_can_be_taken_back(ward: Store) -> None:
    from medwarden.store.queries import Scope
    from medwarden.store.queries.books import book_rows, book_versions

    take_in()
    before = [row.said for row in book_rows(Scope(), "CMMS").items]
    again = take_in(HEADING + ROWS.replace("2.07", "3.33").replace("A-3,", "A-4,"))
    assert (again.new, again.changed, again.gone, again.same) == (1, 1, 1, 1)
    assert pairs()["asset_tag:A-1"] == "d-main-1"
    assert undo_stored("default", "main", "CMMS", actor="user:anna") == 1
    assert [row.said for row in book_rows(Scope(), "CMMS").items] == before
    assert [(v.number, v.undone_ns is None) for v in book_versions(Scope(), "CMMS")] == [
        (2, False),
        (1, True),
    ]
    third = take_in(HEADING + ROWS)
    assert (third.version, third.new, third.changed, third.gone) == (3, 0, 0, 0)
    assert undo_stored("default", "main", "CMMS", actor="a") == 1
    assert undo_stored("default", "main", "CMMS", actor="a") == 0
    assert pairs() == {} and open_findings() == set()
    with pytest.raises(ConfigurationError, match="nothing of 'CMMS' is left"):
        undo_stored("default", "main", "CMMS", actor="a")


def test_what_a_person_decides_stays_through_imports(ward: Store) -> None:
    take_in()
    decide(
        "default", "main", "CMMS", "asset_tag:A-1", "d-main-1", "reject", actor="user:anna", reason="swapped"
    )
    assert "asset_tag:A-1" not in pairs()
    decide(
        "default",
        "main",
        "CMMS",
        "asset_tag:A-3",
        "d-main-4",
        "pin",
        actor="user:anna",
        reason="looked at it",
    )
    take_in(HEADING + ROWS.replace("1.01", "1.02"))
    assert pairs() == {"asset_tag:A-2": "d-main-2", "asset_tag:A-3": "d-main-4"}
    pinned = next(line for line in lines("both") if line.row.key == "asset_tag:A-3")
    assert (pinned.matches[0].state, pinned.matches[0].decided_by) == ("pinned", "user:anna")
    decide(
        "default", "main", "CMMS", "asset_tag:A-1", "d-main-1", "forget", actor="user:anna", reason="mistaken"
    )
    assert pairs()["asset_tag:A-1"] == "d-main-1"


def test_decisions_need_a_reason_a_row_and_a_device(ward: Store) -> None:
    take_in()
    with pytest.raises(ConfigurationError, match="say why"):
        decide("default", "main", "CMMS", "asset_tag:A-1", "d-main-1", "reject", actor="a", reason=" ")
    with pytest.raises(ConfigurationError, match="has no row"):
        decide("default", "main", "CMMS", "nothing", "d-main-1", "pin", actor="a", reason="r")
    with pytest.raises(ConfigurationError, match="no device"):
        decide("default", "main", "CMMS", "asset_tag:A-1", "d-9", "pin", actor="a", reason="r")
    with pytest.raises(ConfigurationError, match="no decision"):
        decide("default", "main", "CMMS", "asset_tag:A-1", "d-main-1", "maybe", actor="a", reason="r")
    with pytest.raises(ConfigurationError, match="no book named 'ITSM': there are CMMS"):
        decide("default", "main", "ITSM", "asset_tag:A-1", "d-main-1", "pin", actor="a", reason="r")


def test_rows_that_share_what_they_should_not_are_listed(ward: Store) -> None:
    take_in(HEADING + ROWS + "A-9,100003,GE,Carescape,Patient monitor,,OR,1.02,,In use,\n")
    assert {line.row.key: line.row.twins for line in lines("duplicate")} == {
        "asset_tag:A-3": ["serial"],
        "asset_tag:A-9": ["serial"],
    }


def test_what_goes_back_to_the_cmms_is_in_its_own_columns_and_harmless(ward: Store) -> None:
    from medwarden.store.models import Device

    take_in(HEADING + ROWS.replace("B. Braun,Infusomat Space", "B. Braun,=cmd()"))
    Device.objects.filter(pk="d-main-4").update(name="=2+2", names=["=2+2"])
    found = write_back("default", "main", "CMMS", actor="user:anna")
    assert found.columns == ("medwarden action", *HEADING.strip().split(","))
    rows = {row[1]: row for row in found.rows if row[0] == "update"}
    assert rows["A-1"][6] == "02:00:00:00:00:01"  # the book had no MAC; its other cells stay as they are
    assert "A-2" not in rows
    assert (found.updated, found.created) == (1, 2)
    text = csv_text(("=heading",), [("=1+1",), ("-5",), ("plain",), (3,)])
    assert text.splitlines() == ["'=heading", "'=1+1", "'-5", "plain", "3"]


def test_a_removed_book_speaks_no_longer(ward: Store) -> None:
    from medwarden.store import queries as q

    take_in()
    forget_book("default", "main", "CMMS", actor="user:anna", reason="wrong file")
    device = q.device(q.Scope(), "d-main-1")
    assert device is not None and device.statements == () and device.category is None
    assert open_findings() == set()


def test_lines_have_a_cell_for_every_column(ward: Store) -> None:
    from medwarden.app.reconcile_export import LINE_COLUMNS

    take_in()
    for situation in ("both", "book_only", "network_only", "retired_heard"):
        assert all(len(line_cells(line)) == len(LINE_COLUMNS) for line in lines(situation))


def test_a_trial_changes_nothing(ward: Store) -> None:
    from medwarden.store.models import Book

    outcome = take_in(trial=True)
    assert (outcome.version, outcome.rows) == (0, 3) and not Book.objects.exists()
    with pytest.raises(MalformedInput):
        take_in("nothing,here\n1,2\n")


def test_corrections_of_columns_are_kept_with_the_book(ward: Store) -> None:
    text = "Tag,Alpha\nA-1,100001\n"
    take_in(text, mapping=["Alpha=serial"])
    assert pairs() == {"asset_tag:A-1": "d-main-1"}
    assert dict(take_in(text).columns)["Alpha"] == "serial"


def test_a_book_of_a_file_is_called_after_it(tmp_path: Path, django_db_blocker: Any) -> None:
    table = tmp_path / "equipment.csv"
    table.write_text(HEADING + ROWS)
    with django_db_blocker.unblock():
        outcome = app_books.import_file(tmp_path / "home", table, actor="cli:anna")
        assert outcome.book == "equipment"
        assert [book.name for book in app_books.book_list(tmp_path / "home")] == ["equipment"]
        assert app_books.rows(tmp_path / "home", "equipment").total == 3
        assert app_books.versions(tmp_path / "home", "equipment")[0].new == 3


def test_a_search_of_rows_does_not_give_names_of_people_away(ward: Store) -> None:
    from medwarden.store.queries import Scope
    from medwarden.store.queries.books import book_rows

    take_in()
    assert book_rows(Scope(), "CMMS", text="Roe").total == 0
    assert book_rows(Scope(), "CMMS", text="carescape 1.01").total == 1


def test_what_people_decided_follows_devices_that_become_one_and_are_told_apart(ward: Store) -> None:
    take_in()
    for row, device in (("asset_tag:A-3", "d-main-3"), ("asset_tag:A-2", "d-main-4")):
        decide("default", "main", "CMMS", row, device, "pin", actor="user:anna", reason="looked")
    assert pairs()["asset_tag:A-3"] == "d-main-3"
    assert pairs()["asset_tag:A-2"] == "d-main-4"
    number = merge_stored("d-main-3", "d-main-4", reason="two cards", actor="user:anna")
    assert pairs()["asset_tag:A-2"] == "d-main-3"  # the later word of two on what is one device now
    assert [k for k, d in pairs().items() if d == "d-main-3"] == ["asset_tag:A-2"]
    undo_decision(number, reason="no, two", actor="user:anna")
    assert pairs() == {"asset_tag:A-1": "d-main-1", "asset_tag:A-2": "d-main-4", "asset_tag:A-3": "d-main-3"}


def test_a_rejection_follows_the_part_it_was_said_of(ward: Store) -> None:
    take_in()
    decide("default", "main", "CMMS", "asset_tag:A-1", "d-main-1", "reject", actor="user:anna", reason="no")
    assert "asset_tag:A-1" not in pairs()
    merge_stored("d-main-3", "d-main-1", reason="two cards", actor="user:anna")
    assert "asset_tag:A-1" not in pairs()  # though the serial number is heard of that device
    split_stored("d-main-3", macs=["02:00:00:00:00:01"], reason="no, two", actor="user:anna")
    assert "asset_tag:A-1" not in pairs()
    decide("default", "main", "CMMS", "asset_tag:A-1", "d-main-1", "forget", actor="user:anna", reason="yes")
    assert pairs()["asset_tag:A-1"] == "d-main-1"


def test_a_row_goes_with_the_interface_that_it_names(ward: Store) -> None:
    take_in()
    merge_stored("d-main-3", "d-main-2", reason="two cards", actor="user:anna")
    assert pairs()["asset_tag:A-2"] == "d-main-3"
    split_stored("d-main-3", macs=["02:00:00:00:00:02"], reason="no, two", actor="user:anna")
    assert pairs()["asset_tag:A-2"] == "d-main-2"


def test_a_pinned_row_stays_with_the_device_when_another_part_leaves(ward: Store) -> None:
    take_in()
    merge_stored("d-main-3", "d-main-4", reason="two cards", actor="user:anna")
    decide("default", "main", "CMMS", "asset_tag:A-3", "d-main-3", "pin", actor="user:anna", reason="looked")
    split_stored("d-main-3", macs=["02:00:00:00:00:04"], reason="no, two", actor="user:anna")
    assert pairs()["asset_tag:A-3"] == "d-main-3"


def test_what_books_say_stands_among_the_attributes_of_a_device(ward: Store) -> None:
    from medwarden.store import queries as q
    from medwarden.store.queries.books import book_facts

    take_in()
    device = q.device(q.Scope(), "d-main-1")
    assert device is not None
    for staff in (False, True):
        facts = book_facts(["d-main-1", "d-main-4"], staff=staff)
        assert set(facts) == {"d-main-1"}
        told = {a["field"]: a for a in to_contract(device, None, facts["d-main-1"])["attributes"]}  # type: ignore[attr-defined]
        assert ("book.technician" in told) is staff
    assert told["book.department"]["value"] == "ICU"
    assert told["book.asset_tag"]["value"] == "A-1"
    assert 0.9 < told["book.room"]["confidence"] < 1
    (entry,) = told["book.department"]["evidence"]
    assert (entry["source"], entry["sensor"], entry["field"]) == ("book", "CMMS", "book.department")
    decide("default", "main", "CMMS", "asset_tag:A-1", "d-main-1", "pin", actor="user:anna", reason="looked")
    assert {fact.confidence for fact in book_facts(["d-main-1"])["d-main-1"]} == {1.0}
    take_in(HEADING)
    assert book_facts(["d-main-1"]) == {}
