"""Actions: what is open, gathered by what a person does about it, counted once, and put in order.

A finding here is one vulnerability of one device, or one unsafe practice of one device. Each belongs to one
action, so that the numbers of all actions add up to what is open.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from medwarden.kernel.clock import NANOSECONDS, from_datetime
from medwarden.kernel.ids import stable_id
from medwarden.model.finding import Severity
from medwarden.risk.matching.version_order import compare, device_version
from medwarden.risk.work.choice import ActionKind, Choice, latest
from medwarden.risk.work.rules import Rules

_MOST_NAMED = 500
_MOST_TEXTS = 6


class Concern(msgspec.Struct, frozen=True):
    """Something open that devices of a site share: a vulnerability of a profile, or a type of finding.

    ``devices`` are those where it is open, ``accepted`` those where the risk is borne for now. ``sure`` is
    False where it only may concern them. ``known_ns`` is when the site first could know it; ``loose`` are
    devices reachable from the internet.
    """

    subject: str
    choice: Choice
    severity: Severity
    sure: bool
    known_ns: int
    devices: frozenset[str]
    accepted: frozenset[str] = frozenset()
    exploited: bool = False
    exploits: bool = False
    epss: float | None = None
    vulnerability: bool = True


class DeviceFacts(msgspec.Struct, frozen=True):
    """What the order of work needs of a device: criticality 0 to 5, whether the internet reached it."""

    criticality: int = 0
    internet: bool = False


UNKNOWN_DEVICE = DeviceFacts()


class Reason(msgspec.Struct, frozen=True):
    """Points that an action has, and why; those of all reasons add up to its priority."""

    id: str
    points: int
    why: str


class Summary(msgspec.Struct, frozen=True):
    """What pages, API and commands show of an action beside its columns.

    ``perhaps`` counts devices that it only may concern, ``accepted`` those whose risk is borne for now.
    ``due_ns`` is the day by the rules, ``due_why`` what set it; ``vulnerabilities``, ``types`` its subjects.
    """

    what: str
    maker: str
    product: str
    target: str
    kbs: tuple[str, ...]
    texts: tuple[tuple[str, str, str], ...]
    meanwhile: tuple[tuple[str, str, str], ...]
    vulnerabilities: tuple[str, ...]
    types: tuple[str, ...]
    exploited: tuple[str, ...]
    perhaps: int
    accepted: int
    criticality: int
    internet: int
    effort: float
    reasons: tuple[Reason, ...]
    due_ns: int
    due_why: str
    rules: str


class Action(msgspec.Struct, frozen=True):
    """One piece of work at one site, as it follows from what is open now."""

    id: str
    key: str
    kind: ActionKind
    title: str
    severity: Severity
    priority: int
    exploited: bool
    devices: int
    findings: int
    known_ns: int
    due_ns: int
    shown: Summary


def action_id(tenant: str, site: str, key: str) -> str:
    """Return the id of an action: the same work at the same site always has the same."""
    return stable_id("w", tenant, site, key)


def build(
    tenant: str, site: str, concerns: Iterable[Concern], facts: Mapping[str, DeviceFacts], rules: Rules
) -> list[Action]:
    """Return the actions of a site, the most urgent first."""
    groups: dict[str, list[Concern]] = {}
    for concern in concerns:
        if concern.devices or concern.accepted:
            groups.setdefault(concern.choice.key, []).append(concern)
    found = [_action(tenant, site, key, group, facts, rules) for key, group in groups.items()]
    return sorted(found, key=lambda a: (not a.devices, -a.priority, a.due_ns, a.id))


def _action(
    tenant: str,
    site: str,
    key: str,
    group: Sequence[Concern],
    facts: Mapping[str, DeviceFacts],
    rules: Rules,
) -> Action:
    live = [concern for concern in group if concern.devices]
    counted = live or group
    devices = frozenset[str]().union(*(c.devices for c in live))
    sure = frozenset[str]().union(*(c.devices for c in live if c.sure))
    accepted = frozenset[str]().union(*(c.accepted for c in group))
    worst = max((c.severity for c in counted), key=lambda s: s.rank)
    first = min(counted, key=lambda c: (due_of(c, rules)[0], c.subject))
    due_ns, due_why = due_of(first, rules)
    critical = max((facts.get(d, UNKNOWN_DEVICE).criticality for d in devices), default=0)
    internet = sum(facts.get(d, UNKNOWN_DEVICE).internet for d in devices)
    kind = counted[0].choice.kind
    reasons = reasons_of(live, len(devices), critical, internet, rules.effort.get(kind.value, 3.0), rules)
    target = _reach(counted)
    findings = sum(len(c.devices) for c in live)
    subjects = sorted({c.subject for c in counted if c.vulnerability})
    return Action(
        id=action_id(tenant, site, key),
        key=key,
        kind=kind,
        title=title_of(counted, target),
        severity=worst,
        priority=sum(reason.points for reason in reasons),
        exploited=any(c.exploited and c.sure for c in live),
        devices=len(devices),
        findings=findings,
        known_ns=min(c.known_ns for c in counted),
        due_ns=due_ns,
        shown=Summary(
            what=_what(kind, findings, len(devices)),
            maker=counted[0].choice.subject[0] if len(counted[0].choice.subject) > 1 else "",
            product=counted[0].choice.subject[min(1, len(counted[0].choice.subject) - 1)],
            target=target,
            kbs=tuple(dict.fromkeys(kb for c in counted for kb in c.choice.kbs))[:_MOST_NAMED],
            texts=tuple(dict.fromkeys(row for c in counted for row in c.choice.texts))[:_MOST_TEXTS],
            meanwhile=tuple(dict.fromkeys(row for c in counted for row in c.choice.meanwhile))[:_MOST_TEXTS],
            vulnerabilities=tuple(subjects[:_MOST_NAMED]),
            types=tuple(sorted({c.subject for c in counted if not c.vulnerability})),
            exploited=tuple(sorted({c.subject for c in live if c.exploited})),
            perhaps=len(devices - sure),
            accepted=len(accepted - devices),
            criticality=critical,
            internet=internet,
            effort=rules.effort.get(kind.value, 3.0),
            reasons=reasons,
            due_ns=due_ns,
            due_why=due_why,
            rules=f"work {rules.number}",
        ),
    )


# ---------------------------------------------------------------- words


def _what(kind: ActionKind, findings: int, devices: int) -> str:
    verb = {
        ActionKind.UPDATE: "closes",
        ActionKind.PATCH: "closes",
        ActionKind.COMPONENT: "would close",
        ActionKind.ASK: "concerns",
        ActionKind.REPLACE: "would close",
        ActionKind.RECALL: "concerns",
        ActionKind.RESTRICT: "lowers the risk of",
    }.get(kind, "closes")
    return f"{verb} {_count(findings, 'finding')} on {_count(devices, 'device')}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _reach(group: Sequence[Concern]) -> str:
    """Return the version that closes most: the highest that any part of the work needs."""
    target = latest(c.choice.target for c in group if c.choice.target)
    after = latest(c.choice.after for c in group if c.choice.after)
    if not after:
        return target
    one, other = device_version(target) if target else None, device_version(after)
    if one is not None and other is not None and (compare(one, other) or 0) > 0:
        return target
    return f"a version after {after}"


def title_of(group: Sequence[Concern], target: str) -> str:
    """Return an action in words, as a person would be asked to do it."""
    choice = group[0].choice
    thing = " ".join(part for part in choice.subject[:2] if part)
    match choice.kind:
        case ActionKind.UPDATE:
            title = f"Update {thing} to {target or 'the version its maker has released'}"
        case ActionKind.PATCH:
            kbs = sorted({kb for c in group for kb in c.choice.kbs}, reverse=True)
            more = f" and {len(kbs) - 1} more" if len(kbs) > 1 else ""
            which = f" ({kbs[0]}{more})" if kbs else ""
            title = f"Install the security updates of {choice.subject[0]}{which}"
        case ActionKind.COMPONENT:
            maker, component = choice.subject[0] or "the maker", choice.subject[2]
            to = f"{component} {target}" if target else f"{component} corrected"
            title = f"Ask {maker} for a version of {choice.subject[1] or 'the device'} with {to}"
        case ActionKind.DISABLE:
            title = f"Disable {choice.subject[2]} on {thing}"
        case ActionKind.RESTRICT:
            title = f"Segment {thing}: let only the peers it needs reach it"
        case ActionKind.PASSWORD:
            title = f"Change the passwords and accounts of {thing}"
        case ActionKind.REPLACE:
            title = f"Plan the replacement of {thing}"
        case ActionKind.ASK:
            maker = choice.subject[0] or "the maker"
            title = f"Ask {maker} what to do about {choice.subject[1] or 'its device'}"
        case _:
            title = _first_sentence(choice.texts[0][1] if choice.texts else thing)
    return title[:400]


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.;])\s+(?=[A-Za-z])", text, maxsplit=1)[0].rstrip(".; ")


# ---------------------------------------------------------------- due


def due_of(concern: Concern, rules: Rules) -> tuple[int, str]:
    """Return until when a concern is to be closed, and what set the day."""
    days = rules.due_days
    if concern.exploited and concern.sure:
        kev = day_of(concern.choice.kev_due)
        if kev is not None and kev > concern.known_ns:
            return kev, f"CISA's date for {concern.subject}, which is used in attacks"
        return _after(concern.known_ns, days.exploited), f"{days.exploited} days, used in attacks"
    name = concern.severity if concern.severity is not Severity.INFO else Severity.LOW
    number = int(getattr(days, name.value))
    return _after(concern.known_ns, number), f"{number} days, {name.value}"


def day_of(text: str) -> int | None:
    """Return the end of a day written as YYYY-MM-DD (UTC), or None where it is none."""
    try:
        day = datetime.strptime(text[:10], "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return from_datetime(day + timedelta(days=1) - timedelta(seconds=1))


def _after(known_ns: int, days: int) -> int:
    return known_ns + min(days, 36_500) * 86_400 * NANOSECONDS


# ---------------------------------------------------------------- priority


def reasons_of(
    live: Sequence[Concern], devices: int, critical: int, internet: int, effort: float, rules: Rules
) -> tuple[Reason, ...]:
    """Return why an action stands where it stands; nothing open has no points."""
    if not live:
        return ()
    worth = rules.priority
    found: list[tuple[str, float, str]] = []
    used = sorted({c.subject for c in live if c.exploited and c.sure})
    maybe = sorted({c.subject for c in live if c.exploited})
    if used:
        found.append(("exploited", worth.exploited, f"used in attacks: {_few(used)}"))
    elif maybe:
        found.append(
            ("exploited", worth.exploited_perhaps, f"perhaps concerned, used in attacks: {_few(maybe)}")
        )
    coded = sorted({c.subject for c in live if c.exploits and not c.exploited})
    if coded:
        found.append(("public_exploit", worth.public_exploit, f"exploit code is public for {_few(coded)}"))
    likely = max((c.epss or 0.0 for c in live), default=0.0)
    if likely >= 0.01:
        why = f"{likely:.0%} probable to be used within 30 days (EPSS)"
        found.append(("likely", worth.likely * likely, why))
    worst = max((c.severity for c in live), key=lambda s: s.rank)
    if worst is not Severity.INFO:
        points = {
            Severity.CRITICAL: worth.critical,
            Severity.HIGH: worth.high,
            Severity.MEDIUM: worth.medium,
        }.get(worst, worth.low)
        found.append(("severity", points, f"the gravest finding is {worst.value}"))
    if critical:
        why = f"a device of criticality {critical} of 5 for the patient is concerned"
        found.append(("criticality", worth.criticality * critical, why))
    if internet:
        verb = "was" if internet == 1 else "were"
        found.append(
            ("internet", worth.internet, f"{_count(internet, 'device')} {verb} reached from the internet")
        )
    if devices > 1:
        found.append(
            ("devices", worth.doubling * min(10.0, math.log2(devices)), f"{_count(devices, 'device')}")
        )
    if effort:
        found.append(("effort", -worth.effort * effort, f"effort {effort:g} of 10"))
    return tuple(Reason(id, round(points), why) for id, points, why in found if round(points))


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
