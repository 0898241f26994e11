"""Dear counts are kept for a moment, for the same question about the same folder only."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from tests.waiting import PATIENCE

from medwarden.store.queries import DeviceFilter, Scope
from medwarden.web import recent


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    recent.forget()
    yield
    recent.forget()


def test_the_same_question_is_computed_once() -> None:
    asked: list[tuple[str, str]] = []

    def count(scope: Scope, text: str) -> int:
        asked.append((scope.tenant, text))
        return len(asked)

    one, other = Scope("one"), Scope("other")
    assert recent.recently(count, one, "a") == recent.recently(count, one, "a") == 1
    assert recent.recently(count, other, "a") == 2, "another tenant never gets the first one's answer"
    assert recent.recently(count, one, "b") == 3
    recent.forget()
    assert recent.recently(count, one, "a") == 4


def test_an_answer_grows_old(monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter(range(5))

    def count() -> int:
        return next(values)

    assert recent.recently(count) == 0
    monkeypatch.setattr(recent, "SECONDS", 0.0)
    assert recent.recently(count) == 1


def test_a_dear_answer_that_is_old_is_shown_while_it_is_counted_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted, go_on = threading.Event(), threading.Event()
    values = iter(range(5))

    def count() -> int:
        value = next(values)
        if value:
            go_on.wait(PATIENCE)
            counted.set()
        return value

    monkeypatch.setattr(recent, "SECONDS", 0.0)
    monkeypatch.setattr(recent, "DEAR_S", -1.0)
    monkeypatch.setattr(recent, "TIMES_ITS_COST", 0)
    assert [recent.recently(count) for _ in range(3)] == [0, 0, 0], "one thread counts, nobody waits"
    go_on.set()
    assert counted.wait(PATIENCE)
    for thread in threading.enumerate():
        if thread.name == "recently":
            thread.join(PATIENCE)
    monkeypatch.setattr(recent, "SECONDS", 600.0)
    assert recent.recently(count) == 1


def test_what_is_counted_while_everything_is_forgotten_is_not_kept() -> None:
    values = iter(range(5))

    def count() -> int:
        recent.forget()
        return next(values)

    assert recent.recently(count) == 0
    assert recent.recently(count) == 1


def test_what_is_kept_is_bounded() -> None:
    def echo(number: int) -> int:
        return number

    for number in range(recent.MOST + 50):
        recent.recently(echo, number)
    assert len(recent._kept) == recent.MOST


def test_bounds_that_move_are_set_on_the_minute() -> None:
    second = 1_000_000_000
    one, other = DeviceFilter(last_seen_since=121 * second), DeviceFilter(last_seen_since=179 * second)
    assert recent.coarse(one) == recent.coarse(other) == DeviceFilter(last_seen_since=120 * second)
    assert recent.on_the_minute(None) is None
