"""What a maker discloses of a device (MDS2) against what was heard: differences, told as findings.

A difference does not say who is right. The form may be of another version or of another configuration, a
setting may be off, the network may hide what happens. That is what the words say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from medwarden.kernel.ids import stable_id
from medwarden.model.device import Device
from medwarden.model.finding import Finding, FindingEvidence, FindingKind, Severity
from medwarden.model.mds2 import Claim, Disclosure
from medwarden.risk.context import RiskContext

KINDS = frozenset({FindingKind.DECLARATION})
RULES = "mds2-1"


class Difference(msgspec.Struct, frozen=True):
    """A claim of a form that what was heard does not bear out.

    ``said`` and ``seen`` are the two sides in words; ``evidence`` holds both, the form's answer first.
    """

    type: str
    claims: tuple[str, ...]
    questions: tuple[str, ...]
    severity: Severity
    title: str
    said: str
    seen: str
    fix: str
    evidence: tuple[FindingEvidence, ...] = ()
    mitre: tuple[str, ...] = ()


Comparison = Callable[[Device, Disclosure, RiskContext], Difference | None]


def quoted(disclosure: Disclosure, *names: str) -> tuple[tuple[str, ...], str, tuple[FindingEvidence, ...]]:
    """Return the questions behind claims, their answers in words, and both as evidence."""
    claims = [disclosure.claims[name] for name in names if name in disclosure.claims]
    told = {claim.question: claim for claim in claims if claim.question}
    words = " and ".join(f"{claim.question}: “{_words(claim)}”" for claim in told.values())
    at = disclosure.imported_ns
    evidence = tuple(
        FindingEvidence(f"mds2.{claim.question}", f"{_words(claim)} ({disclosure.title})", at, at)
        for claim in told.values()
    )
    return tuple(told), words, evidence


def _words(claim: Claim) -> str:
    note = f"; {claim.note}" if claim.note and claim.note not in claim.written else ""
    return f"{claim.written or 'no answer'}{note}"[:200]


def compare(device: Device, disclosure: Disclosure, context: RiskContext) -> tuple[Difference, ...]:
    """Return where what was heard of a device differs from what its form says, gravest first."""
    from medwarden.risk.mds2_comparisons import COMPARISONS

    found = [each for rule in COMPARISONS if (each := rule(device, disclosure, context)) is not None]
    return tuple(sorted(found, key=lambda each: (-each.severity.rank, each.type)))


def differences_of(device: Device, context: RiskContext) -> tuple[Difference, ...]:
    """Return the differences of a device with the form that counts for it; none without a form."""
    disclosure = context.disclosures.get(device.id)
    return () if disclosure is None else compare(device, disclosure, context)


def findings_of(
    device: Device, disclosure: Disclosure, differences: Sequence[Difference]
) -> tuple[Finding, ...]:
    """Return the findings that differences of a device come to."""
    return tuple(
        Finding(
            id=stable_id("f", device.site, device.id, each.type, ""),
            kind=FindingKind.DECLARATION,
            type=each.type,
            severity=each.severity,
            device=device.id,
            title=f"{each.title}: {device.label}",
            detail=f"{each.said} {each.seen} Either the form is of another version or configuration, or the "
            f"device is not set up as its maker means it. ({disclosure.title})",
            fix=each.fix,
            evidence=each.evidence,
            mitre=each.mitre,
            first_seen=min(
                (e.first_seen for e in each.evidence if e.first_seen and not e.field.startswith("mds2.")),
                default=device.first_seen,
            ),
            last_seen=max(
                (e.last_seen for e in each.evidence if not e.field.startswith("mds2.")),
                default=device.last_seen,
            ),
            rule_version=RULES,
        )
        for each in differences
    )
