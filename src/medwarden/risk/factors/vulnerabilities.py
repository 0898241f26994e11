"""Known vulnerabilities: those used in attacks, those that can be attacked, the others.

Each counts by its CVSS score for where the device stands (:mod:`medwarden.risk.environment`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from medwarden.model.device import Device
from medwarden.model.finding import FindingEvidence
from medwarden.model.vulnerability import MatchState
from medwarden.risk.context import KnownVulnerability, RiskContext
from medwarden.risk.environment import Environment, Rescored, environment_of, rescored
from medwarden.risk.factor import Advice, Basis, Group, Hit, RiskFactor
from medwarden.risk.facts import quantity

LIKELY = 0.1
"""From this probability of use within 30 days (EPSS) on, a vulnerability counts as exploitable."""

_SHOWN = 8
_POTENTIAL = 0.4
"""What a vulnerability counts that may concern the device, beside one that does."""

_MANY = 20
"""Vulnerabilities from which more of them add nothing."""

_UNSCORED = 5.0


class Weighed(msgspec.Struct, frozen=True):
    """A vulnerability of a device with its score for this device (0 to 10) and how it came about."""

    known: KnownVulnerability
    score: float
    rescored: Rescored | None

    @property
    def share(self) -> float:
        """Return how much it counts, 0 to 1: the score, raised by the probability of use."""
        likely = max(self.known.epss or 0.0, 0.5 if self.known.exploits else 0.0)
        sure = 1.0 if self.known.state is MatchState.CONFIRMED else _POTENTIAL
        return sure * min(1.0, 0.6 * self.score / 10 + 0.4 * likely)

    @property
    def words(self) -> str:
        """Return base and adjusted score in words, '' where nobody scored it."""
        if self.rescored is None:
            return "" if self.known.score is None else f"CVSS {self.known.score:.1f}"
        base, here = self.rescored.base, self.rescored.adjusted
        return f"CVSS {self.rescored.version} {base:.1f}, here {here:.1f}"


def is_exploitable(known: KnownVulnerability) -> bool:
    """Tell whether exploit code is public or use within 30 days is likely, and no use is known."""
    return not known.exploited and (known.exploits or (known.epss or 0.0) >= LIKELY)


class _Group(msgspec.Struct, frozen=True):
    """Vulnerabilities that count together: the first of them in order, and what is said of all.

    ``exploits`` says in words how many public exploits are known of them.
    """

    shown: tuple[Weighed, ...]
    count: int
    sure: int
    gravest: float
    exploits: str


class _Groups(msgspec.Struct, frozen=True):
    """The vulnerabilities of devices that are alike in surroundings that are alike."""

    exploited: _Group | None
    exploitable: _Group | None
    others: _Group | None


_grouped: dict[tuple[int, Environment], tuple[tuple[KnownVulnerability, ...], _Groups]] = {}
"""Groups by what is known and where it counts. Devices of one profile share what is known as one tuple, which
is held here too, so that its identity stays its own."""
_MOST_GROUPED = 20_000
_NONE = _Groups(None, None, None)


def weighed(known: Sequence[KnownVulnerability], environment: Environment) -> list[Weighed]:
    """Return the vulnerabilities that concern a device or may, those that count most first."""
    found = []
    for one in known:
        if one.state not in (MatchState.CONFIRMED, MatchState.POTENTIAL):
            continue
        fresh = rescored(one.vectors, environment) if one.vectors else None
        published = _UNSCORED if one.score is None else one.score
        found.append(Weighed(one, published if fresh is None else fresh.adjusted, fresh))
    return sorted(found, key=lambda one: (-one.share, one.known.vulnerability))


def _groups(device: Device, context: RiskContext) -> _Groups:
    """Return the vulnerabilities of a device by how far attacks with them have come."""
    known = context.vulnerabilities.get(device.id, ())
    if not known:
        return _NONE
    key = id(known), environment_of(device, context)
    kept = _grouped.get(key)
    if kept is None:
        found = weighed(known, key[1])
        groups = _Groups(
            _group([one for one in found if one.known.exploited]),
            _group([one for one in found if is_exploitable(one.known)]),
            _group([one for one in found if not one.known.exploited and not is_exploitable(one.known)]),
        )
        if len(_grouped) >= _MOST_GROUPED:
            _grouped.clear()
        kept = _grouped[key] = known, groups
    return kept[1]


def _group(found: Sequence[Weighed]) -> _Group | None:
    if not found:
        return None
    sure = sum(one.known.state is MatchState.CONFIRMED for one in found)
    return _Group(tuple(found[:_SHOWN]), len(found), sure, max(one.score for one in found), _exploits(found))


def _exploits(found: Sequence[Weighed]) -> str:
    """Return how many public exploits are known of all of them, and of which are the most."""
    counted = [one.known for one in found if one.known.exploit_count]
    if not counted:
        return ""
    most = max(counted, key=lambda one: (one.exploit_count, one.vulnerability))
    every = quantity(sum(one.exploit_count for one in counted), "public exploit is", "public exploits are")
    if len(counted) == 1:
        return f" {every} known of {most.vulnerability}."
    return f" {every} known of {len(counted)} of them, {most.exploit_count} of {most.vulnerability}."


def _evidence(device: Device, group: _Group) -> tuple[FindingEvidence, ...]:
    said = []
    for one in group.shown:
        words = f"{one.words}. {one.known.reason}" if one.words else one.known.reason
        said.append(
            FindingEvidence(one.known.vulnerability, words[:300], one.known.since_ns, device.last_seen)
        )
    return tuple(said)


def _why(group: _Group, what: str) -> str:
    sure, worst = group.sure, group.shown[0]
    both = f"{sure} {what} concern it" if sure else ""
    perhaps = f"{group.count - sure} {'more ' if sure else what + ' '}may" if group.count > sure else ""
    words = f" ({worst.words})" if worst.words else ""
    said = " and ".join(part for part in (both, perhaps) if part)
    return f"{said}; the gravest is {worst.known.vulnerability}{words}."


class ExploitedVulnerabilities:
    """Vulnerabilities that are used in attacks."""

    id: ClassVar[str] = "exploited_vulnerabilities"
    title: ClassVar[str] = "Vulnerabilities used in attacks"
    group: ClassVar[Group] = Group.EXPOSURE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None  # each is a finding of its own
    rests_on: ClassVar[frozenset[Basis]] = frozenset({Basis.VULNERABILITIES})

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where a vulnerability of the device is in CISA's catalogue or said to be used."""
        found = _groups(device, context).exploited
        if found is None:
            return None
        names = ", ".join(one.known.vulnerability for one in found.shown)
        many = quantity(found.count, "vulnerability", "vulnerabilities")
        grave = 0.5 + 0.5 * found.gravest / 10
        strength = (0.8 + 0.2 * min(1.0, found.sure / 3)) if found.sure else _POTENTIAL
        return Hit(
            f"{many} used in attacks{'' if found.sure else ' perhaps'} "
            f"{'concerns' if found.count == 1 else 'concern'} it: {names}.",
            _evidence(device, found),
            strength=strength * grave,
        )


