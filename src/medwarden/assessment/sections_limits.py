"""Sections that say what the report rests on: coverage, method and limits, appendix."""

from __future__ import annotations

from medwarden.assessment.grades import SCALE_WORDS
from medwarden.assessment.markup import Markup, element, join
from medwarden.assessment.result import Assessment
from medwarden.assessment.tables import (
    Column,
    anchor,
    items,
    level,
    mono,
    table,
)
from medwarden.assessment.words import (
    CLASS_NAMES,
    category_name,
    duration,
    listed,
)

STATE_MARKS = {"seen": "●", "partly": "◐", "not seen": "○"}


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
