from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.risk.recalls.days import Days, days_of, without_days


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("between January 5, 2015 and March 2016", Days("2015-01-05", "2016-03-31")),
        ("prior to June 2018", Days(None, "2018-05-31")),
        ("through June 2018", Days(None, "2018-06-30")),
        ("05JAN2015 to 2016-02-01", Days("2015-01-05", "2016-02-01")),
        ("12/31/14", Days("2014-12-31", "2014-12-31")),
        ("since 2019", Days("2019-01-01", None)),
        ("2010 and earlier", Days(None, "2010-12-31")),
        ("July 2013 through September 30, 2014", Days("2013-07-01", "2014-09-30")),
        ("in 2020", Days("2020-01-01", "2020-12-31")),
        ("March 3, 2021 onwards", Days("2021-03-03", None)),
    ],
)
def test_days_as_recalls_write_them(text: str, days: Days) -> None:
    assert days_of(text) == (days,)


def test_what_is_no_day_is_passed_over() -> None:
    assert days_of("February 30, 2015") == ()
    assert days_of("no day at all") == ()
    assert without_days("made 2015-01-05 here").split() == ["made", "here"]


@given(st.dates(date(1990, 1, 1), date(2060, 1, 1)), st.integers(0, 4000), st.integers(-5000, 5000))
def test_a_range_has_its_days_and_no_others(first: date, length: int, at: int) -> None:
    last = first + timedelta(days=length)
    (days,) = days_of(f"from {first.isoformat()} to {last.isoformat()}")
    day = first + timedelta(days=at)
    assert days.has(day.isoformat()) is (first <= day <= last)
    assert days.words


def test_a_month_may_be_among_days() -> None:
    days = Days("2015-01-15", "2015-12-31")
    assert days.has("2015-01") is None
    assert days.has("2015-02") is True
    assert days.has("2016") is False
