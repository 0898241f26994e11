"""Headers of log lines: every way of writing the time, and years that are not written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.sensors.logs.syslog_header import split_message


def ns(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000_000  # type: ignore[arg-type,misc]


NOW = ns(2026, 1, 2)


@pytest.mark.parametrize(
    ("line", "moment", "host", "app", "body"),
    [
        ("<34>Jan  1 22:14:15 m1 su: hi", ns(2026, 1, 1, 22, 14, 15), "m1", "su", "hi"),
        ("Dec 31 23:59:59 m1 su[9]: hi", ns(2025, 12, 31, 23, 59, 59), "m1", "su", "hi"),
        ("<34>Jan 03 01:00:00 m1 hi there", ns(2026, 1, 3, 1), "m1", "", "hi there"),
        (
            "<1>1 2026-01-02T03:04:05.25+01:00 m2 app 7 - - hi",
            ns(2026, 1, 2, 2, 4, 5) + 250_000_000,
            "m2",
            "app",
            "hi",
        ),
        ('<1>1 - - app - ID [a@1 b="\\]"][c@2] \ufeffhi', None, "", "app", '[a@1 b="\\]"][c@2] hi'),
        ("2026-01-02T03:04:05.000001+00:00 m3 app: hi", ns(2026, 1, 2, 3, 4, 5) + 1000, "m3", "app", "hi"),
        ("<166>Jan 02 2026 03:04:05 asa : %ASA-6-1: x", ns(2026, 1, 2, 3, 4, 5), "asa", "", "%ASA-6-1: x"),
        ("<166>Jan 02 2026 03:04:05: %ASA-6-1: x", ns(2026, 1, 2, 3, 4, 5), "", "", "%ASA-6-1: x"),
        (
            "<189>77: sw: *Jan  2 03:04:05.120 UTC: %A-5-B: x",
            ns(2026, 1, 2, 3, 4, 5) + 120_000_000,
            "sw",
            "",
            "%A-5-B: x",
        ),
        ("Fri Jan  2 03:04:05 2026 : Info: x", ns(2026, 1, 2, 3, 4, 5), "", "", ": Info: x"),
        ("<13>Jan  2 03:04:05 fw CEF:0|a|b", ns(2026, 1, 2, 3, 4, 5), "fw", "", "CEF:0|a|b"),
        ("no header at all", None, "", "", "no header at all"),
        ("<999>x", None, "", "", "<999>x"),
    ],
)
def test_headers(line: str, moment: int | None, host: str, app: str, body: str) -> None:
    assert tuple(split_message(line, NOW, "UTC")) == (moment, host, app, body)


def test_times_without_a_zone_are_local() -> None:
    summer = split_message("Jul  1 12:00:00 m su: x", ns(2026, 7, 2), "Europe/Berlin").ts_ns
    assert summer == ns(2026, 7, 1, 10)
    winter = split_message("Jan  1 12:00:00 m su: x", ns(2026, 1, 2), "Europe/Berlin").ts_ns
    assert winter == ns(2026, 1, 1, 11)


def test_a_leap_day_finds_its_year() -> None:
    assert split_message("Feb 29 12:00:00 m su: x", ns(2028, 3, 1), "UTC").ts_ns == ns(2028, 2, 29, 12)
    assert split_message("Feb 29 12:00:00 m su: x", ns(2026, 3, 1), "UTC").ts_ns is None


@given(st.integers(-180, 180), st.integers(0, 86_399))
def test_the_nearest_year_is_the_right_one(days: int, seconds: int) -> None:
    now = ns(2026, 6, 15)
    moment = datetime.fromtimestamp(now // 1_000_000_000 + days * 86_400 + seconds, UTC)
    line = f"{moment:%b} {moment.day:2} {moment:%H:%M:%S} host app: x"
    assert split_message(line, now, "UTC").ts_ns == int(moment.timestamp()) * 1_000_000_000


@given(st.text(max_size=200), st.integers(0, 2**62))
def test_no_line_breaks_it(text: str, now: int) -> None:
    for start in ("", "<13>", "<13>1 ", "<13>Jan  2 03:04:05 ", "2026-01-02T03:04:05Z "):
        message = split_message(start + text, now, "UTC")
        assert message.ts_ns is None or message.ts_ns >= 0
