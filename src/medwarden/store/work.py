"""Writing the work on risk: remedies, actions as they follow from what is open, and what people decide.

Every step of a person is a row of the action's history and of the audit chain, and can be taken back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from medwarden.kernel.clock import iso
from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.ids import stable_id
from medwarden.risk.work.actions import Action
from medwarden.risk.work.choice import CHOICE_RULES, Choice
from medwarden.risk.work.states import BY_PERSON, WorkState
from medwarden.store.bulk import insert_rows, update_rows
from medwarden.store.changes import Change
from medwarden.store.models import Setting, User, WorkAction, WorkEvent, WorkRemedy

_AT_ONCE = 400
LONGEST_NOTE = 2000
MOST_LABELS = 20

_COLUMNS = (
    "kind", "title", "shown", "severity", "severity_rank", "priority", "exploited", "devices", "findings",
    "known_ns", "due_ns", "present", "state", "changed_ns", "claimed_ns", "closed_ns",
)  # fmt: skip


def record_remedies(change: Change, chosen: Mapping[tuple[str, str], Choice], edition: int) -> int:
    """Keep what to do about vulnerabilities of profiles; return how many choices are new or others.

    Those of what is no longer open stay: they tell since when the work is known.
    """
    rows = {}
    profiles = sorted({profile for profile, _ in chosen})
    for start in range(0, len(profiles), _AT_ONCE):
        part = WorkRemedy.objects.filter(profile_id__in=profiles[start : start + _AT_ONCE])
        rows.update({(row.profile_id, row.vulnerability): row for row in part})
    fresh, altered, moved = [], [], 0
    for (profile, vulnerability), choice in chosen.items():
        plain: object = msgspec.to_builtins(choice)
        row = rows.get((profile, vulnerability))
        if row is None:
            fresh.append(
                WorkRemedy(
                    tenant_id=change.tenant, site_id=None, profile_id=profile, vulnerability=vulnerability,
                    key=choice.key, choice=plain, edition=edition, rules=CHOICE_RULES,
                )
            )  # fmt: skip
            continue
        moved += row.choice != plain
        row.key, row.choice, row.edition, row.rules = choice.key, plain, edition, CHOICE_RULES
        altered.append(row)
    insert_rows(fresh)
    update_rows(altered, ("key", "choice", "edition", "rules"))
    return len(fresh) + moved


DEVICES_OPEN = "work.devices_open"
"""Setting of a site that counts the devices on which anything is open: a counter, no decision."""


def count_devices(tenant: str, site: str, devices: int, now_ns: int) -> None:
    """Keep on how many devices of a site anything is open, each counted once."""
    Setting.objects.update_or_create(
        tenant_id=tenant,
        site_id=site,
        key=DEVICES_OPEN,
        defaults={"value": devices, "updated_ns": now_ns},
    )


_STAMP = "work.stamp"


def kept_stamp(tenant: str) -> str:
    """Return by what the queue was last brought up to date, '' where it never was."""
    row = Setting.objects.filter(tenant_id=tenant, site=None, key=_STAMP).first()
    return "" if row is None else str(row.value)


def keep_stamp(tenant: str, stamp: str, now_ns: int) -> None:
    """Keep by what the queue was brought up to date, so that no other process does it again."""
    Setting.objects.update_or_create(
        tenant_id=tenant, site=None, key=_STAMP, defaults={"value": stamp, "updated_ns": now_ns}
    )


class Moves(msgspec.Struct):
    """What bringing actions up to date came to, by id."""

    opened: list[str] = []
    reopened: list[str] = []
    verified: list[str] = []


def record_actions(
    change: Change, site: str, built: Sequence[Action], contradicted: Mapping[str, str]
) -> Moves:
    """Bring the actions of a site in line with what is open now.

    ``contradicted`` names actions that a person called done although evidence heard since says otherwise,
    with the sentence. Those of which nothing is open any more are verified.
    """
    held = {row.pk: row for row in WorkAction.objects.filter(tenant_id=change.tenant, site_id=site)}
    moves, events = Moves(), []
    fresh = [_new(change, site, action) for action in built if action.id not in held]
    insert_rows(fresh)
    for row in fresh:
        events.append(_event(change, row, "opened", None, row.title, "found open"))
        change.record("work.opened", f"work:{row.pk}", None, {"title": row.title}, site=site)
        moves.opened.append(row.pk)
    altered = []
    for action in built:
        if action.id not in held:
            continue
        row = held.pop(action.id)
        if _renew(change, row, action, contradicted.get(action.id, ""), events, moves):
            altered.append(row)
    for row in held.values():
        if row.present:
            _close(change, row, events, moves)
            altered.append(row)
    update_rows(altered, _COLUMNS)
    insert_rows(events)
    return moves


def _new(change: Change, site: str, action: Action) -> WorkAction:
    return WorkAction(
        id=action.id,
        tenant_id=change.tenant,
        site_id=site,
        key=action.key,
        state=WorkState.OPEN.value,
        opened_ns=change.now_ns,
        changed_ns=change.now_ns,
        **_values(action),
    )


def _values(action: Action) -> dict[str, object]:
    return {
        "kind": action.kind.value,
        "title": action.title,
        "shown": msgspec.to_builtins(action.shown),
        "severity": action.severity.value,
        "severity_rank": action.severity.rank,
        "priority": action.priority,
        "exploited": action.exploited,
        "devices": action.devices,
        "findings": action.findings,
        "known_ns": action.known_ns,
        "due_ns": action.due_ns,
        "present": True,
    }


def _renew(
    change: Change, row: WorkAction, action: Action, contradiction: str, events: list[WorkEvent], moves: Moves
) -> bool:
    values = _values(action)
    if row.own_due_ns is not None:
        values["due_ns"] = row.own_due_ns
    before = {name: getattr(row, name) for name in values}
    if before["title"] != values["title"]:
        events.append(_event(change, row, "title", row.title, action.title, "what is known changed"))
    for name, value in values.items():
        setattr(row, name, value)
    again = ""
    if row.state == WorkState.VERIFIED.value and action.devices:
        again = "found open again"
    elif row.state == WorkState.DONE.value and contradiction:
        again = contradiction
    if again:
        _move(change, row, WorkState.OPEN, again, events)
        row.claimed_ns = row.closed_ns = None
        moves.reopened.append(row.pk)
    return bool(again) or before != values


def _close(change: Change, row: WorkAction, events: list[WorkEvent], moves: Moves) -> None:
    row.present, row.devices, row.findings, row.priority = False, 0, 0, 0
    row.exploited, row.closed_ns = False, change.now_ns
    if row.state != WorkState.VERIFIED.value:
        why = "nothing of it is open any more by what was heard and is known"
        _move(change, row, WorkState.VERIFIED, why, events)
        moves.verified.append(row.pk)


def _move(change: Change, row: WorkAction, state: WorkState, why: str, events: list[WorkEvent]) -> None:
    before, row.state, row.changed_ns = row.state, state.value, change.now_ns
    events.append(_event(change, row, "state", before, state.value, why))
    change.record("work.state", f"work:{row.pk}", before, state.value, reason=why, site=row.site_id)


def _event(
    change: Change, row: WorkAction, what: str, before: object, after: object, reason: str, batch: str = ""
) -> WorkEvent:
    return WorkEvent(
        tenant_id=row.tenant_id,
        site_id=row.site_id,
        action_id=row.pk,
        at_ns=change.now_ns,
        actor=change.actor[:150],
        what=what,
        before=before,
        after=after,
        reason=reason,
        batch=batch or stable_id("wb", row.pk, str(change.now_ns), change.actor),
    )


# ---------------------------------------------------------------- decisions


class Step(msgspec.Struct, frozen=True):
    """What a person decides of actions; None leaves a part as it is, '' or () empties it.

    ``owner`` is a user name, or with ``team`` any name of a team. ``due_ns`` of 0 goes back to the day of the
    rules.
    """

    state: WorkState | None = None
    owner: str | None = None
    team: bool = False
    due_ns: int | None = None
    work_order: str | None = None
    labels: tuple[str, ...] | None = None
    note: str = ""


def take_step(change: Change, rows: Sequence[WorkAction], step: Step) -> str:
    """Carry out ``step`` for actions in one decision; return its batch, '' where nothing changed.

    The change's reason is kept with each. Raises ConfigurationError for a state that only evidence sets, an
    owner who is not there, or a change of state without a reason.
    """
    _checked(change, step)
    batch = stable_id("wb", change.actor, str(change.now_ns), *sorted(row.pk for row in rows))
    events: list[WorkEvent] = []
    for row in rows:
        for what, value in _wanted(step):
            before = _value(row, what)
            if before == value:
                continue
            _set(change, row, what, value)
            events.append(_event(change, row, what, before, value, change.reason, batch))
            change.record(f"work.{what}", f"work:{row.pk}", before, value, site=row.site_id)
        if step.note.strip():
            note = step.note.strip()[:LONGEST_NOTE]
            events.append(_event(change, row, "note", None, note, change.reason, batch))
            change.record("work.note", f"work:{row.pk}", None, note, site=row.site_id)
    if not events:
        return ""
    _store(rows)
    insert_rows(events)
    return batch


def _checked(change: Change, step: Step) -> None:
    if step.state is not None:
        if step.state not in BY_PERSON:
            raise ConfigurationError("verified is said by evidence alone: say done")
        if not change.reason.strip():
            raise ConfigurationError("say why: a change of state needs a reason")
    if step.owner and not step.team:
        known = User.objects.filter(tenant_id=change.tenant, username=step.owner, is_active=True)
        if not known.exists():
            raise ConfigurationError(
                f"there is no person {step.owner[:60]!r}: name one who signs in, or a team as a team"
            )
    if step.labels is not None and len(step.labels) > MOST_LABELS:
        raise ConfigurationError(f"an action has at most {MOST_LABELS} labels")


def _wanted(step: Step) -> Iterable[tuple[str, object]]:
    if step.state is not None:
        yield "state", step.state.value
    if step.owner is not None:
        yield "owner", [step.owner.strip()[:150], bool(step.team and step.owner.strip())]
    if step.due_ns is not None:
        yield "due", step.due_ns or None
    if step.work_order is not None:
        yield "work_order", step.work_order.strip()[:80]
    if step.labels is not None:
        yield "labels", sorted({label.strip()[:40] for label in step.labels if label.strip()})


def _value(row: WorkAction, what: str) -> object:
    return {
        "state": row.state,
        "owner": [row.owner, row.team],
        "due": row.own_due_ns,
        "work_order": row.work_order,
        "labels": list(row.labels),
    }[what]


def _set(change: Change, row: WorkAction, what: str, value: object) -> None:
    row.changed_ns = change.now_ns
    match what:
        case "state":
            row.state = str(value)
            row.claimed_ns = change.now_ns if value == WorkState.DONE.value else None
        case "owner":
            row.owner, row.team = msgspec.convert(value, tuple[str, bool])
        case "due":
            row.own_due_ns = msgspec.convert(value, int | None)
            row.due_ns = row.own_due_ns or row.shown.get("due_ns")
        case "work_order":
            row.work_order = str(value)
        case "labels":
            row.labels = msgspec.convert(value, list[str])


def _store(rows: Sequence[WorkAction]) -> None:
    names = (
        "state",
        "owner",
        "team",
        "own_due_ns",
        "due_ns",
        "work_order",
        "labels",
        "changed_ns",
        "claimed_ns",
    )
    update_rows(rows, names)


def undo_batch(change: Change, batch: str, sites: Collection[str] | None = None) -> int:
    """Take one decision back; return how many steps that were.

    Raises ConfigurationError where there is none, it lies outside ``sites``, evidence took it, it was taken
    back already, or something of it was changed since.
    """
    events = list(
        WorkEvent.objects.filter(tenant_id=change.tenant, batch=batch)
        .select_related("action")
        .order_by("-pk")
    )
    if not events or (sites is not None and any(event.site_id not in sites for event in events)):
        raise ConfigurationError(f"there is no such decision {batch[:40]!r}")
    if any(event.undone_ns is not None for event in events):
        raise ConfigurationError("it is taken back already")
    rows: dict[str, WorkAction] = {}
    for event in events:
        row = rows.setdefault(event.action_id, event.action)
        if event.what == "note":
            continue
        if event.what not in ("state", "owner", "due", "work_order", "labels") or _by_rule(event.actor):
            raise ConfigurationError(f"a step of this kind ({event.what}) cannot be taken back here")
        if _value(row, event.what) != event.after:
            raise ConfigurationError(
                f"{event.what.replace('_', ' ')} of {row.title!r} was changed since: change that instead"
            )
        _set(change, row, event.what, event.before)
        change.record(f"work.{event.what}", f"work:{row.pk}", event.after, event.before, site=row.site_id)
    for event in events:
        event.undone_ns, event.undone_by = change.now_ns, change.actor[:150]
    update_rows(events, ("undone_ns", "undone_by"))
    _store(list(rows.values()))
    for row in rows.values():
        change.record("work.undone", f"work:{row.pk}", {"decision": batch, "at": iso(events[0].at_ns)}, None)
    return len(events)


def _by_rule(actor: str) -> bool:
    return actor.startswith(("rule:", "system"))


def note_event(
    change: Change, row: WorkAction, what: str, before: object, after: object, reason: str
) -> None:
    """Keep a step of an action that was taken elsewhere (an acceptance, a lapse) in its history."""
    insert_rows([_event(change, row, what, before, after, reason)])
