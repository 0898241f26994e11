"""Traps of equipment lists, one by one, and the measure on a simulated hospital."""

from __future__ import annotations

import random
from typing import Any

import pytest

from medwarden.inventory.reconcile import Decided, Limits, MatchState, Pairing, reconcile
from medwarden.inventory.reconcile_sides import Side, device_side, row_side
from medwarden.model.book import BookRecord
from medwarden.model.device import Ballot, Device, Verdict
from medwarden.model.place import Place
from medwarden.model.statement import Authority, Statement

from .dirty_books import dirty_hospital

PUMP = {"vendor": "B. Braun", "model": "Infusomat Space", "category": "Infusion pump"}


def row(key: str, **said: str) -> Side:
    return row_side(BookRecord(key, 2, said))


def device(identifier: str, **facts: Any) -> Side:
    facts.setdefault("category", "infusion_pump")
    sure = (Verdict("category", facts["category"], 0.99),)
    return device_side(Device(id=identifier, site="main", verdicts=sure, **facts))


def crowd(number: int = 200) -> tuple[list[Side], list[Side]]:
    """Return a house around the case: rows and devices that are one another's, each with its own serial."""
    rows = [row(f"crowd:{n}", serial=f"CRW{n:03d}77{n:03d}", **PUMP) for n in range(number)]
    devices = [
        device(f"c-{n}", serial=f"CRW{n:03d}77{n:03d}", vendor="B. Braun", model="Infusomat Space")
        for n in range(number)
    ]
    return rows, devices


def among(rows: list[Side], devices: list[Side], decided: Decided | None = None) -> list[Pairing]:
    """Reconcile a case in the middle of a crowd, and return the pairings of the case."""
    other_rows, other_devices = crowd()
    found = reconcile([*other_rows, *rows], [*other_devices, *devices], decided)
    return [p for p in found if not p.key.startswith("crowd:")]


def accepted(found: list[Pairing]) -> dict[str, str]:
    return {p.key: p.device for p in found if p.state is MatchState.MATCHED}


@pytest.mark.parametrize(
    "written",
    ["BB4711O18", "BB47110l8", "S/N BB4711018", "SN: BB-4711 018", "00BB4711018", "884711018", "bb4711018"],
)
def test_a_serial_number_is_known_in_the_ways_people_mistype_it(written: str) -> None:
    found = among(
        [row("r", serial=written, **PUMP)],
        [device("d", serial="BB4711018", vendor="B. Braun", model="Infusomat Space")],
    )
    assert accepted(found) == {"r": "d"}
    term = next(t for t in found[0].terms if t.field == "serial")
    assert term.outcome in ("same", "alike") and term.weight > 8


def test_neighbours_off_one_production_line_are_not_one_device() -> None:
    found = among(
        [row("r", serial="BB4711018", room="2.07", building="Main", **PUMP)],
        [
            device(
                "d", serial="BB4711019", vendor="B. Braun", model="Infusomat Space",
                place=Place(building="Main", room="2.07"),
            )
        ],
    )  # fmt: skip
    assert accepted(found) == {}


def test_a_serial_number_that_differs_outright_is_a_veto_and_shown() -> None:
    found = among(
        [row("r", serial="XX999", mac="00:1e:c0:00:00:01", **PUMP)],
        [
            device(
                "d",
                serial="BB4711018",
                macs=("00:1e:c0:00:00:01",),
                vendor="B. Braun",
                model="Infusomat Space",
            )
        ],
    )
    assert [(p.key, p.device, p.state) for p in found] == [("r", "d", MatchState.CONTRADICTED)]
    assert [t.field for t in found[0].terms if t.veto] == ["serial"]


def test_swapped_digits_of_a_mac_are_found_where_the_model_agrees() -> None:
    found = among(
        [row("r", mac="00:1e:c0:12:34:65", vendor="Acme", model="Unusual 9000")],
        [device("d", macs=("00:1e:c0:12:34:56",), vendor="Acme", model="Unusual 9000")],
    )
    assert accepted(found) == {"r": "d"}


