"""A calibrated confidence is the share of such answers that are right."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.labels.calibration import Calibration, calibration_error, fit_calibration
from medwarden.inventory.labels.open_set import auroc

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=80)


@given(ANSWERS, st.floats(0, 1), st.floats(0, 1))
def test_more_confidence_never_becomes_less(
    answers: list[tuple[float, bool]], one: float, other: float
) -> None:
    calibrated = fit_calibration(answers)
    low, high = sorted((one, other))
    assert 0.0 <= calibrated(low) <= calibrated(high) <= 1.0


def test_an_overconfident_source_is_taken_down() -> None:
    rng = random.Random(4)
    answers = [(0.95, rng.random() < 0.6) for _ in range(300)] + [
        (0.3, rng.random() < 0.2) for _ in range(300)
    ]
    calibrated = fit_calibration(answers)
    assert calibrated(0.95) == pytest.approx(0.6, abs=0.07)
    after = [(calibrated(confidence), right) for confidence, right in answers]
    assert calibration_error(after) < 0.05 < calibration_error(answers)


def test_too_few_answers_change_nothing() -> None:
    assert fit_calibration([(0.9, False)] * 5)(0.9) == 0.9


def test_perfect_answers_do_not_promise_certainty() -> None:
    assert fit_calibration([(0.9, True)] * 20)(0.9) < 1.0


@pytest.mark.parametrize(
    ("raw", "right"), [((0.5, 0.4), (0.1, 0.2)), ((0.1, 0.2), (0.5, 0.4)), ((0.1,), (2.0,)), ((0.1,), ())]
)
def test_knots_that_do_not_rise_are_refused(raw: tuple[float, ...], right: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="knots"):
        Calibration(raw, right)


def test_error_of_honest_confidence_is_none() -> None:
    assert calibration_error([(0.5, True), (0.5, False)]) == 0.0
    assert calibration_error([]) == 0.0


def test_area_under_the_curve() -> None:
    assert auroc([0.9, 0.8], [0.1, 0.2]) == 1.0
    assert auroc([0.5], [0.5]) == 0.5
    assert auroc([0.1], [0.9, 0.05]) == 0.5
    assert auroc([], [0.1]) is None
