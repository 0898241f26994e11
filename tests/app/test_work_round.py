"""The rounds of the worker start on an empty process, before any store is open."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["medwarden.app.worker", "medwarden.app.work_round", "medwarden.app.up"])
def test_what_a_process_starts_with_needs_no_open_store(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
