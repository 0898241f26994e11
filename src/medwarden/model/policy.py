"""Least-privilege policy: identity-based rules learnt from observed behaviour, with a life cycle."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class PolicyState(StrEnum):
    """Where a policy stands on its way from observation to enforcement."""

    LEARNT = "learnt"
    SIMULATED = "simulated"
    APPROVED = "approved"
    CANARY = "canary"
    ENFORCED = "enforced"


class Direction(StrEnum):
    """Who opens the connection, seen from the protected device."""

    TO_PEER = "to_peer"
    FROM_PEER = "from_peer"


class Peer(msgspec.Struct, frozen=True):
    """Whom a rule allows. ``kind`` is device, category, subnet, domain, internet, multicast, broadcast
    or address; ``value`` its id, name or prefix; ``label`` how a person calls it.
    """

    kind: str
    value: str
    label: str


class PolicyRule(msgspec.Struct, frozen=True):
    """One allowed conversation and how often it was seen (times in ns, counts of flows and bytes)."""

    direction: Direction
    peer: Peer
    transport: str  # tcp, udp, icmp, or an IANA number
    port: int | None  # server port; None where the protocol has none
    application: str | None
    flows: int
    bytes: int
    first_seen: int
    last_seen: int
    devices: int = 1  # how many devices of the subject were seen doing so
    reason: str = ""
    port_to: int | None = None  # last port of a range that starts at ``port``; None: one port


class Policy(msgspec.Struct, frozen=True):
    """An allow list for one subject; what it does not name is not allowed.

    ``subject_kind`` is device or category; ``observed_from`` and ``observed_to`` bound the traffic it
    was learnt from, ``devices`` the ids it covers.
    """

    id: str
    subject_kind: str
    subject: str
    title: str
    state: PolicyState
    version: int
    rules: tuple[PolicyRule, ...]
    observed_from: int
    observed_to: int
    devices: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
