"""What an assessment found, in the order a reader asks: the content of both reports, without any layout."""

from __future__ import annotations

import msgspec

from medwarden.model.accounting import InputReport
from medwarden.model.device import Device
from medwarden.model.finding import Finding
from medwarden.model.policy import Policy
from medwarden.model.risk import RiskLevel, RiskScore


class Count(msgspec.Struct, frozen=True):
    """How many devices share a property; ``medical`` of them are medical devices."""

    key: str
    label: str
    devices: int
    medical: int = 0


class LevelCoverage(msgspec.Struct, frozen=True):
    """How many devices have an answer at one level of identity, and how sure the answers are.

    ``confidence`` is the mean over the answers that carry one, or None; ``sure`` counts those from 0.9.
    """

    level: str
    answered: int
    sure: int
    total: int
    confidence: float | None

    @property
    def share(self) -> float:
        """Return the answered share, 0 to 1."""
        return self.answered / self.total if self.total else 0.0


class Inventory(msgspec.Struct, frozen=True):
    """Who is on the network. ``managed`` counts yes, no and cannot tell."""

    total: int
    medical: int
    by_class: tuple[Count, ...]
    by_category: tuple[Count, ...]
    by_vendor: tuple[Count, ...]
    levels: tuple[LevelCoverage, ...]
    identified: int  # with class, category and vendor
    managed: tuple[int, int, int]
    discovery: tuple[tuple[int, int], ...]  # (ns, devices first seen by then)


class TopRisk(msgspec.Struct, frozen=True):
    """A device with its score and what it is."""

    device: Device
    what: str
    score: RiskScore


class CommonFactor(msgspec.Struct, frozen=True):
    """A reason that many devices share; ``points`` is the sum over them."""

    id: str
    title: str
    devices: int
    medical: int
    points: int


class RiskPicture(msgspec.Struct, frozen=True):
    """Scores of all devices. ``histogram`` counts scores 0-4, 5-9, ..., 95-100."""

    by_level: dict[RiskLevel, int]
    histogram: tuple[int, ...]
    median: int
    top: tuple[TopRisk, ...]
    common: tuple[CommonFactor, ...]
    by_category: tuple[tuple[str, int, int, int], ...]  # (category, devices, median, worst)


class DataPath(msgspec.Struct, frozen=True):
    """Patient data on its way in clear from a sender to a receiver."""

    protocol: str
    sender: Device
    receiver: str
    receiver_what: str
    scope: str
    ports: tuple[int, ...]
    flows: int
    bytes: int
    first_seen: int
    last_seen: int


class Segment(msgspec.Struct, frozen=True):
    """One subnet and who shares it. ``classes`` is in the order of :class:`DeviceClass`."""

    name: str
    vlans: tuple[int, ...]
    classes: tuple[int, ...]
    medical: int
    strangers: int  # office IT and other IoT devices
    total: int

    @property
    def mixed(self) -> bool:
        """Tell whether medical devices share the segment with office IT or other IoT devices."""
        return self.medical > 0 and self.strangers > 0


class Segmentation(msgspec.Struct, frozen=True):
    """Segments, and who talks to whom. ``talk`` maps (client kind, server kind) to (flows, applications)."""

    segments: tuple[Segment, ...]
    medical_placed: int  # medical devices whose segment is known
    medical_mixed: int  # of these, in a mixed segment
    kinds: tuple[str, ...]
    talk: dict[tuple[str, str], tuple[int, tuple[str, ...]]]


class ExposedService(msgspec.Struct, frozen=True):
    """A service that should not be open to everybody, and the devices that offer it."""

    name: str
    concern: str
    rank: int  # 3 worst
    ports: tuple[str, ...]
    devices: tuple[Device, ...]
    medical: int
    clients: int


class InternetUse(msgspec.Struct, frozen=True):
    """One device and the internet, one direction."""

    device: Device
    inbound: bool
    peers: tuple[str, ...]
    applications: tuple[str, ...]
    clear: tuple[str, ...]
    flows: int


class Grade(msgspec.Struct, frozen=True):
    """A letter for one area, or None where too little was seen; ``criterion`` says how it comes about."""

    area: str
    letter: str | None
    share: float | None
    measured: str
    criterion: str


class Action(msgspec.Struct, frozen=True):
    """Something to do. ``points`` is the risk it removes, summed over ``devices``."""

    title: str
    why: str
    fix: str
    devices: int
    points: int
    types: tuple[str, ...]


class Gap(msgspec.Struct, frozen=True):
    """What could or could not be seen. ``state`` is seen, partly or not seen."""

    topic: str
    state: str
    detail: str
    remedy: str


class Assessment(msgspec.Struct, frozen=True):
    """Everything a report says. Times in ns; ``generated_ns`` is when it was made.

    ``observed_ns`` is how long was listened: recordings may lie apart, so it can be far less than the
    time from ``observed_from`` to ``observed_to``.
    """

    sites: tuple[str, ...]
    generated_ns: int
    observed_from: int
    observed_to: int
    observed_ns: int
    inputs: tuple[InputReport, ...]
    devices: tuple[Device, ...]
    scores: dict[str, RiskScore]
    findings: tuple[Finding, ...]
    policies: tuple[Policy, ...]
    inventory: Inventory
    risk: RiskPicture
    paths: tuple[DataPath, ...]
    segmentation: Segmentation
    services: tuple[ExposedService, ...]
    internet: tuple[InternetUse, ...]
    grades: tuple[Grade, ...]
    sentences: tuple[str, ...]
    actions: tuple[Action, ...]
    gaps: tuple[Gap, ...]
    rules_version: str
    product_version: str
