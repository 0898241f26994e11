"""The work queue: actions brought in line with verdicts and findings, and the decisions of people on them.

The rules are the shipped ones or those of ``HOME/work.yaml``. Everything is computed from what is stored, so
that page, API and command show the same rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.vulnerabilities import own_aliases
from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.risk.matching.engine import Engine
from medwarden.risk.work.actions import build
from medwarden.risk.work.choice import CHOICE_RULES, Choice, Said, choose
from medwarden.risk.work.rules import OWN_FILE, Rules, parse_rules, shipped_rules
from medwarden.risk.work.states import AcceptState, WorkState
from medwarden.store.knowledge import Knowledge

if TYPE_CHECKING:
    from medwarden.risk.matching.profile import Profile
    from medwarden.store.acceptances import Wish
    from medwarden.store.models import RiskAcceptance, WorkAction
    from medwarden.store.queries import Scope
    from medwarden.store.work import Moves, Step

ACTOR = "rule:work"
_FEW = 300
"""Vulnerabilities up to which their records are looked up one by one."""
_AT_ONCE = 400

Pair = tuple[str, str]
"""A profile and a vulnerability."""


def own_rules(home: Path) -> Rules:
    """Return the rules of the queue, a hospital's own where it has any.

    Raises ConfigurationError where its file does not hold.
    """
    path = home / OWN_FILE
    if not path.is_file():
        return shipped_rules()
    text = path.read_text(encoding="utf-8", errors="replace")
    return parse_rules(text, str(path), shipped_rules())


def refresh(home: Path, tenant: str, clock: Clock = wall_clock) -> Moves:
    """Bring remedies, acceptances and actions of a tenant up to date; return what moved.

    On an open store of a writer. Verdicts are as they stand (:func:`medwarden.app.vulnerabilities.refresh`).
    """
    from medwarden.store.models import Site
    from medwarden.store.work import Moves

    rules, moves = own_rules(home), Moves()
    lapse(tenant, clock)
    refresh_remedies(home, tenant)
    for site in Site.objects.filter(tenant_id=tenant).order_by("pk").values_list("pk", flat=True):
        here = refresh_site(tenant, site, rules, clock)
        moves.opened += here.opened
        moves.reopened += here.reopened
        moves.verified += here.verified
    return moves


def refresh_if_changed(home: Path, tenant: str, clock: Clock = wall_clock) -> bool:
    """Do the same where anything it follows from changed since any process last did; tell whether it did."""
    from medwarden.store.work import keep_stamp, kept_stamp

    if kept_stamp(tenant) == _stamp(home, tenant, clock()):
        return False
    refresh(home, tenant, clock)
    keep_stamp(tenant, _stamp(home, tenant, clock()), clock())
    return True


def _stamp(home: Path, tenant: str, now_ns: int) -> str:
    from medwarden.store.work_changes import newest_changes

    path = home / OWN_FILE
    rules = path.stat().st_mtime_ns if path.is_file() else 0
    with Knowledge(home) as knowledge:
        edition = knowledge.newest
    parts = (edition, rules, now_ns // (3600 * 10**9), *newest_changes(tenant, now_ns))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


# ---------------------------------------------------------------- remedies


def refresh_remedies(home: Path, tenant: str) -> int:
    """Choose what to do about verdicts that have no choice by today's knowledge; return how many moved."""
    from medwarden.store.changes import Change
    from medwarden.store.vulnerabilities import profiles_in_use
    from medwarden.store.work import record_remedies
    from medwarden.store.work_changes import pairs_to_choose

    with Knowledge(home) as knowledge:
        edition = knowledge.newest
        wanted = pairs_to_choose(tenant, edition, CHOICE_RULES)
        if not wanted:
            return 0
        profiles = profiles_in_use(tenant)
        chosen = dict(_chosen(home, knowledge, wanted, profiles))
    with Change(ACTOR, "verdicts or knowledge changed", CHOICE_RULES, tenant=tenant) as change:
        return record_remedies(change, chosen, edition)


