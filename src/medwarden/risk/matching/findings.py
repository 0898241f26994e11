"""Findings from verdicts: one for a device and advisory that matters, or a product where there is none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from medwarden.kernel.ids import stable_id
from medwarden.model.finding import Finding, FindingEvidence, FindingKind, Severity
from medwarden.model.vulnerability import MatchState
from medwarden.risk.matching.engine import RULES
from medwarden.risk.matching.platforms import RELEASE_UNKNOWN

KINDS = frozenset({FindingKind.VULNERABILITY})
TYPE = "vulnerability"
RELEASE = "release of the system"
"""The subject of what finding out the release of a device's system settles, whatever advisories name it."""
RECORDS = "records"
"""The subject of what no advisory names, only records of vulnerabilities."""
_SHOWN = 8


class Verdict(Protocol):
    """What a finding needs of a verdict."""

    @property
    def device(self) -> str:
        """Return the device's id."""
        ...

    @property
    def label(self) -> str:
        """Return how a person calls the device."""
        ...

    @property
    def vulnerability(self) -> str:
        """Return the CVE id, or the advisory's where it has none."""
        ...

    @property
    def advisory(self) -> str:
        """Return the advisory that names the product, or a blank."""
        ...

    @property
    def state(self) -> MatchState:
        """Return the verdict."""
        ...

    @property
    def reason(self) -> str:
        """Return the sentence behind it."""
        ...

    @property
    def evidence(self) -> Sequence[Mapping[str, object]]:
        """Return what was compared, with ``name``, ``agrees`` and ``why`` of each."""
        ...

    @property
    def since_ns(self) -> int:
        """Return since when it holds."""
        ...

    @property
    def score(self) -> float | None:
        """Return the CVSS base score."""
        ...

    @property
    def exploited(self) -> bool:
        """Tell whether it is used in attacks."""
        ...

    @property
    def exploits(self) -> bool:
        """Tell whether exploit code is public."""
        ...

    @property
    def epss(self) -> float | None:
        """Return the probability of use within 30 days."""
        ...

    @property
    def remedy(self) -> str:
        """Return what the maker says to do."""
        ...


LIKELY = 0.1
"""EPSS from which a vulnerability that is not yet exploited counts one step more."""


def severity_of(verdict: Verdict) -> Severity:
    """Return how much one verdict matters: by use first, then CVSS; one step less where it is potential.

    Another step less where only the family of the system is known: one look at the device settles it.
    """
    found = severity(verdict.state, verdict.score, verdict.exploited, verdict.exploits, verdict.epss)
    return list(Severity)[max(found.rank - 1, 0)] if release_unknown(verdict) else found


def release_unknown(verdict: Verdict) -> bool:
    """Tell whether a verdict is open for no other reason than that the release of the system is not known."""
    return verdict.state is MatchState.POTENTIAL and any(
        aspect.get("name") == "product" and aspect.get("why") == RELEASE_UNKNOWN
        for aspect in verdict.evidence
    )


def severity(
    state: MatchState, score: float | None, exploited: bool, exploits: bool, epss: float | None
) -> Severity:
    """Return the same from its parts."""
    score = score if score is not None else 5.0
    rank = 4 if score >= 9.0 else 3 if score >= 7.0 else 2 if score >= 4.0 else 1
    if exploited:
        rank = 4
    elif exploits or (epss or 0.0) >= LIKELY:
        rank = min(4, rank + 1)
    if state is MatchState.POTENTIAL:
        rank -= 1
    return list(Severity)[max(rank, 0)]


def subject_of(verdict: Verdict) -> str:
    """Return what a finding on a verdict is about: the advisory, the release of the system, or records."""
    return RELEASE if release_unknown(verdict) else verdict.advisory or RECORDS


def finding_id(site: str, device: str, subject: str) -> str:
    """Return the id of the finding of a device on a subject."""
    return stable_id("f", site, device, TYPE, subject)


def findings_of(site: str, verdicts: Iterable[Verdict], now_ns: int) -> tuple[Finding, ...]:
    """Return the findings of devices, gravest first; what is only possible and not grave makes none."""
    groups: defaultdict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.state is MatchState.CONFIRMED or (
            verdict.state is MatchState.POTENTIAL and severity_of(verdict).rank >= Severity.MEDIUM.rank
        ):
            groups[verdict.device, subject_of(verdict)].append(verdict)
    found = [_finding(site, device, subject, group, now_ns) for (device, subject), group in groups.items()]
    return tuple(sorted(found, key=lambda finding: (-finding.severity.rank, finding.id)))


def _finding(site: str, device: str, subject: str, group: Sequence[Verdict], now_ns: int) -> Finding:
    ordered = sorted(
        group, key=lambda v: (-severity_of(v).rank, not v.exploited, -(v.score or 0), v.vulnerability)
    )
    worst = ordered[0]
    names = ", ".join(v.vulnerability for v in ordered[:_SHOWN])
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    affected = "Affected" if worst.state is MatchState.CONFIRMED else "Perhaps affected"
    what = subject if subject != RECORDS else worst.vulnerability
    use = " Used in attacks." if any(v.exploited for v in ordered) else ""
    remedy = next((v.remedy for v in ordered if v.remedy), "")
    if subject == RELEASE:
        affected, what = "Release unknown: perhaps affected", f"{len(ordered)} vulnerabilities"
        what = names if len(ordered) == 1 else what
        remedy = (
            "Find out which release its system is (at the device, by a scan that logs in, or from the maker)"
            " and write it into the inventory: that settles all of these at once."
        )
    return Finding(
        id=finding_id(site, device, subject),
        kind=FindingKind.VULNERABILITY,
        type=TYPE,
        severity=max((severity_of(v) for v in ordered), key=lambda s: s.rank),
        device=device,
        title=f"{affected} by {what}: {worst.label}",
        detail=f"{names}{more}.{use} {worst.reason}",
        fix=(remedy or "Ask the maker for a corrected version and a service appointment.")
        + " Until then, or where the device cannot be changed: let only the peers it needs reach it.",
        evidence=tuple(
            FindingEvidence(v.vulnerability, v.reason[:300], v.since_ns, now_ns) for v in ordered[:_SHOWN]
        ),
        mitre=("T1190", "T1210"),
        first_seen=min(v.since_ns for v in ordered),
        last_seen=now_ns,
        rule_version=RULES,
    )
