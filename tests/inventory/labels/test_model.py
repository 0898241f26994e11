"""A model's votes explain themselves exactly, in any order of evidence, and yield to declarations."""

from __future__ import annotations

import math
import random

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inventory.labels.conftest import KINDS, made_up

from medwarden.inventory.ballots import MODEL_RULE, decide
from medwarden.inventory.labelling import identify, labelling_version
from medwarden.inventory.labels.in_use import generation, model_in_use, use_model
from medwarden.inventory.labels.model import MOST_WEIGHT, LabelModel, Opinion, ballots_of
from medwarden.kernel.errors import MalformedInput
from medwarden.model.device import Ballot, Device
from medwarden.model.evidence import LedgerEntry

FIRST = next(iter(KINDS))


@pytest.mark.parametrize("kind", KINDS)
def test_reasons_and_bias_add_up_to_the_score(model: LabelModel, kind: tuple[str, str, str]) -> None:
    for opinion in model.opinions(made_up(kind, 4321)):
        assert opinion.bias + sum(amount for _, _, amount in opinion.reasons) == pytest.approx(opinion.score)
        assert len(opinion.reasons) == opinion.pieces


@pytest.mark.parametrize("kind", KINDS)
def test_ballots_of_a_level_add_up_to_its_confidence(model: LabelModel, kind: tuple[str, str, str]) -> None:
    device = made_up(kind, 4321)
    ballots = model.judge(device)
    assert ballots
    for opinion in model.opinions(device):
        weights = [ballot.weight for ballot in ballots if ballot.level == opinion.level]
        if weights:
            certain = opinion.confidence
            assert sum(weights) == pytest.approx(min(math.log(certain / (1 - certain)), MOST_WEIGHT))


def test_ballots_name_evidence_as_it_was_heard(model: LabelModel) -> None:
    device = made_up(FIRST, 8)
    heard = {(entry.field, entry.value) for entry in device.ledger}
    named = {(b.evidence_field, b.evidence_value) for b in model.judge(device)}
    assert named & heard


def test_the_order_of_evidence_changes_nothing(model: LabelModel) -> None:
    device = made_up(FIRST, 17)
    ledger = list(device.ledger)
    random.Random(2).shuffle(ledger)
    assert model.opinions(msgspec.structs.replace(device, ledger=tuple(ledger))) == model.opinions(device)


@pytest.mark.parametrize("kind", KINDS)
def test_general_levels_are_at_least_as_sure(model: LabelModel, kind: tuple[str, str, str]) -> None:
    sure = {opinion.level: opinion.confidence for opinion in model.opinions(made_up(kind, 99))}
    assert sure["class"] >= sure["category"] >= sure["model"]
    assert sure["vendor"] >= sure["model"]


def test_a_stranger_is_open_and_gets_no_vote(model: LabelModel) -> None:
    ledger = (LedgerEntry("t", "http.title", "Quartz Zebrafish", "s", 1, 1, 1),)
    stranger = Device(id="d", site="s", macs=("02:00:00:00:00:01",), ledger=ledger)
    for opinion in model.opinions(stranger):
        assert opinion.openness > 0.3
    assert model.judge(stranger) == []
    assert model.opinions(Device(id="d", site="s")) == []


def test_what_a_device_declares_outranks_the_model() -> None:
    opinion = Opinion("vendor", "Axis", 1.0, 1.0, 1.0, 3.0, 0.0, 1, 9, 1.0, (("http.title", "x", 3.0),))
    declared = Ballot(
        "vendor", "Bosch", math.log(0.985 / 0.015), "declared-maker", "upnp.manufacturer", "Bosch"
    )
    verdict = decide("vendor", [declared, *ballots_of(opinion, "model:1")])
    assert verdict.label == "Bosch"


@given(st.floats(0.501, 1.0), st.lists(st.floats(-3, 3), min_size=1, max_size=6))
def test_parts_of_one_vote_count_as_one(confidence: float, amounts: list[float]) -> None:
    reasons = tuple(("f", str(n), amount) for n, amount in enumerate(sorted(amounts, reverse=True)))
    opinion = Opinion(
        "category", "printer", 1, 1, confidence, sum(amounts), 0.0, len(reasons), 9, 1.0, reasons
    )
    verdict = decide("category", ballots_of(opinion, "model:x"))
    most = 1.0 / (1.0 + math.exp(-MOST_WEIGHT))
    assert verdict.confidence == pytest.approx(min(confidence, most), abs=2e-4)


def test_a_model_comes_back_from_its_file_as_it_was(model: LabelModel) -> None:
    again = LabelModel.from_bytes(model.to_bytes())
    assert again.digest == model.digest
    assert msgspec.json.encode(again.about, order="sorted") == msgspec.json.encode(
        model.about, order="sorted"
    )
    for kind in KINDS:
        assert again.opinions(made_up(kind, 7)) == model.opinions(made_up(kind, 7))


def test_a_file_whose_parts_do_not_fit_is_refused(model: LabelModel) -> None:
    arrays = dict(model.arrays)
    arrays["paths"] = arrays["paths"] + np.int16(500)
    with pytest.raises(MalformedInput, match="does not list"):
        LabelModel.from_bytes(_repacked(model, arrays))
    del arrays["paths"]
    with pytest.raises(MalformedInput, match="lacks arrays"):
        LabelModel.from_bytes(_repacked(model, arrays))


def _repacked(model: LabelModel, arrays: dict[str, np.ndarray]) -> bytes:
    from medwarden.inventory.labels.model_file import pack

    return pack(msgspec.json.encode(model.about), arrays)


def test_the_model_in_use_votes_and_changes_the_version(model: LabelModel) -> None:
    device = made_up(FIRST, 44)
    standing, version, number = model_in_use(), labelling_version(), generation()
    try:
        assert use_model(model)
        assert not use_model(model)
        assert generation() == number + 1
        assert labelling_version() != version
        identified = identify(device)
        assert identified.category == FIRST[0]
        verdict = identified.verdict("category")
        assert verdict is not None
        assert any(ballot.rule == f"{MODEL_RULE}{model.version}" for ballot in verdict.ballots)
    finally:
        use_model(None)
    assert model_in_use() is standing
    assert labelling_version() == version
