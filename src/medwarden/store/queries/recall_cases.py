"""Devices that notices speak of: verdict and case side by side, pages of them, and their entries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec
from django.db.models import Case as Choice
from django.db.models import Exists, IntegerField, Model, OuterRef, Q, QuerySet, Value, When

from medwarden.model.vulnerability import Aspect
from medwarden.risk.recalls.engine import CONCERNING, RecallState
from medwarden.risk.recalls.workflow import Step
from medwarden.store.models import Device, RecallCase, RecallNotice, RecallStep, RecallVerdict
from medwarden.store.queries.scope import Page, Scope, bounds

R = TypeVar("R", bound=Model)

_AT_ONCE = 400


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


class CaseFilter(msgspec.Struct, frozen=True):
    """Which devices: of a notice, in some states or steps, of one owner, late ones, a word in them."""

    notice: str = ""
    states: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    owner: str = ""
    text: str = ""
    overdue: bool = False
    device: str = ""


def cases(
    scope: Scope, wanted: CaseFilter, now_ns: int, *, offset: int = 0, limit: int = 50
) -> Page[CaseView]:
    """Return a page of devices that notices speak of, those with something to do first.

    Over all notices these are the devices with a case, or with the verdict "not affected" where that is asked
    for; of one notice or device all of them.
    """
    offset, limit = bounds(offset, limit)
    if wanted.notice or wanted.device:
        found = [view for view in each_case(scope, wanted, now_ns) if _case_fits(view, wanted)]
        found.sort(key=_case_order)
        return Page(tuple(found[offset : offset + limit]), len(found), offset, limit)
    if RecallState.NOT_AFFECTED.value in wanted.states:
        held = scope.over(RecallVerdict.objects.filter(until_ns=None, state__in=wanted.states))
        held = _with_words(held, wanted.text, "device_id").order_by("notice__number", "device_id")
        part = list(held[offset : offset + limit])
        pairs = [(verdict.notice_id, verdict.device_id) for verdict in part]
        return Page(_views(pairs, now_ns), held.count(), offset, limit)
    work = _filtered(scope, wanted, now_ns)
    closed = When(step=Step.CLOSED.value, then=Value(1))
    ordered = work.annotate(done=Choice(closed, default=Value(0), output_field=IntegerField()))
    rows = ordered.order_by("done", "due_ns", "label", "pk").values_list("notice_id", "device")
    return Page(_views(list(rows[offset : offset + limit]), now_ns), work.count(), offset, limit)


def _filtered(scope: Scope, wanted: CaseFilter, now_ns: int) -> QuerySet[RecallCase]:
    """Return the cases that a filter asks for."""
    work = _with_words(scope.over(RecallCase.objects.all()), wanted.text, "device")
    if wanted.steps:
        work = work.filter(step__in=wanted.steps)
    if wanted.owner:
        work = work.filter(owner=wanted.owner)
    if wanted.overdue:
        work = work.filter(due_ns__lt=now_ns).exclude(step=Step.CLOSED.value)
    if wanted.states:
        verdicts = RecallVerdict.objects.filter(
            notice=OuterRef("notice"), device_id=OuterRef("device"), until_ns=None, state__in=wanted.states
        )
        work = work.filter(Exists(verdicts))
    return work


def _with_words(rows: QuerySet[R], text: str, device: str) -> QuerySet[R]:
    """Return the rows whose notice, device or own words contain each word of ``text``."""
    for term in text.split()[:8]:
        named = Device.objects.filter(
            Q(name__icontains=term) | Q(vendor__icontains=term) | Q(model__icontains=term)
            | Q(location__icontains=term) | Q(serial__icontains=term) | Q(pk__icontains=term)
        ).values("pk")  # fmt: skip
        fits = (
            Q(notice__number__icontains=term)
            | Q(notice__title__icontains=term)
            | Q(**{f"{device}__in": named})
        )
        if rows.model is RecallCase:
            fits |= Q(label__icontains=term) | Q(owner__icontains=term) | Q(work_order__icontains=term)
        rows = rows.filter(fits)
    return rows


def _views(pairs: Sequence[tuple[str, str]], now_ns: int) -> tuple[CaseView, ...]:
    """Return the views of pairs of notice and device, in their order."""
    ids, keys = {device for _, device in pairs}, {notice for notice, _ in pairs}
    rows = {row.pk: row for row in _notices_of(keys)}
    devices = _devices(ids)
    verdicts = {
        (v.notice_id, v.device_id): v
        for v in RecallVerdict.objects.filter(notice__in=keys, device_id__in=ids, until_ns=None)
    }
    known = {(c.notice_id, c.device): c for c in RecallCase.objects.filter(notice__in=keys, device__in=ids)}
    return tuple(
        _case(rows[notice], device, devices.get(device), verdicts.get((notice, device)),
              known.get((notice, device)), now_ns)
        for notice, device in pairs
    )  # fmt: skip


def visible_cases(scope: Scope, ids: Sequence[str]) -> set[str]:
    """Return those of these cases that may be seen."""
    return set(scope.over(RecallCase.objects.filter(pk__in=list(ids)[:5000])).values_list("pk", flat=True))


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
