"""The cheapest set of actions: as cheap as trying everything, and honest about its bound."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medwarden.risk import plan as module
from medwarden.risk.counterfactual import Action, ActionKind
from medwarden.risk.levels import blended, rounded
from medwarden.risk.plan import Option, plan
from medwarden.risk.weights import GroupShape

SHAPE = GroupShape(0.34, 4)
DO = (Action(ActionKind.PATCH),)

choices = st.lists(
    st.tuples(
        st.integers(0, 100),
        st.lists(st.tuples(st.integers(1, 12), st.integers(0, 100)), max_size=3),
    ),
    min_size=1,
    max_size=5,
)


def as_options(drawn: list[tuple[int, list[tuple[int, int]]]]) -> dict[str, tuple[int, list[Option]]]:
    return {
        f"d{i}": (before, [Option(cost / 2, min(after, before), DO) for cost, after in found])
        for i, (before, found) in enumerate(drawn)
    }


def brute(options: dict[str, tuple[int, list[Option]]], others: list[int], target: int) -> float | None:
    best = None
    sets = [[Option(0, before, ()), *found] for before, found in options.values()]
    for chosen in itertools.product(*sets):
        counts = Counter([*others, *(o.score for o in chosen)])
        if rounded(blended(counts, SHAPE)) <= target:
            cost = sum(o.cost for o in chosen)
            best = cost if best is None else min(best, cost)
    return best


@settings(max_examples=150, deadline=None)
@given(choices, st.lists(st.integers(0, 100), max_size=4), st.sampled_from([0, 24, 49, 74]))
def test_it_is_the_cheapest_there_is(
    drawn: list[tuple[int, list[tuple[int, int]]]], others: list[int], target: int
) -> None:
    options = as_options(drawn)
    counts = Counter([*others, *(before for before, _ in options.values())])
    found = plan(counts, options, target, SHAPE)
    cheapest = brute(options, others, target)
    assert found.reached is (cheapest is not None)
    if cheapest is not None:
        assert found.exact
        assert found.cost == pytest.approx(cheapest)
        assert found.after <= target
    after = counts - Counter(c.before for c in found.chosen) + Counter(c.option.score for c in found.chosen)
    assert rounded(blended(after, SHAPE)) == found.after


def test_a_large_group_is_planned_with_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FRONT", 3)
    options = {
        f"d{i:03}": (
            60 + i % 31,
            [Option(1 + i % 5 + 0.37 * (i % 3), 20 + i % 17, DO), Option(9 + i % 4, 5, DO)],
        )
        for i in range(150)
    }
    counts = Counter(before for before, _ in options.values())
    found = plan(counts, options, 49, SHAPE)
    assert found.reached and not found.exact and found.after <= 49
    assert found.bound <= found.cost <= found.bound + 15
    assert found.devices == 150


def test_below_the_target_nothing_is_to_be_done() -> None:
    found = plan(Counter([10, 20]), {}, 24, SHAPE)
    assert (found.cost, found.chosen, found.exact, found.before) == (0.0, (), True, found.after)


def test_what_cannot_be_reached_is_said() -> None:
    found = plan(Counter([90, 80]), {"a": (90, [Option(2, 70, DO)])}, 24, SHAPE)
    assert not found.reached
    assert [c.device for c in found.chosen] == ["a"]
    assert found.after < found.before
