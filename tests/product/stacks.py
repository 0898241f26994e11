"""Two machines on a cable, real programs on both, and what a sensor on the cable makes of them."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.programs import WHERE, find
from tests.telling import tell
from tests.waiting import PATIENCE, until

from medwarden.app.study import study
from medwarden.model.device import Device

DEVICE, MANAGER = "10.77.0.2", "10.77.0.3"
DEVICE_MAC, MANAGER_MAC = "02:00:5e:77:00:02", "02:00:5e:77:00:03"
_numbers = itertools.count(1)


MARK = bytes.fromhex(DEVICE_MAC.replace(":", "") + MANAGER_MAC.replace(":", "")) + b"\x88\xb5 that is all "
LAST_FRAME = f"""
import socket
line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
line.bind(("port", 0))
line.send({MARK!r}.ljust(60, b"."))
"""
"""Sends a frame of a local experimental Ethertype (IEEE 802), as the last one on the cable."""


def _before_last_frame(path: Path) -> bytes | None:
    """Return a capture up to the mark; nothing while the mark is not in it."""
    capture, at = path.read_bytes(), 24
    while at + 16 <= len(capture):
        length = struct.unpack_from("=I", capture, at + 8)[0]
        if capture.startswith(MARK, at + 16):
            return capture[:at]
        at += 16 + length
    return None


class Cable:
    """A veth pair between two network namespaces: the device's and that of whoever talks to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        name = f"mws{os.getpid()}-{next(_numbers)}"
        self.device_space, self.manager_space = f"{name}d", f"{name}m"
        self._children: list[subprocess.Popen[bytes]] = []
        for space in (self.device_space, self.manager_space):
            _ip("netns", "add", space)
        _ip(
            *("link", "add", "port", "netns", self.device_space, "address", DEVICE_MAC, "type", "veth"),
            *("peer", "name", "port", "netns", self.manager_space, "address", MANAGER_MAC),
        )
        for space, address in ((self.device_space, DEVICE), (self.manager_space, MANAGER)):
            subprocess.run(
                ["ip", "netns", "exec", space, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"],
                check=True,
            )
            _ip("-n", space, "addr", "add", f"{address}/24", "brd", "+", "dev", "port")
            for link in ("lo", "port"):
                _ip("-n", space, "link", "set", link, "up")

    def device(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a program on the device; it is ended with the cable."""
        return self._start(self.device_space, command, environment)

    def manager(self, *command: str, **environment: str) -> str:
        """Run a program on the other machine to its end; return what it printed."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.manager_space, *command],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env={**os.environ, **WHERE, **environment},
        )
        return done.stdout + done.stderr

    def until(self, *command: str, says: str = "") -> str:
        """Run a program on the other machine until it succeeds in printing ``says``; fail after a while."""
        end = time.monotonic() + PATIENCE
        while True:
            printed = self.manager(*command)
            if says in printed:
                return printed
            if time.monotonic() > end:
                pytest.fail(f"{command[0]} never said {says!r}, last: {printed[-2000:]}")
            for child in self._children:
                if child.poll() is not None:
                    pytest.fail(
                        f"{child.args!r} ended with {child.returncode}; {command[0]}: {printed[-2000:]}"
                    )
            time.sleep(0.2)

    @contextlib.contextmanager
    def overheard(self) -> Iterator[Path]:
        """Capture what passes on the cable while the block runs; the file is whole when it ends.

        Whoever captures hands on late: a frame of no protocol passes last, and what is before it is kept.
        """
        path = self.folder / f"cable-{next(_numbers)}.pcap"
        dumpcap = subprocess.Popen(
            ["ip", "netns", "exec", self.manager_space, "dumpcap", "-q", "-P", "-i", "port", "-w", str(path)],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert dumpcap.stderr is not None
        try:
            said = ""
            for line in dumpcap.stderr:
                said += line
                if line.startswith("File:"):
                    break
            else:
                pytest.fail(f"dumpcap does not capture here: {said}")
            yield path
            self.manager(*python(LAST_FRAME))
            until(lambda: _before_last_frame(path) is not None, "dumpcap wrote down what passed last")
        finally:
            dumpcap.send_signal(signal.SIGINT)
            dumpcap.communicate(timeout=PATIENCE)
        kept = _before_last_frame(path)
        assert kept is not None
        path.write_bytes(kept)

    def cut(self) -> None:
        """End all programs and take the cable down."""
        for child in reversed(self._children):
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait(PATIENCE)
        for space in (self.device_space, self.manager_space):
            subprocess.run(["ip", "netns", "del", space], check=False, capture_output=True)

    def _start(
        self, space: str, command: Sequence[str], environment: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        path = self.folder / f"{Path(command[0]).name}-{next(_numbers)}.log"
        tell(f"{Path(command[0]).name} printed", lambda: path.read_text(errors="replace"))
        with path.open("wb") as log:
            child = subprocess.Popen(
                ["ip", "netns", "exec", space, *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, **WHERE, **environment},
            )
        self._children.append(child)
        return child


def python(script: str) -> tuple[str, ...]:
    """Return the command that runs ``script`` with this Python."""
    return (sys.executable, "-c", script)


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip where one of ``programs``, dumpcap or the right to make network namespaces is missing."""
    missing = [program for program in (*programs, "dumpcap", "ip") if find(program) is None]
    reason = f"{', '.join(missing)} not installed" if missing else "only root may make network namespaces"
    return pytest.mark.skipif(bool(missing) or os.geteuid() != 0, reason=reason)


def devices_of(capture: Path) -> dict[str, Device]:
    """Return the devices a capture shows, by address, through the whole chain."""
    return {ip: device for device in study([capture]).devices for ip in device.ips}


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
