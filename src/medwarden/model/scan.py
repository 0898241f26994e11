"""Reports of vulnerability scanners: what somebody else's scanner saw on which host, in one form for all.

A report names checks (a plugin, a QID, an NVT) once and says of each host which of them came out how. What
checks print is not kept, only the versions and updates that can be told in it: it may name people.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Protocol

import msgspec

SCANNERS: Mapping[str, str] = MappingProxyType(
    {"nessus": "Nessus", "openvas": "OpenVAS", "qualys": "Qualys", "rapid7": "Rapid7", "nmap": "nmap"}
)
"""Scanners by the name they go by here, as people call them."""


class ScanOutcome(StrEnum):
    """How a check came out on a host."""

    VULNERABLE = "vulnerable"  # tried, or read from an installed version
    POTENTIAL = "potential"  # the scanner itself is not sure: a banner, a practice
    FIXED = "fixed"  # seen before, and no longer
    NOT_VULNERABLE = "not_vulnerable"  # tried, and it is not so


class ScanCheck(msgspec.Struct, frozen=True):
    """What a scanner looks for: its own ``id``, the CVE ids it names, a CVSS base score where it has one."""

    id: str
    title: str
    cves: tuple[str, ...] = ()
    score: float | None = None
    remedy: str = ""


class ScanSighting(msgspec.Struct, frozen=True):
    """One check on one host: ``port`` 0 is the host itself; a version that is not named is empty.

    ``since_ns`` and ``seen_ns`` are when the scanner saw it first and last (nanoseconds, 0: not said).
    """

    check: str
    outcome: ScanOutcome
    port: int = 0
    transport: str = ""
    installed: str = ""
    fixed: str = ""
    since_ns: int = 0
    seen_ns: int = 0


class ScanSoftware(msgspec.Struct, frozen=True):
    """A program that a scanner found: by name and version, by CPE, or both."""

    name: str
    version: str = ""
    vendor: str = ""
    cpe: str = ""


class ScannedHost(msgspec.Struct, frozen=True):
    """One host of a report with what tells which device it is.

    ``credentialed`` tells whether the scanner was logged in, None where the report does not say.
    ``updates`` are knowledge base articles seen installed; ``information`` counts checks that only inform.
    """

    ips: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    seen_ns: int = 0
    os: str = ""
    credentialed: bool | None = None
    sightings: tuple[ScanSighting, ...] = ()
    software: tuple[ScanSoftware, ...] = ()
    updates: tuple[str, ...] = ()
    information: int = 0


class ScanReport(msgspec.Struct, frozen=True):
    """A report as it was read; ``rejected`` parts could not be, ``problems`` names the first of them."""

    form: str
    scanner: str
    title: str
    started_ns: int
    ended_ns: int
    checks: dict[str, ScanCheck]
    hosts: tuple[ScannedHost, ...]
    rejected: int = 0
    problems: tuple[str, ...] = ()


class ScanManifest(msgspec.Struct, frozen=True):
    """How a form of report declares itself.

    ``scanner`` is the product whose later reports take the place of earlier ones; ``whole`` tells whether
    silence on a host it looked at means something: a scanner that runs single scripts refutes nothing.
    """

    name: str
    title: str
    scanner: str
    reference: str
    whole: bool = True


class ScanReader(Protocol):
    """One form of report, made anew for each file."""

    manifest: ClassVar[ScanManifest]

    def __init__(self, source: str) -> None:
        """``source`` is what the user calls the file, for messages."""
        ...

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether a report that begins with ``head`` (up to 64 KiB) is of this form."""
        ...

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the report. Raises MalformedInput where it is broken or beyond bounds."""
        ...

    def finish(self) -> ScanReport:
        """Return what was read. Raises MalformedInput where the report ends too early."""
        ...
