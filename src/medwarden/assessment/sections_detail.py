"""The second half of the report: segmentation, findings, services, policy, coverage, method, appendix."""

from __future__ import annotations

import math
from collections import defaultdict

from medwarden.assessment.grades import SCALE_WORDS
from medwarden.assessment.markup import Markup, element, join
from medwarden.assessment.result import Assessment, Segmentation
from medwarden.assessment.tables import (
    Column,
    anchor,
    device_link,
    items,
    level,
    mono,
    rest,
    table,
)
from medwarden.assessment.words import (
    CLASS_NAMES,
    category_name,
    duration,
    is_medical,
    listed,
    moment,
    quantity,
    what,
)
from medwarden.model.device import Device, DeviceClass
from medwarden.model.finding import Finding, Severity
from medwarden.model.policy import Direction, Policy, PolicyRule

SEGMENTS_SHOWN = 60
INSTANCES_SHOWN = 10
EVIDENCE_SHOWN = 3
INTERNET_SHOWN = 40
POLICIES_SHOWN = 16
RULES_SHOWN = 25
MEANWHILE = " Until then, or where the device cannot be changed: "
STATE_MARKS = {"seen": "●", "partly": "◐", "not seen": "○"}


def segmentation(a: Assessment) -> Markup:
    """Return the segments with their mix of classes, and the matrix of who talks to whom."""
    s = a.segmentation
    lead = (
        f"{s.medical_mixed:,} of {quantity(s.medical_placed, 'medical device')} with a known "
        "segment share it with office IT or "
        "other IoT devices. There, an infected office computer reaches them without passing a firewall."
        if s.medical_placed
        else "The segments of medical devices are not known."
    )
    shown = s.segments[:SEGMENTS_SHOWN]
    most = max([count for segment in shown for count in segment.classes] + [1])
    head = element(
        "tr",
        element("td"),
        (element("th", element("span", CLASS_NAMES[kind]), scope="col") for kind in DeviceClass),
        element("th", element("span", "Judgement"), scope="col"),
    )
    body = (
        element(
            "tr",
            element(
                "th",
                mono(segment.name),
                f" VLAN {listed(map(str, segment.vlans))}" if segment.vlans else None,
                scope="row",
            ),
            (_heat(count, most) for count in segment.classes),
            element("td", level("high") if segment.mixed else "–", ": mixed" if segment.mixed else None),
        )
        for segment in shown
    )
    return element(
        "section",
        element("h2", "Segmentation"),
        element("p", lead, class_="lead"),
        _matrix("Devices by segment and class", head, join(*body)) if shown else None,
        element("p", rest(len(s.segments), len(shown), "segment"), class_="note"),
        element("h3", "Who talks to whom"),
        element(
            "p",
            "Flows of answered conversations, from the kind of device that opened them (rows) to "
            "the kind that answered "
            "(columns).",
        ),
        _talk(s),
        id="segmentation",
    )


def _matrix(caption: str, head: Markup, body: Markup) -> Markup:
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element("thead", head),
            element("tbody", body),
            class_="matrix",
        ),
        class_="scroll table",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def _heat(count: int, most: int) -> Markup:
    if not count:
        return element("td", "·", class_="heat-0")
    step = 1 + round(4 * math.log1p(count) / math.log1p(most)) if most > 1 else 3
    return element("td", count, class_=f"heat-{min(step, 5)}")


def _talk(s: Segmentation) -> Markup:
    if not s.talk:
        return element("p", "No answered conversation was seen.", class_="empty")
    most = max(flows for flows, _ in s.talk.values())
    rows = [kind for kind in s.kinds if any(client == kind for client, _ in s.talk)]
    columns = [kind for kind in s.kinds if any(server == kind for _, server in s.talk)]
    head = element(
        "tr", element("td"), (element("th", element("span", kind), scope="col") for kind in columns)
    )
    body = (
        element(
            "tr",
            element("th", row, scope="row"),
            (_heat(s.talk.get((row, column), (0, ()))[0], most) for column in columns),
        )
        for row in rows
    )
    strongest = sorted(s.talk.items(), key=lambda item: (-item[1][0], item[0]))[:12]
    return join(
        _matrix("Flows between kinds of devices", head, join(*body)),
        element(
            "div",
            table(
                "Strongest conversations",
                (Column("From"), Column("To"), Column("Applications", "wide"), Column("Flows", "number")),
                ((f, t, listed(apps, 6) or "not recognised", flows) for (f, t), (flows, apps) in strongest),
                "",
            ),
            class_="table",
        ),
    )


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


