"""Known vulnerabilities of a device: those used in attacks first, then by probability and gravity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from medwarden.model.device import Device
from medwarden.model.finding import FindingEvidence
from medwarden.model.vulnerability import MatchState
from medwarden.risk.context import KnownVulnerability, RiskContext
from medwarden.risk.factor import Advice, Group, Hit, RiskFactor

_SHOWN = 8
_POTENTIAL = 0.4
"""What a vulnerability counts that may concern the device, beside one that does."""

_MANY = 20
"""Vulnerabilities from which more of them add nothing."""


def _share(one: KnownVulnerability) -> float:
    """Return how much one counts, 0 to 1: CVSS base score, raised by the probability of use."""
    grave = (one.score if one.score is not None else 5.0) / 10
    likely = max(one.epss or 0.0, 0.5 if one.exploits else 0.0)
    sure = 1.0 if one.state is MatchState.CONFIRMED else _POTENTIAL
    return sure * min(1.0, 0.6 * grave + 0.4 * likely)


def _evidence(known: Sequence[KnownVulnerability], now_ns: int) -> tuple[FindingEvidence, ...]:
    return tuple(
        FindingEvidence(one.vulnerability, one.reason[:300], one.since_ns, now_ns) for one in known[:_SHOWN]
    )


def _concerned(device: Device, context: RiskContext, *, exploited: bool) -> list[KnownVulnerability]:
    known = [
        one
        for one in context.vulnerabilities.get(device.id, ())
        if one.exploited is exploited and one.state in (MatchState.CONFIRMED, MatchState.POTENTIAL)
    ]
    return sorted(known, key=lambda one: (-_share(one), one.vulnerability))


class ExploitedVulnerabilities:
    """Vulnerabilities that are used in attacks."""

    id: ClassVar[str] = "exploited_vulnerabilities"
    title: ClassVar[str] = "Vulnerabilities used in attacks"
    group: ClassVar[Group] = Group.EXPOSURE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None  # each is a finding of its own

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where a vulnerability of the device is in CISA's catalogue or said to be used."""
        known = _concerned(device, context, exploited=True)
        if not known:
            return None
        sure = [one for one in known if one.state is MatchState.CONFIRMED]
        names = ", ".join(one.vulnerability for one in known[:_SHOWN])
        may = "" if sure else " perhaps"
        return Hit(
            f"{len(known)} vulnerabilities used in attacks{may} concern it: {names}.",
            _evidence(known, context.now_ns),
            strength=(0.8 + 0.2 * min(1.0, len(sure) / 3)) if sure else _POTENTIAL,
        )


class OtherVulnerabilities:
    """Vulnerabilities that are not known to be used."""

    id: ClassVar[str] = "known_vulnerabilities"
    title: ClassVar[str] = "Known vulnerabilities"
    group: ClassVar[Group] = Group.EXPOSURE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where any other vulnerability concerns the device or may."""
        known = _concerned(device, context, exploited=False)
        if not known:
            return None
        sure = sum(one.state is MatchState.CONFIRMED for one in known)
        worst = known[0]
        more = 0.2 * min(1.0, (len(known) - 1) / _MANY)
        score = "" if worst.score is None else f" (CVSS {worst.score:.1f})"
        return Hit(
            f"{sure} vulnerabilities concern it and {len(known) - sure} may; the gravest is "
            f"{worst.vulnerability}{score}.",
            _evidence(known, context.now_ns),
            strength=min(1.0, 0.8 * _share(worst) + more),
        )


FACTORS: tuple[RiskFactor, ...] = (ExploitedVulnerabilities(), OtherVulnerabilities())
