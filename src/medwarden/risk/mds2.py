"""What a maker discloses of a device (MDS2) against what was heard: differences, told as findings.

A difference does not say who is right. The form may be of another version or of another configuration, a
setting may be off, the network may hide what happens. That is what the words say.
"""

from __future__ import annotations

from collections.abc import Sequence

from medwarden.kernel.ids import stable_id
from medwarden.model.device import Device
from medwarden.model.finding import Finding, FindingKind
from medwarden.model.mds2 import Disclosure
from medwarden.risk.context import RiskContext
from medwarden.risk.mds2_comparisons import COMPARISONS
from medwarden.risk.mds2_difference import Difference

KINDS = frozenset({FindingKind.DECLARATION})
RULES = "mds2-1"


def compare(device: Device, disclosure: Disclosure, context: RiskContext) -> tuple[Difference, ...]:
    """Return where what was heard of a device differs from what its form says, gravest first."""
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
