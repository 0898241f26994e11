"""Risk for people: what stands where, what a change would do, what to do first, what stood at a date.

On an open store; :mod:`medwarden.cli.risk`, the console and the API ask the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec
from django.db.models import Count

from medwarden.app.device_records import in_force, peers_of
from medwarden.app.risk_rules import rules_in_force
from medwarden.app.risk_world import World
from medwarden.app.surroundings import surroundings, surroundings_of
from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.taxonomy import categories
from medwarden.model.device import Device, DeviceClass
from medwarden.model.risk import RiskLevel
from medwarden.operations.in_use import clinical_ports, clinical_protocols
from medwarden.policy.learn import learn_device
from medwarden.risk.context import PolicyInForce, RiskContext
from medwarden.risk.counterfactual import Action, ActionKind, WhatIf, actions_for, what_if
from medwarden.risk.levels import GroupKind, GroupScore, blended, rounded
from medwarden.risk.plan import Option, Plan, plan
from medwarden.risk.weights import Rules
from medwarden.store.chain import folder_of_database
from medwarden.store.models import Device as Row
from medwarden.store.queries.device import complete_devices
from medwarden.store.queries.risk_groups import (
    GroupMoment,
    MatrixCell,
    Mover,
    group_history,
    groups,
    matrix,
    movers,
    organisation,
    trend,
)
from medwarden.store.queries.scope import Scope

TARGETS = {RiskLevel.LOW: 24, RiskLevel.MEDIUM: 49, RiskLevel.HIGH: 74}
"""Highest score of each level that can be aimed at."""

MOST_PLANNED = 400
"""Devices, the worst first, for which a plan looks at what could be done."""

DAYS = 30
"""Days over which risk is looked back at where nobody says otherwise."""

_POINTS = 12
_PARTS_AT_ONCE = 200
_ONE_BY_ONE = 6
_SERVICES = 4

Progress = Callable[[int, int, str], None]


class Overview(msgspec.Struct, frozen=True):
    """How risk stands in a scope: everything together, by site and by category, who moved, where devices are.

    ``trend`` holds the score over time, oldest first; ``since_ns`` is what movers are compared with, the
    first score of all where that is later than was asked for.
    """

    whole: GroupScore
    sites: tuple[GroupScore, ...]
    categories: tuple[GroupScore, ...]
    departments: tuple[GroupScore, ...]
    matrix: tuple[tuple[MatrixCell, ...], ...]
    risen: tuple[Mover, ...]
    fallen: tuple[Mover, ...]
    trend: tuple[GroupMoment, ...]
    since_ns: int
    rules: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return what a board wants to hear: where it stands, how it moved, what makes it."""
        said = [f"Risk is {self.whole.level.value}: {self.whole.score} of 100. {self.whole.why}"]
        if len(self.trend) > 1:
            first, last = self.trend[0], self.trend[-1]
            moved = last.score - first.score
            said.append(
                "It has not changed in the time shown."
                if moved == 0
                else f"It {'rose' if moved > 0 else 'fell'} by {abs(moved)} points in the time shown."
            )
        if self.categories and self.categories[0].score:
            worst = self.categories[0]
            said.append(
                f"The kind of device at most risk is {_kind_name(worst.name)}, at {worst.score}"
                f" ({worst.devices:,} {'device' if worst.devices == 1 else 'devices'})."
            )
        return tuple(said)


def _kind_name(category: str) -> str:
    known = categories().get(category)
    return category.replace("_", " ") if known is None else known.name


def rules() -> Rules:
    """Return the rules in force in the open data folder."""
    return rules_in_force(folder_of_database())


def overview(scope: Scope, *, days: int = DAYS, now_ns: int | None = None) -> Overview:
    """Return how risk stands in a scope, and how it went in the last ``days``."""
    now = wall_clock() if now_ns is None else now_ns
    since = now - int(timedelta(days=days).total_seconds()) * NANOSECONDS
    force = rules()
    shape = force.weights.groups
    whole = organisation(scope, shape)
    went = _trend(scope, whole, since, now, force)
    since = max(since, went[0].at_ns)  # before the first score nothing can be compared
    risen, fallen = movers(scope, since)
    return Overview(
        whole=whole,
        sites=tuple(groups(scope, GroupKind.SITE, shape)),
        categories=tuple(groups(scope, GroupKind.CATEGORY, shape)),
        departments=tuple(groups(scope, GroupKind.DEPARTMENT, shape)),
        matrix=tuple(tuple(row) for row in matrix(scope)),
        risen=tuple(risen),
        fallen=tuple(fallen),
        trend=tuple(went),
        since_ns=since,
        rules=force.version,
    )


