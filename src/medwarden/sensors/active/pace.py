"""How fast active query goes: a token bucket for all of it, and one for each subnet."""

from __future__ import annotations

import time
from collections.abc import Callable


class TokenBucket:
    """Lets ``per_minute`` through, at most ``burst`` at once; begins with one, not with a full bucket."""

    def __init__(
        self, per_minute: float, burst: int = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = per_minute / 60
        self._burst = burst
        self._clock = clock
        self._tokens = 1.0
        self._last = clock()

    def wait(self) -> float:
        """Return the seconds until the next one may go; 0 where it may go now."""
        now = self._clock()
        # A clock that jumps back gives nothing.
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._last) * self._rate)
        self._last = now
        # A hair less than a whole token, lest rounding make a waiter wait for nothing again and again.
        return 0.0 if self._tokens >= 1 - 1e-9 else (1 - self._tokens) / self._rate

    def take(self) -> None:
        """Use one up; call only when :meth:`wait` says 0."""
        self._tokens -= 1


class Pace:
    """One bucket for everything and one for each subnet that is switched on."""

    def __init__(self, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._all = TokenBucket(per_minute, clock=clock)
        self._subnets: dict[str, tuple[float, TokenBucket]] = {}

    def wait(self, subnet: str, per_minute: float) -> float:
        """Return the seconds until a probe into ``subnet`` may go."""
        return max(self._all.wait(), self._bucket(subnet, per_minute).wait())

    def take(self, subnet: str, per_minute: float) -> None:
        """Note that one goes now."""
        self._all.take()
        self._bucket(subnet, per_minute).take()

    def _bucket(self, subnet: str, per_minute: float) -> TokenBucket:
        known = self._subnets.get(subnet)
        if known is None or known[0] != per_minute:
            known = self._subnets[subnet] = (per_minute, TokenBucket(per_minute, clock=self._clock))
        return known[1]
