"""The first half of the report: board page, inventory, risk, patient-data paths."""

from __future__ import annotations

from medwarden.assessment.board import ACTIONS
from medwarden.assessment.charts import bar, curve, histogram, legend, treemap, waterfall
from medwarden.assessment.markup import Markup, element, join
from medwarden.assessment.result import Action, Assessment, Grade
from medwarden.assessment.tables import Column, device_link, figure, level, rest, table
from medwarden.assessment.words import (
    duration,
    listed,
    moment,
    percent,
    quantity,
    volume,
    what,
)
from medwarden.model.device import DeviceClass
from medwarden.model.risk import Factor, RiskLevel

PATHS_SHOWN = 60
VENDORS_SHOWN = 12
CELLS_SHOWN = 14
LEVEL_TITLES = {
    "class": "Class",
    "category": "Category",
    "vendor": "Maker",
    "model": "Model",
    "os": "Operating system",
}
GROUP_TITLES = {
    "exposure": "exposure",
    "protocol": "protocols",
    "credentials": "log-ins",
    "lifecycle": "life cycle",
    "impact": "impact",
    "control": "taken away by controls",
}
CELLS = {DeviceClass.IT: "it", DeviceClass.NET: "it", DeviceClass.IOT: "iot", DeviceClass.OT: "iot"}


def cover(a: Assessment, title: str, organisation: str) -> Markup:
    """Return page one, for a board: four figures, a grade per area, five sentences, five actions."""
    span = f"{moment(a.observed_from)} to {moment(a.observed_to)} UTC"
    place = organisation or f"Site {listed(a.sites)}" if a.sites else organisation
    return element(
        "div",
        element(
            "header",
            element(
                "div",
                element("p", place, class_="eyebrow") if place else None,
                element("h1", title),
                element("p", f"Traffic of {span}, {duration(a.observed_ns)} in all"),
            ),
            element(
                "p",
                f"Made {moment(a.generated_ns)} UTC by medwarden {a.product_version}".strip(),
                class_="made",
            ),
        ),
        _figures(a),
        element("h2", "Grade per area"),
        element("ul", (_grade(grade) for grade in a.grades), class_="grades"),
        element(
            "div",
            element(
                "div",
                element("h2", "In five sentences"),
                element("ol", (element("li", sentence) for sentence in a.sentences)),
            ),
            element(
                "div",
                element("h2", "Five actions, by risk removed"),
                element("ol", (_action(action) for action in a.actions[:ACTIONS]), class_="actions")
                if a.actions
                else element("p", "No finding asks for an action.", class_="empty"),
            ),
            class_="board",
        ),
        class_="cover",
        id="board",
    )


def _figures(a: Assessment) -> Markup:
    """Return the four numbers of page one."""
    grave = a.risk.by_level[RiskLevel.CRITICAL] + a.risk.by_level[RiskLevel.HIGH]
    known = a.inventory.identified / a.inventory.total if a.inventory.total else 0.0
    figures = (
        (a.inventory.total, "", "devices seen"),
        (a.inventory.medical, "", "medical devices"),
        (grave, "", "at high or critical risk"),
        (round(known * 100), " %", "identified"),
    )
    return element(
        "dl",
        (
            element(
                "div",
                element("dt", words),
                element("dd", number, element("small", unit) if unit else None),
            )
            for number, unit, words in figures
        ),
        class_="figures",
    )


def _grade(grade: Grade) -> Markup:
    return element(
        "li",
        element(
            "span",
            grade.letter or "–",
            class_=f"grade {grade.letter or 'X'}",
            role="img",
            aria_label=f"Grade {grade.letter}" if grade.letter else "No grade",
        ),
        element("div", element("strong", grade.area), element("p", grade.measured)),
    )


def _action(action: Action) -> Markup:
    return element(
        "li",
        element("strong", action.title),
        element("span", f"−{quantity(action.points, 'point')}", class_="points"),
        element("span", action.why, class_="why"),
    )


