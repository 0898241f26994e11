"""Interface counters of sFlow agents: what each port is, how loaded it is, and which errors it counts.

"sFlow Version 5" (sflow.org, 2004), structures ``if_counters`` and ``ethernet_counters``. Counters run on for
months and alone say little: two samples of a port are compared by the agent's uptime, and what comes of it is
told in steps, so that a switch has few facts and not one for each sample. All ones mean "not known".
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

import msgspec

from medwarden.kernel.errors import MalformedInput

COUNTER_FIELDS = ("flow.interface", "flow.interface_load", "flow.interface_errors")
"""What counters may state of the switch; every value begins with the port's ifIndex."""
GENERIC, ETHERNET = 1, 2
MOST_INTERFACES = 8192
"""Ports of one exporter that are followed; beyond them the oldest is forgotten."""

_GENERIC = Struct("!IIQIIQ6IQ5II")
_ETHERNET = Struct("!13I")
_TYPES = {
    6: "Ethernet",
    24: "loopback",
    53: "virtual",
    71: "wireless",
    131: "tunnel",
    135: "VLAN",
    161: "aggregate",
}
_DUPLEX = {1: "full duplex", 2: "half duplex"}
_ALL_32, _ALL_64 = (1 << 32) - 1, (1 << 64) - 1
_GENERIC_ERRORS = ("input discards", "input errors", "output discards", "output errors")
_ETHERNET_ERRORS = (
    "alignment errors", "checksum errors", "", "", "", "", "late collisions", "excessive collisions",
    "internal transmit errors", "carrier lost", "frames too long", "internal receive errors", "symbol errors",
)  # fmt: skip
"""In the order of the structure; collisions that end well and deferrals are no errors."""
_STEPS = ((0.01, "under 1 %"), (0.1, "1 to 10 %"), (0.5, "10 to 50 %"), (0.9, "50 to 90 %"))
_FULL = "over 90 %"
_UNITS = ((10**9, "Gbit/s"), (10**6, "Mbit/s"), (10**3, "kbit/s"))


class Interface(msgspec.Struct, frozen=True):
    """One sample of a port's generic counters; ``errors`` in the order of their names."""

    index: int
    kind: int
    speed: int
    direction: int
    status: int
    received: int
    sent: int
    errors: tuple[int, int, int, int]

    @property
    def words(self) -> str:
        """Return what the port is: its kind, its speed, its duplex and whether it is up."""
        said = [
            _TYPES.get(self.kind, f"type {self.kind}"),
            speed_words(self.speed) if self.speed else "",
            _DUPLEX.get(self.direction, ""),
            "" if self.status & 1 else "switched off",
            "up" if self.status & 2 else "down",
        ]
        return f"{self.index}: {', '.join(filter(None, said))}"


class _Known(msgspec.Struct):
    uptime_ms: int
    generic: Interface | None = None
    ethernet: tuple[int, ...] | None = None


class InterfaceCounters:
    """The ports of one exporter, each with the counters it had last."""

    def __init__(self) -> None:
        self._known: dict[object, _Known] = {}

    def take(
        self, source: object, uptime_ms: int, index: int, generic: Interface | None, ethernet: bytes | None
    ) -> Iterator[tuple[str, str]]:
        """Yield field and value of what a sample of port ``index`` says, compared with the one before.

        ``source`` is the agent, ``uptime_ms`` its age when it took the sample. Raises MalformedInput where
        ``ethernet`` is cut short.
        """
        counted = None if ethernet is None else ethernet_counters(ethernet)
        before = self._known.pop((source, index), None)
        if before is None and len(self._known) >= MOST_INTERFACES:
            del self._known[next(iter(self._known))]
        self._known[source, index] = _Known(uptime_ms, generic, counted)
        if generic is not None:
            yield "flow.interface", generic.words
        elapsed_ms = uptime_ms - before.uptime_ms if before is not None else 0
        if before is None or elapsed_ms <= 0:
            return  # the first, or the agent started anew
        if generic is not None and before.generic is not None:
            yield from _load(before.generic, generic, elapsed_ms)
            yield from _rose(index, _GENERIC_ERRORS, before.generic.errors, generic.errors)
        if counted is not None and before.ethernet is not None:
            yield from _rose(index, _ETHERNET_ERRORS, before.ethernet, counted)


def interface(body: bytes) -> Interface:
    """Return generic interface counters. Raises MalformedInput where they are cut short."""
    if len(body) < _GENERIC.size:
        raise MalformedInput("sflow", "interface counters are cut short", len(body))
    index, kind, speed, direction, status, received, *rest = _GENERIC.unpack_from(body)
    discards_in, errors_in, sent = rest[3], rest[4], rest[6]
    discards_out, errors_out = rest[10], rest[11]
    speed = 0 if speed == _ALL_64 else speed
    errors = (discards_in, errors_in, discards_out, errors_out)
    return Interface(index, kind, speed, direction, status, received, sent, errors)


def ethernet_counters(body: bytes) -> tuple[int, ...]:
    """Return the counters of an Ethernet port. Raises MalformedInput where they are cut short."""
    if len(body) < _ETHERNET.size:
        raise MalformedInput("sflow", "Ethernet counters are cut short", len(body))
    return _ETHERNET.unpack_from(body)


def speed_words(bits: int) -> str:
    """Return a speed in bits per second in the largest unit that leaves a number of 1 or more."""
    for size, unit in _UNITS:
        if bits >= size:
            return f"{bits / size:g} {unit}"
    return f"{bits} bit/s"


def _load(before: Interface, now: Interface, elapsed_ms: int) -> Iterator[tuple[str, str]]:
    if not now.speed:
        return
    for words, first, last in (("receives", before.received, now.received), ("sends", before.sent, now.sent)):
        if first <= last < _ALL_64:
            share = (last - first) * 8_000 / elapsed_ms / now.speed
            step = next((words for most, words in _STEPS if share < most), _FULL)
            yield "flow.interface_load", f"{now.index}: {words} {step} of {speed_words(now.speed)}"


def _rose(
    index: int, names: tuple[str, ...], before: tuple[int, ...], now: tuple[int, ...]
) -> Iterator[tuple[str, str]]:
    for name, first, last in zip(names, before, now, strict=True):
        if name and first < last < _ALL_32:
            yield "flow.interface_errors", f"{index}: {name}"
