"""Ports for programs that must be told one: nobody else is given them while the tests run.

A port that was free a moment ago is soon anybody's: the kernel hands it out to the next who asks for any
port, or takes it for an outgoing connection. These lie outside of what it hands out, and each is kept by an
abstract Unix socket of its name, which all test processes of a network namespace see.
"""

from __future__ import annotations

import atexit
import os
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_kept: list[socket.socket] = []


def reserved_port() -> int:
    """Return a port on which nobody listens, for TCP and UDP, and that no other caller is ever given."""
    low, high = map(int, _RANGE.read_text().split())
    ports = [port for port in range(10_000, 61_000) if not low <= port <= high] or [*range(10_000, 61_000)]
    first = int.from_bytes(os.urandom(4), "big") % len(ports)
    for port in ports[first:] + ports[:first]:
        if _keep(port):
            if _free(port):
                return port
            _kept.pop().close()
    raise AssertionError(f"none of {len(ports)} ports is free")


def _keep(port: int) -> bool:
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(f"\0medwarden-test-port-{port}")
    except OSError:  # another test has it
        name.close()
        return False
    _kept.append(name)
    return True


def _free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True


@atexit.register
def _give_back() -> None:
    while _kept:
        _kept.pop().close()
