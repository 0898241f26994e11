"""Groups of devices: the worst stays in sight, every device counts, and points add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.model.risk import RiskLevel
from medwarden.risk.levels import GroupKind, GroupScore, aggregate


def group(values: list[int]) -> GroupScore:
    return aggregate(GroupKind.CATEGORY, "pumps", [(f"d{i:04}", v) for i, v in enumerate(values)])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], 0),
        ([37], 37),
        ([80] * 5, 80),
        ([80] + [10] * 99, 44),
        ([80] + [10] * 9999, 34),
        ([80] * 10 + [10] * 90, 57),
    ],
)
def test_the_worst_is_never_hidden(values: list[int], expected: int) -> None:
    assert group(values).score == expected


scores = st.lists(st.integers(0, 100), min_size=1, max_size=60)


@given(scores)
def test_it_lies_between_mean_and_worst_and_its_points_add_up(values: list[int]) -> None:
    found = group(values)
    assert sum(values) / len(values) - 0.5 <= found.score <= max(values)
    assert sum(found.by_level.values()) == found.devices == len(values)
    assert sum(one.points for one in found.worst) + found.others == found.score
    assert found.worst[0].score == max(values)
    assert all(one.points >= 0 for one in found.worst)


@given(scores, st.data())
def test_it_never_falls_when_a_device_gets_worse(values: list[int], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(values) - 1))
    worse = list(values)
    worse[at] = data.draw(st.integers(values[at], 100))
    assert group(worse).score >= group(values).score


def test_it_says_why() -> None:
    assert group([80, 60, 10]).why.startswith("The worst device, at 80, makes ")
    assert "2 of 3 devices are high or critical" in group([80, 60, 10]).why
    assert "no device of 2 is" in group([10, 5]).why
    assert group([10]).why == "One device, at 10."
    assert group([]).why == "No device counts here."
    assert group([0, 0]).level is RiskLevel.NONE
