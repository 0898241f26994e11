"""Keep what is dear to count for a few seconds, so that a page with 100,000 devices stands at once.

Only counts beside the rows are kept (how many devices have which value, who talks to whom, the trend);
the rows themselves are always read. Kept per process and per data folder. What took long to count is kept
longer, and when it is old it is shown once more while it is counted anew beside the request.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from typing import NamedTuple, ParamSpec, TypeVar

import msgspec
from django.db import connection

from medwarden.kernel.clock import NANOSECONDS
from medwarden.store.queries import DeviceFilter

P = ParamSpec("P")
T = TypeVar("T")

SECONDS = 10.0
DEAR_S = 0.2
"""What took longer to count is not counted while somebody waits, where an older answer is there."""

TIMES_ITS_COST = 20
"""So many times longer than it took to count is an answer kept."""

OLDEST_S = 600.0
"""An answer older than this is not shown any more."""

MOST = 256


class _Kept(NamedTuple):
    at: float
    took: float
    value: object


_kept: OrderedDict[Hashable, _Kept] = OrderedDict()
_under_way: set[Hashable] = set()
_forgotten = 0
_lock = threading.Lock()


def recently(compute: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return ``compute(*args, **kwargs)``, or what it returned less than :data:`SECONDS` ago.

    What took more than :data:`DEAR_S` may be older, up to :data:`OLDEST_S`. The arguments must be plain
    data; who changes what is returned changes it for everybody.
    """
    key = (
        connection.settings_dict["NAME"],
        compute.__module__,
        compute.__qualname__,
        msgspec.json.encode((args, kwargs)),
    )
    with _lock:
        found = _kept.get(key)
    if found is not None:
        age = time.monotonic() - found.at
        dear = found.took > DEAR_S
        fresh = age < (max(SECONDS, min(TIMES_ITS_COST * found.took, OLDEST_S)) if dear else SECONDS)
        if fresh or (dear and age < OLDEST_S):
            if not fresh:
                _renew(key, partial(compute, *args, **kwargs))
            return found.value  # type: ignore[return-value]  # stored below under the same function
    return _computed(key, partial(compute, *args, **kwargs))


def _computed(key: Hashable, compute: Callable[[], T]) -> T:
    begun, forgotten = time.monotonic(), _forgotten
    fresh = compute()
    now = time.monotonic()
    with _lock:
        if forgotten == _forgotten:
            _kept[key] = _Kept(now, now - begun, fresh)
            _kept.move_to_end(key)
        while len(_kept) > MOST:
            _kept.popitem(last=False)
    return fresh


def _renew(key: Hashable, compute: Callable[[], object]) -> None:
    """Count anew in a thread of its own, once at a time."""
    with _lock:
        if key in _under_way:
            return
        _under_way.add(key)

    def run() -> None:
        try:
            _computed(key, compute)
        finally:
            connection.close()  # this thread belongs to no request that would
            with _lock:
                _under_way.discard(key)

    threading.Thread(target=run, name="recently", daemon=True).start()


def forget() -> None:
    """Drop everything that is kept, and what is being counted now."""
    global _forgotten
    with _lock:
        _forgotten += 1
        _kept.clear()


_MINUTE = 60 * NANOSECONDS


def on_the_minute(moment_ns: int | None) -> int | None:
    """Return the start of a moment's minute, so that what is asked within it has one answer."""
    return None if moment_ns is None else moment_ns // _MINUTE * _MINUTE


def coarse(wanted: DeviceFilter) -> DeviceFilter:
    """Return a filter with its moving bounds on the minute."""
    return msgspec.structs.replace(wanted, last_seen_since=on_the_minute(wanted.last_seen_since))