def inventory(a: Assessment) -> Markup:
    """Return the inventory: classes and categories, how well devices are known, when they appeared."""
    total = max(a.inventory.total, 1)
    class_of = {d.category or "": d.device_class for d in a.devices}
    cells = [
        (
            c.label,
            c.devices,
            "medical" if c.medical else CELLS.get(class_of.get(c.key, DeviceClass.UNKNOWN), "other"),
        )
        for c in a.inventory.by_category[:CELLS_SHOWN]
    ]
    small = a.inventory.by_category[CELLS_SHOWN:]
    cells.append(("Other medical", sum(c.medical for c in small), "medical"))
    cells.append(("Other", sum(c.devices - c.medical for c in small), "other"))
    managed = a.inventory.managed
    return element(
        "section",
        element("h2", "Inventory"),
        element(
            "p",
            f"{quantity(a.inventory.total, 'device')} were seen, {a.inventory.medical:,} of them medical. "
            f"{managed[0]:,} are managed, {managed[1]:,} are not, and for {managed[2]:,} it could "
            "not be told.",
            class_="lead",
        ),
        figure(
            "Devices by category",
            join(
                treemap("categories", "Devices by category", cells),
            ),
            legend(
                (("cell-medical", "medical"), ("cell-it", "IT and network"), ("cell-iot", "other IoT, OT"),
                 ("cell-other", "not identified, other"))
            ),
            table(
                "Devices by class",
                (Column("Class"), Column("Devices", "number"), Column("Share", "number")),
                ((c.label, c.devices, percent(c.devices / total)) for c in a.inventory.by_class),
                "No device was seen.",
            ),
        ),
        _levels(a),
        _discovery(a),
        _makers(a),
        id="inventory",
    )  # fmt: skip


def _levels(a: Assessment) -> Markup:
    return element(
        "div",
        table(
            "How well devices are known",
            (
                Column("Level"),
                Column("Answered", "number"),
                Column("Share", "number"),
                Column("", "wide"),
                Column("Mean confidence", "number"),
                Column("At 90 % or more", "number"),
            ),
            (
                (
                    LEVEL_TITLES[c.level],
                    f"{c.answered:,} of {c.total:,}",
                    percent(c.share),
                    bar(c.share, percent(c.share)),
                    "–" if c.confidence is None else percent(c.confidence),
                    "–" if c.confidence is None else f"{c.sure:,}",
                )
                for c in a.inventory.levels
            ),
            "No device was seen.",
            "An answer is given only where evidence supports it; the rest stays open rather than guessed.",
        ),
        class_="table",
    )


def _makers(a: Assessment) -> Markup:
    return element(
        "div",
        table(
            "Makers",
            (
                Column("Maker"),
                Column("Devices", "number"),
                Column("Medical", "number"),
                Column("", "wide"),
            ),
            (
                (
                    c.label,
                    c.devices,
                    c.medical,
                    bar(
                        c.devices / max(a.inventory.total, 1), percent(c.devices / max(a.inventory.total, 1))
                    ),
                )
                for c in a.inventory.by_vendor[:VENDORS_SHOWN]
            ),
            "No device was seen.",
            rest(len(a.inventory.by_vendor), VENDORS_SHOWN, "maker"),
        ),
        class_="table",
    )


def _discovery(a: Assessment) -> Markup | None:
    points = a.inventory.discovery
    span = a.observed_to - a.observed_from
    if len(points) < 2 or a.observed_ns < span / 2:
        return None  # recordings that lie far apart have no curve
    total = points[-1][1]
    marks = []
    for share in (0.5, 0.9, 1.0):
        reached = next(ts for ts, number in points if number >= share * total)
        marks.append((f"{percent(share)} of devices", duration(reached - a.observed_from)))
    return figure(
        "Devices seen over time",
        curve(
            "discovery",
            "Devices seen over time",
            points,
            a.observed_from,
            a.observed_to,
            (moment(a.observed_from), moment(a.observed_to)),
        ),
        table(
            "Time until devices were seen",
            (Column("Seen"), Column("After", "number")),
            marks,
            "",
            "A curve that still rises at its end means that a longer observation would find more.",
        ),
    )


