"""The arithmetic of scores: exact sums, smooth cap, counterfactuals, groups."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medwarden.model.risk import Factor, RiskLevel
from medwarden.risk.score import compose, without

LIKELY = st.sampled_from(["exposure", "protocol", "credentials", "lifecycle", "data"])


@st.composite
def factor_lists(draw: st.DrawFn) -> list[Factor]:
    likely = draw(st.lists(st.tuples(LIKELY, st.floats(0.01, 40)), max_size=25))
    impact = draw(st.lists(st.floats(0.001, 0.2), max_size=2))
    control = draw(st.lists(st.floats(-30, -0.01), max_size=4))
    kinds = [*likely, *(("impact", p) for p in impact), *(("control", p) for p in control)]
    return [
        Factor(id=f"f{i}", title=f"F {i}", group=group, points=0, raw_points=points, why="because")
        for i, (group, points) in enumerate(kinds)
    ]


@given(factor_lists())
def test_points_add_up_to_the_score_exactly(factors: list[Factor]) -> None:
    score = compose("d", factors, "1")
    assert sum(f.points for f in score.factors) == score.score
    assert 0 <= score.score <= 100
    assert score.level is RiskLevel.of(score.score)
    assert sorted(f.id for f in score.factors) == sorted(f.id for f in factors)


@given(factor_lists())
def test_points_have_the_sign_of_what_they_are(factors: list[Factor]) -> None:
    for factor in compose("d", factors, "1").factors:
        if factor.group == "control":
            assert factor.points <= 0
        else:
            assert factor.points >= 0


@given(factor_lists(), st.floats(0.1, 40))
def test_a_further_reason_never_lowers_the_score(factors: list[Factor], more: float) -> None:
    further = Factor(id="zz", title="Z", group="protocol", points=0, raw_points=more, why="because")
    assert compose("d", [*factors, further], "1").score >= compose("d", factors, "1").score


@given(factor_lists(), st.data())
def test_without_a_factor_the_score_moves_the_right_way(factors: list[Factor], data: st.DataObject) -> None:
    if not factors:
        return
    gone = data.draw(st.sampled_from(factors))
    before = compose("d", factors, "1")
    after = without(before, [gone.id])
    assert gone.id not in {f.id for f in after.factors}
    if gone.group == "control":
        assert after.score >= before.score
    else:
        assert after.score <= before.score
    assert sum(f.points for f in after.factors) == after.score


def test_nothing_found_is_no_risk_whatever_the_device_is_for() -> None:
    impact = Factor(id="i", title="I", group="impact", points=0, raw_points=0.3, why="life critical")
    assert compose("d", [impact], "1").score == 0
    assert compose("d", [], "1").level is RiskLevel.NONE


def test_controls_take_away_half_at_most() -> None:
    worm = Factor(id="a", title="A", group="protocol", points=0, raw_points=40, why="")
    shield = Factor(id="c", title="C", group="control", points=0, raw_points=-1000, why="")
    half = Factor(id="a", title="A", group="protocol", points=0, raw_points=20, why="")
    assert compose("d", [worm, shield], "1").score == compose("d", [half], "1").score > 0


@given(factor_lists())
def test_the_sub_scores_multiply_to_the_score_and_split_without_remainder(factors: list[Factor]) -> None:
    score = compose("d", factors, "1")
    likely = [f.part for f in score.factors if f.group != "impact"]
    bearing = [f.part for f in score.factors if f.group == "impact"]
    assert sum(likely) == score.likelihood
    assert sum(bearing) + score.base_impact == score.impact
    assert score.base_impact >= 0
    exact = score.likelihood * score.impact / 100
    assert abs(score.score - exact) <= 0.5 or (score.score, exact < 1) == (1, True)
