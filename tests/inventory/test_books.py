"""Books and scanners: believed, but less than what a device says of itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.inventory.books import book_ballots
from medwarden.inventory.labelling import identify
from medwarden.model.device import Device

Heard = Callable[..., Device]


def test_an_entry_in_the_books_names_the_device(heard: Heard) -> None:
    device = identify(
        heard(
            ("inventory.vendor", "Dräger"),
            ("inventory.model", "Evita V500"),
            ("inventory.category", "Ventilator"),
            ("inventory.os", "Windows 10 Enterprise"),
            ("inventory.firmware", "2.51"),
            ("inventory.serial", "ASAB-0001"),
            ("inventory.name", "evita-7"),
        )
    )
    assert (device.model, device.category, device.firmware) == ("Evita V500", "ventilator", "2.51")
    assert (device.serial, device.os, device.os_version) == ("ASAB-0001", "Windows", "10 Enterprise")
    assert device.names == ("evita-7",)
    confidence = {verdict.level: verdict.confidence for verdict in device.verdicts}
    assert 0.85 <= confidence["model"] <= 0.95
    assert {ballot.rule for verdict in device.verdicts for ballot in verdict.ballots} >= {
        "book-model",
        "book-vendor",
    }


def test_the_device_itself_is_believed_more_than_the_books(heard: Heard) -> None:
    device = identify(heard(("inventory.serial", "OLD-1"), ("lldp.serial", "NEW-2")))
    assert device.serial == "NEW-2"


@pytest.mark.parametrize(
    ("words", "label"),
    [
        ("infusion_pump", "infusion_pump"),
        ("Infusion pump (volumetric)", "infusion_pump"),
        ("Syringe Pump", "syringe_pump"),
    ],
)
def test_categories_by_id_and_by_name(heard: Heard, words: str, label: str) -> None:
    votes = list(book_ballots(heard(("inventory.category", words))))
    assert [(vote.level, vote.label) for vote in votes] == [("category", label)]


def test_a_kind_that_nobody_knows_says_nothing(heard: Heard) -> None:
    assert list(book_ballots(heard(("inventory.category", "Sonstiges")))) == []
    assert [v.label for v in book_ballots(heard(("inventory.category", "iomt")))] == ["IoMT"]


def test_a_scanner_guesses(heard: Heard) -> None:
    votes = {(v.level, v.label, v.rule) for v in book_ballots(heard(("nmap.os_version", "Windows 7")))}
    assert votes == {("os", "Windows", "scanner-os"), ("os_version", "7", "scanner-os_version")}
