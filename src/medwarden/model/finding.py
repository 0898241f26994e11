"""Findings: one type and one life cycle for exposures, vulnerabilities, recalls, anomalies, threats."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class FindingKind(StrEnum):
    """What a finding is about."""

    EXPOSURE = "exposure"
    VULNERABILITY = "vulnerability"
    RECALL = "recall"
    ANOMALY = "anomaly"
    THREAT = "threat"
    POLICY_VIOLATION = "policy_violation"
    NEW_DEVICE = "new_device"
    ASSET = "asset"  # books of equipment and the network contradict each other
    DECLARATION = "declaration"  # a maker's disclosure and what was heard contradict each other


class Severity(StrEnum):
    """How much a finding matters, lowest first."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return 0 for info up to 4 for critical."""
        return list(Severity).index(self)


class FindingState(StrEnum):
    """Where a finding stands. A resolved one that is seen again is reopened."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"  # risk accepted, with reason, approver and expiry
    FALSE_POSITIVE = "false_positive"
    RESOLVED = "resolved"


TRANSITIONS: dict[FindingState, frozenset[FindingState]] = {
    FindingState.OPEN: frozenset(
        {
            FindingState.ACKNOWLEDGED,
            FindingState.ACCEPTED,
            FindingState.FALSE_POSITIVE,
            FindingState.RESOLVED,
        }
    ),
    FindingState.ACKNOWLEDGED: frozenset(
        {
            FindingState.OPEN,
            FindingState.ACCEPTED,
            FindingState.FALSE_POSITIVE,
            FindingState.RESOLVED,
        }
    ),
    FindingState.ACCEPTED: frozenset({FindingState.OPEN, FindingState.RESOLVED}),
    FindingState.FALSE_POSITIVE: frozenset({FindingState.OPEN}),
    FindingState.RESOLVED: frozenset({FindingState.OPEN}),
}
"""Which state may follow which; every step needs an actor and a reason."""


class FindingEvidence(msgspec.Struct, frozen=True, gc=False):
    """What a finding rests on: an evidence field and value, or a conversation in words."""

    field: str
    value: str
    first_seen: int
    last_seen: int
    count: int = 1


class Finding(msgspec.Struct, frozen=True):
    """Something about a device that somebody should know or do.

    ``type`` is the stable id of the rule (``cleartext_dicom``); ``id`` follows from site, device,
    type and subject, so that the same finding seen again is the same finding. ``mitre`` holds
    ATT&CK ids (enterprise or ICS). ``fix`` says what to do today.
    """

    id: str
    kind: FindingKind
    type: str
    severity: Severity
    device: str
    title: str
    detail: str
    fix: str
    evidence: tuple[FindingEvidence, ...] = ()
    mitre: tuple[str, ...] = ()
    first_seen: int = 0
    last_seen: int = 0
    rule_version: str = ""
