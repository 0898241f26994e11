"""Waiting for what must happen: long enough for the slowest machine, and with words where it does not."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 120.0
"""Seconds to wait for what must happen; machines that run many tests at once are slow."""


def until(
    holds: Callable[[], bool],
    what: str,
    patience: float = PATIENCE,
    *,
    every: float = 0.05,
    shown: Callable[[], str] = str,
) -> float:
    """Wait until ``holds`` is true and return how many seconds it took.

    Raises AssertionError after ``patience`` seconds, with what ``shown`` returns then.
    """
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > patience:
            raise AssertionError(f"after {patience:.0f} s still not: {what}\n{shown()}".rstrip())
        time.sleep(every)
    return time.monotonic() - begun
