"""Time: nanoseconds since the Unix epoch in UTC, and its printed form.

Facts carry the time of the packet or log line, never the time of processing; the wall clock is
read only here, so that tests and replays can put another in its place.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

NANOSECONDS = 1_000_000_000

Clock = Callable[[], int]
"""Returns nanoseconds since the Unix epoch."""


def wall_clock() -> int:
    """Return the current time in nanoseconds since the Unix epoch."""
    return time.time_ns()


def to_datetime(ts_ns: int) -> datetime:
    """Return ``ts_ns`` as an aware UTC datetime (microsecond precision, years 1970 to 9999)."""
    seconds, rest = divmod(ts_ns, NANOSECONDS)
    seconds = min(max(seconds, 0), 253_402_300_799)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def from_datetime(moment: datetime) -> int:
    """Return an aware datetime as nanoseconds since the Unix epoch."""
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * NANOSECONDS + moment.microsecond * 1000


def iso(ts_ns: int) -> str:
    """Return ``ts_ns`` as RFC 3339 in UTC with a trailing Z, to the millisecond."""
    return to_datetime(ts_ns).isoformat(timespec="milliseconds").replace("+00:00", "Z")
