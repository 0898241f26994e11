"""Drawings say what the numbers say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medwarden.model.risk import Factor, RiskLevel, RiskScore
from medwarden.web.shapes import shares, sparkline, waterfall


def score(points: list[int]) -> RiskScore:
    factors = tuple(Factor(f"f{i}", "t", "exposure", p, float(p), "w") for i, p in enumerate(points))
    return RiskScore("d", sum(points), RiskLevel.of(sum(points)), factors, "1")


@given(st.lists(st.integers(-30, 60), max_size=12))
def test_a_waterfall_ends_at_the_score_and_stays_in_its_box(points: list[int]) -> None:
    bars = waterfall(score(points))
    assert (bars[-1].running if bars else 0) == sum(points)
    assert all(bar.start >= 0 and bar.width >= 0 for bar in bars)
    assert [bar.css == "lowers" for bar in bars] == [p < 0 for p in points]


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=60))
def test_a_sparkline_stays_in_its_box(values: list[float]) -> None:
    line, area = sparkline(values)
    numbers = [tuple(map(float, p.split(","))) for p in line[1:].split(" L")]
    assert len(numbers) == len(values)
    assert all(-0.1 <= x <= 120.1 and 1.9 <= y <= 30.1 for x, y in numbers)
    assert area.startswith(line)


def test_one_value_is_no_line() -> None:
    assert sparkline([3]) == ("", "")


@given(st.lists(st.integers(0, 10**9), max_size=20))
def test_shares_are_of_the_largest(counts: list[int]) -> None:
    found = shares(counts)
    assert all(0 <= share <= 100 for share in found)
    if any(counts):
        assert max(found) == 100
