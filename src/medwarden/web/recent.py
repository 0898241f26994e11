"""Keep what is dear to count for a few seconds, so that a page with 100,000 devices stands at once.

Only counts beside the rows are kept (how many devices have which value, who talks to whom, the trend);
the rows themselves are always read. Kept per process and per data folder.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import ParamSpec, TypeVar

import msgspec
from django.db import connection

from medwarden.kernel.clock import NANOSECONDS
from medwarden.store.queries import DeviceFilter

P = ParamSpec("P")
T = TypeVar("T")

SECONDS = 10.0
MOST = 256
_kept: OrderedDict[Hashable, tuple[float, object]] = OrderedDict()
_lock = threading.Lock()


def recently(compute: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return ``compute(*args, **kwargs)``, or what it returned less than :data:`SECONDS` ago.

    The arguments must be plain data; who changes what is returned changes it for everybody.
    """
    key = (
        connection.settings_dict["NAME"],
        compute.__module__,
        compute.__qualname__,
        msgspec.json.encode((args, kwargs)),
    )
    now = time.monotonic()
    with _lock:
        found = _kept.get(key)
    if found is not None and now - found[0] < SECONDS:
        return found[1]  # type: ignore[return-value]  # stored below under the same function
    fresh = compute(*args, **kwargs)
    with _lock:
        _kept[key] = (now, fresh)
        _kept.move_to_end(key)
        while len(_kept) > MOST:
            _kept.popitem(last=False)
    return fresh


def forget() -> None:
    """Drop everything that is kept."""
    with _lock:
        _kept.clear()


_MINUTE = 60 * NANOSECONDS


def on_the_minute(moment_ns: int | None) -> int | None:
    """Return the start of a moment's minute, so that what is asked within it has one answer."""
    return None if moment_ns is None else moment_ns // _MINUTE * _MINUTE


def coarse(wanted: DeviceFilter) -> DeviceFilter:
    """Return a filter with its moving bounds on the minute."""
    return msgspec.structs.replace(wanted, last_seen_since=on_the_minute(wanted.last_seen_since))
