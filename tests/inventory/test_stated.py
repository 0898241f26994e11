"""What people and books say is a vote like any other, and a person's outranks all that a device declares."""

from __future__ import annotations

from medwarden.inventory.labelling import identify
from medwarden.inventory.stated import stated_ballots
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry
from medwarden.model.statement import Authority, Statement


def _device(*statements: Statement, ledger: tuple[LedgerEntry, ...] = ()) -> Device:
    return Device(id="d1", site="s", macs=("00:09:fb:00:00:01",), statements=statements, ledger=ledger)


def test_a_technicians_answer_is_the_answer_and_says_who_gave_it() -> None:
    said = Statement(Authority.PERSON, "category", "infusion_pump", "mara", 5)
    device = identify(_device(said))
    verdict = device.verdict("category")
    assert device.category == "infusion_pump"
    assert verdict is not None
    assert verdict.confidence > 0.99
    assert verdict.ballots[0].evidence_value == "mara: infusion_pump"


def test_a_person_outranks_what_the_device_declares() -> None:
    fields = ("dpws.manufacturer", "sdc.manufacturer", "upnp.manufacturer", "lldp.manufacturer")
    declared = tuple(LedgerEntry("sensor", field, "Draeger", "s", 1, 1, 1) for field in fields)
    said = Statement(Authority.PERSON, "vendor", "Philips", "mara", 5)
    assert identify(_device(ledger=declared)).vendor == "Draeger"
    assert identify(_device(said, ledger=declared)).vendor == "Philips"


def test_a_book_does_not_outrank_what_the_device_declares() -> None:
    declared = LedgerEntry("dpws", "dpws.model_name", "Evita V800", "s", 1, 1, 1)
    booked = Statement(Authority.BOOK, "model", "Oxylog 3000", "cmms.csv", 5)
    assert identify(_device(booked, ledger=(declared,))).model == "Evita V800"


def test_the_latest_answer_of_a_person_counts_alone() -> None:
    early = Statement(Authority.PERSON, "category", "infusion_pump", "mara", 5)
    late = Statement(Authority.PERSON, "category", "ventilator", "jon", 9)
    assert [ballot.label for ballot in stated_ballots(_device(late, early))] == ["ventilator"]


def test_a_level_nobody_knows_is_no_vote() -> None:
    assert list(stated_ballots(_device(Statement(Authority.PERSON, "mood", "bad", "mara", 1)))) == []
