"""The work that notices make: cases opened by verdicts, moved on by people, closed with a record.

Every step is an entry with evidence and an audit record; the last one can be taken back. A notice is closed
with what was done at each device, and not while devices are open unless somebody names the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

import msgspec

from medwarden.kernel.clock import iso
from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.ids import stable_id
from medwarden.model.recall import RecallClass
from medwarden.risk.recalls.engine import CONCERNING, RecallState
from medwarden.risk.recalls.workflow import WORDS, DueDays, Step, due_of, may_follow
from medwarden.store.bulk import among, insert_rows, update_rows
from medwarden.store.chain import canonical
from medwarden.store.changes import Change
from medwarden.store.models import (
    Device,
    MergedDevice,
    RecallCase,
    RecallNotice,
    RecallStep,
    RecallVerdict,
)
from medwarden.store.recalls import notice_id, notice_named

_AT_ONCE = 400
_MOST_REFERENCES = 20
_LONGEST_REFERENCE = 300
_LONGEST_EVIDENCE = 4000
DUE_DAYS = "recalls.due_days"
"""The setting with the days until a case is due, by class."""

_BY_RULE = "rule:recalls"


class Done(msgspec.Struct, frozen=True):
    """What a person says of a step: what was done or seen, and where the proof is kept."""

    evidence: str
    references: tuple[str, ...] = ()

    def checked(self) -> Done:
        """Return it within bounds. Raises ConfigurationError where nothing is said."""
        evidence = self.evidence.strip()
        if not evidence:
            raise ConfigurationError("say what was done or seen: a step without evidence proves nothing")
        kept = [r.strip()[:_LONGEST_REFERENCE] for r in self.references if r.strip()][:_MOST_REFERENCES]
        return Done(evidence[:_LONGEST_EVIDENCE], tuple(kept))


def open_cases(
    change: Change, devices: Sequence[str], days: DueDays, only: Collection[str] | None = None
) -> int:
    """Open a case for every verdict that concerns a device or may; return how many were new.

    A case that nobody touched is closed where its verdict went away, and one that was closed that way opens
    again where it came back. A closed notice opens again with a case. ``only`` limits all this to the notices
    with these numbers.
    """
    notices = None if only is None else {notice_id(change.tenant, number) for number in only}
    opened = 0
    for start in range(0, len(devices), _AT_ONCE):
        opened += _open_some(change, devices[start : start + _AT_ONCE], days, notices)
    return opened


class _Verdict(msgspec.Struct):
    """What a case needs of a verdict."""

    notice: RecallNotice
    device: str
    state: str
    reason: str


def _verdicts(devices: Sequence[str], notices: Collection[str] | None) -> list[_Verdict]:
    rows = RecallVerdict.objects.filter(device_id__in=among(devices), until_ns=None)
    if notices is not None:
        rows = rows.filter(notice_id__in=notices)
    said = list(rows.values_list("notice_id", "device_id", "state", "reason"))
    named = RecallNotice.objects.filter(pk__in=among({notice for notice, *_ in said}))
    by_key = {row.pk: row for row in named.defer("body", "closure")}
    return [_Verdict(by_key[notice], *rest) for notice, *rest in said]


def _open_some(change: Change, devices: Sequence[str], days: DueDays, notices: Collection[str] | None) -> int:
    verdicts = _verdicts(devices, notices)
    cases = RecallCase.objects.filter(device__in=among(devices))
    if notices is not None:
        cases = cases.filter(notice_id__in=notices)
    known = {(row.notice_id, row.device): row for row in cases}
    rows = Device.objects.filter(pk__in=among(devices))
    labels = {row.pk: row for row in rows.only("site_id", "name", "vendor", "model")}
    fresh: list[RecallCase] = []
    wanted: set[tuple[str, str]] = set()
    concerning = {state.value for state in CONCERNING}
    for verdict in verdicts:
        notice = verdict.notice
        key = notice.pk, verdict.device
        if verdict.state not in concerning or not (notice.ongoing or verdict.state == RecallState.AFFECTED):
            continue
        wanted.add(key)
        if key not in known:
            fresh.append(_case(change, notice, labels[verdict.device], days))
    insert_rows(fresh)
    insert_rows(
        [_entry(change, case, "step", "", Step.FOUND.value, "a verdict concerns it") for case in fresh]
    )
    reasons = {(v.notice.pk, v.device): v.reason for v in verdicts}
    gone = [c for k, c in known.items() if k not in wanted and c.step == Step.FOUND.value]
    for case in gone:
        why = reasons.get((case.notice_id, case.device), "the notice or what is known of the device changed")
        _set_step(change, case, Step.CLOSED, Done(f"No longer concerned: {why}"))
    back = [c for k, c in known.items() if k in wanted and c.step == Step.CLOSED.value and _by_rule(c)]
    for case in back:
        _set_step(change, case, Step.FOUND, Done("A verdict concerns it again."))
    _reopen_closed(change, {case.notice_id for case in (*fresh, *back)})
    if fresh:
        change.record("recall.cases_opened", "recalls", None, {"opened": len(fresh)})
    return len(fresh)


def _by_rule(case: RecallCase) -> bool:
    last = RecallStep.objects.filter(case=case, kind="step", undone_ns=None).order_by("-at_ns", "-pk").first()
    return last is not None and last.actor == _BY_RULE


def _reopen_closed(change: Change, notices: Collection[str]) -> None:
    for row in RecallNotice.objects.filter(pk__in=list(notices)).exclude(closed_ns=None):
        _reopen(change, row, "another device turned out to be concerned")


def _case(change: Change, notice: RecallNotice, device: Device, days: DueDays) -> RecallCase:
    made = " ".join(part for part in (device.vendor, device.model) if part)
    return RecallCase(
        id=stable_id("rc", notice.pk, device.pk, str(change.now_ns)),
        tenant_id=change.tenant,
        site_id=device.site_id,
        notice_id=notice.pk,
        device=device.pk,
        label=(device.name or made or device.pk)[:200],
        step=Step.FOUND.value,
        owner=notice.owner,
        due_ns=due_of(change.now_ns, RecallClass(notice.recall_class), days),
        opened_ns=change.now_ns,
        changed_ns=change.now_ns,
    )


def _entry(
    change: Change,
    case: RecallCase,
    kind: str,
    before: str,
    after: str,
    evidence: str,
    references: Iterable[str] = (),
) -> RecallStep:
    return RecallStep(
        tenant_id=case.tenant_id,
        site_id=case.site_id,
        case_id=case.pk,
        at_ns=change.now_ns,
        actor=change.actor[:150],
        kind=kind,
        before=before[:200],
        after=after[:200],
        evidence=evidence,
        references=list(references),
        undone_ns=None,
    )


def _set_step(change: Change, case: RecallCase, step: Step, done: Done) -> None:
    before = case.step
    case.step, case.changed_ns = step.value, change.now_ns
    update_rows([case], ("step", "changed_ns"))
    insert_rows([_entry(change, case, "step", before, step.value, done.evidence, done.references)])
    change.record(
        "recall.step", f"device:{case.device}", {"notice": case.notice_id, "step": before},
        {"step": step.value}, site=case.site_id, reason=done.evidence[:500],
    )  # fmt: skip


def cases_named(change: Change, ids: Sequence[str]) -> list[RecallCase]:
    """Return cases by their ids. Raises ConfigurationError where one is not there."""
    rows = {
        row.pk: row for row in RecallCase.objects.filter(tenant_id=change.tenant, pk__in=list(ids)[:5000])
    }
    missing = [key for key in ids if key not in rows]
    if missing or not ids:
        raise ConfigurationError(
            f"there is no case {missing[0][:40]!r}" if missing else "choose devices first"
        )
    if change.site is not None and any(row.site_id != change.site for row in rows.values()):
        raise ConfigurationError("a case of another site cannot be changed from here")
    return [rows[key] for key in dict.fromkeys(ids)]


def move_cases(change: Change, ids: Sequence[str], step: Step, done: Done) -> int:
    """Take a step in one or many cases, all or none of them; return how many.

    Raises ConfigurationError where one cannot take it, and where the evidence is empty.
    """
    checked = done.checked()
    cases = cases_named(change, ids)
    for case in cases:
        if not may_follow(Step(case.step), step):
            now, wanted = WORDS[Step(case.step)][0].lower(), WORDS[step][0].lower()
            raise ConfigurationError(
                f"{case.label} is {now}: the step {wanted!r} cannot follow; nothing was changed"
            )
    for case in cases:
        _set_step(change, case, step, checked)
    return len(cases)


def set_owner(change: Change, ids: Sequence[str], owner: str) -> int:
    """Say who does the work of cases; '' for nobody."""
    return _set_field(change, ids, "owner", owner.strip()[:150])


def set_work_order(change: Change, ids: Sequence[str], number: str) -> int:
    """Note the work order of cases in the hospital's maintenance system."""
    return _set_field(change, ids, "work_order", number.strip()[:120])


