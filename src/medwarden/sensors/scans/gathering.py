"""What readers of scan reports share: hosts and checks within bounds, and how scanners write values."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from medwarden.kernel.clock import NANOSECONDS
from medwarden.kernel.errors import MalformedInput
from medwarden.model.scan import (
    ScanCheck,
    ScanManifest,
    ScannedHost,
    ScanOutcome,
    ScanReport,
    ScanSighting,
    ScanSoftware,
)

MOST_HOSTS = 131_072
MOST_SIGHTINGS = 4_000_000
MOST_CHECKS = 400_000
MOST_OF_HOST = 20_000
_MOST_CVES = 400
_MOST_PROBLEMS = 50
_TEXT = 300
_REMEDY = 600

CVE = re.compile(r"\bCVE-(?:19|20)\d{2}-\d{4,7}\b", re.IGNORECASE)
_MAC = re.compile(
    r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:-])|\b[0-9A-Fa-f]{12}\b"
)
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?\Z")
_UPDATE = re.compile(r"\bKB\s?(\d{6,7})\b", re.IGNORECASE)
_INSTALLED = re.compile(
    r"(?:^|\n)[^\S\n]*+(?:installed version|version(?: of the remote \w+)?|remote version|product version|"
    r"current version|"
    r"file version|remote package installed|package installed|installed package|reported version)"
    r"\s*+[:=]\s*([\w.+:~() -]{1,60})",
    re.IGNORECASE,
)
_FIXED = re.compile(
    r"(?:^|\n)[^\S\n]*+(?:fixed (?:version|in|package)|should be|required version|fixed)"
    r"\s*+[:=]\s*([\w.+:~()/, -]{1,60})",
    re.IGNORECASE,
)
_ORDERS = (
    "%a %b %d %H:%M:%S %Y", "%Y%m%dT%H%M%S%f", "%b %d, %Y %I:%M %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M",
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%d %b %Y %I:%M%p", "%m/%d/%Y at %H:%M:%S",
)  # fmt: skip


def words(text: str | None, most: int = _TEXT) -> str:
    """Return text without control characters and repeated blanks, cut to ``most`` letters."""
    if not text:
        return ""
    short = text[: most * 4]
    return " ".join("".join(c if c.isprintable() else " " for c in short).split())[:most].rstrip()


def ips_of(text: str | None) -> tuple[str, ...]:
    """Return the IP addresses in a text, in canonical form and without repetition."""
    found = []
    for piece in re.split(r"[\s,;]+", text or "")[:64]:
        try:
            address = ipaddress.ip_address(piece)
        except ValueError:
            continue
        if not (address.is_unspecified or address.is_loopback or address.is_multicast):
            found.append(address.compressed.partition("%")[0])
    return tuple(dict.fromkeys(found))


def macs_of(text: str | None) -> tuple[str, ...]:
    """Return the MAC addresses in a text with colons in lower case; none of all zeros or all ones."""
    found = []
    for written in _MAC.findall((text or "")[:4000]):
        digits = re.sub(r"[:-]", "", written).lower()
        if digits not in ("0" * 12, "f" * 12):
            found.append(":".join(digits[at : at + 2] for at in range(0, 12, 2)))
    return tuple(dict.fromkeys(found))


def names_of(*texts: str | None) -> tuple[str, ...]:
    """Return host names in lower case; an address or anything else that is no name is left out."""
    found = []
    for text in texts:
        for piece in re.split(r"[\s,;]+", (text or "")[:2000]):
            name = piece.strip(".").lower()
            if _HOST.match(name) and not ips_of(name) and not name.isdigit():
                found.append(name)
    return tuple(dict.fromkeys(found))


def cves_of(texts: Iterable[str | None]) -> tuple[str, ...]:
    """Return the CVE ids in texts in upper case, in their order."""
    found = (cve.upper() for text in texts for cve in CVE.findall((text or "")[:20_000]))
    return tuple(dict.fromkeys(found))[:_MOST_CVES]


def updates_of(text: str | None) -> tuple[str, ...]:
    """Return the knowledge base articles in a text as ``KB5062557``."""
    return tuple(dict.fromkeys(f"KB{number}" for number in _UPDATE.findall((text or "")[:200_000])))[:500]


def installed_and_fixed(text: str | None) -> tuple[str, str]:
    """Return the version that a check found and the one that mends it, as far as its words name them."""
    body = (text or "")[:20_000]
    return _version(_INSTALLED.search(body)), _version(_FIXED.search(body))


def _version(found: re.Match[str] | None) -> str:
    said = words(found.group(1), 60) if found else ""
    return said if any(c.isdigit() for c in said) and not ips_of(said) else ""


def score_of(text: str | float | None) -> float | None:
    """Return a CVSS score between 0 and 10, or None."""
    try:
        value = float(text) if text not in (None, "") else math.nan
    except (TypeError, ValueError):
        return None
    return round(value, 1) if 0.0 <= value <= 10.0 else None


def port_of(text: str | int | None) -> int:
    """Return a port, 0 where there is none."""
    found = re.match(r"\s*(\d{1,5})\b", str(text if text is not None else ""))
    number = int(found.group(1)) if found else 0
    return number if number <= 65535 else 0


@lru_cache(maxsize=8192)
def time_ns(text: str | int | None) -> int:
    """Return a scanner's time in nanoseconds since the epoch, 0 for none; without a zone it is UTC."""
    said = str(text if text is not None else "").strip()
    if not 6 <= len(said) <= 60 or sum(c.isdigit() for c in said) < 5:
        return 0
    if re.fullmatch(r"\d{9,10}", said):
        return int(said) * NANOSECONDS
    if re.fullmatch(r"\d{12,13}", said):
        return int(said) * 1_000_000
    read: datetime | None
    try:
        read = datetime.fromisoformat(said)
    except ValueError:
        read = None
    bare = re.sub(r"\s+(?:GMT|UTC)(?:[+-]\d{1,4})?\Z|\s*\([A-Z+0-9:-]+\)\Z", "", said)
    for order in _ORDERS:
        if read is not None:
            break
        try:
            read = datetime.strptime(bare, order).replace(tzinfo=UTC)
        except ValueError:
            continue
    if read is None or not 1980 <= read.year <= 2200:
        return 0
    return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * 1000) * 1_000_000