def risk(a: Assessment) -> Markup:
    """Return the risk of all devices: spread, top devices with why, shared reasons, categories."""
    scored = max(sum(a.risk.by_level.values()), 1)
    return element(
        "section",
        element("h2", "Risk"),
        element(
            "p",
            "A score from 0 to 100 is the likelihood of trouble times what it would mean for "
            "patients. It is the sum of "
            f"its factors' points, exactly. The median is {a.risk.median}.",
            class_="lead",
        ),
        figure(
            "Devices by risk score",
            histogram("scores", "Devices by risk score", a.risk.histogram),
            table(
                "Devices by level",
                (
                    Column("Level"),
                    Column("Score", "number"),
                    Column("Devices", "number"),
                    Column("Share", "number"),
                ),
                (
                    (level(kind), span, a.risk.by_level[kind], percent(a.risk.by_level[kind] / scored))
                    for kind, span in (
                        (RiskLevel.CRITICAL, "75–100"),
                        (RiskLevel.HIGH, "50–74"),
                        (RiskLevel.MEDIUM, "25–49"),
                        (RiskLevel.LOW, "1–24"),
                        (RiskLevel.NONE, "0"),
                    )
                ),
                "",
            ),
        ),
        _top(a),
        _shared(a),
        id="risk",
    )


def _top(a: Assessment) -> Markup:
    return element(
        "div",
        table(
            "Devices at the top, and why",
            (
                Column("Device"),
                Column("Score", "number"),
                Column("Level"),
                Column("What makes it up", "wide"),
            ),
            (
                (
                    join(device_link(t.device), element("small", t.what)),
                    t.score.score,
                    level(t.score.level),
                    join(
                        _parts(t.score.factors, t.score.score),
                        element("small", _reasons(t.score.factors)),
                    ),
                )
                for t in a.risk.top
            ),
            "No device has a score above 0.",
        ),
        legend(tuple((f"part-{group}", words) for group, words in GROUP_TITLES.items()))
        if a.risk.top
        else None,
        class_="table",
    )


def _shared(a: Assessment) -> Markup:
    return join(
        element(
            "div",
            table(
                "Reasons that devices share",
                (
                    Column("Reason"),
                    Column("Devices", "number"),
                    Column("Medical", "number"),
                    Column("Points in all", "number"),
                    Column("", "wide"),
                ),
                (
                    (c.title, c.devices, c.medical, c.points, bar(c.points / _most(a), f"{c.points} points"))
                    for c in a.risk.common
                ),
                "No reason for risk was found.",
            ),
            class_="table",
        ),
        element(
            "div",
            table(
                "Risk by category",
                (
                    Column("Category"),
                    Column("Devices", "number"),
                    Column("Median", "number"),
                    Column("Highest", "number"),
                ),
                a.risk.by_category,
                "No device has a score.",
            ),
            class_="table",
        ),
    )


def _most(a: Assessment) -> int:
    return max([c.points for c in a.risk.common] + [1])


def _parts(factors: tuple[Factor, ...], score: int) -> Markup:
    sums = {group: sum(f.points for f in factors if f.group == group) for group in GROUP_TITLES}
    words = ", ".join(f"{GROUP_TITLES[group]} {points}" for group, points in sums.items() if points)
    return waterfall(tuple(sums.items()), f"{score} points: {words}")


def _reasons(factors: tuple[Factor, ...]) -> str:
    return ", ".join(f"{f.title} {'+' if f.points > 0 else '−'}{abs(f.points)}" for f in factors if f.points)


def paths(a: Assessment) -> Markup:
    """Return who sends patient data in clear to whom."""
    senders = len({p.sender.id for p in a.paths})
    lead = (
        f"{quantity(senders, 'device')} {'was' if senders == 1 else 'were'} seen to send patient "
        "data without "
        "encryption. No patient data itself was kept: only that it was there."
        if a.paths
        else "No patient data in clear text was seen. This is no proof of absence: see Coverage."
    )
    return element(
        "section",
        element("h2", "Patient-data paths in clear text"),
        element("p", lead, class_="lead"),
        element(
            "div",
            table(
                "From whom to whom",
                (
                    Column("Sender"),
                    Column("Protocol"),
                    Column("Receiver"),
                    Column("Ports", "number"),
                    Column("Flows", "number"),
                    Column("Sent", "number"),
                    Column("Last seen (UTC)", "number"),
                ),
                (
                    (
                        join(device_link(p.sender), element("small", what(p.sender))),
                        p.protocol,
                        join(p.receiver, element("small", p.receiver_what) if p.receiver_what else None),
                        listed(map(str, p.ports)) or "–",
                        p.flows,
                        volume(p.bytes),
                        moment(p.last_seen),
                    )
                    for p in a.paths[:PATHS_SHOWN]
                ),
                "None was seen.",
                rest(len(a.paths), PATHS_SHOWN, "path"),
            ),
            class_="table",
        ),
        class_="flow",
        id="paths",
    )
