"""Times to the microsecond, in columns and one by one, with zones and without."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.errors import ConfigurationError
from medwarden.sensors.logs.times import ns_column, ns_of_seconds, ns_of_text, ns_of_value, zone

MICROS = st.integers(0, 4_000_000_000_000_000)


@given(st.lists(MICROS, min_size=1, max_size=20))
def test_epoch_seconds_are_exact_to_the_microsecond(micros: list[int]) -> None:
    seconds = [float(f"{m // 1_000_000}.{m % 1_000_000:06d}") for m in micros]
    column = ns_column(seconds, "UTC")
    assert column is not None
    assert column.tolist() == [m * 1000 for m in micros] == [ns_of_seconds(s) for s in seconds]


@given(MICROS)
def test_iso_text_is_exact_too(micros: int) -> None:
    moment = datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000)
    texts = [moment.isoformat(timespec="microseconds"), moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")]
    column = ns_column(texts, "UTC")
    assert column is not None
    assert column.tolist() == [micros * 1000] * 2
    assert ns_of_text(texts[0], "UTC") == micros * 1000


def test_a_time_without_a_zone_is_in_the_one_that_is_set() -> None:
    text = "2026-11-22T11:00:00.000001"
    column = ns_column([text], "Europe/Berlin")
    assert column is not None
    assert column.tolist() == [ns_of_text("2026-11-22T10:00:00.000001+00:00", "UTC")]
    assert ns_of_text(text, "Europe/Berlin") == column.tolist()[0]


@pytest.mark.parametrize("value", ["yesterday", "", None, True, -1.0, 1e300, [], "nan", "inf"])
def test_what_is_no_time(value: object) -> None:
    assert ns_of_value(value, "UTC") is None


def test_milliseconds_are_told_by_their_size() -> None:
    assert ns_of_value(1_795_341_600_123, "UTC") == 1_795_341_600_123_000_000
    assert ns_of_value("1795341600.5", "UTC") == 1_795_341_600_500_000_000


def test_a_zone_that_is_none_is_said_so() -> None:
    with pytest.raises(ConfigurationError, match="Europe/Berlin"):
        zone("Middle/Earth")
