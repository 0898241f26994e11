"""What a change would do to a score: the changed device in changed surroundings, by the same rules.

No arithmetic of its own: an action says what would be different, and the device is assessed anew. So the
score after the change was really made is the one that was promised, as long as nothing else changed.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

import msgspec

from medwarden.model.device import Conversation, Device, DeviceClass
from medwarden.model.risk import RiskLevel, RiskScore
from medwarden.risk.assess import assess_device
from medwarden.risk.context import SERVER_CATEGORIES, Neighbourhood, PolicyInForce, RiskContext
from medwarden.risk.present import present, without_protocols

ISOLATION = "Isolation"

Value = TypeVar("Value")


class ActionKind(StrEnum):
    """What somebody can do about a device."""

    PATCH = "patch"  # subject: a vulnerability, or '' for all
    DISABLE_SERVICE = "disable_service"  # subject: tcp/23
    ENFORCE = "enforce"  # its learnt policy
    MOVE = "move"  # subject: a subnet
    ISOLATE = "isolate"
    RETIRE = "retire"


class Action(msgspec.Struct, frozen=True, order=True):
    """One thing to do about a device; ``subject`` as its kind needs it."""

    kind: ActionKind
    subject: str = ""

    @property
    def words(self) -> str:
        """Return the action as an instruction."""
        if self.kind is ActionKind.PATCH:
            return f"Correct {self.subject}" if self.subject else "Install every correction there is"
        if self.kind is ActionKind.DISABLE_SERVICE:
            return f"Switch off the service on {self.subject}"
        if self.kind is ActionKind.MOVE:
            return f"Move it to {self.subject}"
        return {
            ActionKind.ENFORCE: "Enforce its learnt policy",
            ActionKind.ISOLATE: "Isolate it: nobody reaches it, it reaches nobody",
            ActionKind.RETIRE: "Take it out of use",
        }[self.kind]


class WhatIf(msgspec.Struct, frozen=True):
    """A score before and after some actions; ``gone`` and ``come`` are the ids of factors.

    ``after`` is None for a device that is taken out of use: it counts no more.
    """

    device: str
    actions: tuple[Action, ...]
    before: RiskScore
    after: RiskScore | None
    cost: float

    @property
    def score(self) -> int:
        """Return the score after the actions."""
        return 0 if self.after is None else self.after.score

    @property
    def level(self) -> RiskLevel:
        """Return the level after the actions."""
        return RiskLevel.of(self.score)

    @property
    def gone(self) -> tuple[str, ...]:
        """Return the factors that would no longer count, most points first."""
        left = set() if self.after is None else {f.id for f in self.after.factors}
        return tuple(f.id for f in self.before.factors if f.id not in left)

    @property
    def come(self) -> tuple[str, ...]:
        """Return the factors that would count anew: a control, mostly."""
        held = {f.id for f in self.before.factors}
        return () if self.after is None else tuple(f.id for f in self.after.factors if f.id not in held)


def nothing_allowed(since_ns: int) -> PolicyInForce:
    """Return the policy of an isolated device, in force since ``since_ns``."""
    return PolicyInForce(
        "isolation", ISOLATION, since_ns, "none", lambda _conversation: False, lambda _transport, _port: False
    )


def what_if(
    device: Device, context: RiskContext, actions: Sequence[Action], learnt: PolicyInForce | None = None
) -> WhatIf:
    """Return the score of ``device`` before and after ``actions``.

    ``learnt`` is its learnt policy as it would be in force; without one, enforcing it changes nothing.
    """
    before, _ = assess_device(device, context)
    cost = sum(context.rules.weights.costs.get(action.kind.value, 0.0) for action in actions)
    changed: Device | None = device
    surroundings = context
    for action in actions:
        if changed is None:
            break
        changed, surroundings = _after(changed, surroundings, action, learnt)
    after = None if changed is None else assess_device(changed, surroundings)[0]
    return WhatIf(device.id, tuple(actions), before, after, cost)


def actions_for(
    device: Device,
    context: RiskContext,
    *,
    learnt: PolicyInForce | None = None,
    segments: Iterable[str] = (),
    each_vulnerability: int = 0,
) -> tuple[Action, ...]:
    """Return the actions that make sense for ``device``: what it has can be corrected, closed or limited.

    ``segments`` are subnets it might move to; ``each_vulnerability`` how many of its vulnerabilities are
    offered one by one, in the order of the context.
    """
    found: list[Action] = []
    known = context.vulnerabilities.get(device.id, ())
    if known:
        found.append(Action(ActionKind.PATCH))
        found += [Action(ActionKind.PATCH, one.vulnerability) for one in known[:each_vulnerability]]
    now = present(device, context)
    found += [Action(ActionKind.DISABLE_SERVICE, f"{s.transport}/{s.port}") for s in now.services]
    policy = context.record(device).policy
    if learnt is not None and policy is None:
        found.append(Action(ActionKind.ENFORCE))
    found += [Action(ActionKind.MOVE, subnet) for subnet in segments if subnet != device.subnet]
    if policy is None or policy.reach != "none":
        found.append(Action(ActionKind.ISOLATE))
    return tuple(found)


def _after(
    device: Device, context: RiskContext, action: Action, learnt: PolicyInForce | None
) -> tuple[Device | None, RiskContext]:
    kind = action.kind
    if kind is ActionKind.RETIRE:
        return None, context
    if kind is ActionKind.PATCH:
        return device, _patched(device, context, action.subject)
    if kind is ActionKind.DISABLE_SERVICE:
        transport, _, port = action.subject.partition("/")
        return without_service(device, transport, int(port)), context
    if kind is ActionKind.MOVE:
        return _moved(device, context, action.subject)
    policy = nothing_allowed(context.now_ns) if kind is ActionKind.ISOLATE else learnt
    if policy is None:
        return device, context
    record = msgspec.structs.replace(
        context.record(device), policy=msgspec.structs.replace(policy, since_ns=context.now_ns)
    )
    return device, msgspec.structs.replace(context, records=_with(context.records, device.id, record))


def _patched(device: Device, context: RiskContext, vulnerability: str) -> RiskContext:
    known = context.vulnerabilities.get(device.id, ())
    left = tuple(one for one in known if vulnerability and one.vulnerability != vulnerability)
    return msgspec.structs.replace(context, vulnerabilities=_with(context.vulnerabilities, device.id, left))


def without_service(device: Device, transport: str, port: int) -> Device:
    """Return ``device`` as it would be without a service: nobody opens it, nothing is read in it."""

    def ended(c: Conversation) -> bool:
        return c.role == "server" and (c.transport, c.port) == (transport, port)

    return without_protocols(
        device,
        tuple(c for c in device.conversations if not ended(c)),
        tuple(s for s in device.services if (s.transport, s.port) != (transport, port)),
    )


def _moved(device: Device, context: RiskContext, subnet: str) -> tuple[Device, RiskContext]:
    kind = device.device_class
    server = kind is DeviceClass.IT and device.category in SERVER_CATEGORIES
    subnets = dict(context.subnets)
    left = (device.site, device.subnet or "")
    if left in subnets:
        subnets[left] = _counted(subnets[left], kind, server, -1)
        if not subnets[left].counts:
            del subnets[left]
    key = (device.site, subnet)
    subnets[key] = _counted(subnets.get(key, Neighbourhood(subnet, MappingProxyType({}))), kind, server, 1)
    moved = msgspec.structs.replace(device, subnet=subnet)
    places = _with(context.places, device.id, subnet)
    return moved, msgspec.structs.replace(context, subnets=subnets, places=places)


def _counted(around: Neighbourhood, kind: DeviceClass, server: bool, by: int) -> Neighbourhood:
    counts = {**around.counts, kind: around.counts.get(kind, 0) + by}
    return Neighbourhood(
        around.name,
        MappingProxyType({each: number for each, number in counts.items() if number > 0}),
        around.servers + (by if server else 0),
    )


def _with(of: Mapping[str, Value], key: str, value: Value) -> Mapping[str, Value]:
    """Return ``of`` with another value for ``key``, without copying what may be large."""
    return ChainMap({key: value}, of)  # type: ignore[arg-type]  # only the first map is ever written to
