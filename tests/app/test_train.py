"""One command makes a model out of simulated hospitals, labelled captures and people's answers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from medwarden.app.study import study
from medwarden.app.train import FIRST_MEASURED, SHIPPED, Recipe, confirmed, train_model
from medwarden.cli.train import train
from medwarden.inventory.labels.example import example_of
from medwarden.inventory.labels.in_use import shipped_model
from medwarden.inventory.labels.vocabulary import numbers_of
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry
from medwarden.model.statement import Authority, Statement

WARD = Path(__file__).resolve().parents[2] / "src" / "medwarden" / "app" / "demo" / "ward.pcap.gz"
SMALL = Recipe(seeds=(1,), devices=12, hours=0.05, rules=False)


def test_making_a_model_again_gives_the_same_file() -> None:
    one, other = train_model(SMALL, seed=5), train_model(SMALL, seed=5)
    assert one.sources["simulated"] > 12
    assert one.model.digest == other.model.digest


def test_no_key_that_hides_people_changes_what_is_learnt() -> None:
    """Every study hides the names of staff with a key of its own."""
    once, again = study([WARD]).devices, study([WARD]).devices
    assert _operators(once).isdisjoint(_operators(again))
    assert [numbers_of(example_of(device, {})) for device in once] == [
        numbers_of(example_of(device, {})) for device in again
    ]


def _operators(devices: Iterable[Device]) -> set[str]:
    found = {entry.value for d in devices for entry in d.ledger if entry.field == "dicom.operator"}
    assert found
    return found


def test_seeds_for_measuring_are_not_trained_on() -> None:
    with pytest.raises(ConfigurationError, match="kept for measuring"):
        train_model(Recipe(seeds=(1, FIRST_MEASURED)), seed=1)
    assert max(SHIPPED.seeds) < FIRST_MEASURED


def test_the_latest_word_of_a_person_is_learnt_and_books_are_not() -> None:
    said = (
        Statement(Authority.PERSON, "category", "kiosk", "mara", 1),
        Statement(Authority.PERSON, "category", "printer", "jon", 2),
        Statement(Authority.BOOK, "vendor", "HP", "cmms.csv", 3),
    )
    ledger = (LedgerEntry("http", "http.title", "LaserJet", "s", 1, 1, 1),)
    example = confirmed(Device(id="d1", site="s", ledger=ledger, statements=said))
    assert example.labels == {"category": "printer", "class": "IoT"}


def test_the_command_prints_its_figures_and_writes_the_model(tmp_path: Path) -> None:
    out = tmp_path / "own.mwm"
    arguments = ["--hospitals", "1", "--devices", "12", "--hours", "0.05", "--out", str(out), "--json"]
    done = CliRunner().invoke(train, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    card = json.loads(done.stdout)
    assert card["octets"] == out.stat().st_size
    assert card["recipe"]["seeds"] == [1]
    assert set(card["validation"]["category"]) >= {"accuracy", "macro_f1", "ece", "open_set_auroc"}


def test_wrong_usage_is_said() -> None:
    done = CliRunner().invoke(train, ["--shipped", "--hospitals", "3"])
    assert done.exit_code == 2
    assert "own recipe" in done.output
    done = CliRunner().invoke(train, ["a.pcap"])
    assert "need --labels" in done.output


def test_the_shipped_model_says_what_it_is_made_of() -> None:
    model = shipped_model()
    assert model is not None
    card = model.about.card
    assert card["recipe"] == json.loads(msgspec.json.encode(SHIPPED))
    assert card["sources"]["labelled"] == card["sources"]["confirmed"] == 0
    assert len(model.to_bytes()) < 3_000_000