def services(a: Assessment) -> Markup:
    """Return services that deserve a question, and who uses the internet."""
    return element(
        "section",
        element("h2", "Exposed services"),
        element("p", "Services that answered inside the hospital and deserve a question.", class_="lead"),
        element(
            "div",
            table(
                "Services by concern",
                (
                    Column("Service"),
                    Column("Why it matters"),
                    Column("Ports", "mono"),
                    Column("Devices", "number"),
                    Column("Medical", "number"),
                    Column("Offered by", "wide"),
                ),
                (
                    (
                        s.name,
                        s.concern,
                        listed(s.ports, 4),
                        len(s.devices),
                        s.medical,
                        _names(s.devices),
                    )
                    for s in a.services
                ),
                "No such service was seen to answer.",
            ),
            class_="table",
        ),
        element("h3", "Internet exposure"),
        element(
            "p",
            "Devices reached from the internet, and medical, IoT and plant devices that reach it. "
            "Office computers that only "
            "reach out are left out.",
        ),
        element(
            "div",
            table(
                "Devices and the internet",
                (
                    Column("Device"),
                    Column("Direction"),
                    Column("Peers", "wide"),
                    Column("Applications"),
                    Column("In clear"),
                    Column("Flows", "number"),
                ),
                (
                    (
                        join(device_link(u.device), element("small", what(u.device))),
                        _direction(u.inbound),
                        join(mono(listed(u.peers)), element("small", quantity(len(u.peers), "peer"))),
                        listed(u.applications, 4),
                        listed(u.clear) or "–",
                        u.flows,
                    )
                    for u in a.internet[:INTERNET_SHOWN]
                ),
                "None of these devices was seen to exchange traffic with the internet.",
                rest(len(a.internet), INTERNET_SHOWN, "device"),
            ),
            class_="table",
        ),
        class_="flow",
        id="services",
    )  # fmt: skip


def _direction(inbound: bool) -> Markup:
    if inbound:
        return join(level("critical"), ": reached from the internet")
    return join("reaches the internet")


def _names(devices: tuple[Device, ...]) -> Markup:
    parts: list[object] = []
    for device in devices[:3]:
        parts += [", " if parts else None, device_link(device)]
    return join(*parts, f" and {len(devices) - 3:,} more" if len(devices) > 3 else None)


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


def coverage(a: Assessment) -> Markup:
    """Return what could be seen, what could not, and what would help."""
    return element(
        "section",
        element("h2", "Coverage, and what could not be seen"),
        element(
            "p",
            "A quiet spot on this list is not a safe spot. Risk that could not be seen is not in "
            "any number of this report.",
            class_="lead",
        ),
        element(
            "div",
            table(
                "Questions of coverage",
                (
                    Column("Question"),
                    Column("Answer"),
                    Column("What was found", "wide"),
                    Column("What would help", "wide"),
                ),
                (
                    (
                        g.topic,
                        element(
                            "span",
                            element("span", STATE_MARKS[g.state], aria_hidden="true", class_="mark"),
                            f" {g.state}",
                            class_="state",
                        ),
                        g.detail,
                        "–" if g.state == "seen" else g.remedy,
                    )
                    for g in a.gaps
                ),
                "Nothing to say.",
            ),
            class_="table",
        ),
        class_="flow",
        id="coverage",
    )


