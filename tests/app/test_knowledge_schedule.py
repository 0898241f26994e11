"""Looking by itself: once a day, sooner after a failure, never where it is turned off."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.app.knowledge_schedule import (
    MOST_RETRIES,
    Looks,
    begin,
    due_now,
    end,
    moment_of,
    next_look,
    read_looks,
    turned_on,
)
from medwarden.app.knowledge_settings import Schedule, SyncSettings, read_settings, write_settings
from medwarden.kernel.errors import ConfigurationError

NS = 1_000_000_000
DAILY = Schedule(on=True, at="03:30", zone="Europe/Berlin", jitter_minutes=60)


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS


@given(
    day=st.dates(date(2024, 1, 1), date(2030, 12, 31)),
    seed=st.text(max_size=8),
    minutes=st.integers(0, 23 * 60 + 59),
    jitter=st.integers(0, 360),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)
def test_the_moment_lies_between_the_time_and_its_jitter(
    day: date, seed: str, minutes: int, jitter: int, zone: str
) -> None:
    at = f"{minutes // 60:02d}:{minutes % 60:02d}"
    moment = moment_of(day, Schedule(True, at, zone, jitter), seed)
    begins = datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=ZoneInfo(zone))
    assert timedelta(0) <= moment - begins.astimezone(UTC) <= timedelta(minutes=jitter)


def test_hospitals_do_not_ask_at_once() -> None:
    moments = {moment_of(date(2026, 5, 5), DAILY, str(seed)) for seed in range(20)}
    assert len(moments) > 15


def test_nothing_is_looked_for_where_it_is_turned_off(tmp_path: Path) -> None:
    assert next_look(Schedule(), Looks("s"), ns("2026-05-05T12:00:00")) is None
    assert due_now(tmp_path, ns("2026-05-05T12:00:00")) is None


def test_a_look_is_due_once_a_day(tmp_path: Path) -> None:
    write_settings(tmp_path, SyncSettings(schedule=DAILY))
    turned_on(tmp_path, ns("2026-05-05T12:00:00"))
    assert due_now(tmp_path, ns("2026-05-05T23:00:00")) is None
    due = due_now(tmp_path, ns("2026-05-06T02:31:00"))
    assert due is not None
    assert (due.feeds, due.again) == ((), False)
    begin(tmp_path, ns("2026-05-06T02:31:00"))
    end(tmp_path, (), ns("2026-05-06T02:40:00"))
    assert due_now(tmp_path, ns("2026-05-06T23:59:00")) is None
    assert due_now(tmp_path, ns("2026-05-07T02:31:00")) is not None


def test_a_day_that_the_machine_was_off_is_caught_up_once(tmp_path: Path) -> None:
    write_settings(tmp_path, SyncSettings(schedule=DAILY))
    turned_on(tmp_path, ns("2026-05-05T12:00:00"))
    now = ns("2026-05-09T14:00:00")
    assert due_now(tmp_path, now) is not None
    begin(tmp_path, now)
    end(tmp_path, (), now + NS)
    assert due_now(tmp_path, now + 2 * NS) is None


def test_what_failed_is_tried_again_later_and_later(tmp_path: Path) -> None:
    write_settings(tmp_path, SyncSettings(schedule=DAILY))
    now = ns("2026-05-06T02:40:00")
    begin(tmp_path, now)
    end(tmp_path, ("kev",), now)
    waits = []
    for _ in range(MOST_RETRIES):
        due = next_look(DAILY, read_looks(tmp_path), now)
        assert due is not None
        if not due.again:
            break
        assert due.feeds == ("kev",)
        waits.append((due.at_ns - now) // (60 * NS))
        now = due.at_ns
        begin(tmp_path, now)
        end(tmp_path, ("kev",), now)
    assert waits == [15, 30, 60, 120, 240, 240]
    last = next_look(DAILY, read_looks(tmp_path), now)
    assert last is not None
    assert not last.again


def test_a_look_that_was_killed_is_tried_again_but_not_at_once(tmp_path: Path) -> None:
    write_settings(tmp_path, SyncSettings(schedule=DAILY))
    now = ns("2026-05-06T02:40:00")
    begin(tmp_path, now)
    assert due_now(tmp_path, now + 60 * NS) is None
    due = due_now(tmp_path, now + 16 * 60 * NS)
    assert due is not None
    assert due.again


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schedule: {at: '25:00'}", "is none: write HH:MM"),
        ("schedule: {zone: Mars}", "is no time zone"),
        ("schedule: {feeds: [nothing]}", "there is no feed 'nothing'"),
        ("schedule: {feeds: [nvd_overrides]}", "has no address to be asked at"),
        ("schedule: {jitter_minutes: 999}", "the jitter is from 0"),
        ("stale_after: {kev: 0}", "becomes stale after 1 to"),
        ("csaf: [http://plain.example/x.json]", "neither a domain nor an address of https"),
        ("osv: [Cobol]", "there is no ecosystem 'Cobol'"),
    ],
)
def test_settings_that_cannot_hold_are_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "knowledge" / "feeds.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        read_settings(tmp_path)
    assert due_now(tmp_path, ns("2026-05-06T02:40:00")) is None


def test_what_yaml_reads_otherwise_is_taken_as_a_person_means_it(tmp_path: Path) -> None:
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "knowledge" / "feeds.yaml").write_text("schedule: {on: true, at: 13:30}")
    assert read_settings(tmp_path).schedule == Schedule(on=True, at="13:30")
