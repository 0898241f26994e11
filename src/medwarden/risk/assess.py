"""Assessing one device: every factor is asked, the answers become a score and findings."""

from __future__ import annotations

from collections.abc import Iterable

from medwarden.kernel.ids import stable_id
from medwarden.model.device import Device
from medwarden.model.finding import Finding, Severity
from medwarden.model.risk import Factor, RiskScore
from medwarden.risk.context import RiskContext
from medwarden.risk.factor import Advice, Basis, Hit, RiskFactor
from medwarden.risk.present import present
from medwarden.risk.registry import all_factors, resting_on
from medwarden.risk.score import compose

LIFE_CRITICAL = 5
"""Criticality from which a finding of medium or high severity counts one step more."""


def assess_device(device: Device, context: RiskContext) -> tuple[RiskScore, tuple[Finding, ...]]:
    """Return the risk score of ``device`` and the findings behind it, gravest first.

    The points of the factors add up to the score exactly. The same device in the same context
    always gives the same ids, points and words. What counts is what is there now; see
    :mod:`medwarden.risk.present`.
    """
    device = present(device, context)
    hits: dict[str, tuple[RiskFactor, Hit]] = {}
    for factor in all_factors():
        hit = factor.judge(device, context)
        if hit is not None:
            hits[factor.id] = (factor, hit)
    for superseded in {name for factor, _ in hits.values() for name in factor.supersedes}:
        hits.pop(superseded, None)
    weights, version = context.rules.weights, context.rules.version
    factors = [_weighed(factor, hit, context) for factor, hit in hits.values()]
    findings = [
        _finding(device, context, factor.id, factor.advice, hit, version)
        for factor, hit in hits.values()
        if factor.advice is not None
    ]
    findings.sort(key=lambda f: (-f.severity.rank, f.type))
    return compose(device.id, factors, version, weights.shape), tuple(findings)


def reassess_device(
    device: Device, context: RiskContext, standing: Iterable[Factor], basis: Basis
) -> RiskScore:
    """Return the score of ``device`` where nothing but ``basis`` changed since ``standing`` was found.

    It is what :func:`assess_device` returns then, and needs of the device no more than its row says, of the
    context no more than ``basis`` and the rules. ``standing`` are the factors by which it was scored, with
    their raw points. Not for a device behind an enforced policy: what counts of it depends on its traffic.
    """
    again = resting_on(basis)
    judged = {factor.id for factor in again}
    factors = [factor for factor in standing if factor.id not in judged]
    for factor in again:
        hit = factor.judge(device, context)
        if hit is not None:
            factors.append(_weighed(factor, hit, context))
    return compose(device.id, factors, context.rules.version, context.rules.weights.shape)


def _weighed(factor: RiskFactor, hit: Hit, context: RiskContext) -> Factor:
    """Return a factor that applies with its raw points; the whole ones come with the score."""
    return Factor(
        id=factor.id,
        title=factor.title,
        group=factor.group.value,
        points=0,
        raw_points=context.rules.weights.of(factor.id) * min(max(hit.strength, 0.0), 1.0),
        why=hit.why,
        evidence=hit.evidence,
    )


def _finding(
    device: Device, context: RiskContext, kind: str, advice: Advice, hit: Hit, version: str
) -> Finding:
    facts = context.facts(device)
    severity = hit.severity or advice.severity
    if facts is not None and facts.criticality >= LIFE_CRITICAL:
        severity = _raised(severity)
    return Finding(
        id=stable_id("f", device.site, device.id, kind, hit.subject),
        kind=advice.kind,
        type=kind,
        severity=severity,
        device=device.id,
        title=f"{advice.title}: {device.label}",
        detail=hit.why,
        fix=f"{advice.fix} Until then, or where the device cannot be changed: {advice.meanwhile}",
        evidence=hit.evidence,
        mitre=advice.mitre,
        first_seen=min((e.first_seen for e in hit.evidence if e.first_seen), default=device.first_seen),
        last_seen=max((e.last_seen for e in hit.evidence), default=device.last_seen),
        rule_version=version,
    )


def _raised(severity: Severity) -> Severity:
    """Return one step above a medium or high severity; low ones stay what they are."""
    if severity is Severity.MEDIUM:
        return Severity.HIGH
    return Severity.CRITICAL if severity is Severity.HIGH else severity
