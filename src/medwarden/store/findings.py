"""The life of findings: opened and closed by assessments, moved on by people, every step with a reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec
from django.db.models import Count, TextField
from django.db.models.functions import Cast

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.finding import TRANSITIONS, FindingEvidence, FindingKind, FindingState
from medwarden.model.finding import Finding as ModelFinding
from medwarden.store.bulk import among, insert_rows, update_rows
from medwarden.store.changes import Change
from medwarden.store.models import Device, Finding, FindingEvent
from medwarden.store.prepared import Prepared, one_of
from medwarden.store.scores import mark_due

_AT_ONCE = 400
LIVE_KINDS = frozenset(
    {FindingKind.ANOMALY, FindingKind.THREAT, FindingKind.POLICY_VIOLATION, FindingKind.RECALL}
)
"""Kinds of findings that count for scores as long as they stand."""


def transition(
    change: Change,
    finding_id: str,
    state: FindingState,
    *,
    approver: str = "",
    accepted_until_ns: int | None = None,
) -> None:
    """Move a finding to ``state``; the change's reason is kept with the step.

    Accepting a risk needs an approver and an end. Raises ConfigurationError for an unknown finding, a
    step that :data:`~medwarden.model.finding.TRANSITIONS` does not allow, or an empty reason.
    """
    finding = Finding.objects.filter(tenant_id=change.tenant, pk=finding_id).first()
    if finding is None:
        raise ConfigurationError(f"there is no finding {finding_id[:40]!r}")
    before = FindingState(finding.state)
    if state not in TRANSITIONS[before]:
        allowed = ", ".join(sorted(s.value for s in TRANSITIONS[before]))
        raise ConfigurationError(
            f"a finding that is {before.value} cannot become {state.value}: choose {allowed}"
        )
    if not change.reason.strip():
        raise ConfigurationError("say why: every step of a finding needs a reason")
    if state is FindingState.ACCEPTED and (not approver or accepted_until_ns is None):
        raise ConfigurationError("an accepted risk needs an approver and the day on which it ends")
    accepted = state is FindingState.ACCEPTED
    finding.approver = approver if accepted else ""
    finding.accepted_until_ns = accepted_until_ns if accepted else None
    _move(change, [finding], state, change.reason)
    if finding.kind in LIVE_KINDS:
        mark_due(change, [finding.device_id])
    count_open([finding.device_id])


def record_findings(
    change: Change,
    device_ids: Iterable[str],
    found: Sequence[ModelFinding],
    kinds: frozenset[FindingKind] = frozenset({FindingKind.EXPOSURE}),
    only: Collection[str] | None = None,
    *,
    due: bool = True,
    because: str = "",
) -> set[str]:
    """Bring the stored findings of some devices in line with what an engine found now; return whose changed.

    New ones are opened, resolved ones seen again are reopened, accepted ones whose time is over too.
    Open or acknowledged ones of ``kinds`` that the engine no longer finds on ``device_ids`` are
    resolved. What people decided (accepted, false positive) stays. ``only`` limits all this to findings
    with these ids: the others were not looked for. Scores that rest on ``kinds`` fall due, unless the
    caller sees to that (not ``due``). ``because`` is why one may be found no longer.
    """
    ids = list(dict.fromkeys(device_ids))
    changed: set[str] = set()
    fresh = {finding.id: finding for finding in found if only is None or finding.id in only}
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        wanted = {key: finding for key, finding in fresh.items() if finding.device in set(part)}
        changed |= _reconcile(change, part, wanted, kinds, only, because)
        if due and kinds & LIVE_KINDS:
            mark_due(change, part)
        count_open(part)
    return changed


def _reconcile(
    change: Change,
    devices: Sequence[str],
    found: dict[str, ModelFinding],
    kinds: frozenset[FindingKind],
    only: Collection[str] | None,
    because: str,
) -> set[str]:
    stored = _stored(devices, kinds | {finding.kind for finding in found.values()}, only)
    new = [finding for key, finding in found.items() if key not in stored]
    _open(change, new)
    touched = [
        key
        for key, row in stored.items()
        if (_again(change, row, found[key]) if key in found else row.kind in kinds and row.state in _STANDING)
    ]
    rows = list(Finding.objects.filter(pk__in=among(touched))) if touched else []
    again = [row for row in rows if row.pk in found]
    _update(change, again, found)
    _move(
        change, [row for row in again if row.state == FindingState.RESOLVED], FindingState.OPEN, "seen again"
    )
    over = [row for row in again if _over(change, row.state, row.accepted_until_ns)]
    _move(change, over, FindingState.OPEN, "the time for which the risk was accepted is over")
    ended = [row for row in rows if row.pk not in found and row.kind in kinds and row.state in _STANDING]
    _move(
        change, ended, FindingState.RESOLVED, f"no longer found: {because}" if because else "no longer found"
    )
    return {finding.device for finding in new} | {row.device_id for row in rows}


class _Stored(msgspec.Struct):
    """A stored finding as far as it is compared; ``said`` are the values of :data:`_COMPARED`."""

    kind: str
    state: str
    accepted_until_ns: int | None
    evidence: str
    mitre: str
    said: tuple[object, ...]


def _stored(
    devices: Sequence[str], kinds: frozenset[FindingKind], only: Collection[str] | None
) -> dict[str, _Stored]:
    """Return the findings of these kinds on devices, read as columns: most are what they were."""
    names = [kind.value for kind in kinds]
    rows = _KEPT_ON(devices, names) if only is None else _KEPT(only, names)
    return {
        key: _Stored(kind, state, until_ns, evidence, mitre, tuple(said))
        for key, kind, state, until_ns, evidence, mitre, *said in rows
    }


def _again(change: Change, row: _Stored, finding: ModelFinding) -> bool:
    """Tell whether a finding that is found once more is to be written: it says or means something new."""
    if row.state == FindingState.RESOLVED or _over(change, row.state, row.accepted_until_ns):
        return True
    return _differs(row, finding)


def _differs(row: _Stored, finding: ModelFinding) -> bool:
    """Tell whether a finding says anything else than what is stored of it."""
    said = (
        finding.severity.value, finding.severity.rank, finding.title, finding.detail, finding.fix,
        finding.rule_version, finding.first_seen, finding.last_seen,
    )  # fmt: skip
    if row.said != said:
        return True
    return _EVIDENCE.decode(row.evidence) != finding.evidence or _MITRE.decode(row.mitre) != finding.mitre


def _over(change: Change, state: str, until_ns: int | None) -> bool:
    return state == FindingState.ACCEPTED and until_ns is not None and until_ns < change.now_ns


def _open(change: Change, new: Sequence[ModelFinding]) -> None:
    """Store findings that were not there; those on devices that are gone are left out."""
    if not new:
        return
    devices = Device.objects.filter(pk__in=among({finding.device for finding in new}))
    sites = dict(devices.values_list("pk", "site_id"))
    rows = [_new_row(change, finding, sites[finding.device]) for finding in new if finding.device in sites]
    insert_rows(rows)
    insert_rows([_event(change, row, "", FindingState.OPEN, change.reason) for row in rows])
    for row in rows:
        change.record(
            "finding.opened",
            f"finding:{row.pk}",
            None,
            {"device": row.device_id, "type": row.type, "severity": row.severity},
            rule_version=row.rule_version,
            site=row.site_id,
        )


def move_findings(change: Change, gone: str, kept: str) -> None:
    """Give the findings of a device that turned out to be ``kept`` to it, and close the open ones.

    What still holds is found again on ``kept`` under an id of its own.
    """
    rows = list(Finding.objects.filter(device_id=gone))
    for row in rows:
        row.device_id = kept
    update_rows(rows, ["device"])
    still_open = [row for row in rows if row.state in ("open", "acknowledged")]
    _move(change, still_open, FindingState.RESOLVED, f"its device turned out to be {kept}")


_UPDATED = (
    "severity",
    "severity_rank",
    "title",
    "detail",
    "fix",
    "evidence",
    "mitre",
    "rule_version",
    "first_seen",
    "last_seen",
)


_COMPARED = tuple(name for name in _UPDATED if name not in ("evidence", "mitre"))
_TEXTS = {"evidence_text": Cast("evidence", TextField()), "mitre_text": Cast("mitre", TextField())}
_READ = ("pk", "kind", "state", "accepted_until_ns", *_TEXTS, *_COMPARED)
_KEPT_ON = Prepared(
    lambda ids, kinds: Finding.objects.filter(device_id__in=one_of(ids), kind__in=one_of(kinds)).annotate(
        **_TEXTS
    ),
    *_READ,
)
_KEPT = Prepared(
    lambda keys, kinds: Finding.objects.filter(pk__in=one_of(keys), kind__in=one_of(kinds)).annotate(
        **_TEXTS
    ),
    *_READ,
)
_OPEN = Prepared(
    lambda ids: Finding.objects.filter(device_id__in=one_of(ids), state="open")
    .values("device_id")
    .annotate(n=Count("*")),  # the index alone answers this
    "device_id", "n",
)  # fmt: skip
_SHOWN = Prepared(lambda ids: Device.objects.filter(pk__in=one_of(ids)), "pk", "findings_open")
_EVIDENCE = msgspec.json.Decoder(tuple[FindingEvidence, ...])
_MITRE = msgspec.json.Decoder(tuple[str, ...])
_STANDING = (FindingState.OPEN.value, FindingState.ACKNOWLEDGED.value)


def _values(finding: ModelFinding) -> dict[str, object]:
    return {
        "severity": finding.severity.value,
        "severity_rank": finding.severity.rank,
        "title": finding.title,
        "detail": finding.detail,
        "fix": finding.fix,
        "evidence": list(msgspec.to_builtins(finding.evidence)),  # as JSON gives it back
        "mitre": list(finding.mitre),
        "rule_version": finding.rule_version,
        "first_seen": finding.first_seen,
        "last_seen": finding.last_seen,
    }


def _new_row(change: Change, finding: ModelFinding, site: str) -> Finding:
    return Finding(
        id=finding.id,
        tenant_id=change.tenant,
        site_id=site,
        device_id=finding.device,
        kind=finding.kind.value,
        type=finding.type,
        state=FindingState.OPEN.value,
        opened_ns=change.now_ns,
        changed_ns=change.now_ns,
        **_values(finding),
    )


def _update(change: Change, rows: Sequence[Finding], found: dict[str, ModelFinding]) -> None:
    changed = []
    for row in rows:
        values = _values(found[row.pk])
        if all(getattr(row, name) == value for name, value in values.items()):
            continue
        if row.severity != values["severity"]:
            change.record(
                "finding.severity",
                f"finding:{row.pk}",
                row.severity,
                values["severity"],
                rule_version=found[row.pk].rule_version,
                site=row.site_id,
            )
        for name, value in values.items():
            setattr(row, name, value)
        changed.append(row)
    update_rows(changed, _UPDATED)


def _event(change: Change, row: Finding, before: str, after: FindingState, reason: str) -> FindingEvent:
    return FindingEvent(
        tenant_id=row.tenant_id,
        site_id=row.site_id,
        finding_id=row.pk,
        at_ns=change.now_ns,
        actor=change.actor,
        before=before,
        after=after.value,
        reason=reason,
        rule_version=change.rule_version or row.rule_version,
    )


def _move(change: Change, rows: Sequence[Finding], state: FindingState, reason: str) -> None:
    events = []
    for row in rows:
        before, row.state, row.changed_ns = row.state, state.value, change.now_ns
        if state is FindingState.OPEN:
            row.accepted_until_ns, row.approver = None, ""
        events.append(_event(change, row, before, state, reason))
        change.record(
            "finding.state", f"finding:{row.pk}", before, state.value, reason=reason, site=row.site_id
        )
    update_rows(rows, ["state", "changed_ns", "accepted_until_ns", "approver"])
    insert_rows(events)


def count_open(device_ids: Sequence[str]) -> None:
    """Bring the number of open findings on device rows in line with the findings."""
    counts: dict[str, int] = dict(_OPEN(device_ids))
    changed = [
        Device(pk=key, findings_open=counts.get(key, 0))
        for key, n in _SHOWN(device_ids)
        if n != counts.get(key, 0)
    ]
    update_rows(changed, ["findings_open"])
