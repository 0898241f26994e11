"""Findings from verdicts on recalls: one for each device and notice that is open and concerns it or may."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from medwarden.kernel.ids import stable_id
from medwarden.model.finding import Finding, FindingEvidence, FindingKind, Severity
from medwarden.model.recall import RecallClass
from medwarden.model.vulnerability import Aspect
from medwarden.risk.recalls.engine import RULES, RecallState
from medwarden.risk.recalls.notice import Notice
from medwarden.risk.recalls.workflow import SETTLED, Step

KINDS = frozenset({FindingKind.RECALL})
TYPE = "recall"
_RANK = {RecallClass.I: 4, RecallClass.II: 3, RecallClass.III: 1, RecallClass.UNCLASSIFIED: 2}
_LEAD = {
    RecallState.AFFECTED: "Recalled",
    RecallState.UNKNOWN: "Perhaps recalled",
    RecallState.MAY_BE: "Perhaps recalled",
}


class Standing(msgspec.Struct, frozen=True):
    """What a finding needs of a verdict: the device, the notice, what was said since when, the step."""

    device: str
    label: str
    notice: Notice
    state: RecallState
    reason: str
    since_ns: int
    aspects: tuple[Aspect, ...] = ()
    step: Step | None = None


def severity_of(recall_class: RecallClass, state: RecallState) -> Severity:
    """Return how much a verdict matters: by class, one step less where it is not sure."""
    rank = _RANK[recall_class] - (state is not RecallState.AFFECTED)
    return list(Severity)[max(rank, 0)]


def finding_id(site: str, device: str, notice: str) -> str:
    """Return the id of the finding of a device on the notice with a number."""
    return stable_id("f", site, device, TYPE, notice)


def findings_of(site: str, standing: Iterable[Standing], now_ns: int) -> tuple[Finding, ...]:
    """Return the findings of devices, gravest first.

    Settled cases make none, nor do ended notices that do not name the unit.
    """
    found = [
        _finding(site, one, now_ns)
        for one in standing
        if one.state in _LEAD
        and (one.step is None or one.step not in SETTLED)
        and (one.notice.ongoing or one.state is RecallState.AFFECTED)
    ]
    return tuple(sorted(found, key=lambda finding: (-finding.severity.rank, finding.id)))


def _finding(site: str, one: Standing, now_ns: int) -> Finding:
    notice = one.notice
    known = notice.recall_class is not RecallClass.UNCLASSIFIED
    named = f"{notice.id}, class {notice.recall_class.value}" if known else notice.id
    return Finding(
        id=finding_id(site, one.device, notice.id),
        kind=FindingKind.RECALL,
        type=TYPE,
        severity=severity_of(notice.recall_class, one.state),
        device=one.device,
        title=f"{_LEAD[one.state]} ({named}): {one.label}",
        detail=f"{notice.title}. {one.reason} {notice.reason[:600]}".strip(),
        fix=(notice.action[:1500] or "Read the notice and do what it asks for.")
        + " Keep what was done in the recall's case, with proof, until it can be closed.",
        evidence=tuple(
            FindingEvidence(
                aspect.evidence_field or aspect.name,
                f"{aspect.device_value} {aspect.why}".strip()[:300],
                one.since_ns,
                now_ns,
            )
            for aspect in one.aspects
        ),
        first_seen=one.since_ns,
        last_seen=now_ns,
        rule_version=RULES,
    )