def method(a: Assessment) -> Markup:
    """Return how the numbers come about, and their limits."""
    return element(
        "section",
        element("h2", "Method and limits"),
        items(
            (
                "Passive: traffic was listened to; no device was probed, logged in to or changed.",
                "Identity: what a device declares (DHCP, DICOM, HL7, SNMP, TLS, names) outranks how "
                "its network stack behaves; "
                "answers carry a confidence and their evidence, and are withheld where evidence is thin.",
                "Risk: likelihood times impact. Reasons add raw points, controls that were seen "
                "take some away (half at most), "
                "and a saturating curve keeps the sum below 100. Clinical importance of the "
                "category and patient data raise "
                f"the impact; both are judgements. Rules {a.rules_version or 'not stated'}.",
                "Risk removed by an action is the drop of the scores of all devices concerned, each "
                "action taken alone; "
                "actions overlap, so their drops do not add up.",
                f"Grades: one share per area, {SCALE_WORDS}; no letter where fewer than three "
                "subjects were seen.",
                "Policy: only answered conversations are learnt, peers under the narrowest name "
                "known; connections from the "
                "internet, scans and failed attempts are never learnt.",
                "Patient data: dissectors note that it was present and drop it; none is in this "
                "report or in report.json.",
                "Known vulnerabilities and recalls are not part of this report; out-of-support systems are.",
                f"All times are UTC. Recordings cover {duration(a.observed_ns)}.",
            )
        ),
        element(
            "div",
            table(
                "How each grade comes about",
                (Column("Area"), Column("Grade"), Column("Measured", "wide"), Column("Criterion", "wide")),
                ((g.area, g.letter or "–", g.measured, g.criterion) for g in a.grades),
                "",
            ),
            class_="table",
        ),
        class_="flow",
        id="method",
    )


def appendix(a: Assessment) -> Markup:
    """Return inputs with their accounting, and every device."""
    return element(
        "section",
        element("h2", "Appendix"),
        element(
            "div",
            table(
                "Inputs: read = parsed + rejected + dropped",
                (
                    Column("Input", "mono"),
                    Column("Format"),
                    Column("Read", "number"),
                    Column("Parsed", "number"),
                    Column("Rejected", "number"),
                    Column("Dropped", "number"),
                    Column("Error", "wide"),
                ),
                (
                    (
                        i.path,
                        i.format or "–",
                        i.packets.read + i.records.read,
                        i.packets.parsed + i.records.parsed,
                        i.packets.rejected + i.records.rejected,
                        i.packets.dropped + i.records.dropped,
                        i.error or ("taken in before" if i.already else "–"),
                    )
                    for i in a.inputs
                ),
                "No input was named.",
            ),
            class_="table",
        ),
        _all_devices(a),
        id="appendix",
    )


def _all_devices(a: Assessment) -> Markup:
    """Return every device in one table; each row is the target of the report's links."""
    if not a.devices:
        return element("p", "No device was seen.", class_="empty")
    columns = ("Device", "What it is", "Addresses", "Segment", "Score")
    head = element(
        "tr",
        (element("th", c, scope="col", class_="number" if c == "Score" else None) for c in columns),
    )
    rows = []
    for d in a.devices:
        score = a.scores.get(d.id)
        kind = category_name(d.category) if d.category else CLASS_NAMES[d.device_class]
        made = " ".join(part for part in (d.vendor, d.model) if part)
        system = " ".join(part for part in (d.os, d.os_version) if part)
        rows.append(
            element(
                "tr",
                element("td", d.label, element("small", mono(d.id)), data_label="Device"),
                element(
                    "td",
                    kind,
                    element("small", " · ".join(part for part in (made, system) if part))
                    if made or system
                    else None,
                    data_label="What it is",
                ),
                element("td", listed([*d.ips[:2], *d.macs[:1]]), class_="mono", data_label="Addresses"),
                element("td", d.subnet or "–", class_="mono", data_label="Segment"),
                element(
                    "td",
                    join(score.score, " ", level(score.level)) if score else "–",
                    class_="number",
                    data_label="Score",
                ),
                id=anchor(d),
            )
        )
    return element(
        "div",
        element(
            "table",
            element("caption", "All devices"),
            element("thead", head),
            element("tbody", rows),
            class_="stack",
        ),
        class_="table",
    )
