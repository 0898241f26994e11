"""The running house answers as ``score`` and ``assess`` do, device by device: what is published, it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_django.plugin import DjangoDbBlocker

from medwarden.app.assess import assess_captures
from medwarden.app.inventory import Wanted, contract_devices
from medwarden.app.replay import replay_captures
from medwarden.app.score import Wish, score_captures
from medwarden.app.simulate import Request, simulate, start_of
from medwarden.inventory.company import COMPANY_RULE
from medwarden.model.device import Device, Verdict
from medwarden.store.open import open_store

SITE = "default"  # where assess and score take their captures to come from: ids of devices follow from it
CONTRACT = (
    "macs",
    "class",
    "category",
    "vendor",
    "model",
    "os",
    "os_version",
    "firmware",
    "serial",
    "confidence",
)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small simulated hospital in which others tell what some devices are."""
    folder = tmp_path_factory.mktemp("hospital")
    simulate(Request(devices=80, hours=0.2, seed=77, start=start_of("2026-03-02T09:00")), folder)
    return folder


@pytest.fixture(scope="module")
def house(
    hospital: Path, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Path:
    """Return a data folder into which the hospital's captures were replayed."""
    home = tmp_path_factory.mktemp("house") / "home"
    with django_db_blocker.unblock():
        replay_captures(captures(hospital), home, site=SITE)
    return home


def captures(hospital: Path) -> list[Path]:
    return sorted((hospital / "site-1").glob("*.pcap"))


def answers(device: Device) -> dict[str, tuple[str | None, float, list[tuple[str, str]]]]:
    """Return the answer at every level with how sure it is and the rules and fields that it rests on."""
    return {verdict.level: _answer(verdict) for verdict in device.verdicts}


def _answer(verdict: Verdict) -> tuple[str | None, float, list[tuple[str, str]]]:
    votes = sorted((ballot.rule, ballot.evidence_field) for ballot in verdict.ballots)
    return verdict.label, verdict.confidence, votes


def test_the_house_says_what_score_measures(
    hospital: Path, house: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    scored = score_captures(captures(hospital), hospital / "labels.tsv", Wish(by_source=False))
    measured = {case.device.id: case.device for case in scored.cases if case.device is not None}
    with django_db_blocker.unblock(), open_store(house, writer=False):
        from medwarden.store.queries import complete_devices

        stored = {device.id: device for device in complete_devices(list(measured))}
    assert len(measured) > 60
    assert stored.keys() == measured.keys()
    assert {i: answers(device) for i, device in stored.items()} == {
        i: answers(device) for i, device in measured.items()
    }
    told = [
        device
        for device in stored.values()
        for verdict in device.verdicts
        if verdict.label and any(ballot.rule.startswith(COMPANY_RULE) for ballot in verdict.ballots)
    ]
    assert told, "nobody is told by others: the hospital is too small to show anything"


def test_the_house_exports_what_assess_reports(
    hospital: Path, house: Path, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    assess_captures(captures(hospital), tmp_path)
    report = json.loads((tmp_path / "report.json").read_bytes())
    with django_db_blocker.unblock():
        exported = list(contract_devices(house, Wanted()))
    assert _by_id(exported) == _by_id(report["devices"])


def _by_id(devices: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {device["id"]: {key: device[key] for key in CONTRACT} for device in devices}
