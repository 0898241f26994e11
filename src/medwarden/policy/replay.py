"""Dry run: which of the observed conversations a policy would have blocked.

Matching is by peer, transport and port, as an enforcement point sees them; the application that was
recognised is told, not matched. Attempts that nobody answered are counted apart: blocking them
changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.device import Conversation, Device
from medwarden.model.policy import Direction, Policy, PolicyRule
from medwarden.policy.peers import category_name, includes, narrowest


class Blocked(msgspec.Struct, frozen=True):
    """Conversations of one kind that would be blocked, in one sentence for a clinical engineer.

    ``devices`` are the protected devices concerned; times in ns.
    """

    sentence: str
    devices: tuple[str, ...]
    direction: Direction
    peer: str
    transport: str
    port: int
    application: str | None
    flows: int
    first_seen: int
    last_seen: int


class DryRun(msgspec.Struct, frozen=True):
    """What a policy would have done. allowed + blocked + unanswered = all conversations looked at."""

    policy: str
    conversations: int
    allowed: int
    blocked: int
    unanswered: int
    breaks: tuple[Blocked, ...]
    unused: tuple[PolicyRule, ...]


def permits(policy: Policy, conversation: Conversation, devices: Mapping[str, Device]) -> PolicyRule | None:
    """Return the rule of ``policy`` that allows ``conversation`` of a covered device, or None."""
    direction = Direction.TO_PEER if conversation.role == "client" else Direction.FROM_PEER
    for rule in policy.rules:
        if (
            rule.direction is direction
            and rule.transport == conversation.transport
            and _port_matches(rule, conversation.port)
            and includes(rule.peer, conversation, devices)
        ):
            return rule
    return None


def replay(policy: Policy, members: Iterable[Device], devices: Mapping[str, Device]) -> DryRun:
    """Return what ``policy`` would have done to the conversations of ``members``.

    ``devices`` (by id) says what their peers are.
    """
    used: set[PolicyRule] = set()
    blocked: dict[tuple[Direction, str, str, int, str | None], list[tuple[Device, Conversation]]] = (
        defaultdict(list)
    )
    total = allowed = unanswered = 0
    for device in members:
        for conversation in device.conversations:
            total += 1
            rule = permits(policy, conversation, devices)
            if rule is not None:
                allowed += 1
                used.add(rule)
            elif not conversation.established and conversation.scope not in ("multicast", "broadcast"):
                unanswered += 1
            else:
                peer = narrowest(conversation, devices)
                direction = Direction.TO_PEER if conversation.role == "client" else Direction.FROM_PEER
                key = (
                    direction,
                    peer.label if peer else "an unknown peer",
                    conversation.transport,
                    conversation.port,
                    conversation.application,
                )
                blocked[key].append((device, conversation))
    breaks = sorted(
        (_told(key, group) for key, group in blocked.items()), key=lambda b: (-b.flows, b.sentence)
    )
    return DryRun(
        policy=policy.id,
        conversations=total,
        allowed=allowed,
        blocked=sum(len(group) for group in blocked.values()),
        unanswered=unanswered,
        breaks=tuple(breaks),
        unused=tuple(rule for rule in policy.rules if rule not in used),
    )


def _port_matches(rule: PolicyRule, port: int) -> bool:
    if rule.port is None:
        return True
    return rule.port <= port <= rule.port_to if rule.port_to is not None else rule.port == port


def _told(
    key: tuple[Direction, str, str, int, str | None], group: list[tuple[Device, Conversation]]
) -> Blocked:
    direction, peer, transport, port, application = key
    devices = {device.id: device for device, _ in group}
    flows = sum(c.flows for _, c in group)
    first = min(c.first_seen for _, c in group)
    last = max(c.last_seen for _, c in group)
    days = max((last - first) / (86_400 * NANOSECONDS), 1.0)
    who = _who(list(devices.values()))
    a_day = f"about {max(round(flows / days), 1):,} flows a day"
    what = f"{application or 'unrecognised'}, {transport}/{port}, {a_day}"
    if direction is Direction.TO_PEER:
        sentence = f"{who} could no longer reach {peer} ({what})."
    else:
        sentence = f"{peer} could no longer reach {who} ({what})."
    return Blocked(
        sentence, tuple(sorted(devices)), direction, peer, transport, port, application, flows, first, last
    )


def _who(devices: list[Device]) -> str:
    if len(devices) == 1:
        return devices[0].label
    kinds = {d.category for d in devices}
    kind = next(iter(kinds))
    if len(kinds) == 1 and kind is not None:
        return f"{len(devices)} devices ({category_name(kind)})"
    return f"{len(devices)} devices"
