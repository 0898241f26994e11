"""Notices and the verdicts on devices: how they stand now, their versions, the past, what findings need."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence

import msgspec
from django.db.models import Count, Min, Q, QuerySet, TextField
from django.db.models.functions import Cast

from medwarden.model.recall import RecallClass
from medwarden.model.vulnerability import Aspect
from medwarden.risk.recalls.engine import CONCERNING, RecallState
from medwarden.risk.recalls.findings import Standing
from medwarden.risk.recalls.notice import Notice
from medwarden.risk.recalls.workflow import Step
from medwarden.store.bulk import among
from medwarden.store.models import (
    Device,
    RecallCase,
    RecallNotice,
    RecallNoticeVersion,
    RecallStanding,
    RecallVerdict,
)
from medwarden.store.queries.scope import Page, Scope, bounds
from medwarden.store.recalls import OWN, notice_id

_AT_ONCE = 400
_CLASSES = [each.value for each in RecallClass]


class NoticeView(msgspec.Struct, frozen=True):
    """One notice as the board lists it, with how many devices of the scope are in which state and step.

    ``steps`` counts cases by step; ``overdue`` those whose day is past, ``next_due_ns`` is the nearest day.
    """

    number: str
    origin: str
    recall_class: str
    maker: str
    title: str
    begun: str
    ongoing: bool
    withdrawn: bool
    version: int
    added_ns: int
    owner: str
    contact: str
    note: str
    closed_ns: int | None
    affected: int
    unknown: int
    may_be: int
    not_affected: int
    steps: dict[str, int]
    open: int
    overdue: int
    next_due_ns: int | None

    @property
    def concerned(self) -> int:
        """Return how many devices are or may be concerned."""
        return self.affected + self.unknown + self.may_be


class VersionView(msgspec.Struct, frozen=True):
    """One wording of a notice."""

    number: int
    at_ns: int
    actor: str
    reason: str
    body: Notice


class SpanView(msgspec.Struct, frozen=True):
    """A verdict over time: what was said of a device and a notice from when until when, and why."""

    device: str
    label: str
    notice: str
    state: str
    reason: str
    since_ns: int
    until_ns: int | None
    cause: str


class NoticeFilter(msgspec.Struct, frozen=True):
    """Which notices: open or closed work, classes, where they came from, a word in them.

    ``work`` is open (something is left to do), closed, ended (the publisher calls it ended), or all.
    """

    work: str = "open"
    classes: tuple[str, ...] = ()
    origin: str = ""
    text: str = ""
    overdue: bool = False


SORTS = ("urgency", "begun", "added", "devices", "due")
WORKS = ("open", "closed", "ended", "all")


def board(
    scope: Scope,
    wanted: NoticeFilter,
    now_ns: int,
    *,
    sort: str = "urgency",
    offset: int = 0,
    limit: int = 50,
    known: Sequence[NoticeView] | None = None,
) -> Page[NoticeView]:
    """Return a page of notices; by urgency: late ones first, then by class, then by devices concerned.

    ``known`` are the notices of the scope where they were read already.
    """
    offset, limit = bounds(offset, limit)
    found = [view for view in (notices(scope, now_ns) if known is None else known) if _fits(view, wanted)]
    found.sort(key=lambda view: view.number)
    found.sort(key=_order(sort.removeprefix("-")), reverse=sort.startswith("-"))
    return Page(tuple(found[offset : offset + limit]), len(found), offset, limit)


def _order(sort: str) -> Callable[[NoticeView], tuple[object, ...]]:
    """Return what a list is sorted by."""
    orders: dict[str, Callable[[NoticeView], tuple[object, ...]]] = {
        "begun": lambda v: (v.begun,),
        "added": lambda v: (v.added_ns,),
        "devices": lambda v: (v.concerned,),
        "due": lambda v: (v.next_due_ns is None, v.next_due_ns or 0),
    }
    return orders.get(sort, _urgency)


def _urgency(view: NoticeView) -> tuple[object, ...]:
    return (view.overdue == 0, _CLASSES.index(view.recall_class), -view.affected, -view.concerned)


def _fits(view: NoticeView, wanted: NoticeFilter) -> bool:
    if wanted.work == "open" and (
        view.closed_ns is not None or view.withdrawn or not (view.open or _own(view))
    ):
        return False
    if wanted.work == "closed" and view.closed_ns is None:
        return False
    if wanted.work == "ended" and view.ongoing:
        return False
    if wanted.classes and view.recall_class not in wanted.classes:
        return False
    if wanted.origin and view.origin != wanted.origin:
        return False
    if wanted.overdue and not view.overdue:
        return False
    said = f"{view.number} {view.maker} {view.title} {view.owner}".lower()
    return all(term in said for term in wanted.text.lower().split())


def _own(view: NoticeView) -> bool:
    return view.origin in OWN


def notices(scope: Scope, now_ns: int, number: str = "") -> list[NoticeView]:
    """Return the notices that concern a device of the scope, and the hospital's own."""
    states: defaultdict[str, Counter[str]] = defaultdict(Counter)
    verdicts = scope.over(RecallVerdict.objects.filter(until_ns=None))
    cases = scope.over(RecallCase.objects.all())
    rows = RecallNotice.objects.filter(tenant_id=scope.tenant)
    if number:
        verdicts, cases = verdicts.filter(notice__number=number), cases.filter(notice__number=number)
        rows = rows.filter(number=number)
    for notice, state, count in verdicts.values_list("notice_id", "state").annotate(n=Count("pk")):
        states[notice][state] = count
    steps: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for notice, step, count in cases.values_list("notice_id", "step").annotate(n=Count("pk")):
        steps[notice][step] = count
    left = cases.exclude(step=Step.CLOSED.value)
    late = dict(left.filter(due_ns__lt=now_ns).values_list("notice_id").annotate(n=Count("pk")))
    due = dict(left.values_list("notice_id").annotate(first=Min("due_ns")))
    found = []
    for row in rows:
        if not number and row.origin not in OWN and row.pk not in states and row.pk not in steps:
            continue
        found.append(_notice(row, states[row.pk], steps[row.pk], late.get(row.pk, 0), due.get(row.pk)))
    return found


