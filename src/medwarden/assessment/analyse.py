"""From devices, scores, findings and policies to an assessment: the same input gives the same report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from medwarden.assessment.board import Without, actions_of, sentences_of
from medwarden.assessment.coverage import gaps_of
from medwarden.assessment.grades import grades_of
from medwarden.assessment.inventory import inventory_of
from medwarden.assessment.result import Assessment
from medwarden.assessment.risk import risk_of
from medwarden.assessment.segmentation import internet_of, paths_of, segmentation_of, services_of
from medwarden.assessment.sources import SourceTells
from medwarden.model.accounting import InputReport
from medwarden.model.device import Device
from medwarden.model.finding import Finding
from medwarden.model.policy import Policy
from medwarden.model.risk import RiskScore


def analyse(
    devices: Sequence[Device],
    scores: Sequence[RiskScore],
    findings: Sequence[Finding],
    policies: Sequence[Policy],
    inputs: Sequence[InputReport],
    *,
    generated_ns: int | None = None,
    without: Without | None = None,
    product_version: str = "",
    sources: Mapping[str, SourceTells] | None = None,
) -> Assessment:
    """Return the assessment of ``devices``.

    ``without`` (see :data:`~medwarden.assessment.board.Without`) makes the risk removed by an action
    exact. ``generated_ns`` is printed as the time of the report; left out, it is the end of the traffic.
    ``sources`` says what the logs among ``inputs`` can tell, by their format.
    """
    by_device = {score.device: score for score in scores}
    ordered = tuple(
        sorted(devices, key=lambda d: (-(by_device[d.id].score if d.id in by_device else 0), d.label, d.id))
    )
    first, last = _span(ordered, inputs)
    listened = _listened(inputs) or last - first
    inventory = inventory_of(ordered)
    risk = risk_of(ordered, by_device)
    paths = paths_of(ordered)
    segmentation = segmentation_of(ordered)
    internet = internet_of(ordered)
    gaps = gaps_of(ordered, inputs, listened, sources)
    gravest_first = tuple(sorted(findings, key=lambda f: (-f.severity.rank, f.type, f.title, f.id)))
    return Assessment(
        sites=tuple(sorted({d.site for d in ordered})),
        generated_ns=last if generated_ns is None else generated_ns,
        observed_from=first,
        observed_to=last,
        observed_ns=listened,
        inputs=tuple(inputs),
        devices=ordered,
        scores=by_device,
        findings=gravest_first,
        policies=tuple(policies),
        inventory=inventory,
        risk=risk,
        paths=paths,
        segmentation=segmentation,
        services=services_of(ordered),
        internet=internet,
        grades=grades_of(ordered, by_device, gravest_first, inventory, segmentation, paths, internet),
        sentences=sentences_of(ordered, listened, inventory, risk, paths, segmentation, internet, gaps),
        actions=actions_of(ordered, by_device, gravest_first, without),
        gaps=gaps,
        rules_version=next((score.rules_version for score in scores), ""),
        product_version=product_version,
    )


def _span(devices: Sequence[Device], inputs: Sequence[InputReport]) -> tuple[int, int]:
    """Return the first and last time of the traffic, by devices and inputs."""
    starts = [d.first_seen for d in devices if d.first_seen] + [i.first_ns for i in inputs if i.first_ns]
    ends = [d.last_seen for d in devices if d.last_seen] + [i.last_ns for i in inputs if i.last_ns]
    first, last = min(starts, default=0), max(ends, default=0)
    return first, max(first, last)


def _listened(inputs: Sequence[InputReport]) -> int:
    """Return how long the inputs cover in ns, times that several of them cover counted once."""
    spans = sorted(
        (i.first_ns, i.last_ns) for i in inputs if i.first_ns is not None and i.last_ns is not None
    )
    total = 0
    until = 0
    for first, last in spans:
        total += max(last - max(first, until), 0)
        until = max(until, last)
    return total