def set_due(change: Change, ids: Sequence[str], due_ns: int | None) -> int:
    """Say by when cases shall be closed; the change's reason says why. None for no day."""
    if not change.reason.strip():
        raise ConfigurationError("say why the day is moved")
    return _set_field(change, ids, "due_ns", due_ns)


def _set_field(change: Change, ids: Sequence[str], name: str, value: str | int | None) -> int:
    cases = [case for case in cases_named(change, ids) if getattr(case, name) != value]
    entries = []
    for case in cases:
        before = getattr(case, name)
        setattr(case, name, value)
        case.changed_ns = change.now_ns
        entries.append(
            _entry(change, case, name, _text(before), _text(value), change.reason if name == "due_ns" else "")
        )
        change.record(
            f"recall.{name}", f"device:{case.device}", {"notice": case.notice_id, name: before},
            {name: value}, site=case.site_id,
        )  # fmt: skip
    update_rows(cases, (name, "changed_ns"))
    insert_rows(entries)
    return len(cases)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def add_note(change: Change, ids: Sequence[str], done: Done) -> int:
    """Add a note or proof to cases without taking a step."""
    checked = done.checked()
    cases = cases_named(change, ids)
    insert_rows(
        [_entry(change, case, "note", "", "", checked.evidence, checked.references) for case in cases]
    )
    for case in cases:
        change.record(
            "recall.note", f"device:{case.device}", None,
            {"notice": case.notice_id, "references": list(checked.references)}, site=case.site_id,
        )  # fmt: skip
    return len(cases)


