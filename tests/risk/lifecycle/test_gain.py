"""What goes with a device is what comes of age, by the rules of the score itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medwarden.model.risk import Factor
from medwarden.risk.lifecycle.gain import REPLACED, points_gone
from medwarden.risk.registry import all_factors
from medwarden.risk.score import compose, without
from medwarden.risk.weights import shipped_rules

RULES = shipped_rules()
_IDS = {factor.id: factor.group.value for factor in all_factors()}


def factors(*ids: str) -> list[Factor]:
    return [Factor(i, i, _IDS[i], 0, RULES.weights.of(i), "", ()) for i in ids]


def test_every_factor_that_goes_is_one_that_there_is() -> None:
    assert set(_IDS) >= REPLACED


def test_only_what_comes_of_age_goes() -> None:
    assert points_gone("d", factors("cleartext_dicom"), RULES) == 0
    assert points_gone("d", factors("unsupported_device"), RULES) > 0
    assert points_gone("d", [], RULES) == 0


def test_support_that_ends_by_then_is_counted_once() -> None:
    assert points_gone("d", [], RULES, support_over=True) > 0
    known = factors("unsupported_device")
    assert points_gone("d", known, RULES, support_over=True) == points_gone("d", known, RULES)


@given(st.lists(st.sampled_from(sorted(_IDS)), unique=True, max_size=12), st.booleans())
def test_points_that_go_are_those_between_two_scores(ids: list[str], over: bool) -> None:
    said = factors(*ids)
    gone = points_gone("d", said, RULES, support_over=over)
    before = compose("d", said, RULES.version, RULES.weights.shape)
    after = without(before, REPLACED, RULES.weights.shape)
    assert 0 <= gone <= 100
    if not over:
        assert gone == before.score - after.score
    else:
        assert gone >= before.score - after.score
