"""Programs that others wrote, as peers: found or skipped, started, waited for, ended, heard if they fail."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.telling import tell, telling
from tests.waiting import PATIENCE, until

_LAST = 3_000
_numbers = itertools.count(1)


WHERE = {"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}
"""Where programs are, also those that only root has a use for."""


def find(name: str) -> str | None:
    """Return where a program is, or nothing where it is not installed."""
    return shutil.which(name, path=WHERE["PATH"])


def program(name: str) -> str:
    """Return where a program is; skip the test where it is not installed."""
    found = find(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


class Program:
    """A program that goes on, with what it printed so far in a file."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name, self.process, self.log = name, process, log

    @property
    def said(self) -> str:
        """Return the last of what it printed."""
        return self.log.read_text(errors="replace")[-_LAST:] if self.log.exists() else ""

    def until_listening(self, *ports: int) -> None:
        """Wait until it listens on TCP ports, without sending it anything."""
        for port in ports:
            self._until(port, "tcp", "0A")

    def until_bound(self, port: int) -> None:
        """Wait until somebody holds a UDP port, without sending it anything."""
        self._until(port, "udp", "07")

    def _until(self, port: int, kind: str, state: str) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, (
                f"{self.name} ended with {self.process.returncode}: {self.said}"
            )
            return held(port, kind, state)

        until(ready, f"{self.name} listens on {kind} port {port}", shown=lambda: self.said)

    def end(self) -> None:
        """Ask it and its children to end and wait for that; what does not listen is killed."""
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE / 4)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait()

    def _signal(self, number: int) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)  # it leads a session of its own


def held(port: int, kind: str, state: str) -> bool:
    """Tell whether a port is in a state of /proc/net (0A: listening; 07: bound, of UDP)."""
    for path in (Path(f"/proc/net/{kind}"), Path(f"/proc/net/{kind}6")):
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            words = line.split()
            if words[1].endswith(f":{port:04X}") and words[3] == state:
                return True
    return False


@contextmanager
def started(
    command: Sequence[object],
    folder: Path,
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Program]:
    """Run a program until the block ends; what it prints is kept in ``folder``."""
    words = [str(word) for word in command]
    name = Path(words[0]).name
    log = folder / f"{name}-{next(_numbers)}.printed"
    with log.open("wb") as out:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, **WHERE, **(environment or {})},
            start_new_session=True,  # some send a signal to all of their group when they end
        )
    one = Program(name, process, log)
    with telling(f"{name} printed", lambda: one.said):
        try:
            yield one
        finally:
            one.end()


@contextmanager
def serving(
    command: Sequence[object],
    folder: Path,
    *ports: int,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Program]:
    """Run a server until the block ends; it listens on all of ``ports`` (TCP) when the block begins."""
    with started(command, folder, cwd=cwd, environment=environment) as one:
        one.until_listening(*ports)
        yield one


def run(*command: object, patience: float = PATIENCE) -> str:
    """Run a program to its end, in which it has to succeed; return what it printed."""
    words = [str(word) for word in command]
    name = Path(words[0]).name
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=patience, check=False, env={**os.environ, **WHERE},
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        printed = b"".join(filter(None, (late.stdout, late.stderr))).decode(errors="replace")
        raise AssertionError(f"{name} did not end within {patience:.0f} s: {printed[-_LAST:]}") from late
    printed = done.stdout + done.stderr
    tell(f"{name} printed", lambda: printed)
    assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}: {printed[-_LAST:]}"
    return printed
