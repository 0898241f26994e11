"""A plan never spends what it has not, is the same every time, and takes away at least half of the best."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.errors import ConfigurationError
from medwarden.risk.lifecycle.budget import BudgetPlan, Candidate, LeftOut, plan_budget


def device(name: str, cost: int | None, *points: int, due: int = 0, currency: str = "") -> Candidate:
    return Candidate(name, name.upper(), cost, points, due, 0, currency)


def chosen(plan: BudgetPlan) -> list[list[str]]:
    return [[each.device for each in year.chosen] for year in plan.years]


def test_the_most_points_for_the_money_come_first_and_the_rest_waits() -> None:
    plan = plan_budget(
        [device("a", 100, 10), device("b", 50, 20), device("c", 60, 5), device("d", 100, 9)],
        160, first_year=2027, years=3,
    )  # fmt: skip
    assert chosen(plan) == [["b", "a"], ["d", "c"], []]
    assert [(y.year, y.cost, y.points, y.left) for y in plan.years] == [
        (2027, 150, 30, 10), (2028, 160, 14, 0), (2029, 0, 0, 160),
    ]  # fmt: skip
    assert (plan.points, plan.cost, plan.left_out) == (44, 310, ())


def test_one_grave_device_is_not_crowded_out_by_cheap_ones() -> None:
    plan = plan_budget([device("cheap", 1, 2), device("grave", 100, 90)], 100, first_year=2027, years=1)
    assert chosen(plan) == [["grave"]]


def test_what_is_not_due_waits_and_what_comes_then_counts_then() -> None:
    plan = plan_budget([device("a", 10, 0, 0, 30, due=2)], 10, first_year=2027, years=4)
    assert chosen(plan) == [[], [], ["a"], []]
    assert plan.years[2].points == 30


def test_money_that_is_left_is_kept_where_that_is_allowed() -> None:
    dear = [device("dear", 250, 40)]
    assert plan_budget(dear, 100, first_year=1, years=5).left_out[0].why is LeftOut.TOO_DEAR
    kept = plan_budget(dear, 100, first_year=1, years=5, carry=True)
    assert chosen(kept) == [[], [], ["dear"], [], []]
    assert [year.had for year in kept.years] == [100, 200, 300, 150, 250]


@pytest.mark.parametrize(
    ("candidate", "why"),
    [
        (device("a", None, 5), LeftOut.NO_COST),
        (device("a", 5, 5, currency="USD"), LeftOut.OTHER_CURRENCY),
        (device("a", 5, 5, due=3), LeftOut.LATER),
        (device("a", 5, 0), LeftOut.NO_RISK),
        (device("a", 999, 5), LeftOut.TOO_DEAR),
    ],
)
def test_what_is_left_out_says_why(candidate: Candidate, why: LeftOut) -> None:
    plan = plan_budget([candidate], 100, first_year=1, years=2, currency="EUR")
    assert chosen(plan) == [[], []]
    assert [(each.device, each.why) for each in plan.left_out] == [("a", why)]


def test_what_finds_no_room_is_said() -> None:
    plan = plan_budget([device("a", 100, 5), device("b", 100, 5)], 100, first_year=1, years=1)
    assert chosen(plan) == [["a"]]
    assert plan.left_out[0].why is LeftOut.NO_ROOM


@pytest.mark.parametrize(("amount", "years"), [(0, 5), (-1, 5), (10**13, 5), (5, 0), (5, 21)])
def test_what_cannot_be_planned_is_refused(amount: int, years: int) -> None:
    with pytest.raises(ConfigurationError):
        plan_budget([], amount, first_year=2027, years=years)


_CANDIDATES = st.lists(
    st.builds(
        Candidate,
        device=st.text("abcdefgh", min_size=1, max_size=3),
        label=st.just("x"),
        cost=st.none() | st.integers(0, 120),
        points=st.lists(st.integers(0, 100), min_size=1, max_size=3).map(lambda p: tuple(sorted(p))),
        due=st.integers(0, 3),
        rank=st.integers(0, 2),
        currency=st.sampled_from(["", "EUR", "USD"]),
    ),
    max_size=9,
    unique_by=lambda c: c.device,
)


@given(_CANDIDATES, st.integers(1, 200), st.integers(1, 4), st.booleans())
def test_every_plan_keeps_its_promises(
    candidates: list[Candidate], amount: int, years: int, carry: bool
) -> None:
    plan = plan_budget(candidates, amount, first_year=2027, years=years, currency="EUR", carry=carry)
    again = plan_budget(
        reversed(candidates), amount, first_year=2027, years=years, currency="EUR", carry=carry
    )
    assert plan == again
    by_id = {each.device: each for each in candidates}
    named = [each.device for year in plan.years for each in year.chosen]
    assert len(named) == len(set(named))
    assert {*named, *(each.device for each in plan.left_out)} == set(by_id)
    kept = 0
    for number, year in enumerate(plan.years):
        assert year.had == amount + kept
        assert year.cost == sum(each.cost for each in year.chosen) <= year.had
        assert year.left == year.had - year.cost
        assert year.points == sum(by_id[each.device].gain(number) for each in year.chosen)
        kept = year.left if carry else 0
    assert plan.points == sum(year.points for year in plan.years)


@given(_CANDIDATES, st.integers(1, 200))
def test_a_year_takes_away_at_least_half_of_the_best_choice(candidates: list[Candidate], amount: int) -> None:
    plan = plan_budget(candidates, amount, first_year=2027, years=1, currency="EUR")
    fitting = [c for c in candidates if c.cost is not None and c.currency in ("", "EUR") and c.due == 0]
    best = max(
        sum(c.gain(0) for c in some)
        for size in range(len(fitting) + 1)
        for some in combinations(fitting, size)
        if sum(c.cost or 0 for c in some) <= amount
    )
    assert 2 * plan.points >= best
