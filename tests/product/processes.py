"""Long-running commands under test: started with their output in a file, watched, always ended."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.telling import telling
from tests.waiting import PATIENCE


class Running:
    """A command that goes on, and what it printed so far."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process = process
        self._output = output

    @property
    def printed(self) -> str:
        """Return standard output and errors so far."""
        return self._output.read_text(errors="replace")

    def children(self) -> dict[str, int]:
        """Return the pids of the roles that run as its children, by the command they were started with."""
        found: dict[str, int] = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(status.read_text().rpartition(")")[2].split()[1])
                words = (status.parent / "cmdline").read_bytes().decode().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
            if parent == self.process.pid and "medwarden" in words:
                found[words[words.index("medwarden") + 1]] = int(status.parent.name)
        return found

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def running(
    arguments: Sequence[object], folder: Path, prefix: Sequence[str] = (), **environment: str
) -> Iterator[Running]:
    """Run ``medwarden`` with ``arguments`` meanwhile; ``prefix`` is a command to run it under."""
    output = folder / f"output-{time.monotonic_ns()}.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "medwarden", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        )
    started = Running(process, output)
    words = " ".join(map(str, arguments))
    try:
        with telling(f"medwarden {words} printed", lambda: started.printed):
            yield started
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def alive(pid: int) -> bool:
    """Tell whether a process runs (one that ended and waits to be collected does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def answers(port: int, certificate: Path | None) -> bool:
    """Tell whether the console answers for its log-in page; over TLS where there is a certificate."""
    try:
        raw = socket.create_connection(("127.0.0.1", port), PATIENCE)
    except OSError:
        return False
    request = b"GET /account/login/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with raw:
        if certificate is None:
            connection: socket.socket = raw
        else:
            try:
                context = ssl.create_default_context(cafile=str(certificate))
                connection = context.wrap_socket(raw, server_hostname="localhost")
            except OSError:
                return False
        with connection:
            try:
                connection.sendall(request)
                return connection.recv(64).startswith(b"HTTP/1.1 200 ")
            except OSError:
                return False
