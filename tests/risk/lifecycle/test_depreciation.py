"""A device loses its value in a straight line over its useful life, in whole units."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.device import DeviceClass
from medwarden.risk.lifecycle.depreciation import DEFAULT_YEARS, Economics, Worth, checked, worth

TODAY = date(2026, 1, 1)


def valued(cost: float | None, bought: date | None, own: dict[str, Economics] | None = None) -> Worth:
    return worth(
        cost=cost, bought=bought, category="infusion_pump", device_class=DeviceClass.IOMT, own=own or {},
        today=TODAY,
    )  # fmt: skip


def test_half_its_life_is_half_its_value() -> None:
    found = valued(10_000, date(2021, 1, 1), {"infusion_pump": Economics(10)})
    assert found.value == 5_000
    assert (found.age_years, found.used_up, found.own_years) == (5.0, 50, True)
    assert found.life_ends == date(2031, 1, 1)


def test_after_its_life_nothing_is_left_and_before_it_everything() -> None:
    assert valued(10_000, date(2000, 1, 1)).value == 0
    assert valued(10_000, date(2027, 1, 1)).value == 10_000
    assert valued(10_000, date(2027, 1, 1)).age_years == 0


def test_what_is_not_known_is_not_made_up() -> None:
    assert (valued(None, TODAY).value, valued(None, TODAY).used_up) == (None, None)
    assert (valued(10, None).value, valued(10, None).life_ends) == (None, None)
    assert valued(-5, TODAY).cost is None
    assert valued(0, TODAY).used_up is None


def test_the_hospitals_years_count_where_it_set_any() -> None:
    assert valued(10, TODAY).years == DEFAULT_YEARS[DeviceClass.IOMT]
    assert valued(10, TODAY, {"infusion_pump": Economics(7)}).years == 7
    assert not valued(10, TODAY, {"infusion_pump": Economics(0, 500)}).own_years
    assert set(DEFAULT_YEARS) == set(DeviceClass)


@pytest.mark.parametrize("wrong", [Economics(-1), Economics(51), Economics(5, -1), Economics(5, 10**10)])
def test_years_and_prices_that_cannot_be_are_refused(wrong: Economics) -> None:
    with pytest.raises(ConfigurationError):
        checked(wrong)


@given(st.integers(0, 10**9), st.integers(0, 20_000), st.integers(0, 400), st.integers(1, 50))
def test_the_value_never_rises_with_age(cost: int, days: int, more: int, years: int) -> None:
    own = {"infusion_pump": Economics(years)}
    younger = valued(cost, TODAY - timedelta(days=days), own)
    older = valued(cost, TODAY - timedelta(days=days + more), own)
    assert younger.value is not None and older.value is not None
    assert 0 <= older.value <= younger.value <= cost
    if younger.used_up is not None:
        assert 0 <= younger.used_up <= 100
    assert younger.life_ends is not None and (younger.value == 0) >= (younger.life_ends <= TODAY)