def _notice(
    row: RecallNotice, states: Counter[str], steps: Counter[str], late: int, due: int | None
) -> NoticeView:
    return NoticeView(
        number=row.number,
        origin=row.origin,
        recall_class=row.recall_class,
        maker=row.maker,
        title=row.title,
        begun=row.begun,
        ongoing=row.ongoing,
        withdrawn=row.withdrawn,
        version=row.version,
        added_ns=row.added_ns,
        owner=row.owner,
        contact=row.contact,
        note=row.note,
        closed_ns=row.closed_ns,
        affected=states[RecallState.AFFECTED.value],
        unknown=states[RecallState.UNKNOWN.value],
        may_be=states[RecallState.MAY_BE.value],
        not_affected=states[RecallState.NOT_AFFECTED.value],
        steps=dict(steps),
        open=sum(count for step, count in steps.items() if step != Step.CLOSED.value),
        overdue=late,
        next_due_ns=due,
    )


def notice_body(scope: Scope, number: str) -> Notice | None:
    """Return what a notice says now, or None where there is none."""
    row = RecallNotice.objects.filter(tenant_id=scope.tenant, number=number).first()
    return None if row is None else msgspec.convert(row.body, Notice)


def closure_of(scope: Scope, number: str) -> dict[str, object] | None:
    """Return the record of the closing of a notice, or None while it is open.

    Who may not see every site gets the devices of his own; the digest is that of the whole record.
    """
    row = RecallNotice.objects.filter(tenant_id=scope.tenant, number=number).first()
    if row is None or row.closure is None or scope.sites is None:
        return None if row is None else row.closure
    own = [device for device in row.closure["devices"] if device["site"] in scope.sites]
    return {**row.closure, "devices": own}


def versions(scope: Scope, number: str) -> list[VersionView]:
    """Return the wordings of a notice, the latest first."""
    rows = RecallNoticeVersion.objects.filter(tenant_id=scope.tenant, notice__number=number)
    return [
        VersionView(r.number, r.at_ns, r.actor, r.reason, msgspec.convert(r.body, Notice))
        for r in rows.order_by("-number")
    ]


