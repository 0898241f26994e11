"""How often a host may be asked: so many requests in so many seconds, as its publisher wishes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec


class Pace(msgspec.Struct, frozen=True):
    """At most ``requests`` within any ``seconds``."""

    requests: int
    seconds: float


class Pacer:
    """Lets requests through no faster than the pace of each host.

    ``now`` returns seconds of a clock that never runs backwards, ``sleep`` waits for seconds.
    """

    def __init__(self, now: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._now = now
        self._sleep = sleep
        self._sent: dict[str, deque[float]] = {}

    def wait(self, host: str, pace: Pace | None) -> None:
        """Wait until ``host`` may be asked again and count the request that follows."""
        if pace is None:
            return
        sent = self._sent.setdefault(host, deque(maxlen=pace.requests))
        if len(sent) == pace.requests:
            rest = sent[0] + pace.seconds - self._now()
            if rest > 0:
                self._sleep(rest)
        sent.append(self._now())
