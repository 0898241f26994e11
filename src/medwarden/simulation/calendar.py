"""The day of a hospital: how busy it is when, and when the next thing happens."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from medwarden.simulation.ends import HOUR, SECOND

Curve = Callable[[int], float]
"""How likely something is at a time, 0 to 1."""

_OFFICE = (
    0.05,
    0.05,
    0.04,
    0.04,
    0.05,
    0.1,
    0.35,
    0.85,
    1.0,
    1.0,
    0.95,
    0.9,
    0.75,
    0.9,
    0.95,
    0.85,
    0.65,
    0.4,
    0.25,
    0.2,
    0.15,
    0.12,
    0.1,
    0.06,
)
_WARD = (
    0.35,
    0.3,
    0.3,
    0.3,
    0.35,
    0.5,
    0.8,
    1.0,
    1.0,
    0.95,
    0.9,
    0.9,
    0.85,
    0.9,
    0.9,
    0.9,
    0.85,
    0.85,
    0.8,
    0.75,
    0.7,
    0.6,
    0.5,
    0.4,
)
_ADMISSION = (
    0.1,
    0.08,
    0.08,
    0.08,
    0.1,
    0.2,
    0.6,
    1.0,
    1.0,
    1.0,
    0.9,
    0.6,
    0.5,
    0.55,
    0.5,
    0.45,
    0.4,
    0.35,
    0.3,
    0.3,
    0.25,
    0.2,
    0.15,
    0.12,
)
_LABORATORY = (
    0.15,
    0.12,
    0.12,
    0.12,
    0.2,
    0.45,
    0.9,
    1.0,
    1.0,
    0.9,
    0.8,
    0.75,
    0.7,
    0.8,
    0.75,
    0.6,
    0.5,
    0.45,
    0.4,
    0.35,
    0.3,
    0.25,
    0.2,
    0.18,
)


def hour_of(at: int) -> int:
    """Return the hour of the day, hospital time."""
    return at // HOUR % 24


def weekday(at: int) -> int:
    """Return the day of the week, Monday is 0."""
    return (at // (24 * HOUR) + 3) % 7


class Day:
    """The rhythm of a site: working days, weekends, ``holidays`` (days since the epoch) and one great rush.

    Each method is a curve: how likely something is at a time, compared with the busiest hour of the week.
    """

    def __init__(self) -> None:
        self.holidays: set[int] = set()
        self.rush: tuple[int, int] = (0, 0)

    def _value(self, hours: tuple[float, ...], weekend: float, at: int) -> float:
        if self.rush[0] <= at < self.rush[1]:
            return 1.0
        calm = weekday(at) >= 5 or at // (24 * HOUR) in self.holidays
        return hours[at // HOUR % 24] * (weekend if calm else 1.0)

    def office(self, at: int) -> float:
        """Return how busy desks are."""
        return self._value(_OFFICE, 0.12, at)

    def imaging(self, at: int) -> float:
        """Return how busy planned imaging is."""
        return self._value(_OFFICE, 0.2, at)

    def ward(self, at: int) -> float:
        """Return how busy wards are."""
        return self._value(_WARD, 0.9, at)

    def admission(self, at: int) -> float:
        """Return how busy admission is: most between 7 and 11 h."""
        return self._value(_ADMISSION, 0.5, at)

    def laboratory(self, at: int) -> float:
        """Return how busy the laboratory is: most after the rounds."""
        return self._value(_LABORATORY, 0.6, at)


def always(at: int) -> float:
    """Return 1: day and night."""
    del at
    return 1.0


def after(rng: Random, at: int, mean_s: float, curve: Curve = always) -> int:
    """Return when the next of events happens that come every ``mean_s`` seconds at the busiest time."""
    for _ in range(10_000):
        at += int(rng.expovariate(1.0 / mean_s) * SECOND) + 1
        if rng.random() < curve(at):
            return at
    return at


def regular(rng: Random, at: int, every_s: float, jitter: float = 0.02) -> int:
    """Return when something that happens every ``every_s`` seconds happens next."""
    return at + int(every_s * SECOND * (1 + jitter * (rng.random() - 0.5)))


def shift(at: int) -> int:
    """Return the number of the shift since the epoch: early 6-14, late 14-22, night 22-6."""
    return (at - 6 * HOUR) // (8 * HOUR)
