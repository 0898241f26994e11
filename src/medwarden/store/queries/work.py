"""The work queue as pages, API and commands read it: actions, their devices, history and accepted risks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

import msgspec
from django.db.models import Count, Q, QuerySet

from medwarden.kernel.clock import NANOSECONDS
from medwarden.kernel.errors import ConfigurationError
from medwarden.risk.work.actions import Concern, Summary
from medwarden.risk.work.states import WorkState
from medwarden.store.models import (
    Device,
    RiskAcceptance,
    Setting,
    VulnerabilityWeight,
    WorkAction,
    WorkEvent,
)
from medwarden.store.queries.scope import Page, Scope, bounds
from medwarden.store.work import DEVICES_OPEN
from medwarden.store.work_items import action_concerns, device_keys

_AT_ONCE = 400
SOON_NS = 7 * 86_400 * NANOSECONDS


class ActionRow(msgspec.Struct, frozen=True):
    """One action as lists show it. ``late`` tells whether its day is over."""

    id: str
    site: str
    kind: str
    title: str
    severity: str
    priority: int
    exploited: bool
    devices: int
    findings: int
    known_ns: int
    due_ns: int | None
    own_due: bool
    late: bool
    state: str
    owner: str
    team: bool
    work_order: str
    labels: list[str]
    present: bool
    opened_ns: int
    changed_ns: int
    claimed_ns: int | None
    closed_ns: int | None
    shown: Summary


class ActionFilter(msgspec.Struct, frozen=True):
    """Conditions that all hold; a tuple matches any of its values, an empty one everything.

    ``due`` is late, soon (within a week) or later; ``owner`` a name, or ``-`` for nobody. ``view`` is open
    (the default), accepted (only risks that are borne), closed or all.
    """

    state: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    due: str = ""
    exploited: bool = False
    vulnerability: str = ""
    device: str = ""
    text: str = ""
    view: str = "open"


VIEWS = ("open", "accepted", "closed", "all")
SORTS: dict[str, tuple[str, ...]] = {
    "priority": ("priority", "severity_rank"),
    "due": ("due_ns",),
    "devices": ("devices",),
    "findings": ("findings",),
    "severity": ("severity_rank",),
    "state": ("state",),
    "owner": ("owner",),
    "changed": ("changed_ns",),
    "title": ("title",),
}


def actions(
    scope: Scope,
    wanted: ActionFilter | None = None,
    *,
    now_ns: int,
    sort: str = "-priority",
    offset: int = 0,
    limit: int = 50,
) -> Page[ActionRow]:
    """Return one page of actions. ``sort`` is a key of :data:`SORTS`, with ``-`` for descending.

    Raises ConfigurationError for another one.
    """
    name, sign = sort.removeprefix("-"), "-" if sort.startswith("-") else ""
    if name not in SORTS:
        raise ConfigurationError(f"actions cannot be sorted by {name[:40]!r}: use one of {', '.join(SORTS)}")
    rows = _select(scope, wanted or ActionFilter(), now_ns)
    start, size = bounds(offset, limit)
    ordered = rows.order_by(*(f"{sign}{column}" for column in SORTS[name]), "due_ns", "id")
    return Page(tuple(_row(r, now_ns) for r in ordered[start : start + size]), rows.count(), start, size)


def _select(scope: Scope, wanted: ActionFilter, now_ns: int) -> QuerySet[WorkAction]:
    rows = _viewed(scope.over(WorkAction.objects.all()), wanted.view)
    for column in ("state", "severity", "kind"):
        values = getattr(wanted, column)
        if values:
            rows = rows.filter(**{f"{column}__in": values})
    if wanted.owner:
        rows = rows.filter(owner__in=["" if owner == "-" else owner for owner in wanted.owner])
    if wanted.exploited:
        rows = rows.filter(exploited=True)
    rows = _due(rows, wanted.due, now_ns)
    for term in wanted.text.split()[:8]:
        rows = rows.filter(
            Q(title__icontains=term) | Q(work_order__icontains=term) | Q(owner__icontains=term)
        )
    chosen: set[str] | None = None
    if wanted.label or wanted.vulnerability:
        named = wanted.vulnerability.upper()
        chosen = {
            row.pk
            for row in rows.only("pk", "labels", "shown")
            if (not wanted.label or set(wanted.label) & set(row.labels))
            and (not named or named in {v.upper() for v in row.shown.get("vulnerabilities", ())})
        }
    if wanted.device:
        about = set(actions_of_device(scope, wanted.device, now_ns))
        chosen = about if chosen is None else chosen & about
    return rows if chosen is None else rows.filter(pk__in=chosen)


def _viewed(rows: QuerySet[WorkAction], view: str) -> QuerySet[WorkAction]:
    match view:
        case "open":
            return rows.filter(present=True, devices__gt=0)
        case "accepted":
            return rows.filter(present=True, shown__accepted__gt=0)
        case "closed":
            return rows.filter(present=False)
        case "all":
            return rows
    raise ConfigurationError(f"there is no view {view[:20]!r}: use one of {', '.join(VIEWS)}")


def _due(rows: QuerySet[WorkAction], due: str, now_ns: int) -> QuerySet[WorkAction]:
    match due:
        case "":
            return rows
        case "late":
            return rows.filter(due_ns__lt=now_ns)
        case "soon":
            return rows.filter(due_ns__gte=now_ns, due_ns__lt=now_ns + SOON_NS)
        case "later":
            return rows.filter(due_ns__gte=now_ns + SOON_NS)
    raise ConfigurationError(f"due is late, soon or later, not {due[:20]!r}")


def _row(row: WorkAction, now_ns: int) -> ActionRow:
    return ActionRow(
        id=row.pk,
        site=row.site_id,
        kind=row.kind,
        title=row.title,
        severity=row.severity,
        priority=row.priority,
        exploited=row.exploited,
        devices=row.devices,
        findings=row.findings,
        known_ns=row.known_ns,
        due_ns=row.due_ns,
        own_due=row.own_due_ns is not None,
        late=row.present and row.devices > 0 and row.due_ns is not None and row.due_ns < now_ns,
        state=row.state,
        owner=row.owner,
        team=row.team,
        work_order=row.work_order,
        labels=list(row.labels),
        present=row.present,
        opened_ns=row.opened_ns,
        changed_ns=row.changed_ns,
        claimed_ns=row.claimed_ns,
        closed_ns=row.closed_ns,
        shown=msgspec.convert(row.shown, Summary),
    )


class Totals(msgspec.Struct, frozen=True):
    """The queue in a few numbers: open actions, findings and late ones; ``devices`` counted once."""

    actions: int
    findings: int
    devices: int
    late: int
    soon: int
    exploited: int
    unowned: int
    done_unseen: int
    accepted: int


def totals(scope: Scope, now_ns: int) -> Totals:
    """Return the queue of a scope in a few numbers."""
    rows = _viewed(scope.over(WorkAction.objects.all()), "open")
    numbers = rows.aggregate(
        actions=Count("pk"),
        late=Count("pk", filter=Q(due_ns__lt=now_ns)),
        soon=Count("pk", filter=Q(due_ns__gte=now_ns, due_ns__lt=now_ns + SOON_NS)),
        exploited=Count("pk", filter=Q(exploited=True)),
        unowned=Count("pk", filter=Q(owner="")),
        done_unseen=Count("pk", filter=Q(state=WorkState.DONE.value)),
    )
    findings = sum(rows.values_list("findings", flat=True))
    accepted = scope.over(RiskAcceptance.objects.filter(state="approved", expires_ns__gt=now_ns)).count()
    held = Setting.objects.filter(tenant_id=scope.tenant, key=DEVICES_OPEN).exclude(site=None)
    if scope.sites is not None:
        held = held.filter(site_id__in=scope.sites)
    devices = sum(msgspec.convert(value, int) for value in held.values_list("value", flat=True))
    return Totals(findings=findings, devices=devices, accepted=accepted, **numbers)


def action_counts(scope: Scope, now_ns: int, view: str = "open") -> dict[str, dict[str, int]]:
    """Return how many actions of a view there are by state, severity, kind, owner and label."""
    found: dict[str, dict[str, int]] = {n: {} for n in ("state", "severity", "kind", "owner", "label", "due")}
    rows = _viewed(scope.over(WorkAction.objects.all()), view)
    for state, severity, kind, owner, labels, due in rows.values_list(
        "state", "severity", "kind", "owner", "labels", "due_ns"
    ):
        due = due or now_ns + SOON_NS
        when = "late" if due < now_ns else "soon" if due < now_ns + SOON_NS else "later"
        for name, value in (
            ("state", state), ("severity", severity), ("kind", kind), ("owner", owner or "-"), ("due", when),
            *(("label", label) for label in labels),
        ):  # fmt: skip
            found[name][value] = found[name].get(value, 0) + 1
    return found


# ---------------------------------------------------------------- one action


class ActionDevice(msgspec.Struct, frozen=True):
    """A device of an action: how many of its findings it has, how sure, whether the risk is accepted."""

    id: str
    name: str | None
    category: str | None
    vendor: str | None
    model: str | None
    firmware: str | None
    ip: str | None
    location: str | None
    risk_score: int
    findings: int
    sure: bool
    accepted: bool
    subjects: tuple[str, ...]


class ActionSubject(msgspec.Struct, frozen=True):
    """A vulnerability or type of finding of an action, with the devices it is open on."""

    id: str
    vulnerability: bool
    title: str
    severity: str
    score: float | None
    exploited: bool
    epss: float | None
    devices: int
    accepted: int
    known_ns: int


class EventRow(msgspec.Struct, frozen=True):
    """One step in the history of an action."""

    at_ns: int
    actor: str
    what: str
    before: object
    after: object
    reason: str
    batch: str
    undone_ns: int | None
    undone_by: str
    undoable: bool


class AcceptanceRow(msgspec.Struct, frozen=True):
    """One acceptance of a risk, or the wish for it."""

    id: str
    action: str
    title: str
    site: str
    state: str
    scope: str
    devices: list[str]
    vendor: str
    model: str
    subjects: list[str]
    conditions: str
    subnet: str
    reason: str
    asked_by: str
    asked_ns: int
    approver: str
    decided_ns: int | None
    decided_reason: str
    expires_ns: int
    ended_ns: int | None
    ended_by: str
    ended_reason: str


def action(scope: Scope, action_id: str, now_ns: int) -> ActionRow | None:
    """Return one action, None where the reader sees none of this id."""
    row = scope.over(WorkAction.objects.all()).filter(pk=action_id).first()
    return None if row is None else _row(row, now_ns)


def concerns_of(scope: Scope, row: ActionRow, now_ns: int) -> list[Concern]:
    """Return what an action is made of now."""
    key = WorkAction.objects.get(pk=row.id).key
    return list(action_concerns(scope.tenant, row.site, {key}, now_ns))


def action_devices(concerns: Iterable[Concern]) -> list[ActionDevice]:
    """Return the devices of an action, open ones of the highest risk first."""
    subjects: defaultdict[str, list[str]] = defaultdict(list)
    sure: set[str] = set()
    live: set[str] = set()
    for concern in concerns:
        for device in concern.devices | concern.accepted:
            subjects[device].append(concern.subject)
        live |= concern.devices
        if concern.sure:
            sure |= concern.devices | concern.accepted
    ids = sorted(subjects)
    rows = [
        row
        for start in range(0, len(ids), _AT_ONCE)
        for row in Device.objects.filter(pk__in=ids[start : start + _AT_ONCE])
    ]
    found = [
        ActionDevice(
            id=row.pk,
            name=row.name,
            category=row.category,
            vendor=row.vendor,
            model=row.model,
            firmware=row.firmware,
            ip=next(iter(row.ips), None),
            location=row.location,
            risk_score=row.risk_score,
            findings=len(subjects[row.pk]),
            sure=row.pk in sure,
            accepted=row.pk not in live,
            subjects=tuple(sorted(subjects[row.pk])),
        )
        for row in rows
    ]
    return sorted(found, key=lambda d: (d.accepted, -d.risk_score, -d.findings, d.id))


def action_subjects(tenant: str, concerns: Iterable[Concern]) -> list[ActionSubject]:
    """Return the vulnerabilities and types of findings of an action, the gravest first."""
    groups: defaultdict[str, list[Concern]] = defaultdict(list)
    for concern in concerns:
        groups[concern.subject].append(concern)
    names = sorted(groups)
    weights: dict[str, VulnerabilityWeight] = {}
    for start in range(0, len(names), _AT_ONCE):
        part = VulnerabilityWeight.objects.filter(
            tenant_id=tenant, vulnerability__in=names[start : start + _AT_ONCE]
        )
        weights.update({row.vulnerability: row for row in part})
    found = []
    for name, group in groups.items():
        worst = max(group, key=lambda c: c.severity.rank)
        weight = weights.get(name) if worst.vulnerability else None
        found.append(
            ActionSubject(
                id=name,
                vulnerability=worst.vulnerability,
                title=weight.title if weight else "",
                severity=worst.severity.value,
                score=weight.score if weight else None,
                exploited=worst.exploited,
                epss=worst.epss,
                devices=len(frozenset[str]().union(*(c.devices for c in group))),
                accepted=len(frozenset[str]().union(*(c.accepted for c in group))),
                known_ns=min(c.known_ns for c in group),
            )
        )
    order = ("info", "low", "medium", "high", "critical")
    return sorted(found, key=lambda s: (-order.index(s.severity), not s.exploited, -(s.score or 0), s.id))


_UNDOABLE = frozenset({"state", "owner", "due", "work_order", "labels", "note"})


def action_events(scope: Scope, action_id: str) -> list[EventRow]:
    """Return the history of an action, the latest first; a decision is offered for undoing once."""
    rows = scope.over(WorkEvent.objects.filter(action_id=action_id)).order_by("-at_ns", "-pk")
    found, offered = [], set[str]()
    for row in rows:
        undoable = row.undone_ns is None and row.what in _UNDOABLE and not row.actor.startswith("rule:")
        found.append(
            EventRow(
                row.at_ns, row.actor, row.what, row.before, row.after, row.reason, row.batch, row.undone_ns,
                row.undone_by, undoable and row.batch not in offered,
            )
        )  # fmt: skip
        if undoable:
            offered.add(row.batch)
    return found


def acceptances(scope: Scope, *, action_id: str = "", states: Collection[str] = ()) -> list[AcceptanceRow]:
    """Return acceptances and wishes, the latest first."""
    rows = scope.over(RiskAcceptance.objects.select_related("action")).order_by("-asked_ns")
    if action_id:
        rows = rows.filter(action_id=action_id)
    if states:
        rows = rows.filter(state__in=list(states))
    names = [n for n in AcceptanceRow.__struct_fields__ if n not in ("action", "title", "site")]
    return [
        AcceptanceRow(
            action=row.action_id,
            title=row.action.title,
            site=row.site_id,
            **{name: getattr(row, name) for name in names},
        )
        for row in rows
    ]


def actions_of_device(scope: Scope, device: str, now_ns: int) -> list[str]:
    """Return the ids of actions that a device is part of now; none for a device outside the scope."""
    row = scope.over(Device.objects.all()).filter(pk=device).first()
    if row is None:
        return []
    keys = device_keys(scope.tenant, row.site_id, device, now_ns)
    return list(WorkAction.objects.filter(site_id=row.site_id, key__in=keys).values_list("pk", flat=True))