class ExploitableVulnerabilities:
    """Vulnerabilities for which there is exploit code, or that are likely to be used."""

    id: ClassVar[str] = "exploitable_vulnerabilities"
    title: ClassVar[str] = "Vulnerabilities with public exploits"
    group: ClassVar[Group] = Group.EXPOSURE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None
    rests_on: ClassVar[frozenset[Basis]] = frozenset({Basis.VULNERABILITIES})

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where exploit code is public or EPSS gives ten percent or more, and no use is known."""
        found = _groups(device, context).exploitable
        if found is None:
            return None
        more = 0.2 * min(1.0, (found.count - 1) / _MANY)
        return Hit(
            _why(found, "vulnerabilities that can be attacked with what is public") + found.exploits,
            _evidence(device, found),
            strength=min(1.0, 0.8 * found.shown[0].share + more * found.shown[0].share),
        )


class OtherVulnerabilities:
    """Vulnerabilities without known use or exploit."""

    id: ClassVar[str] = "known_vulnerabilities"
    title: ClassVar[str] = "Known vulnerabilities"
    group: ClassVar[Group] = Group.EXPOSURE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None
    rests_on: ClassVar[frozenset[Basis]] = frozenset({Basis.VULNERABILITIES})

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where any other vulnerability concerns the device or may."""
        found = _groups(device, context).others
        if found is None:
            return None
        more = 0.2 * min(1.0, (found.count - 1) / _MANY)
        return Hit(
            _why(found, "vulnerabilities"),
            _evidence(device, found),
            strength=min(1.0, 0.8 * found.shown[0].share + more),
        )


FACTORS: tuple[RiskFactor, ...] = (
    ExploitedVulnerabilities(),
    ExploitableVulnerabilities(),
    OtherVulnerabilities(),
)
