"""Notices, the devices they concern, and the work on them: now, at a date, and for the risk score."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec
from django.db.models import Count, Min, Q, QuerySet

from medwarden.model.recall import RecallClass
from medwarden.model.vulnerability import Aspect
from medwarden.risk.recalls.engine import CONCERNING, RecallState
from medwarden.risk.recalls.findings import Standing
from medwarden.risk.recalls.notice import Notice
from medwarden.risk.recalls.workflow import Step
from medwarden.store.models import (
    Device,
    RecallCase,
    RecallNotice,
    RecallNoticeVersion,
    RecallStanding,
    RecallStep,
    RecallVerdict,
)
from medwarden.store.queries.scope import Page, Scope, bounds
from medwarden.store.recalls import OWN

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


class CaseView(msgspec.Struct, frozen=True):
    """One device of a notice: verdict with its evidence, and the case where there is one (``id`` '' if not).

    ``since_ns`` is since when the verdict holds, ``cause`` what began it.
    """

    id: str
    notice: str
    title: str
    recall_class: str
    device: str
    label: str
    site: str
    mac: str | None
    ip: str | None
    vendor: str | None
    model: str | None
    location: str | None
    category: str | None
    state: str
    reason: str
    aspects: tuple[Aspect, ...]
    since_ns: int
    cause: str
    step: str
    owner: str
    due_ns: int | None
    overdue: bool
    work_order: str
    opened_ns: int | None


class StepView(msgspec.Struct, frozen=True):
    """One entry of a case."""

    at_ns: int
    actor: str
    kind: str
    before: str
    after: str
    evidence: str
    references: tuple[str, ...]
    undone_ns: int | None
    undone_by: str


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


class CaseFilter(msgspec.Struct, frozen=True):
    """Which devices: of a notice, in some states or steps, of one owner, late ones, a word in them."""

    notice: str = ""
    states: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    owner: str = ""
    text: str = ""
    overdue: bool = False
    device: str = ""


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
) -> Page[NoticeView]:
    """Return a page of notices; by urgency: late ones first, then by class, then by devices concerned."""
    offset, limit = bounds(offset, limit)
    found = [view for view in notices(scope, now_ns) if _fits(view, wanted)]
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


def cases(
    scope: Scope, wanted: CaseFilter, now_ns: int, *, offset: int = 0, limit: int = 50
) -> Page[CaseView]:
    """Return a page of devices that notices speak of, those with something to do first."""
    offset, limit = bounds(offset, limit)
    found = [view for view in each_case(scope, wanted, now_ns) if _case_fits(view, wanted)]
    found.sort(key=_case_order)
    return Page(tuple(found[offset : offset + limit]), len(found), offset, limit)


_STATE_ORDER = {state.value: n for n, state in enumerate((*CONCERNING, RecallState.NOT_AFFECTED))} | {"": 9}


def _case_order(view: CaseView) -> tuple[object, ...]:
    done = view.step in ("", Step.CLOSED.value)
    return (done, not view.overdue, view.due_ns or 0, _STATE_ORDER[view.state], view.label, view.notice)


def each_case(scope: Scope, wanted: CaseFilter, now_ns: int) -> list[CaseView]:
    """Return every device with a verdict or a case, narrowed by notice and device alone."""
    held = scope.over(RecallVerdict.objects.filter(until_ns=None))
    work = scope.over(RecallCase.objects.all())
    if wanted.notice:
        held, work = held.filter(notice__number=wanted.notice), work.filter(notice__number=wanted.notice)
    if wanted.device:
        held, work = held.filter(device_id=wanted.device), work.filter(device=wanted.device)
    if wanted.states:
        held = held.filter(state__in=wanted.states)
    verdicts = {(v.notice_id, v.device_id): v for v in held}
    known = {(c.notice_id, c.device): c for c in work}
    rows = {row.pk: row for row in _notices_of({notice for notice, _ in (*verdicts, *known)})}
    devices = _devices({device for _, device in (*verdicts, *known)})
    return [
        _case(rows[notice], device, devices.get(device), verdicts.get((notice, device)),
              known.get((notice, device)), now_ns)
        for notice, device in dict.fromkeys((*verdicts, *known))
    ]  # fmt: skip


def _notices_of(keys: Iterable[str]) -> list[RecallNotice]:
    wanted = sorted(keys)
    found: list[RecallNotice] = []
    for start in range(0, len(wanted), _AT_ONCE):
        found += RecallNotice.objects.filter(pk__in=wanted[start : start + _AT_ONCE]).defer("body", "closure")
    return found


def _devices(ids: Iterable[str]) -> dict[str, Device]:
    wanted = sorted(ids)
    found: dict[str, Device] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        for row in Device.objects.filter(pk__in=wanted[start : start + _AT_ONCE]):
            found[row.pk] = row
    return found


def _case(
    notice: RecallNotice,
    device: str,
    row: Device | None,
    verdict: RecallVerdict | None,
    case: RecallCase | None,
    now_ns: int,
) -> CaseView:
    made = "" if row is None else " ".join(part for part in (row.vendor, row.model) if part)
    label = (row.name or made or device) if row is not None else (case.label if case else device)
    step = case.step if case else ""
    due = case.due_ns if case else None
    return CaseView(
        id=case.pk if case else "",
        notice=notice.number,
        title=notice.title,
        recall_class=notice.recall_class,
        device=device,
        label=label,
        site=row.site_id if row is not None else (case.site_id if case else ""),
        mac=next(iter(row.macs), None) if row is not None else None,
        ip=next(iter(row.ips), None) if row is not None else None,
        vendor=row.vendor if row is not None else None,
        model=row.model if row is not None else None,
        location=row.location if row is not None else None,
        category=row.category if row is not None else None,
        state=verdict.state if verdict else "",
        reason=verdict.reason if verdict else "The notice says nothing of it any more.",
        aspects=msgspec.convert(verdict.aspects, tuple[Aspect, ...]) if verdict else (),
        since_ns=verdict.since_ns if verdict else 0,
        cause=verdict.cause if verdict else "",
        step=step,
        owner=case.owner if case else "",
        due_ns=due,
        overdue=bool(due is not None and due < now_ns and step != Step.CLOSED.value),
        work_order=case.work_order if case else "",
        opened_ns=case.opened_ns if case else None,
    )


def _case_fits(view: CaseView, wanted: CaseFilter) -> bool:
    if wanted.states and view.state not in wanted.states:
        return False
    if wanted.steps and view.step not in wanted.steps:
        return False
    if (wanted.overdue and not view.overdue) or (wanted.owner and view.owner != wanted.owner):
        return False
    said = " ".join(
        part
        for part in (view.label, view.device, view.notice, view.title, view.vendor, view.model, view.location,
                     view.owner, view.work_order, view.mac, view.ip)
        if part
    ).lower()  # fmt: skip
    return all(term in said for term in wanted.text.lower().split())


def case_steps(scope: Scope, case: str) -> list[StepView]:
    """Return the entries of a case, the latest first, those taken back too."""
    rows = scope.over(RecallStep.objects.filter(case_id=case)).order_by("-at_ns", "-pk")
    return [
        StepView(r.at_ns, r.actor, r.kind, r.before, r.after, r.evidence, tuple(r.references), r.undone_ns,
                 r.undone_by)
        for r in rows
    ]  # fmt: skip


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


def standing(scope: Scope, ids: Sequence[str]) -> list[Standing]:
    """Return what findings need of the verdicts that concern devices or may."""
    concerning = [state.value for state in CONCERNING]
    found: list[Standing] = []
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        rows = RecallVerdict.objects.filter(device_id__in=part, until_ns=None, state__in=concerning)
        rows = scope.over(rows).select_related("notice", "device")
        steps = {
            (notice, device): Step(step)
            for notice, device, step in RecallCase.objects.filter(device__in=part).values_list(
                "notice_id", "device", "step"
            )
        }
        for row in rows:
            made = " ".join(part for part in (row.device.vendor, row.device.model) if part)
            found.append(
                Standing(
                    device=row.device_id,
                    label=row.device.name or made or row.device_id,
                    notice=msgspec.convert(row.notice.body, Notice),
                    state=RecallState(row.state),
                    reason=row.reason,
                    since_ns=row.since_ns,
                    aspects=msgspec.convert(row.aspects, tuple[Aspect, ...]),
                    step=steps.get((row.notice_id, row.device_id)),
                )
            )
    return found


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
