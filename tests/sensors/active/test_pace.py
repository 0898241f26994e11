from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medwarden.sensors.active.pace import Pace, TokenBucket


def test_one_goes_at_once_and_the_next_when_its_time_has_come() -> None:
    now = [100.0]
    pace = Pace(60, clock=lambda: now[0])
    assert pace.wait("a", 30) == 0
    pace.take("a", 30)
    assert pace.wait("b", 600) == 1.0
    now[0] += 1
    assert pace.wait("b", 600) == 0
    assert pace.wait("a", 30) == 1.0
    pace.take("b", 600)
    now[0] -= 50  # a clock that is set back gives nothing
    assert pace.wait("b", 600) > 0


@given(st.floats(1, 600), st.lists(st.floats(0, 5), max_size=60))
def test_never_more_than_the_rate(per_minute: float, steps: list[float]) -> None:
    now, taken = [0.0], 0
    bucket = TokenBucket(per_minute, clock=lambda: now[0])
    for step in steps:
        now[0] += step
        if bucket.wait() == 0:
            bucket.take()
            taken += 1
    assert taken <= 1 + now[0] * per_minute / 60 + 1e-6
