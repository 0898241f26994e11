"""Sections to act on: findings with evidence and fixes, proposed policy."""

from __future__ import annotations

from collections import defaultdict

from medwarden.assessment.markup import Markup, element, join
from medwarden.assessment.result import Assessment
from medwarden.assessment.tables import (
    Column,
    device_link,
    items,
    level,
    mono,
    rest,
    table,
)
from medwarden.assessment.words import (
    is_medical,
    moment,
    quantity,
    what,
)
from medwarden.model.device import Device
from medwarden.model.finding import Finding, Severity
from medwarden.model.policy import Direction, Policy, PolicyRule

INSTANCES_SHOWN = 10
EVIDENCE_SHOWN = 3
POLICIES_SHOWN = 16
RULES_SHOWN = 25
MEANWHILE = " Until then, or where the device cannot be changed: "


def findings(a: Assessment) -> Markup:
    """Return findings by type, gravest first, each with what to do and on what evidence it rests."""
    by_id = {d.id: d for d in a.devices}
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in a.findings:
        groups[finding.type].append(finding)
    ordered = sorted(groups.values(), key=lambda g: (-max(f.severity.rank for f in g), -len(g), g[0].type))
    counts = [(kind, sum(1 for f in a.findings if f.severity is kind)) for kind in reversed(Severity)]
    words = ", ".join(f"{number:,} {kind.value}" for kind, number in counts if number)
    return element(
        "section",
        element("h2", "Findings, evidence and fixes"),
        element(
            "p",
            f"{quantity(len(a.findings), 'finding')} of {quantity(len(groups), 'kind')}: {words}."
            if a.findings
            else "No finding.",
            class_="lead",
        ),
        (_kind(group, by_id) for group in ordered),
        id="findings",
    )


def _kind(group: list[Finding], by_id: dict[str, Device]) -> Markup:
    first = max(group, key=lambda f: f.severity.rank)
    device = by_id.get(first.device)
    title = first.title.removesuffix(f": {device.label}") if device else first.title
    fix, _, meanwhile = first.fix.partition(MEANWHILE)
    told = {f.detail for f in group}
    same = len(told) == 1 and len(group) > 1
    return element(
        "article",
        element("h3", element("span", title), element("span", _severities(group))),
        element(
            "p",
            quantity(len({f.device for f in group}), "device"),
            f" · MITRE ATT&CK {', '.join(first.mitre)}" if first.mitre else None,
            class_="meta",
        ),
        element("p", first.detail) if same else None,
        element(
            "div",
            element("div", element("h4", "What to do"), element("p", fix)),
            element(
                "div", element("h4", "Where the device cannot be changed"), element("p", _sentence(meanwhile))
            )
            if meanwhile
            else None,
            class_="remedy",
        ),
        element(
            "div",
            table(
                f"{title}: devices",
                (Column("Device"), Column("What was seen", "wide"), Column("Last seen (UTC)", "number")),
                (
                    (
                        join(device_link(by_id[f.device]), element("small", what(by_id[f.device])))
                        if f.device in by_id
                        else f.device,
                        join(None if same else f.detail, _evidence(f)),
                        moment(f.last_seen),
                    )
                    for f in group[:INSTANCES_SHOWN]
                ),
                "",
                rest(len(group), INSTANCES_SHOWN, "device"),
            ),
            class_="quiet",
        ),
        class_="finding",
    )


def _severities(group: list[Finding]) -> Markup:
    """Return the severities of a group with their numbers, or the one they share."""
    counts = [(kind, sum(1 for f in group if f.severity is kind)) for kind in reversed(Severity)]
    present = [(kind, number) for kind, number in counts if number]
    if len(present) == 1:
        return level(present[0][0])
    return join(*(element("span", number, " ", level(kind), class_="counted") for kind, number in present))


def _evidence(finding: Finding) -> Markup | None:
    if not finding.evidence:
        return None
    return element(
        "ul",
        (
            element("li", mono(f"{e.field}: {e.value}"), f" × {e.count:,}" if e.count > 1 else None)
            for e in finding.evidence[:EVIDENCE_SHOWN]
        ),
        class_="evidence",
    )


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def policy(a: Assessment) -> Markup:
    """Return the proposed allow lists: all in one table, the first ones rule by rule."""
    covered = {d for p in a.policies if p.subject_kind == "category" for d in p.devices}
    shown = [p for p in a.policies if p.subject_kind == "category" or not covered.issuperset(p.devices)]
    ordered = sorted(shown, key=lambda p: (not _medical(p, a), p.subject_kind != "category", p.title))
    singles = quantity(len(a.policies) - len(shown), "policy", "policies")
    note = (
        f"{singles} of single devices in these categories: see report.json."
        if len(shown) < len(a.policies)
        else ""
    )
    return element(
        "section",
        element("h2", "Proposed policy"),
        element(
            "p",
            "Allow lists learnt from answered conversations. What a list does not name would be "
            "blocked; each is a proposal to "
            "be replayed against further traffic and approved before anything is enforced.",
            class_="lead",
        ),
        element(
            "div",
            table(
                "Policies",
                (
                    Column("Subject"),
                    Column("Kind"),
                    Column("Devices", "number"),
                    Column("Rules", "number"),
                    Column("To know before approving", "wide"),
                ),
                (
                    (p.title, p.subject_kind, len(p.devices), len(p.rules), p.notes[0] if p.notes else "–")
                    for p in ordered
                ),
                "No policy was learnt.",
                note,
            ),
            class_="table",
        ),
        (_rules(p) for p in ordered[:POLICIES_SHOWN] if p.rules),
        id="policy",
    )  # fmt: skip


def _medical(p: Policy, a: Assessment) -> bool:
    covered = set(p.devices)
    return any(is_medical(d) for d in a.devices if d.id in covered)


def _rules(p: Policy) -> Markup:
    return element(
        "article",
        element("h3", f"{p.title} ({quantity(len(p.devices), 'device')})"),
        items(p.notes, "notes") if p.notes else None,
        element(
            "div",
            table(
                f"Rules for {p.title}",
                (
                    Column("Direction"),
                    Column("Peer", "wide"),
                    Column("Service", "mono"),
                    Column("Application"),
                    Column("Devices", "number"),
                    Column("Flows", "number"),
                ),
                (
                    (
                        "opens to" if r.direction is Direction.TO_PEER else "is reached by",
                        join(
                            r.peer.label,
                            element("small", f"{r.peer.kind}{'; ' + r.reason if r.reason else ''}"),
                        ),
                        _port(r),
                        r.application or "–",
                        r.devices,
                        r.flows,
                    )
                    for r in p.rules[:RULES_SHOWN]
                ),
                "",
                rest(len(p.rules), RULES_SHOWN, "rule"),
            ),
            class_="quiet",
        ),
        class_="policy",
    )


def _port(rule: PolicyRule) -> str:
    if rule.port is None:
        return rule.transport
    return f"{rule.transport}/{rule.port}" + (f"–{rule.port_to}" if rule.port_to is not None else "")
