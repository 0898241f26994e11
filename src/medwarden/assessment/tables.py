"""Tables and small parts that every section of the report uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from medwarden.assessment.markup import Markup, element, join
from medwarden.assessment.words import quantity
from medwarden.model.device import Device
from medwarden.model.finding import Severity
from medwarden.model.risk import RiskLevel

MARKS = {"critical": "◆", "high": "▲", "medium": "■", "low": "●", "info": "○", "none": "○"}
"""A shape beside every colour, so that no state rests on colour alone."""


class Column(msgspec.Struct, frozen=True):
    """Head of a column; ``kind`` is text, number, mono or wide."""

    title: str
    kind: str = "text"


def table(
    caption: str, columns: Sequence[Column], rows: Iterable[Sequence[object]], empty: str, note: str = ""
) -> Markup:
    """Return a table with a caption, or the sentence ``empty`` where it has no rows.

    On a narrow screen the rows of a large table become cards, whose cells carry the head of their column.
    """
    body = [
        element(
            "tr",
            (
                element("td", cell, class_=column.kind, data_label=column.title)
                for column, cell in zip(columns, row, strict=True)
            ),
        )
        for row in rows
    ]
    if not body:
        return element("p", empty, class_="empty")
    prose = any(column.kind == "wide" and column.title for column in columns)
    kind = "stack" if prose or len(columns) > 4 else "even"
    head = element(
        "thead", element("tr", (element("th", c.title, scope="col", class_=c.kind) for c in columns))
    )
    return join(
        element("table", element("caption", caption), head, element("tbody", body), class_=kind),
        element("p", note, class_="note") if note else None,
    )


def level(kind: RiskLevel | Severity | str) -> Markup:
    """Return a level or severity as shape and word."""
    name = kind.value if isinstance(kind, RiskLevel | Severity) else kind
    return element(
        "span",
        element("span", MARKS[name], aria_hidden="true", class_="mark"),
        join(" ", name),
        class_=f"level text-{name}",
    )


def device_link(device: Device) -> Markup:
    """Return the name of a device as a link to its row in the appendix."""
    return element("a", device.label, href=f"#{anchor(device)}")


def anchor(device: Device) -> str:
    """Return the id of a device's row in the appendix: letters, digits and hyphens only."""
    return "device-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in device.id)


def mono(value: str) -> Markup:
    """Return addresses, ports and identifiers in the tabular face."""
    return element("span", value, class_="mono")


def items(values: Iterable[object], class_: str = "") -> Markup:
    """Return a bulleted list."""
    return element("ul", (element("li", value) for value in values), class_=class_ or None)


def rest(total: int, shown: int, noun: str) -> str:
    """Return how many further things stand elsewhere, or nothing."""
    more = total - shown
    return f"{quantity(more, noun)} more: see report.json." if more > 0 else ""


def figure(caption: str, drawing: Markup, *beside: Markup) -> Markup:
    """Return a chart with its caption, and its numbers or key beside it."""
    return element(
        "figure",
        element("figcaption", caption),
        element(
            "div",
            element("div", drawing, class_="drawing"),
            element("div", *beside, class_="numbers"),
            class_="pair",
        ),
    )