class HostDraft(msgspec.Struct):
    """A host while it is being read; fields as in :class:`~medwarden.model.scan.ScannedHost`."""

    ips: list[str] = msgspec.field(default_factory=list)
    macs: list[str] = msgspec.field(default_factory=list)
    names: list[str] = msgspec.field(default_factory=list)
    seen_ns: int = 0
    os: str = ""
    credentialed: bool | None = None
    sightings: dict[tuple[str, int, str], ScanSighting] = msgspec.field(default_factory=dict)
    software: dict[tuple[str, str], ScanSoftware] = msgspec.field(default_factory=dict)
    updates: list[str] = msgspec.field(default_factory=list)
    information: int = 0

    def saw(self, sighting: ScanSighting) -> None:
        """Add a sighting; of the same check at the same port the worse one stays."""
        key = (sighting.check, sighting.port, sighting.transport)
        held = self.sightings.get(key)
        if held is None and len(self.sightings) >= MOST_OF_HOST:
            return
        if held is None or _GRAVITY[sighting.outcome] > _GRAVITY[held.outcome]:
            self.sightings[key] = sighting

    def runs(self, software: ScanSoftware) -> None:
        """Add a program that was found."""
        if (software.name or software.cpe) and len(self.software) < MOST_OF_HOST:
            self.software.setdefault((software.name or software.cpe, software.version), software)


_GRAVITY = {
    ScanOutcome.NOT_VULNERABLE: 0,
    ScanOutcome.FIXED: 1,
    ScanOutcome.POTENTIAL: 2,
    ScanOutcome.VULNERABLE: 3,
}


class ReportDraft:
    """A report while it is being read, within bounds; what cannot be used is counted and named."""

    def __init__(self, manifest: ScanManifest, source: str) -> None:
        self._manifest, self.source = manifest, source
        self.title = ""
        self.started_ns = self.ended_ns = 0
        self.checks: dict[str, ScanCheck] = {}
        self._hosts: dict[str, HostDraft] = {}
        self._sightings = 0
        self.rejected = 0
        self.problems: list[str] = []

    def reject(self, reason: str) -> None:
        """Count a part that could not be used."""
        self.rejected += 1
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(reason)

    def host(self, key: str) -> HostDraft:
        """Return the host of this key, new where it was not there. Raises MalformedInput for too many."""
        held = self._hosts.get(key)
        if held is None:
            if len(self._hosts) >= MOST_HOSTS:
                raise MalformedInput(self.source, f"the report names more than {MOST_HOSTS:,} hosts")
            held = self._hosts[key] = HostDraft()
        return held

    def check(self, check: ScanCheck) -> None:
        """Keep what a check is about; said twice, CVE ids add up."""
        held = self.checks.get(check.id)
        if held is None:
            if len(self.checks) >= MOST_CHECKS:
                raise MalformedInput(self.source, f"the report names more than {MOST_CHECKS:,} checks")
            self.checks[check.id] = msgspec.structs.replace(check, remedy=words(check.remedy, _REMEDY))
        elif set(check.cves) - set(held.cves):
            cves = tuple(dict.fromkeys((*held.cves, *check.cves)))[:_MOST_CVES]
            self.checks[check.id] = msgspec.structs.replace(held, cves=cves)

    def saw(self, host: HostDraft, sighting: ScanSighting) -> None:
        """Add a sighting to a host. Raises MalformedInput for too many in one report."""
        self._sightings += 1
        if self._sightings > MOST_SIGHTINGS:
            raise MalformedInput(self.source, f"the report says more than {MOST_SIGHTINGS:,} things of hosts")
        host.saw(sighting)

    def finish(self) -> ScanReport:
        """Return the report; a check that was never described stands under its own id."""
        hosts = tuple(_finished(draft) for draft in self._hosts.values())
        used = {sighting.check for host in hosts for sighting in host.sightings}
        times = [host.seen_ns for host in hosts if host.seen_ns]
        started = self.started_ns or min(times, default=0)
        return ScanReport(
            form=self._manifest.name,
            scanner=self._manifest.scanner,
            title=words(self.title, 120),
            started_ns=started,
            ended_ns=max(self.ended_ns, started, *times, 0),
            checks={name: self.checks.get(name) or ScanCheck(name, name) for name in sorted(used)},
            hosts=hosts,
            rejected=self.rejected,
            problems=tuple(self.problems),
        )


def _finished(draft: HostDraft) -> ScannedHost:
    seen = draft.seen_ns or max((each.seen_ns for each in draft.sightings.values()), default=0)
    return ScannedHost(
        ips=tuple(dict.fromkeys(draft.ips))[:64],
        macs=tuple(dict.fromkeys(draft.macs))[:64],
        names=tuple(dict.fromkeys(draft.names))[:16],
        seen_ns=seen,
        os=draft.os,
        credentialed=draft.credentialed,
        sightings=tuple(draft.sightings.values()),
        software=tuple(draft.software.values()),
        updates=tuple(dict.fromkeys(draft.updates)),
        information=draft.information,
    )
