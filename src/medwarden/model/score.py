"""What the replay bench measures: figures per level with their intervals, as engines and pages exchange them.

Shares are between 0 and 1, times in seconds. A figure that has nothing to stand on is None.
"""

from __future__ import annotations

import msgspec

Interval = tuple[float, float]
"""Lower and upper bound: the middle 95 % of what resampled devices give."""


class Bin(msgspec.Struct, frozen=True):
    """Answers whose confidence lies in one stretch: how many, how sure on average, how often right."""

    low: float
    high: float
    count: int
    confidence: float
    right: float


class LevelFigures(msgspec.Struct, frozen=True):
    """One level: ``answered`` of ``n`` judged cases, ``correct`` of the answered, as is ``accuracy``."""

    level: str
    n: int
    answered: int
    correct: int
    coverage: float | None
    accuracy: float | None
    macro_f1: float | None
    ece: float | None
    intervals: dict[str, Interval] = {}
    bins: tuple[Bin, ...] = ()


class JointFigures(msgspec.Struct, frozen=True):
    """Class, category and vendor together: all answered, and all right of those."""

    n: int
    answered: int
    correct: int
    coverage: float | None
    precision: float | None
    intervals: dict[str, Interval] = {}


class Confusion(msgspec.Struct, frozen=True):
    """A wrong answer and how often it was given; ``devices`` names the first few."""

    level: str
    truth: str
    given: str
    count: int
    devices: tuple[str, ...]


class CategoryFigures(msgspec.Struct, frozen=True):
    """Devices that truly are of one category, or were called so."""

    category: str
    n: int
    answered: int
    correct: int
    recall: float | None
    precision: float | None
    f1: float | None
    mistaken_for: str | None


class Refusal(msgspec.Struct, frozen=True):
    """Answering only above ``confidence``: share of known devices answered, of unknown ones refused."""

    confidence: float
    answered: float
    refused: float


class OpenSet(msgspec.Struct, frozen=True):
    """Telling devices of no known kind (``strange``) from others by low confidence."""

    strange: int
    known: int
    auroc: float | None
    interval: Interval | None = None
    refusals: tuple[Refusal, ...] = ()


class Times(msgspec.Struct, frozen=True):
    """Seconds until the category was answered; ``curve`` is (seconds, share of all devices)."""

    n: int
    p50: float | None
    p95: float | None
    curve: tuple[tuple[float, float], ...] = ()


class SourceFigures(msgspec.Struct, frozen=True):
    """What one kind of input, or a choice of kinds, comes to by itself."""

    source: str
    inputs: int
    n: int
    found: int
    joint: JointFigures
    category: LevelFigures


class Worth(msgspec.Struct, frozen=True):
    """The figures with one group of evidence switched off; ``reached`` devices had said something in it."""

    group: str
    title: str
    reached: int
    joint: JointFigures
    levels: tuple[LevelFigures, ...]


class CaseRow(msgspec.Struct, frozen=True):
    """One device of the truth: what was asked, what was answered with what confidence."""

    capture: str
    mac: str
    found: bool
    truth: dict[str, str]
    given: dict[str, str | None]
    confidence: dict[str, float]
    right: dict[str, bool | None]
    seconds: float | None


class ScoreReport(msgspec.Struct, frozen=True):
    """Everything the replay bench measured of one set of captures.

    ``without`` are the groups of evidence that were switched off, ``sources`` figures by kind of input,
    ``worth`` the ablations where they were asked for. ``samples`` is how often devices were resampled
    for the intervals, ``seed`` with which seed.
    """

    cases: int
    found: int
    devices: int
    levels: tuple[LevelFigures, ...]
    joint: JointFigures
    times: Times
    open_set: OpenSet
    confusions: tuple[Confusion, ...]
    categories: tuple[CategoryFigures, ...]
    sources: tuple[SourceFigures, ...] = ()
    worth: tuple[Worth, ...] = ()
    without: tuple[str, ...] = ()
    samples: int = 0
    seed: int = 0
