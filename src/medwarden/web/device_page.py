"""What the tabs of the device page show, put together from the store and the engines."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from medwarden.inventory.labelling import what_is_missing
from medwarden.kernel.clock import NANOSECONDS, to_datetime
from medwarden.model.device import Ballot, Conversation, Device, Verdict
from medwarden.model.evidence import LedgerEntry
from medwarden.model.life_cycle import ENDING_WORDS, EndOfLife, Subject
from medwarden.operations.in_use import Use, in_use
from medwarden.store import queries
from medwarden.store.models import Device as DeviceRow
from medwarden.store.queries.life_cycle import ends_of
from medwarden.store.queries.standing import listening_since
from medwarden.web.icons import category_icon
from medwarden.web.shapes import risk_over_time
from medwarden.web.templatetags.console import age, category_name, size

TABS = (
    ("identity", "Identity"),
    ("records", "Records"),
    ("risk", "Risk"),
    ("findings", "Findings"),
    ("traffic", "Services and peers"),
    ("flows", "Flows over time"),
    ("policy", "Policy"),
    ("packets", "Packets"),
    ("history", "History"),
)
LEVELS = ("class", "category", "vendor", "model", "os", "os_version", "firmware", "serial", "managed")
HEADER_LEVELS = ("class", "category", "vendor", "model")
_HOUR = 3600 * NANOSECONDS
_IDLE_AFTER = 15 * 60 * NANOSECONDS
_OFFLINE_AFTER = 24 * _HOUR
MOST_GRAPH_PEERS = 40


class Voted(NamedTuple):
    """A vote as the page shows it; ``level`` is told where it follows from the answer at another level."""

    ballot: Ballot
    level: str = ""


class Known(NamedTuple):
    """One level of identity: its words, the verdict, the evidence its ballots rest on, the votes."""

    level: str
    title: str
    value: str | None
    verdict: Verdict | None
    entries: tuple[LedgerEntry, ...]
    votes: tuple[Voted, ...] = ()

    @property
    def measured(self) -> bool:
        """Tell whether a confidence belongs to what is shown; some values follow from a rule alone."""
        return self.verdict is not None and (self.value is None or self.verdict.label is not None)


class Ends(NamedTuple):
    """Something that ends of a device, in words: what, whether it is over, how sure that it is meant."""

    end: EndOfLife
    title: str
    over: bool


_SUBJECTS = {
    Subject.MODEL: "the model",
    Subject.FIRMWARE: "the firmware",
    Subject.SYSTEM: "the operating system",
    Subject.STATED: "the device",
}


def support(scope: queries.Scope, device: str, now_ns: int) -> list[Ends]:
    """Return what ends of a device, the soonest first; empty where nobody says any."""
    today = to_datetime(now_ns).date()
    return [
        Ends(end, f"{ENDING_WORDS[end.ending]} of {_SUBJECTS[end.subject]}".capitalize(), end.day < today)
        for end in ends_of(scope, [device]).get(device, ())
    ]


def _title(level: str) -> str:
    return {"os": "Operating system", "os_version": "OS version"}.get(
        level, level.replace("_", " ").capitalize()
    )


def value_of(device: Device, level: str) -> str | None:
    """Return what the device is at a level as a person reads it, or None where nothing is known."""
    if level == "class":
        return None if device.device_class.value == "unknown" else device.device_class.value
    if level == "category":
        known = device.category not in (None, "unknown")
        return category_name(device.category) if known else None
    if level == "managed":
        return None if device.managed is None else ("Managed" if device.managed else "Not managed")
    value = getattr(device, level)
    return None if value is None else str(value)


def voted(verdict: Verdict | None) -> tuple[Voted, ...]:
    """Return the votes of a verdict with what each can be followed down by."""
    ballots = verdict.ballots if verdict is not None else ()
    return tuple(Voted(b, b.evidence_field if b.evidence_field in LEVELS else "") for b in ballots)


def identity(device: Device) -> list[Known]:
    """Return every level with its verdict and the ledger entries behind it."""
    found = []
    for level in LEVELS:
        verdict = device.verdict(level)
        heard = {(b.evidence_field, b.evidence_value) for b in verdict.ballots} if verdict else set()
        fields = {field for field, _ in heard}
        entries = tuple(e for e in device.ledger if (e.field, e.value) in heard) or tuple(
            e for e in device.ledger if e.field in fields
        )
        shown = verdict is not None and (bool(verdict.ballots) or level in HEADER_LEVELS)
        if shown or value_of(device, level) is not None:
            votes = voted(verdict)
            found.append(Known(level, _title(level), value_of(device, level), verdict, entries, votes))
    return found


SURE = 0.9


def missing(device: Device) -> list[tuple[str, float, str]]:
    """Return (level, confidence, what would settle it) for every level below 90 % confidence."""
    doubtful = tuple(
        v if v.label is not None and v.confidence >= SURE else msgspec.structs.replace(v, label=None)
        for v in device.verdicts
    )
    found = []
    for line in what_is_missing(msgspec.structs.replace(device, verdicts=doubtful)):
        level, _, text = line.partition(": ")
        verdict = device.verdict(level)
        sure = verdict.confidence if verdict is not None else 0.0
        found.append((_title(level), sure, text[:1].upper() + text[1:]))
    return found


def presence(last_seen: int, now: int) -> tuple[str, str, str]:
    """Return (css, symbol, words) of whether the device is talking now."""
    silent = now - last_seen
    if silent < _IDLE_AFTER:
        return "is-ok", "state-info", "Talking"
    if silent < _OFFLINE_AFTER:
        return "is-info", "state-none", f"Silent for {age(silent / NANOSECONDS)}"
    return "is-info", "state-low", f"Offline for {age(silent / NANOSECONDS)}"


class UseShown(NamedTuple):
    """Whether a device works on a patient, as its header says it."""

    css: str
    shape: str
    word: str
    answer: str
    reason: str
    field: str = ""
    value: str = ""


_USES = {
    Use.YES: ("is-accent", "state-info", "In use", "yes"),
    Use.NO: ("is-info", "state-none", "Idle", "no"),
    Use.UNKNOWN: ("is-low", "state-low", "Use not known", "cannot tell"),
}


def use_of(scope: queries.Scope, device: Device, now_ns: int) -> UseShown:
    """Return whether a device, given complete, is in use, and why that is said, with its peer by name."""
    judged = in_use(device, now_ns, listening_since(scope.tenant, device.site, now_ns))
    reason = judged.reason
    named = {c.peer_device for c in device.conversations if c.peer_device and c.peer_device in reason}
    for peer, (name, *_) in peer_rows(scope, named).items():
        reason = reason.replace(peer, name)
    last = judged.evidence[-1] if judged.evidence else None
    field, value = ("", "") if last is None else (last.field, last.value)
    return UseShown(*_USES[judged.state], reason, field, value)


def capture_command(device: Device, person: str, interfaces: list[str]) -> str:
    """Return the command line that records the packets of a device in the name of a person."""
    interface = interfaces[0] if len(interfaces) == 1 else "INTERFACE"
    words = ["medwarden", "capture", device.id, "--interface", interface, "--seconds", "60"]
    return f'{shlex.join([*words, "--as", person])} --reason "WHY"'


class Peer(NamedTuple):
    """One conversation with its peer by name."""

    conversation: Conversation
    name: str
    category: str | None
    device_class: str | None


def named_peers(scope: queries.Scope, conversations: Iterable[Conversation]) -> list[Peer]:
    """Return conversations with the names and categories of their peers."""
    rows = list(conversations)
    ids = {c.peer_device for c in rows if c.peer_device}
    known = peer_rows(scope, ids)
    found = []
    for c in rows:
        row = known.get(c.peer_device or "")
        if row is not None:
            found.append(Peer(c, row[0], row[1], row[2]))
        else:
            found.append(Peer(c, c.peer_name or c.peer_ip or c.peer_device or "unknown", None, None))
    return found


def peer_rows(scope: queries.Scope, ids: Iterable[str]) -> dict[str, tuple[str, str | None, str, str]]:
    """Return (name, category, class, risk level) of devices by id."""
    rows = scope.over(DeviceRow.objects.all()).filter(pk__in=list(ids))
    return {
        pk: (name or (ips or macs or [pk])[0], category, device_class, level)
        for pk, name, ips, macs, category, device_class, level in rows.values_list(
            "pk", "name", "ips", "macs", "category", "device_class", "risk_level"
        )
    }


def peer_graph(device: Device, peers: list[Peer], links: dict[str, str]) -> list[dict[str, object]]:
    """Return the elements (Cytoscape JSON) of the graph of one device and its largest peers."""
    nodes: dict[str, dict[str, object]] = {
        device.id: {"id": device.id, "label": device.label, "kind": "self", "title": device.label}
    }
    talk: dict[tuple[str, str], dict[str, int]] = {}
    for peer in peers:
        c = peer.conversation
        key = c.peer_device or f"ip:{c.peer_ip}"
        if key not in nodes and len(nodes) > MOST_GRAPH_PEERS:
            continue
        outside = c.peer_device is None
        nodes.setdefault(
            key,
            {
                "id": key,
                "label": peer.name if outside else f"{peer.name}\n{category_name(peer.category)}",
                "kind": "outside" if outside else "device",
                "title": peer.name,
                "href": links.get(c.peer_device or ""),
            },
        )
        pair = (device.id, key) if c.role == "client" else (key, device.id)
        volumes = talk.setdefault(pair, {})
        application = c.application or f"{c.transport}/{c.port}"
        volumes[application] = volumes.get(application, 0) + c.bytes_sent + c.bytes_received
    edges = pair_edges(talk)
    elements: list[dict[str, object]] = [{"data": one} for one in (*nodes.values(), *edges)]
    return elements


def pair_edges(talk: dict[tuple[str, str], dict[str, int]]) -> list[dict[str, object]]:
    """Return one edge per client and server, named after the largest application and how many more."""
    marks: dict[str, int] = {}
    edges: list[dict[str, object]] = []
    for number, ((source, target), volumes) in enumerate(talk.items()):
        largest = max(volumes, key=lambda name: volumes[name])
        more = f" and {len(volumes) - 1} more" if len(volumes) > 1 else ""
        edges.append(
            {
                "id": f"e{number}",
                "source": source,
                "target": target,
                "label": f"{largest}{more}",
                "mark": mark_of(largest, marks),
                "volume": sum(volumes.values()),
                "title": ", ".join(f"{name} {size(volume)}" for name, volume in volumes.items()),
            }
        )
    return edges


def mark_of(application: str, marks: dict[str, int]) -> int:
    """Return the categorical colour (1 to 8) of an application, the same throughout one drawing."""
    return marks.setdefault(application, len(marks) % 8 + 1)


def flow_chart(hours: list[queries.HourOfActivity]) -> dict[str, object]:
    """Return the chart of bytes sent and received by hour; hours without traffic are zero."""
    if not hours:
        return {}
    sent = {h.hour: h.bytes_sent for h in hours}
    received = {h.hour: h.bytes_received for h in hours}
    moments = range(hours[0].hour, hours[-1].hour + _HOUR, _HOUR)
    return {
        "kind": "bar",
        "time": True,
        "unit": "bytes",
        "stacked": True,
        "series": [
            {"name": "Sent", "values": [[m // 1_000_000, sent.get(m, 0)] for m in moments]},
            {"name": "Received", "values": [[m // 1_000_000, received.get(m, 0)] for m in moments]},
        ],
    }


def risk_chart(history: list[tuple[int, int, str]], now: int) -> dict[str, object]:
    """Return the chart of the score over time as steps up to now."""
    moments = [(at, score) for at, score, _ in history]
    if moments:
        moments.append((now, moments[-1][1]))
    return risk_over_time(moments)


def icon_of(device: Device) -> str:
    """Return the sprite symbol of a device."""
    return category_icon(device.category, device.device_class.value)
