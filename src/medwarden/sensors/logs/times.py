"""Times as logs write them, to nanoseconds since the Unix epoch, exact to the microsecond."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from medwarden.kernel.errors import ConfigurationError

MOST_SECONDS = 9_223_372_036
"""Latest time that 64 bits hold in nanoseconds: the year 2262."""

_MILLIS_FROM = 100_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Nanoseconds = npt.NDArray[np.int64]


@cache
def zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name. Raises ConfigurationError where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(f"there is no time zone {name!r}; use a name like Europe/Berlin") from error


def ns_of_seconds(seconds: float) -> int | None:
    """Return seconds, or milliseconds where that large, since the epoch as nanoseconds, or None."""
    micros = seconds * (1e3 if seconds >= _MILLIS_FROM else 1e6)
    return round(micros) * 1000 if 0 <= micros < MOST_SECONDS * 1e6 else None


def ns_of_text(text: str, zone_name: str) -> int | None:
    """Return an ISO 8601 time as nanoseconds, without an offset in the zone named; None where it is none."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone(zone_name))
        ns = (moment - _EPOCH) // _MICROSECOND * 1000
    except (ValueError, OverflowError):
        return None
    return ns if 0 <= ns < MOST_SECONDS * 1_000_000_000 else None


def ns_of_value(value: object, zone_name: str) -> int | None:
    """Return a time as JSON holds it (epoch number or ISO text) as nanoseconds; None where it is none."""
    if isinstance(value, str):
        number = _number(value)
        return ns_of_text(value, zone_name) if number is None else ns_of_seconds(number)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ns_of_seconds(value)
    return None


def _number(text: str) -> float | None:
    """Return a text that is nothing but a decimal number as one."""
    if len(text) == 8 and text.isdigit():
        return None  # a date without hyphens
    try:
        return float(text) if text[:1].isdigit() or text[:1] == "-" else None
    except ValueError:
        return None


def ns_column(values: Sequence[object], zone_name: str) -> Nanoseconds | None:
    """Return a whole column of times as nanoseconds; None where any of them needs looking at by itself."""
    if not values:
        return np.zeros(0, np.int64)
    kinds = set(map(type, values))
    if kinds <= {float, int}:
        return _ns_of_numbers(np.array(values, np.float64))
    return _ns_of_texts(values, zone_name) if kinds == {str} else None


def _ns_of_numbers(seconds: npt.NDArray[np.float64]) -> Nanoseconds | None:
    micros = seconds * np.where(seconds >= _MILLIS_FROM, 1e3, 1e6)
    if not bool(np.all((micros >= 0) & (micros < MOST_SECONDS * 1e6))):
        return None
    return np.rint(micros).astype(np.int64) * 1000


def _ns_of_texts(values: Sequence[object], zone_name: str) -> Nanoseconds | None:
    texts = pa.array(values, pa.string())
    try:
        try:
            moments = texts.cast(pa.timestamp("us", tz="UTC"))
        except pa.ArrowInvalid:
            local = texts.cast(pa.timestamp("us"))
            moments = pc.assume_timezone(local, zone_name, ambiguous="earliest", nonexistent="latest")
    except pa.ArrowInvalid:
        return None
    micros: Nanoseconds = moments.cast(pa.int64()).to_numpy()
    sound = bool(np.all((micros >= 0) & (micros < MOST_SECONDS * 1_000_000)))
    return micros * 1000 if sound else None
