"""Sections on the network: segmentation, exposed services, internet."""

from __future__ import annotations

import math

from medwarden.assessment.markup import Markup, element, join
from medwarden.assessment.result import Assessment, Segmentation
from medwarden.assessment.tables import (
    Column,
    device_link,
    level,
    mono,
    rest,
    table,
)
from medwarden.assessment.words import (
    CLASS_NAMES,
    listed,
    quantity,
    what,
)
from medwarden.model.device import Device, DeviceClass

SEGMENTS_SHOWN = 60
INTERNET_SHOWN = 40


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
        _internet(a),
        class_="flow",
        id="services",
    )  # fmt: skip


def _internet(a: Assessment) -> Markup:
    return join(
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
    )


def _direction(inbound: bool) -> Markup:
    if inbound:
        return join(level("critical"), ": reached from the internet")
    return join("reaches the internet")


def _names(devices: tuple[Device, ...]) -> Markup:
    parts: list[object] = []
    for device in devices[:3]:
        parts += [", " if parts else None, device_link(device)]
    return join(*parts, f" and {len(devices) - 3:,} more" if len(devices) > 3 else None)
