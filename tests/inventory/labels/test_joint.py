"""Answers are worth what such answers were worth; those of rules alone are moved half the way."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.labels.calibration import Calibration
from medwarden.inventory.labels.joint import (
    BY_RULES,
    MOST,
    MOST_BY_RULES,
    as_often_right,
    fit_joint,
)
from medwarden.inventory.labels.model import LabelModel
from medwarden.kernel.errors import MalformedInput
from medwarden.model.device import Ballot, Verdict

BY_MODEL = Ballot("category", "printer", 1.5, "model:12345678", "http.title", "Status")
BY_RULE = Ballot("category", "printer", 1.7, "printer-title", "http.title", "Status")


LEARNT = {
    "category": Calibration((0.6, 0.8), (0.7, 0.95)),
    "category" + BY_RULES: Calibration((0.6, 0.8), (0.8, 1.0)),
}


def verdict(confidence: float, *ballots: Ballot) -> Verdict:
    return Verdict("category", "printer", confidence, "kiosk", (1.0 - confidence) / 2, ballots)


def agreed(confidence: float) -> Verdict:
    return Verdict("category", "printer", confidence, ballots=(BY_RULE,))


def test_an_answer_of_rules_and_model_gets_the_share_that_was_right() -> None:
    risen = as_often_right(verdict(0.8, BY_RULE, BY_MODEL), LEARNT)
    assert (risen.label, risen.confidence) == ("printer", 0.95)
    assert risen.runner_up_confidence == pytest.approx(0.025)
    assert risen.ballots == (BY_RULE, BY_MODEL)


def test_an_answer_that_is_seldom_right_is_not_given() -> None:
    fallen = as_often_right(verdict(0.7, BY_MODEL), {"category": Calibration((0.6, 0.8), (0.3, 0.5))})
    assert (fallen.label, fallen.confidence) == (None, 0.4)
    assert fallen.runner_up_confidence <= fallen.confidence


def test_an_answer_of_rules_alone_is_moved_half_the_way() -> None:
    risen = as_often_right(agreed(0.7), LEARNT)
    assert (risen.label, risen.confidence) == ("printer", 0.8)
    most = as_often_right(agreed(0.94), {"category" + BY_RULES: Calibration((0.6,), (0.999,))})
    assert most.confidence == MOST_BY_RULES


@pytest.mark.parametrize(
    ("given_verdict", "calibrations"),
    [
        (agreed(0.8), {"category": Calibration((0.6, 0.8), (0.7, 0.95))}),
        (agreed(0.96), LEARNT),
        (verdict(0.7, BY_RULE), LEARNT),
        (verdict(0.9995, BY_RULE, BY_MODEL), LEARNT),
        (verdict(0.8, BY_RULE, BY_MODEL), {}),
        (Verdict("category", None, 0.4, ballots=(BY_MODEL,)), LEARNT),
    ],
    ids=(
        "rules alone, not learnt",
        "sure rules",
        "rules that contradict",
        "what a person said",
        "not learnt",
        "open",
    ),
)
def test_others_stay_as_they_are(given_verdict: Verdict, calibrations: dict[str, Calibration]) -> None:
    assert as_often_right(given_verdict, calibrations) is given_verdict


@given(st.lists(st.tuples(st.floats(0.6, 1.0), st.booleans()), max_size=80), st.floats(0.0, 0.99))
def test_any_fit_keeps_order_and_bounds(answers: list[tuple[float, bool]], confidence: float) -> None:
    calibration = fit_joint({"category": answers})
    low = as_often_right(verdict(confidence * 0.9, BY_MODEL), calibration)
    high = as_often_right(verdict(confidence, BY_MODEL), calibration)
    assert 0.0 <= low.confidence <= high.confidence <= MOST
    assert high.confidence + high.runner_up_confidence <= 1.0001


def test_too_few_answers_teach_nothing() -> None:
    assert fit_joint({"category": [(0.8, True)] * 3, "os": []}) == {}


def test_calibrations_are_kept_in_the_file(model: LabelModel) -> None:
    learnt = {"category": Calibration((0.6, 0.8), (0.7, 0.95))}
    kept = LabelModel.from_bytes(model.calibrated(learnt).to_bytes())
    assert kept.about.joint == learnt
    assert kept.digest != model.digest
    assert kept.calibrated({}).digest == model.digest


def test_a_file_that_calibrates_what_no_model_knows_is_refused(model: LabelModel) -> None:
    strange = model.calibrated({"serial": Calibration((0.6, 0.8), (0.7, 0.95))}).to_bytes()
    with pytest.raises(MalformedInput, match="no model knows"):
        LabelModel.from_bytes(strange)


def test_knots_that_fall_are_refused(model: LabelModel) -> None:
    fallen = msgspec.json.encode({"raw": [0.6, 0.8], "right": [0.9, 0.7]})
    with pytest.raises(msgspec.ValidationError, match="rise"):
        msgspec.json.decode(fallen, type=Calibration)
