"""The work queue for commands: each opens the store, brings the queue up to date, and does one thing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app import vulnerabilities
from medwarden.app.sites import scope_of_site
from medwarden.app.work import (
    accept,
    action_named,
    decide_acceptance,
    end_acceptance,
    own_rules,
    refresh,
    refresh_site,
    state_named,
    step,
    undo,
)
from medwarden.app.work_effect import Effect, effect_of
from medwarden.app.work_table import LARGEST, TakenIn, due_day, export_rows, take_in
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.risk.work.choice import ActionKind
from medwarden.risk.work.states import AcceptScope
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.queries import Scope
    from medwarden.store.queries.work import (
        AcceptanceRow,
        ActionDevice,
        ActionFilter,
        ActionRow,
        ActionSubject,
        EventRow,
        Totals,
    )

_MOST = 1000


class Asked(msgspec.Struct, frozen=True):
    """What a command asks of the list; see :class:`medwarden.store.queries.work.ActionFilter`."""

    text: str = ""
    state: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    due: str = ""
    exploited: bool = False
    cve: str = ""
    device: str = ""
    view: str = "open"
    sort: str = "-priority"


class Wanted(msgspec.Struct, frozen=True):
    """What a command changes; None leaves a part as it is, ``due`` is a day or '-' for that of the rules."""

    state: str | None = None
    owner: str | None = None
    team: bool = False
    due: str | None = None
    work_order: str | None = None
    labels: tuple[str, ...] | None = None
    note: str = ""


@contextmanager
def _desk(home: Path, site: str | None = None) -> Iterator[Scope]:
    """Open the store, bring verdicts and queue up to date, and yield what the command may see."""
    with open_store(home, writer=True, role="work"):
        from medwarden.store.models import DEFAULT_TENANT

        scope = scope_of_site(site)
        vulnerabilities.refresh(home, DEFAULT_TENANT)
        refresh(home, DEFAULT_TENANT)
        yield scope


def queue(home: Path, asked: Asked, *, site: str | None = None) -> tuple[list[ActionRow], Totals]:
    """Return the actions that are asked for, in their order, and the whole queue in a few numbers."""
    with _desk(home, site) as scope:
        from medwarden.store.queries.work import actions, totals

        wanted, now, found = _filter(asked), wall_clock(), list["ActionRow"]()
        while True:
            page = actions(scope, wanted, now_ns=now, sort=asked.sort, offset=len(found), limit=_MOST)
            found += page.items
            if not page.items or len(found) >= page.total:
                return found, totals(scope, now)


def _filter(asked: Asked) -> ActionFilter:
    from medwarden.app.inventory import one_device
    from medwarden.store.queries.work import ActionFilter

    return ActionFilter(
        state=asked.state,
        severity=asked.severity,
        kind=asked.kind,
        owner=asked.owner,
        label=asked.label,
        due=asked.due,
        exploited=asked.exploited,
        vulnerability=asked.cve,
        device=one_device(asked.device).id if asked.device else "",
        text=asked.text,
        view=asked.view,
    )


class Shown(msgspec.Struct, frozen=True):
    """One action with everything that is known of it."""

    action: ActionRow
    subjects: list[ActionSubject]
    devices: list[ActionDevice]
    acceptances: list[AcceptanceRow]
    history: list[EventRow]
    effect: Effect | None


def show(home: Path, name: str, *, site: str | None = None) -> Shown:
    """Return one action (its id or words of its title) with its devices, findings and history."""
    with _desk(home, site) as scope:
        return shown_of(scope, action_named(scope, name).pk)


def shown_of(scope: Scope, action_id: str) -> Shown:
    """Do the same on a store that is open. Raises ConfigurationError where the reader sees no such action."""
    from medwarden.store.queries import work as of_work

    now = wall_clock()
    row = of_work.action(scope, action_id, now)
    if row is None:
        raise ConfigurationError(f"there is no action {action_id[:40]!r}")
    concerns = of_work.concerns_of(scope, row, now)
    devices = of_work.action_devices(concerns)
    live = [device for device in devices if not device.accepted]
    closes = {device.id: device.subjects for device in live}
    subjects = of_work.action_subjects(scope.tenant, concerns)
    known = {subject.id for subject in subjects if subject.vulnerability}
    order = [device.id for device in live]
    return Shown(
        row,
        subjects,
        devices,
        of_work.acceptances(scope, action_id=row.id),
        of_work.action_events(scope, row.id),
        effect_of(scope.tenant, row.site, ActionKind(row.kind), closes, order, known),
    )


def change(home: Path, names: Sequence[str], wanted: Wanted, *, actor: str, reason: str) -> str:
    """Change actions in one decision; return its name, '' where nothing changed."""
    with _desk(home) as scope:
        from medwarden.store.work import Step

        due = None if wanted.due is None else 0 if wanted.due == "-" else due_day(wanted.due)
        done = step(
            scope,
            names,
            Step(
                state=None if wanted.state is None else state_named(wanted.state),
                owner=wanted.owner,
                team=wanted.team,
                due_ns=due,
                work_order=wanted.work_order,
                labels=wanted.labels,
                note=wanted.note,
            ),
            actor=actor,
            reason=reason,
        )
        _again(home, scope, names)
        return done


def _again(home: Path, scope: Scope, names: Sequence[str]) -> None:
    rules = own_rules(home)
    for site in sorted({action_named(scope, name).site_id for name in names}):
        refresh_site(scope.tenant, site, rules)


def take_back(home: Path, batch: str, *, actor: str, reason: str) -> int:
    """Take one decision back; return how many steps that were."""
    with _desk(home) as scope:
        return undo(scope, batch, actor=actor, reason=reason)


class Bear(msgspec.Struct, frozen=True):
    """A risk that is to be accepted: until a day, for ``devices`` (ids, MAC or IP), a model, or the site."""

    until: str
    devices: tuple[str, ...] = ()
    vendor: str = ""
    model: str = ""
    subjects: tuple[str, ...] = ()
    conditions: str = ""
    subnet: str = ""


def bear(
    home: Path, name: str, wanted: Bear, *, actor: str, reason: str, approver: str = ""
) -> AcceptanceRow:
    """Ask that the risk of an action is accepted; with an ``approver`` approve it at once."""
    with _desk(home) as scope:
        from medwarden.app.inventory import one_device
        from medwarden.store.acceptances import Wish

        named = tuple(one_device(device).id for device in wanted.devices)
        by_model = bool(wanted.vendor or wanted.model)
        if named and by_model:
            raise ConfigurationError("accept the risk for devices or for a model, not for both at once")
        wish = Wish(
            AcceptScope.DEVICE if named else AcceptScope.MODEL if by_model else AcceptScope.SITE,
            due_day(wanted.until),
            named,
            wanted.vendor,
            wanted.model,
            wanted.subjects,
            wanted.conditions,
            wanted.subnet,
        )
        row = accept(home, scope, name, wish, actor=actor, reason=reason, approver=approver)
        return _acceptance(scope, row.pk)


def decide(home: Path, name: str, *, approve: bool, approver: str, actor: str, reason: str) -> AcceptanceRow:
    """Approve or refuse the wish that a risk is accepted."""
    with _desk(home) as scope:
        row = decide_acceptance(
            home, scope, name, approve=approve, approver=approver, actor=actor, reason=reason
        )
        return _acceptance(scope, row.pk)


def withdraw(home: Path, name: str, *, actor: str, reason: str) -> AcceptanceRow:
    """End an acceptance before its day."""
    with _desk(home) as scope:
        return _acceptance(scope, end_acceptance(home, scope, name, actor=actor, reason=reason).pk)


def _acceptance(scope: Scope, key: str) -> AcceptanceRow:
    from medwarden.store.queries.work import acceptances

    return next(row for row in acceptances(scope) if row.id == key)


def borne(home: Path, *, site: str | None = None) -> list[AcceptanceRow]:
    """Return every acceptance and wish, the latest first."""
    with _desk(home, site) as scope:
        from medwarden.store.queries.work import acceptances

        return acceptances(scope)


def table(home: Path, asked: Asked, *, site: str | None = None) -> list[dict[str, object]]:
    """Return the actions that are asked for as rows of the exchange table."""
    with _desk(home, site) as scope:
        return list(export_rows(scope, _filter(asked), sort=asked.sort))


def take_table(home: Path, path: Path, *, actor: str, reason: str, site: str | None = None) -> TakenIn:
    """Take owner, state, due day and so on back from a table.

    Raises ResourceError where the file cannot be read, MalformedInput where it is no such table.
    """
    try:
        with path.open("rb") as file:
            document = file.read(LARGEST + 1)
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error
    with _desk(home, site) as scope:
        done = take_in(scope, document, str(path), actor=actor, reason=reason)
        refresh(home, scope.tenant)
        return done