def test_the_mac_of_a_dock_in_two_rows_decides_nothing_alone() -> None:
    dock = "00:50:b6:00:00:01"
    laptop = {"vendor": "Dell", "model": "Latitude 5420", "category": "Laptop"}
    facts: dict[str, Any] = {"category": "laptop", "vendor": "Dell", "model": "Latitude 5420"}
    rows = [row("r1", mac=dock, **laptop), row("r2", mac=dock, **laptop)]
    assert accepted(among(rows, [device("d1", macs=(dock,), **facts)])) == {}
    named = [row("r1", mac=dock, name="LT-0001", **laptop), row("r2", mac=dock, name="LT-0002", **laptop)]
    both = [device("d1", macs=(dock,), names=("LT-1",), **facts), device("d2", names=("LT-2",), **facts)]
    assert accepted(among(named, both)) == {"r1": "d1", "r2": "d2"}


def test_the_same_serial_in_two_rows_is_decided_by_what_else_they_say() -> None:
    one, other = "00:1e:c0:00:00:01", "00:1e:c0:00:00:02"
    rows = [row("r1", serial="BB4711018", mac=one, **PUMP), row("r2", serial="BB4711018", mac=other, **PUMP)]
    devices = [device("d1", serial="BB4711018", macs=(one,)), device("d2", macs=(other,))]
    assert accepted(among(rows, devices)) == {"r1": "d1", "r2": "d2"}


def test_a_row_and_its_copy_are_left_to_a_person() -> None:
    said = {"serial": "BB4711018", "mac": "00:1e:c0:00:00:01", **PUMP}
    found = among(
        [row("r1", **said), row("r2", **said)],
        [device("d", serial="BB4711018", macs=("00:1e:c0:00:00:01",))],
    )
    assert {(p.key, p.state) for p in found} == {("r1", MatchState.AMBIGUOUS), ("r2", MatchState.AMBIGUOUS)}


@pytest.mark.parametrize("written", ["MX-450", "IntelliVue MX450", "INTELLIVUE MX 450", "Philips MX450"])
def test_a_model_is_known_in_the_ways_it_is_written(written: str) -> None:
    said = {"vendor": "Philips Medical Systems", "category": "Patient monitor", "room": "2.07"}
    found = among(
        [row("r", model=written, **said)],
        [
            device("d", category="patient_monitor", vendor="Philips", model="IntelliVue MX450",
                   place=Place(room="2.07")),
            device("e", category="patient_monitor", vendor="Philips", model="IntelliVue MX750",
                   place=Place(room="2.07")),
        ],
    )  # fmt: skip
    assert accepted(found) == {"r": "d"}


def test_a_move_to_another_department_does_not_hide_a_device() -> None:
    found = among(
        [row("r", serial="BB4711018", department="ICU", room="2.07", **PUMP)],
        [device("d", serial="BB4711018", place=Place(department="Ward 3", room="3.11"))],
    )
    assert accepted(found) == {"r": "d"}
    assert {t.field for t in found[0].terms if t.outcome == "differs"} == {"room", "department"}


def test_a_category_that_contradicts_is_a_veto_unless_the_serial_agrees() -> None:
    said = {"mac": "00:50:b6:00:00:01", "vendor": "Dell", "category": "Laptop"}
    found = among([row("r", **said)], [device("d", macs=("00:50:b6:00:00:01",), vendor="Dell")])
    assert accepted(found) == {} and found[0].state is MatchState.CONTRADICTED
    found = among(
        [row("r", serial="BB4711018", **said)],
        [device("d", serial="BB4711018", macs=("00:50:b6:00:00:01",), vendor="Dell")],
    )
    assert accepted(found) == {"r": "d"}


