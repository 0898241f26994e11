"""What is going on: open findings of threats, anomalies, policy violations, and recalls not dealt with.

Other engines raise these findings; a score takes them by their kind. Threats and anomalies fade: full on the
day they were last seen, half a week later, in whole days so that scores do not move by the second.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.model.device import Device
from medwarden.model.finding import FindingEvidence, FindingKind, Severity
from medwarden.risk.context import LiveFinding, RiskContext
from medwarden.risk.factor import Advice, Basis, Group, Hit, RiskFactor
from medwarden.risk.facts import MOST, named, quantity

HALF_LIFE_DAYS = 7
GONE_DAYS = 60
"""After so many days without being seen a threat or anomaly no longer counts, open or not."""

FADING = frozenset({FindingKind.ANOMALY, FindingKind.THREAT, FindingKind.POLICY_VIOLATION})
LIVE = FADING | {FindingKind.RECALL}
"""Kinds of findings that scores take from other engines."""

_DAY_NS = 86_400 * 1_000_000_000
_BY_SEVERITY = {
    Severity.CRITICAL: 1.0,
    Severity.HIGH: 0.85,
    Severity.MEDIUM: 0.55,
    Severity.LOW: 0.3,
    Severity.INFO: 0.1,
}


def freshness(finding: LiveFinding, now_ns: int) -> float:
    """Return how much a finding that fades counts at ``now_ns``, 0 to 1."""
    days = max(0, now_ns // _DAY_NS - max(finding.last_seen, finding.opened_ns) // _DAY_NS)
    return 0.0 if days > GONE_DAYS else float(0.5 ** (days / HALF_LIFE_DAYS))


def _shares(device: Device, context: RiskContext, kind: FindingKind) -> list[tuple[float, LiveFinding]]:
    found = []
    for finding in context.record(device).findings:
        if finding.kind is kind:
            fresh = freshness(finding, context.now_ns) if kind in FADING else 1.0
            share = _BY_SEVERITY[finding.severity] * fresh
            if share > 0:
                found.append((share, finding))
    return sorted(found, key=lambda pair: (-pair[0], pair[1].id))


def _hit(found: list[tuple[float, LiveFinding]], what: str, plural: str | None = None) -> Hit | None:
    """Return the hit of all of one kind: each takes its share of what the graver ones leave."""
    if not found:
        return None
    left = 1.0
    for share, _ in found:
        left *= 1 - share
    return Hit(
        f"{quantity(len(found), what, plural)}: {named(finding.title for _, finding in found)}.",
        tuple(
            FindingEvidence(f"finding {f.type}", f.title[:300], f.opened_ns, max(f.last_seen, f.opened_ns))
            for _, f in found[:MOST]
        ),
        strength=1 - left,
    )


class LiveThreat:
    """An attack, or signs of one."""

    id: ClassVar[str] = "live_threat"
    title: ClassVar[str] = "Threat under way"
    group: ClassVar[Group] = Group.LIVE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None  # the threat is a finding of its own
    rests_on: ClassVar[frozenset[Basis]] = frozenset({Basis.FINDINGS})

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply while a finding of a threat is open and was seen within sixty days."""
        return _hit(_shares(device, context, FindingKind.THREAT), "open threat")


class LiveAnomaly:
    """It does what it never did."""

    id: ClassVar[str] = "live_anomaly"
    title: ClassVar[str] = "Unusual behaviour"
    group: ClassVar[Group] = Group.LIVE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None
    rests_on: ClassVar[frozenset[Basis]] = frozenset({Basis.FINDINGS})

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply while a finding of an anomaly is open and was seen within sixty days."""
        return _hit(_shares(device, context, FindingKind.ANOMALY), "open anomaly", "open anomalies")


class PolicyViolation:
    """It talks to whom its allow list does not name."""

    id: ClassVar[str] = "policy_violation"
    title: ClassVar[str] = "Outside its allow list"
    group: ClassVar[Group] = Group.LIVE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None
    rests_on: ClassVar[frozenset[Basis]] = frozenset({Basis.FINDINGS})

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply while a finding of a violated policy is open and was seen within sixty days."""
        return _hit(_shares(device, context, FindingKind.POLICY_VIOLATION), "open violation")


class OpenRecall:
    """Its maker or a regulator called it back, or gave notice."""

    id: ClassVar[str] = "open_recall"
    title: ClassVar[str] = "Recall not dealt with"
    group: ClassVar[Group] = Group.LIFECYCLE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None
    rests_on: ClassVar[frozenset[Basis]] = frozenset({Basis.FINDINGS})

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply while a finding of a recall is open; it does not fade."""
        return _hit(
            _shares(device, context, FindingKind.RECALL), "open recall or notice", "open recalls or notices"
        )


FACTORS: tuple[RiskFactor, ...] = (LiveThreat(), LiveAnomaly(), PolicyViolation(), OpenRecall())