def _chosen(
    home: Path, knowledge: Knowledge, wanted: Sequence[Pair], profiles: Mapping[str, Profile]
) -> Iterator[tuple[Pair, Choice]]:
    vulnerabilities = {vulnerability for _, vulnerability in wanted}
    said, engine = _records(home, knowledge, vulnerabilities)
    due = _kev_days(knowledge, vulnerabilities)
    by_profile: dict[str, list[str]] = {}
    for profile, vulnerability in wanted:
        by_profile.setdefault(profile, []).append(vulnerability)
    for key, names in by_profile.items():
        known = profiles.get(key)
        if known is None:
            continue
        matches = {match.vulnerability: match for match in engine.judge(known)}
        for name in names:
            match = matches.get(name)
            if match is not None:
                yield (key, name), choose(known, match, said.get(name, ()), due.get(name, ""))


def _records(
    home: Path, knowledge: Knowledge, vulnerabilities: set[str]
) -> tuple[dict[str, list[Said]], Engine]:
    """Return what every source says of some vulnerabilities, and an engine that knows nothing else."""
    said: dict[str, list[Said]] = {}
    engine = Engine(own_aliases(home))
    few = len(vulnerabilities) <= _FEW
    every = (
        (record for id in sorted(vulnerabilities) for record in knowledge.vulnerability(id))
        if few
        else (record for record in knowledge.vulnerabilities() if record.id in vulnerabilities)
    )
    for record in every:
        engine.add_vulnerability(record)
        said.setdefault(record.id, []).append(Said("", "", record))
    for advisory in knowledge.advisories():
        kept = tuple(r for r in advisory.vulnerabilities if (r.id or advisory.id) in vulnerabilities)
        if kept:
            engine.add_advisory(msgspec.structs.replace(advisory, vulnerabilities=kept))
            for record in kept:
                said.setdefault(record.id or advisory.id, []).append(
                    Said(advisory.id, advisory.publisher, record)
                )
    return said, engine


def _kev_days(knowledge: Knowledge, vulnerabilities: set[str]) -> dict[str, str]:
    if len(vulnerabilities) <= _FEW:
        found = {name: knowledge.exploitation(name) for name in vulnerabilities}
        return {name: use.kev_due for name, use in found.items() if use is not None and use.kev_due}
    return {
        name: use.kev_due
        for name, use in knowledge.exploitations().items()
        if name in vulnerabilities and use.kev_due
    }


# ---------------------------------------------------------------- actions


def refresh_site(tenant: str, site: str, rules: Rules, clock: Clock = wall_clock) -> Moves:
    """Bring the actions of one site in line with what is open there."""
    from medwarden.store.changes import Change
    from medwarden.store.work import count_devices, record_actions
    from medwarden.store.work_changes import contradictions
    from medwarden.store.work_items import standing

    now = clock()
    stands = standing(tenant, site, now)
    built = build(tenant, site, stands.concerns, stands.facts, rules)
    against = contradictions(tenant, site, stands.concerns)
    concerned = len(frozenset[str]().union(*(c.devices for c in stands.concerns)))
    with Change(
        ACTOR, "what is open changed", f"work {rules.number}", tenant=tenant, site=site, clock=clock
    ) as change:
        count_devices(tenant, site, concerned, now)
        return record_actions(change, site, built, against)


def lapse(tenant: str, clock: Clock = wall_clock) -> int:
    """End acceptances whose day is over and bring back what they covered; return how many there were.

    Where the condition of one no longer holds for a device, its findings are open again too.
    """
    from medwarden.store.acceptances import conditional, end, lapsed, release_moved
    from medwarden.store.changes import Change

    rows = lapsed(tenant, clock())
    for row in rows:
        why = "the time for which the risk was accepted is over"
        with Change(ACTOR, why, tenant=tenant, site=row.site_id, clock=clock) as change:
            end(change, row, AcceptState.LAPSED)
    for row in conditional(tenant):
        why = f"the device left {row.subnet}, inside which the risk was accepted"
        with Change(ACTOR, why, tenant=tenant, site=row.site_id, clock=clock) as change:
            release_moved(change, row)
    return len(rows)


# ---------------------------------------------------------------- decisions


def action_named(scope: Scope, name: str) -> WorkAction:
    """Return the action with this id, or the only one whose title holds these words.

    Raises ConfigurationError where there is none in scope or more than one.
    """
    from medwarden.store.models import WorkAction

    rows = scope.over(WorkAction.objects.all())
    row = rows.filter(pk=name).first()
    if row is not None:
        return row
    found = rows.filter(present=True)
    for word in name.split():
        found = found.filter(title__icontains=word)
    several = list(found[:3]) if name.strip() else []
    if len(several) != 1:
        raise ConfigurationError(
            f"there is no action {name[:60]!r}"
            if not several
            else f"{name[:60]!r} may mean several actions: use an id ({', '.join(r.pk for r in several)} ...)"
        )
    return several[0]


