"""Frames come in order of time, shards do not disturb each other, and the day has its rhythm."""

from __future__ import annotations

from random import Random

from medwarden.simulation.calendar import Day, after
from medwarden.simulation.ends import DAY, HOUR, SECOND
from medwarden.simulation.engine import Shard, in_order, run_shard, shards_of
from medwarden.simulation.hospital import Hospital

START = 1_772_434_800 * SECOND  # Monday 2 March 2026, 7 h


def test_frames_are_in_order_of_time_and_inside_their_slice() -> None:
    hospital = Hospital(2, 60, 0.2, START)
    before = START
    count = 0
    for piece in run_shard(hospital, hospital.sites[0], 0):
        times = list(piece.times)
        assert times == sorted(times)
        assert all(before <= at < piece.until for at in times)
        assert sum(piece.sizes) == len(piece.octets)
        before, count = piece.until, count + len(times)
    assert count > 1000
    assert before == hospital.stop


def test_shards_say_together_what_one_would_have_said() -> None:
    def frames(shards: int) -> list[tuple[int, bytes]]:
        said: list[tuple[int, bytes]] = []
        parts = []
        for number in range(shards):
            hospital = Hospital(2, 60, 0.1, START)
            parts.append(Shard(hospital, hospital.sites[0], number, shards, sessions=False, image_scale=0.02))
        while True:
            pieces = [piece for piece in (part.advance() for part in parts) if piece is not None]
            if not pieces:
                return said
            said += [(at, bytes(frame)) for at, frame in in_order(pieces)]

    whole, parted = frames(1), frames(3)
    assert [at for at, _ in parted] == sorted(at for at, _ in parted)
    assert abs(len(whole) - len(parted)) < 0.02 * len(whole)


def test_only_large_sites_are_divided() -> None:
    assert shards_of(Hospital(1, 100, 1, START).sites[0]) == 1
    assert shards_of(Hospital(1, 2000, 1, START).sites[0]) == 4


def test_nights_weekends_and_holidays_are_quieter_than_a_monday_morning() -> None:
    day = Day()
    monday = START + 2 * HOUR
    for curve in (day.office, day.imaging, day.laboratory, day.admission):
        assert curve(monday) > curve(monday + 17 * HOUR)
        assert curve(monday) > curve(monday + 5 * DAY)
        assert 0 < curve(monday) <= 1
    busy = day.office(monday)
    day.holidays.add(monday // DAY)
    assert day.office(monday) < busy
    day.rush = (monday, monday + HOUR)
    assert day.office(monday) == 1


def test_events_come_as_often_as_asked() -> None:
    rng, at, count = Random(1), START, 0
    while at < START + 10 * HOUR:
        at = after(rng, at, 60)
        count += 1
    assert 520 < count < 680
