"""Whether a scanner is being asked: by a process that lives and is the one that began."""

from __future__ import annotations

import os

from medwarden.app.scanner_pull import is_running
from medwarden.kernel.clock import NANOSECONDS, wall_clock


def test_a_number_that_another_process_has_since_is_no_pull() -> None:
    now = wall_clock()
    assert is_running(os.getpid(), now, 0)
    assert not is_running(os.getpid(), now, now), "it ended"
    assert not is_running(os.getpid(), now - 365 * 86_400 * NANOSECONDS, 0), "begun before this process was"
    assert not is_running(2**22 + 1, now, 0), "there is no such process"