def step(
    scope: Scope, names: Sequence[str], wanted: Step, *, actor: str, reason: str, clock: Clock = wall_clock
) -> str:
    """Carry out one decision for actions of one scope; return its batch ('' where nothing changed).

    On an open store. Raises ConfigurationError as :func:`medwarden.store.work.take_step` does.
    """
    from medwarden.store.changes import Change
    from medwarden.store.work import take_step

    rows = [action_named(scope, name) for name in dict.fromkeys(names)]
    if not rows:
        raise ConfigurationError("choose at least one action")
    sites = {row.site_id for row in rows}
    site = next(iter(sites)) if len(sites) == 1 else None
    with Change(actor, reason.strip(), tenant=scope.tenant, site=site, clock=clock) as change:
        return take_step(change, rows, wanted)


def undo(scope: Scope, batch: str, *, actor: str, reason: str) -> int:
    """Take one decision back; return how many steps that were."""
    from medwarden.store.changes import Change
    from medwarden.store.work import undo_batch

    with Change(actor, reason.strip() or "taken back", tenant=scope.tenant) as change:
        return undo_batch(change, batch, scope.sites)


def accept(
    home: Path, scope: Scope, name: str, wish: Wish, *, actor: str, reason: str, approver: str = ""
) -> RiskAcceptance:
    """Ask that the risk of an action is accepted; with an ``approver`` (a user name) approve it at once.

    Raises ConfigurationError for an approver whose role may not, and as
    :func:`medwarden.store.acceptances.ask` does.
    """
    from medwarden.store.acceptances import approver_named, ask, decide
    from medwarden.store.changes import Change

    rules, action = own_rules(home), action_named(scope, name)
    who = approver_named(scope.tenant, approver) if approver else ""
    with Change(actor, reason.strip(), tenant=scope.tenant, site=action.site_id) as change:
        row = ask(change, action, wish, most_days=rules.accept_most_days)
        if who:
            decide(change, row, approve=True, approver=who)
    refresh_site(scope.tenant, action.site_id, rules)
    return row


def acceptance_named(scope: Scope, name: str) -> RiskAcceptance:
    """Return an acceptance by its id. Raises ConfigurationError where there is none in scope."""
    from medwarden.store.models import RiskAcceptance

    row = scope.over(RiskAcceptance.objects.select_related("action")).filter(pk=name).first()
    if row is None:
        raise ConfigurationError(f"there is no accepted risk {name[:40]!r}")
    return row


def decide_acceptance(
    home: Path, scope: Scope, name: str, *, approve: bool, approver: str, actor: str, reason: str
) -> RiskAcceptance:
    """Approve or refuse a wish; the approver's role must be one that may."""
    from medwarden.store.acceptances import approver_named, decide
    from medwarden.store.changes import Change

    row, who = acceptance_named(scope, name), approver_named(scope.tenant, approver)
    with Change(actor, reason.strip(), tenant=scope.tenant, site=row.site_id) as change:
        decide(change, row, approve=approve, approver=who)
    refresh_site(scope.tenant, row.site_id, own_rules(home))
    return row


def end_acceptance(home: Path, scope: Scope, name: str, *, actor: str, reason: str) -> RiskAcceptance:
    """Take an acceptance or a wish back before its day. Raises ConfigurationError without a reason."""
    from medwarden.store.acceptances import end
    from medwarden.store.changes import Change

    if not reason.strip():
        raise ConfigurationError("say why the risk is no longer accepted")
    row = acceptance_named(scope, name)
    with Change(actor, reason.strip(), tenant=scope.tenant, site=row.site_id) as change:
        end(change, row, AcceptState.WITHDRAWN)
    refresh_site(scope.tenant, row.site_id, own_rules(home))
    return row


def state_named(word: str) -> WorkState:
    """Return the state of that word. Raises ConfigurationError naming the words there are."""
    try:
        return WorkState(word.strip().lower().replace(" ", "_"))
    except ValueError:
        known = ", ".join(state.value for state in WorkState)
        raise ConfigurationError(f"there is no state {word[:40]!r}: use one of {known}") from None