def undo_last(change: Change, case: str) -> str:
    """Take the last entry of a case back; return what kind it was.

    Raises ConfigurationError where there is none, or where only the finding of the case is left.
    """
    (row,) = cases_named(change, [case])
    rows = RecallStep.objects.filter(case=row, undone_ns=None).order_by("-at_ns", "-pk")
    last = rows.first()
    if last is None or (last.kind == "step" and not last.before):
        raise ConfigurationError("there is nothing left to take back")
    if last.kind == "step":
        row.step = last.before
    elif last.kind == "due_ns":
        row.due_ns = int(last.before) if last.before else None
    elif last.kind in ("owner", "work_order"):
        setattr(row, last.kind, last.before)
    row.changed_ns = change.now_ns
    row.save()
    last.undone_ns, last.undone_by = change.now_ns, change.actor[:150]
    last.save(update_fields=["undone_ns", "undone_by"])
    change.record(
        "recall.undone", f"device:{row.device}", {"notice": row.notice_id, last.kind: last.after},
        {last.kind: last.before}, site=row.site_id,
    )  # fmt: skip
    return last.kind


def describe_notice(
    change: Change,
    number: str,
    *,
    owner: str | None = None,
    contact: str | None = None,
    note: str | None = None,
) -> None:
    """Keep who is in charge of a notice, whom to call at the maker, and notes; None leaves one as it is."""
    row = notice_named(change.tenant, number)
    before = {"owner": row.owner, "contact": row.contact, "note": row.note}
    row.owner = row.owner if owner is None else owner.strip()[:150]
    row.contact = row.contact if contact is None else contact.strip()[:2000]
    row.note = row.note if note is None else note.strip()[:4000]
    after = {"owner": row.owner, "contact": row.contact, "note": row.note}
    if before != after:
        row.save(update_fields=["owner", "contact", "note"])
        change.record("recall.described", f"recall:{number}", before, after)