def test_two_alike_stay_open_and_what_is_left_over_follows() -> None:
    place = {"room": "2.07", "vendor": "Acme", "model": "Unusual 9000"}
    here = {"place": Place(room="2.07"), "vendor": "Acme", "model": "Unusual 9000"}
    rows = [row("r1", **place), row("r2", **place)]
    found = among(rows, [device("d1", **here), device("d2", **here)])
    assert accepted(found) == {} and {p.state for p in found} == {MatchState.AMBIGUOUS}
    sure = [row("r1", serial="UN123456", **place), rows[1]]
    found = among(sure, [device("d1", serial="UN123456", **here), device("d2", **here)])
    assert accepted(found) == {"r1": "d1", "r2": "d2"}


def test_an_asset_tag_within_a_host_name_is_found() -> None:
    found = among(
        [row("r", asset_tag="HM100234", name="", **PUMP)],
        [device("d", names=("pump-hm100234",), vendor="B. Braun", model="Infusomat Space")],
    )
    assert accepted(found) == {"r": "d"}


def test_what_a_person_decided_stays() -> None:
    rows = [row("r", serial="BB4711018", **PUMP)]
    devices = [device("d", serial="BB4711018"), device("e", serial="ZZ1234567", names=("other",))]
    rejected = Decided(rejected=frozenset({("r", "d")}))
    assert accepted(among(rows, devices, rejected)) == {}
    pinned = among(rows, devices, Decided(pinned=frozenset({("r", "e")})))
    assert [(p.key, p.device, p.state) for p in pinned] == [("r", "e", MatchState.PINNED)]


def test_a_pin_of_something_that_is_gone_does_nothing() -> None:
    found = among([row("r", serial="BB4711018")], [], Decided(pinned=frozenset({("r", "gone"), ("x", "d")})))
    assert found == []


def test_what_books_say_of_a_device_is_not_taken_for_its_own_word() -> None:
    ballot = Ballot("serial", "BB4711018", 1.0, "said-by-book", "statement.book", "CMMS: BB4711018")
    stated = Device(
        id="d",
        site="main",
        serial="BB4711018",
        verdicts=(Verdict("serial", "BB4711018", 0.9, ballots=(ballot,)),),
        statements=(Statement(Authority.BOOK, "serial", "BB4711018", "CMMS", 1),),
    )
    assert device_side(stated).serials == ()


def test_the_order_of_the_input_changes_nothing() -> None:
    dirty = dirty_hospital(5, 300)
    rows, devices = [row_side(r) for r in dirty.rows], [device_side(d) for d in dirty.devices]
    first = reconcile(rows, devices)
    shuffled = random.Random(1)
    shuffled.shuffle(rows)
    shuffled.shuffle(devices)
    assert reconcile(rows, devices) == first


def test_a_row_and_a_device_are_put_together_once_at_most() -> None:
    dirty = dirty_hospital(6, 600)
    found = reconcile([row_side(r) for r in dirty.rows], [device_side(d) for d in dirty.devices])
    pairs = [p for p in found if p.state is MatchState.MATCHED]
    assert len({p.key for p in pairs}) == len(pairs) == len({p.device for p in pairs})
    settled = {p.device for p in pairs}
    assert not settled & {p.device for p in found if p.state is MatchState.AMBIGUOUS}


def test_a_hospital_with_dirty_books_is_reconciled_with_few_mistakes() -> None:
    dirty = dirty_hospital(7, 900)
    found = reconcile([row_side(r) for r in dirty.rows], [device_side(d) for d in dirty.devices])
    pairs = [p for p in found if p.state is MatchState.MATCHED]
    right = sum(dirty.truth.get(dirty.clones.get(p.key, p.key)) == p.device for p in pairs)
    assert right / len(pairs) >= 0.99
    assert right / len(set(dirty.truth.values())) >= 0.8


def test_stricter_limits_accept_less() -> None:
    dirty = dirty_hospital(8, 300)
    rows, devices = [row_side(r) for r in dirty.rows], [device_side(d) for d in dirty.devices]
    loose, strict = (
        len(accepted(reconcile(rows, devices, limits=limits)))
        for limits in (Limits(0.8, 1.0), Limits(0.9999, 6.0))
    )
    assert strict < loose


def test_nothing_against_nothing() -> None:
    assert reconcile([], []) == []
    assert reconcile([row("r", serial="BB4711018")], []) == []
