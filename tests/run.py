"""Run every check in the order of how fast it fails: style, types, floors, then the tests.

``./dev test`` calls this with the environment set up. Arguments are handed to pytest (``./dev test
tests/dissect -k dicom``); with arguments only pytest runs.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

MOST_WORKERS = 8
"""Each takes half a gigabyte, and a container counts the processors of its host."""

CHECKS: list[tuple[str, list[str]]] = [
    ("format", [str(BIN / "ruff"), "format", "--check", "--quiet", "."]),
    ("lint", [str(BIN / "ruff"), "check", "--quiet", "."]),
    ("floors", [str(BIN / "lint-imports"), "--no-cache"]),
    ("types", [str(BIN / "mypy")]),
]


def run(name: str, command: list[str]) -> bool:
    """Run one check and say how it went; its output is shown only when it fails."""
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    word = "ok" if done.returncode == 0 else "FAILED"
    sys.stdout.write(f"{name:8} {word} ({time.monotonic() - started:.0f} s)\n")
    if done.returncode:
        sys.stdout.write(done.stdout)
    sys.stdout.flush()
    return done.returncode == 0


def main(arguments: list[str]) -> int:
    """Return 0 when everything holds."""
    results = ROOT / ".pytest_cache" / "medwarden-results.json"
    results.parent.mkdir(exist_ok=True)
    environment = os.environ | {"MEDWARDEN_TEST_RESULTS": str(results)}
    # Tests start the product often; where byte code may not lie beside the sources, it lies here.
    if environment.pop("PYTHONDONTWRITEBYTECODE", None):
        environment["PYTHONPYCACHEPREFIX"] = str(results.parent / "bytecode")
    workers = min(len(os.sched_getaffinity(0)), MOST_WORKERS)
    pytest = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), "--dist", "worksteal"]
    if arguments:
        return subprocess.run(pytest[:4] + arguments, cwd=ROOT, env=environment, check=False).returncode
    outcomes = [run(name, command) for name, command in CHECKS]
    # Said, so that a failure which hangs on the order can be looked for in the same order.
    order = f"--randomly-seed={random.getrandbits(32)}"
    sys.stdout.write(f"order    {order}\n")
    sys.stdout.flush()
    tests = subprocess.run([*pytest, order], cwd=ROOT, env=environment, check=False).returncode
    capabilities = run("capabil.", [sys.executable, "tests/capabilities.py", str(results)])
    return 0 if all(outcomes) and tests == 0 and capabilities else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
