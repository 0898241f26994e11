"""Product tests run the real command in a process of its own, on a data folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WARD = ROOT / "src" / "medwarden" / "app" / "demo" / "ward.pcap.gz"

# Where Python may not write byte code beside the sources, every process would compile everything anew.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    os.environ["PYTHONPYCACHEPREFIX"] = str(ROOT / ".pytest_cache" / "bytecode")

Outcome = subprocess.CompletedProcess[str]
Command = Callable[..., Outcome]


def medwarden(*arguments: object, home: Path | None = None, **environment: str) -> Outcome:
    """Run ``medwarden`` to its end and return status and output."""
    named = {"MEDWARDEN_HOME": str(home)} if home else {}
    return subprocess.run(
        [sys.executable, "-m", "medwarden", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, **named, **environment},
    )


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty data folder, to be copied.

    Copies share the secret that keys tokens and tables, so what they hold can be compared to the last
    count; and a folder that is there already takes half the time.
    """
    folder = tmp_path_factory.mktemp("prepared") / "home"
    outcome = medwarden("worker", "--once", home=folder)
    assert outcome.returncode == 0, outcome.stderr
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the path of a data folder that does not exist yet."""
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Command:
    """Return a function that runs the command on this test's data folder."""

    def _run(*arguments: object, **environment: str) -> Outcome:
        return medwarden(*arguments, home=home, **environment)

    return _run


def lines(outcome: Outcome) -> list[dict[str, Any]]:
    """Return the JSON objects a command printed, one a line."""
    assert outcome.returncode == 0, outcome.stderr
    return [json.loads(line) for line in outcome.stdout.splitlines()]


@pytest.fixture(scope="session")
def ward_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a data folder that holds the demonstration ward; not to be changed by tests."""
    folder = tmp_path_factory.mktemp("ward") / "home"
    outcome = medwarden("replay", WARD, home=folder)
    assert outcome.returncode == 0, outcome.stderr
    return folder
