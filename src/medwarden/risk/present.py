"""What of a device counts now: not what it ceased to do long ago, and not what an enforced policy ended.

The inventory keeps everything that was ever heard. For risk, a service that was not seen for
``shape.seen_days`` of traffic of the device is taken to be gone, and so is a conversation that an enforced
policy does not allow and that was not seen since. Where something is seen that the policy forbids, it is
not enforced, whatever its state says, and everything counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import msgspec

from medwarden.dissect.registry import dissectors
from medwarden.model.device import Conversation, Device, Service
from medwarden.risk.context import PolicyInForce, RiskContext

GRACE_NS = 300 * 1_000_000_000
"""Conversations that end within so much time of the enforcement do not speak against it."""

_DAY_NS = 86_400 * 1_000_000_000
_EVERYBODY = ("multicast", "broadcast")


def present(device: Device, context: RiskContext) -> Device:
    """Return ``device`` with what counts of it now; the same one where all of it does."""
    device = _lately(device, context.rules.weights.shape.seen_days)
    policy = policy_of(device, context)
    return device if policy is None else behind(device, policy)


def policy_of(device: Device, context: RiskContext) -> PolicyInForce | None:
    """Return the policy that is enforced for ``device``, None where none is or traffic says otherwise."""
    policy = context.record(device).policy
    return None if policy is None or broken_by(device, policy) else policy


def broken_by(device: Device, policy: PolicyInForce) -> tuple[Conversation, ...]:
    """Return the answered conversations that were seen although ``policy`` forbids them."""
    since = policy.since_ns + GRACE_NS
    return tuple(
        c
        for c in device.conversations
        if c.last_seen > since and c.established and c.scope not in _EVERYBODY and not policy.allows(c)
    )


def behind(device: Device, policy: PolicyInForce) -> Device:
    """Return ``device`` as it stands behind ``policy``: what is not allowed does not happen any more.

    With the last conversation of a protocol goes what was read in it.
    """
    kept = tuple(c for c in device.conversations if policy.allows(c))
    services = tuple(s for s in device.services if policy.serves(s.transport, s.port))
    if len(kept) == len(device.conversations) and len(services) == len(device.services):
        return device
    return without_protocols(device, kept, services)


def without_protocols(
    device: Device, conversations: tuple[Conversation, ...], services: tuple[Service, ...]
) -> Device:
    """Return ``device`` with these conversations and services alone, and without facts of ended protocols."""
    before = _spoken(device.conversations) | _spoken(device.services)
    after = _spoken(conversations) | _spoken(services)
    ended = {prefix for name in before - after for prefix in _prefixes().get(name, (name,))}
    ended -= {prefix for name in after for prefix in _prefixes().get(name, (name,))}
    return msgspec.structs.replace(
        device,
        conversations=conversations,
        services=services,
        ledger=tuple(e for e in device.ledger if e.field.partition(".")[0] not in ended),
    )


def _spoken(of: Sequence[Conversation | Service]) -> set[str]:
    return {each.application for each in of if each.application}


@cache
def _prefixes() -> dict[str, tuple[str, ...]]:
    """Return the first words of the evidence fields of each application."""
    found: dict[str, tuple[str, ...]] = {}
    for dissector in dissectors():
        fields = dissector.manifest.fields
        found[dissector.manifest.name] = tuple(sorted({field.partition(".")[0] for field in fields}))
    return found


def _lately(device: Device, days: int) -> Device:
    """Return ``device`` without what was last seen more than ``days`` before its latest traffic.

    Where a list or a book named it later, that is no traffic: silence of a sensor proves nothing.
    """
    talked = [c.last_seen for c in device.conversations] + [s.last_seen for s in device.services]
    since = max(talked, default=device.first_seen) - days * _DAY_NS
    if device.first_seen >= since:
        return device
    conversations = tuple(c for c in device.conversations if c.last_seen >= since)
    services = tuple(s for s in device.services if s.last_seen >= since)
    ledger = tuple(e for e in device.ledger if e.last_seen >= since)
    counted = len(device.conversations) + len(device.services) + len(device.ledger)
    if len(conversations) + len(services) + len(ledger) == counted:
        return device
    return msgspec.structs.replace(device, conversations=conversations, services=services, ledger=ledger)
