"""The figures of the replay bench as one HTML file: no script, no network, for screen, paper and phone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

from medwarden.assessment.charts import bar
from medwarden.assessment.markup import Markup, element, join
from medwarden.assessment.score_charts import calibration, identified_over_time, whiskers
from medwarden.assessment.tables import Column, figure, mono, table
from medwarden.assessment.words import category_name, quantity
from medwarden.model.accounting import InputReport
from medwarden.model.score import Interval, JointFigures, LevelFigures, ScoreReport

TITLE = "Replay bench"
LEVEL_TITLES = {
    "class": "Class",
    "category": "Category",
    "vendor": "Maker",
    "model": "Model",
    "os": "Operating system",
    "firmware": "Firmware",
}
CONTENTS = (
    ("summary", "Summary"),
    ("levels", "Levels"),
    ("calibration", "Calibration"),
    ("time", "Time to identify"),
    ("open", "Unknown devices"),
    ("sources", "Sources"),
    ("worth", "Worth of evidence"),
    ("categories", "Categories"),
    ("mistakes", "Mistakes"),
    ("method", "Method"),
)
_CATEGORIES_SHOWN = 160

_STYLE = """
.dot { fill: var(--accent); fill-opacity: 0.35; stroke: var(--accent); stroke-width: 1.5; }
.dot.firm { fill-opacity: 1; }
.span { stroke: var(--accent); stroke-width: 2; stroke-linecap: round; stroke-opacity: 0.55; }
.diagonal { stroke: var(--faint); stroke-dasharray: 4 4; }
"""


def render_score(
    report: ScoreReport, inputs: Sequence[InputReport], *, title: str = "", made: str = ""
) -> str:
    """Return the figures as one HTML document. All text of labels and devices is escaped."""
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    shown = title or TITLE
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", shown),
        element("style", style),
    )
    sections = {
        "levels": _levels(report),
        "calibration": _calibration(report),
        "time": _time(report),
        "open": _open(report),
        "sources": _sources(report),
        "worth": _worth(report) if report.worth else None,
        "categories": _categories(report),
        "mistakes": _mistakes(report),
        "method": _method(report, inputs),
    }
    links = [(name, words) for name, words in CONTENTS if name == "summary" or sections[name] is not None]
    body = element(
        "body",
        element("a", "Skip to the figures", href="#summary", class_="skip"),
        element(
            "div",
            element(
                "nav",
                element("span", "medwarden", class_="brand"),
                element("ol", (element("li", element("a", words, href=f"#{name}")) for name, words in links)),
                aria_label="Contents",
            ),
            element("main", _summary(report, shown, made), *sections.values()),
            class_="page",
        ),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


@cache
def _style() -> Markup:
    sheet = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    return join(Markup(sheet + _STYLE))


def share(value: float | None) -> str:
    """Return a share in per cent with one decimal, or a dash where there is none."""
    return "–" if value is None else f"{value * 100:.1f}\u00a0%"


def between(bounds: Interval | None) -> str:
    """Return an interval in per cent."""
    return "–" if bounds is None else f"{bounds[0] * 100:.1f} to {bounds[1] * 100:.1f}\u00a0%"


def seconds(value: float | None) -> str:
    """Return seconds as people say them."""
    if value is None:
        return "–"
    if value < 120:
        return f"{value:.1f}\u00a0s"
    return f"{value / 60:.0f}\u00a0min" if value < 7200 else f"{value / 3600:.1f}\u00a0h"


def _summary(report: ScoreReport, title: str, made: str) -> Markup:
    joint = report.joint
    figures = (
        (share(joint.coverage), "of devices answered at class, category and maker"),
        (share(joint.precision), "of those answers right in all three"),
        (seconds(report.times.p95), "until 95 % of the answered had their category"),
        (share(None if not report.cases else report.found / report.cases), "of the labelled devices found"),
    )
    return element(
        "section",
        element(
            "header",
            element("h1", title),
            element(
                "p",
                f"{quantity(report.cases, 'case')} of {quantity(report.devices, 'device')}"
                + (f", without {', '.join(report.without)}" if report.without else ""),
            ),
        ),
        element(
            "dl", (element("div", element("dd", f), element("dt", w)) for f, w in figures), class_="figures"
        ),
        figure(
            "Class, category and maker together, and each level by itself: how much is answered, how much "
            "of it is right",
            whiskers("overview", "Coverage and precision with their intervals", _overview(report)),
        ),
        element("p", made, class_="note") if made else None,
        id="summary",
        class_="cover",
    )


def _overview(report: ScoreReport) -> list[tuple[str, float | None, Interval | None]]:
    joint = report.joint
    rows: list[tuple[str, float | None, Interval | None]] = [
        ("All three answered", joint.coverage, joint.intervals.get("coverage")),
        ("All three right", joint.precision, joint.intervals.get("precision")),
    ]
    for level in report.levels:
        words = LEVEL_TITLES[level.level]
        rows.append((f"{words} answered", level.coverage, level.intervals.get("coverage")))
        rows.append((f"{words} right", level.accuracy, level.intervals.get("accuracy")))
    return rows


def _section(name: str, title: str, *children: object) -> Markup:
    return element("section", element("h2", title), *children, id=name, class_="flow")


def _levels(report: ScoreReport) -> Markup:
    columns = [
        Column("Level"),
        Column("Judged", "number"),
        Column("Answered", "number"),
        Column("Coverage", "number"),
        Column("Right", "number"),
        Column("Accuracy", "number"),
        Column("95 % interval", "number"),
        Column("Macro F1", "number"),
        Column("Calibration error", "number"),
    ]
    rows = [
        (
            LEVEL_TITLES[f.level],
            f.n,
            f.answered,
            share(f.coverage),
            f.correct,
            share(f.accuracy),
            between(f.intervals.get("accuracy")),
            share(f.macro_f1),
            share(f.ece),
        )
        for f in report.levels
    ]
    joint = report.joint
    rows.append(
        (
            "Class, category and maker together",
            joint.n,
            joint.answered,
            share(joint.coverage),
            joint.correct,
            share(joint.precision),
            between(joint.intervals.get("precision")),
            "–",
            "–",
        )
    )
    return _section(
        "levels",
        "Levels",
        element(
            "p",
            "Coverage is over all judged devices, accuracy over the answered ones. A device that was not "
            "found "
            "counts as not answered. Macro F1 weighs every label the same, however rare.",
        ),
        table("Figures per level", columns, rows, "No device was judged."),
    )


def _calibration(report: ScoreReport) -> Markup:
    shown = [f for f in report.levels if f.bins and f.level in ("class", "category", "vendor", "model")]
    return _section(
        "calibration",
        "Calibration",
        element(
            "p",
            "An answer given with 90 % confidence should be right nine times in ten. Points on the dashed "
            "line are "
            "honest, above it too modest, below it too sure; larger points stand for more answers.",
        ),
        (
            figure(
                f"{LEVEL_TITLES[f.level]}: calibration error {share(f.ece)}",
                calibration(
                    f"calibration-{f.level}", f"Calibration of {LEVEL_TITLES[f.level].lower()}", f.bins
                ),
                _bins(f),
            )
            for f in shown
        ),
    )


def _bins(figures: LevelFigures) -> Markup:
    columns = [
        Column("Confidence"),
        Column("Answers", "number"),
        Column("On average", "number"),
        Column("Right", "number"),
    ]
    rows = [
        (f"{b.low:.0%} to {b.high:.0%}", b.count, share(b.confidence), share(b.right)) for b in figures.bins
    ]
    return table("Answers by confidence", columns, rows, "No answer was judged.")


def _time(report: ScoreReport) -> Markup:
    times = report.times
    rows = [(seconds(at), share(part)) for at, part in times.curve]
    return _section(
        "time",
        "Time to identify",
        element(
            "p",
            f"From its first packet or record, half of the answered devices had their category after "
            f"{seconds(times.p50)}, 95 % after {seconds(times.p95)}. The curve is over all labelled "
            "devices, so it ends "
            "where devices stay open.",
        ),
        figure(
            "Share of devices whose category is answered",
            identified_over_time("time-curve", "Devices identified over time", times.curve),
            table(
                "The same in figures",
                [Column("After", "number"), Column("Identified", "number")],
                rows,
                "Nothing.",
            ),
        ),
    )


def _open(report: ScoreReport) -> Markup:
    found = report.open_set
    if found.auroc is None:
        return _section(
            "open",
            "Unknown devices",
            element("p", "No row of the labels is of an unknown kind.", class_="empty"),
        )
    rows = [(share(r.confidence), share(r.answered), share(r.refused)) for r in found.refusals]
    columns = [
        Column("Answer only above", "number"),
        Column("Known answered", "number"),
        Column("Unknown refused", "number"),
    ]
    return _section(
        "open",
        "Unknown devices",
        element(
            "p",
            f"{quantity(found.strange, 'device')} of no known kind among {found.known:,} others: a "
            "stranger is the less "
            f"certain one in {share(found.auroc)} of all pairs (95 % interval {between(found.interval)}).",
        ),
        table("Where to draw the line", columns, rows, "Nothing."),
    )


def _sources(report: ScoreReport) -> Markup:
    columns = [
        Column("Source alone"),
        Column("Inputs", "number"),
        Column("Found", "number"),
        Column("All three answered", "number"),
        Column("All three right", "number"),
        Column("95 % interval", "number"),
        Column("Category", "number"),
        Column("right", "number"),
    ]
    rows = [
        (
            s.source,
            s.inputs,
            share(s.found / s.n if s.n else None),
            share(s.joint.coverage),
            share(s.joint.precision),
            between(s.joint.intervals.get("precision")),
            share(s.category.coverage),
            share(s.category.accuracy),
        )
        for s in report.sources
    ]
    return _section(
        "sources",
        "Sources",
        element("p", "What each kind of input comes to when nothing else is read."),
        table("Figures by source", columns, rows, "Sources were not told apart."),
    )


def _worth(report: ScoreReport) -> Markup:
    columns = [
        Column("Without"),
        Column("", "wide"),
        Column("Devices with it", "number"),
        Column("All three answered", "number"),
        Column("Fewer", "number"),
        Column("All three right", "number"),
    ]
    rows = [
        (
            mono(w.group),
            element("span", w.title, element("small", _worth_words(w.joint, report.joint))),
            w.reached,
            share(w.joint.coverage),
            report.joint.correct - w.joint.correct,
            share(w.joint.precision),
        )
        for w in report.worth
    ]
    return _section(
        "worth",
        "Worth of evidence",
        element(
            "p",
            "Every group of evidence switched off in turn, all else equal. Groups overlap (a host name in "
            "a DHCP request "
            "is in two), so what they are worth does not add up.",
        ),
        table("What is lost without each group", columns, rows, "Nothing was switched off."),
    )


def _worth_words(less: JointFigures, whole: JointFigures) -> str:
    lost = whole.correct - less.correct
    if lost > 0:
        return f"{quantity(lost, 'device')} fewer with all three right"
    return f"{quantity(-lost, 'device')} more with all three right" if lost else "no device changes"


def _categories(report: ScoreReport) -> Markup:
    columns = [
        Column("Category"),
        Column("Devices", "number"),
        Column("Answered", "number"),
        Column("Recall", "number"),
        Column("", "text"),
        Column("Precision", "number"),
        Column("Most taken for"),
    ]
    rows = [
        (
            category_name(c.category),
            c.n,
            c.answered,
            share(c.recall),
            bar(c.recall or 0.0, f"recall {share(c.recall)}"),
            share(c.precision),
            category_name(c.mistaken_for) if c.mistaken_for else "–",
        )
        for c in report.categories[:_CATEGORIES_SHOWN]
    ]
    return _section(
        "categories", "Categories", table("Figures per category", columns, rows, "No category was judged.")
    )


def _mistakes(report: ScoreReport) -> Markup:
    columns = [
        Column("Level"),
        Column("Is"),
        Column("Was called"),
        Column("Times", "number"),
        Column("For example", "wide"),
    ]
    rows = [
        (LEVEL_TITLES[c.level], c.truth, c.given, c.count, mono(", ".join(c.devices)))
        for c in report.confusions
    ]
    return _section(
        "mistakes",
        "Mistakes",
        table("The most frequent wrong answers", columns, rows, "No answer was wrong."),
    )


def _method(report: ScoreReport, inputs: Sequence[InputReport]) -> Markup:
    packets, records = sum(i.packets.read for i in inputs), sum(i.records.read for i in inputs)
    errors = sum(bool(i.error) for i in inputs)
    failed = f", {errors:,} of them with an error" if errors else ""
    bootstrap = (
        f"Intervals are the middle 95 % of {report.samples} resamples of the devices (seed {report.seed}); "
        "all cases of one "
        "device are drawn together. "
        if report.samples
        else ""
    )
    return _section(
        "method",
        "Method",
        element(
            "p",
            f"{quantity(len(inputs), 'input')} with {packets:,} packets and {records:,} log records were read"
            f"{failed}. {bootstrap}"
            "Labels are compared without letter case, punctuation and legal forms of companies. An "
            "operating system that "
            "is the general kind of the true one counts as right.",
        ),
    )