def close_notice(change: Change, number: str, *, despite: str = "") -> dict[str, object]:
    """Close a notice and return its record: who, when, why, and what was done at every device.

    The change's reason is what was concluded. Raises ConfigurationError where the notice is closed, no
    reason is given, or cases are open and ``despite`` does not name why it is closed all the same.
    """
    row = notice_named(change.tenant, number)
    if row.closed_ns is not None:
        raise ConfigurationError(f"{number} is closed already")
    if not change.reason.strip():
        raise ConfigurationError("say what was concluded: a notice is not closed without a reason")
    cases = list(RecallCase.objects.filter(notice=row).order_by("label", "device"))
    still_open = [case for case in cases if case.step != Step.CLOSED.value]
    if still_open and not despite.strip():
        names = ", ".join(case.label for case in still_open[:3])
        raise ConfigurationError(
            f"{len(still_open)} of {len(cases)} devices are not done ({names}): close their cases first, or"
            " name the reason for which the notice is closed all the same"
        )
    record = _closure(change, row, cases, despite.strip())
    row.closed_ns, row.closure = change.now_ns, record
    row.save(update_fields=["closed_ns", "closure"])
    change.record("recall.closed", f"recall:{number}", None, {"digest": record["digest"], "despite": despite})
    return record


def _closure(
    change: Change, row: RecallNotice, cases: Sequence[RecallCase], despite: str
) -> dict[str, object]:
    verdicts = {v.device_id: v for v in RecallVerdict.objects.filter(notice=row, until_ns=None)}
    steps: dict[str, int] = {}
    devices: list[dict[str, object]] = []
    for case in cases:
        steps[case.step] = steps.get(case.step, 0) + 1
        verdict = verdicts.get(case.device)
        entries = RecallStep.objects.filter(case=case, undone_ns=None).order_by("at_ns", "pk")
        devices.append(
            {
                "device": case.device,
                "site": case.site_id,
                "label": case.label,
                "step": case.step,
                "work_order": case.work_order,
                "verdict": verdict.state if verdict else "",
                "reason": verdict.reason if verdict else "",
                "steps": [
                    {"at": iso(e.at_ns), "by": e.actor, "step": e.after, "evidence": e.evidence,
                     "references": e.references}
                    for e in entries
                    if e.kind in ("step", "note")
                ],
            }
        )  # fmt: skip
    others = [v for v in verdicts.values() if v.device_id not in {case.device for case in cases}]
    record: dict[str, object] = {
        "notice": row.number,
        "version": row.version,
        "title": row.title,
        "class": row.recall_class,
        "closed_at": iso(change.now_ns),
        "closed_by": change.actor,
        "reason": change.reason,
        "despite": despite,
        "steps": steps,
        "devices": devices,
        "not_affected": sum(v.state == RecallState.NOT_AFFECTED.value for v in others),
    }
    record["digest"] = hashlib.sha256(canonical(record).encode()).hexdigest()
    return record


def reopen_notice(change: Change, number: str) -> None:
    """Open a closed notice again; its closing stays in the audit. Raises ConfigurationError otherwise."""
    row = notice_named(change.tenant, number)
    if row.closed_ns is None:
        raise ConfigurationError(f"{number} is open")
    if not change.reason.strip():
        raise ConfigurationError("say why the notice is opened again")
    _reopen(change, row, change.reason)


def _reopen(change: Change, row: RecallNotice, reason: str) -> None:
    before = row.closure
    row.closed_ns, row.closure = None, None
    row.save(update_fields=["closed_ns", "closure"])
    change.record("recall.reopened", f"recall:{row.number}", before, None, reason=reason)


def follow_merges(change: Change, site: str) -> None:
    """Let cases of devices that turned out to be another one follow; of two, the older one goes on."""
    gone = dict(MergedDevice.objects.filter(site_id=site).values_list("gone", "kept"))
    for case in RecallCase.objects.filter(site_id=site, device__in=list(gone)[:5000]):
        kept = gone[case.device]
        if RecallCase.objects.filter(notice_id=case.notice_id, device=kept).exists():
            if case.step != Step.CLOSED.value:
                _set_step(change, case, Step.CLOSED, Done(f"The device turned out to be {kept}."))
            continue
        change.record(
            "recall.followed",
            f"device:{kept}",
            {"device": case.device},
            {"notice": case.notice_id},
            site=site,
        )
        case.device = kept
        case.save(update_fields=["device"])