def _trend(scope: Scope, whole: GroupScore, since: int, now: int, force: Rules) -> list[GroupMoment]:
    if scope.sites is None or len(scope.sites) == 1:
        kind = GroupKind.ORGANISATION if scope.sites is None else GroupKind.SITE
        name = scope.tenant if scope.sites is None else scope.sites[0]
        found = group_history(scope.tenant, kind, name, since_ns=since)
    else:
        times = [since + (now - since) * step // _POINTS for step in range(_POINTS)]
        found = [
            GroupMoment(at, group.score, group.level, group.devices, {}, "")
            for at, group in trend(scope, times, force.weights.groups)
            if group.devices
        ]
    levels = {level.value: number for level, number in whole.by_level.items()}
    return [*found, GroupMoment(now, whole.score, whole.level, whole.devices, levels, "now")]


class _Site:
    """A site as counterfactuals need it, read once: for all its devices, or as far as ``only`` goes."""

    def __init__(self, tenant: str, site: str, only: Device | None = None) -> None:
        self._context = surroundings(tenant, site) if only is None else surroundings_of(tenant, site, only)
        self._world = World(tenant, site)

    def context(self, devices: Sequence[Device]) -> RiskContext:
        return self._world.around(self._context, devices)

    def segments(self, device: Device) -> tuple[str, ...]:
        """Return the subnet of the site that holds most devices of its class and no office computers."""
        if device.device_class is not DeviceClass.IOMT:
            return ()
        fitting = [
            (around.of(DeviceClass.IOMT), name)
            for (site, name), around in self._context.subnets.items()
            if site == device.site and not around.office and not around.of(DeviceClass.IOT)
            and around.of(DeviceClass.IOMT) >= 3 and name != device.subnet
        ]  # fmt: skip
        return (max(fitting)[1],) if fitting else ()

    def what_ifs(self, device: Device, chosen: Sequence[Sequence[Action]] | None = None) -> list[WhatIf]:
        context = self.context([device])
        learnt = _learnt(device, context)
        if chosen is None:
            offered = actions_for(
                device,
                context,
                learnt=learnt,
                segments=self.segments(device),
                each_vulnerability=_ONE_BY_ONE,
            )
            chosen = [(action,) for action in offered if not _is_its_work(device, action)]
        return [what_if(device, context, actions, learnt) for actions in chosen]


def _is_its_work(device: Device, action: Action) -> bool:
    """Tell whether an action would switch off what the device is there for: a clinical service."""
    if action.kind is not ActionKind.DISABLE_SERVICE:
        return False
    transport, _, port = action.subject.partition("/")
    usual = categories().get(device.category or "")
    return (
        (transport, int(port)) in clinical_ports()
        or (usual is not None and action.subject in usual.ports)
        or any(
            s.application in clinical_protocols() and f"{s.transport}/{s.port}" == action.subject
            for s in device.services
        )
    )


def _learnt(device: Device, context: RiskContext) -> PolicyInForce | None:
    """Return the policy that would be learnt for a device now, None where it has nothing to learn from."""
    if not device.conversations or context.record(device).policy is not None:
        return None
    peers = peers_of([device])
    learnt = learn_device(device, {**peers, device.id: device})
    return in_force(learnt, context.now_ns, device, peers) if learnt.rules else None


def what_ifs(scope: Scope, device_id: str, chosen: Sequence[Sequence[Action]] | None = None) -> list[WhatIf]:
    """Return what each sensible action would do to the score of a device, most effect first.

    ``chosen`` asks for these sets of actions instead, in their order. Raises ConfigurationError for a device
    that is not there.
    """
    found = complete_devices([device_id])
    if not found or not (scope.sites is None or found[0].site in scope.sites):
        raise ConfigurationError(f"there is no device {device_id[:40]!r}")
    answers = _Site(scope.tenant, found[0].site, found[0]).what_ifs(found[0], chosen)
    if chosen is not None:
        return answers
    return sorted(answers, key=lambda a: (a.score, a.cost, a.actions))


def parse_action(text: str) -> Action:
    """Return the action that ``text`` names: ``isolate``, ``patch:CVE-2021-1``, ``move:10.0.0.0/24``.

    Raises ConfigurationError with the actions there are for any other.
    """
    name, _, subject = text.partition(":")
    needs = {ActionKind.DISABLE_SERVICE: "disable_service:tcp/23", ActionKind.MOVE: "move:10.1.2.0/24"}
    try:
        kind = ActionKind(name.strip().replace("-", "_"))
    except ValueError:
        known = ", ".join(each.value for each in ActionKind)
        raise ConfigurationError(f"there is no action {name[:40]!r}: there are {known}") from None
    subject = subject.strip()
    if kind in needs and not subject:
        raise ConfigurationError(f"{kind.value} needs to know what: {needs[kind]}")
    if kind is ActionKind.DISABLE_SERVICE:
        transport, _, port = subject.partition("/")
        if not transport or not port.isdigit():
            raise ConfigurationError(f"{subject[:40]!r} is no service: write it as tcp/23")
    return Action(kind, subject)


def plan_site(
    scope: Scope, level: RiskLevel, *, most: int = MOST_PLANNED, progress: Progress | None = None
) -> Plan:
    """Return the cheapest set of actions that brings all in scope to ``level`` or below.

    Looked at are the ``most`` worst devices, each with its single actions and the pairs of correcting and
    limiting; nothing is taken out of use or off its clinical work, and nothing is isolated
    that is used in care or by other devices. Raises ConfigurationError for a level that cannot be aimed at.
    """
    if level not in TARGETS:
        raise ConfigurationError("aim at low, medium or high")
    force = rules()
    live = scope.over(Row.objects.filter(retired_at=None))
    counts = Counter(dict(live.values_list("risk_score").annotate(n=Count("pk")).order_by()))
    if rounded(blended(counts, force.weights.groups)) <= TARGETS[level]:
        most = 0  # there is nothing to look for
    worst = live.filter(risk_score__gt=0).order_by("-risk_score", "pk")
    ids = list(worst.values_list("pk", flat=True)[:most])
    options: dict[str, tuple[int, Sequence[Option]]] = {}
    sites: dict[str, _Site] = {}
    for start in range(0, len(ids), _PARTS_AT_ONCE):
        part = ids[start : start + _PARTS_AT_ONCE]
        stored = dict(Row.objects.filter(pk__in=part).values_list("pk", "risk_score"))
        for device in complete_devices(part):
            if device.site not in sites:
                sites[device.site] = _Site(scope.tenant, device.site)  # reads what is around all devices
            site = sites[device.site]
            options[device.id] = (stored[device.id], _options(site, device, stored[device.id]))
        if progress is not None:
            progress(min(start + _PARTS_AT_ONCE, len(ids)), len(ids), "")
    return plan(counts, options, TARGETS[level], force.weights.groups)


def _options(site: _Site, device: Device, stored: int) -> list[Option]:
    """Return what could be done about a device: single actions, and correcting together with limiting."""
    context = site.context([device])
    learnt = _learnt(device, context)
    offered = actions_for(device, context, learnt=learnt, segments=site.segments(device))
    offered = tuple(action for action in offered if not _is_its_work(device, action))
    if context.medical(device) or any(c.established and c.scope == "internal" for c in device.conversations):
        offered = tuple(a for a in offered if a.kind is not ActionKind.ISOLATE)
    services = [a for a in offered if a.kind is ActionKind.DISABLE_SERVICE][:_SERVICES]
    single = [a for a in offered if a.kind is not ActionKind.DISABLE_SERVICE] + services
    sets: list[tuple[Action, ...]] = [(action,) for action in single]
    patch = next((a for a in offered if a.kind is ActionKind.PATCH), None)
    limits = [a for a in offered if a.kind in (ActionKind.ENFORCE, ActionKind.ISOLATE, ActionKind.MOVE)]
    if patch is not None:
        sets += [(patch, limit) for limit in limits]
    answers = [what_if(device, context, actions, learnt) for actions in sets]
    return [Option(a.cost, a.score, a.actions) for a in answers if a.score < stored]