def history(scope: Scope, *, device: str = "", notice: str = "", at_ns: int | None = None) -> list[SpanView]:
    """Return verdicts over time of a device or notice, or those that held at ``at_ns``; oldest first."""
    rows: QuerySet[RecallVerdict] = scope.over(RecallVerdict.objects.select_related("notice", "device"))
    if device:
        rows = rows.filter(device_id=device)
    if notice:
        rows = rows.filter(notice__number=notice)
    if at_ns is not None:
        rows = rows.filter(since_ns__lte=at_ns).filter(Q(until_ns=None) | Q(until_ns__gt=at_ns))
    return [
        SpanView(v.device_id, v.device.name or v.device_id, v.notice.number, v.state, v.reason, v.since_ns,
                 v.until_ns, v.cause)
        for v in rows.order_by("since_ns", "pk")
    ]  # fmt: skip


_ASPECTS = msgspec.json.Decoder(tuple[Aspect, ...])


def standing(scope: Scope, ids: Sequence[str], only: Collection[str] | None = None) -> list[Standing]:
    """Return what findings need of the verdicts that concern devices or may.

    ``only`` limits this to the notices with these numbers.
    """
    wanted = None if only is None else {notice_id(scope.tenant, number) for number in only}
    found: list[Standing] = []
    notices: dict[str, Notice] = {}
    for start in range(0, len(ids), _AT_ONCE):
        found += _standing(scope, ids[start : start + _AT_ONCE], wanted, notices)
    return found


def _standing(
    scope: Scope, ids: Sequence[str], wanted: Collection[str] | None, notices: dict[str, Notice]
) -> list[Standing]:
    held = among(ids)
    rows = RecallVerdict.objects.filter(
        device_id__in=held, until_ns=None, state__in=[state.value for state in CONCERNING]
    )
    cases = RecallCase.objects.filter(device__in=held)
    if wanted is not None:
        rows, cases = rows.filter(notice_id__in=wanted), cases.filter(notice_id__in=wanted)
    columns = ("tenant_id", "site_id", "device_id", "notice_id", "state", "reason", "since_ns", "text")
    said = [
        rest
        for tenant, site, *rest in rows.annotate(text=Cast("aspects", TextField())).values_list(*columns)
        if scope.holds(tenant, site)
    ]
    missing = {notice for _, notice, *_ in said} - notices.keys()
    for key, body in RecallNotice.objects.filter(pk__in=among(missing)).values_list("pk", "body"):
        notices[key] = msgspec.convert(body, Notice)
    steps = {
        (notice, device): Step(step)
        for notice, device, step in cases.values_list("notice_id", "device", "step")
    }
    labels = {
        key: name or " ".join(part for part in (vendor, model) if part) or key
        for key, name, vendor, model in Device.objects.filter(pk__in=held).values_list(
            "pk", "name", "vendor", "model"
        )
    }
    return [
        Standing(
            device, labels[device], notices[notice], RecallState(state), reason, since_ns,
            _ASPECTS.decode(aspects), steps.get((notice, device)),
        )
        for device, notice, state, reason, since_ns, aspects in said
    ]  # fmt: skip


def step_counts(scope: Scope) -> dict[str, int]:
    """Return how many cases are in each step, every step named."""
    rows = scope.over(RecallCase.objects.all()).values_list("step").annotate(n=Count("pk"))
    return dict.fromkeys((step.value for step in Step), 0) | dict(rows)


def unnamed_medical(scope: Scope) -> int:
    """Return how many medical devices have no known model: no notice can be compared with them."""
    rows = scope.over(Device.objects.filter(device_class="IoMT", retired_at=None))
    return rows.filter(Q(model=None) | Q(model="")).count()


def judged_ns(scope: Scope) -> int | None:
    """Return when recalls were last compared with the sites of a scope; None for never."""
    rows = scope.over(RecallStanding.objects.all()).order_by("judged_ns")
    return rows.values_list("judged_ns", flat=True).first()
