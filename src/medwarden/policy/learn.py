"""Learning least-privilege rules from observed conversations.

Only what was answered is learnt, each peer under the narrowest name that describes what was seen:
a device; a category once several of its devices were used in the same way; a subnet once several
unknown addresses of it were; a domain on the internet. The internet as such is never allowed, and
nothing is learnt from connections that came in from there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from medwarden.kernel.ids import stable_id
from medwarden.model.device import Conversation, Device
from medwarden.model.mds2 import NetworkNeeds
from medwarden.model.policy import Direction, Peer, Policy, PolicyRule, PolicyState
from medwarden.policy.makers_word import notes_of_makers
from medwarden.policy.notes import notes_on
from medwarden.policy.observe import ONE_WAY, Observed, observe
from medwarden.policy.peers import KINDS, NAMELESS_OUTSIDE, category_name, narrowest, network_of

UNNAMED_LIMIT = 5
"""Internet addresses without a name, per service, that may be pinned; beyond it none is."""


class Breadth(msgspec.Struct, frozen=True):
    """How readily rules are widened.

    ``category`` and ``subnet``: distinct peers of one kind on one service before the kind is allowed;
    ``high_ports`` and ``any_ports``: distinct ports at or above 32768, or above 1023 without a
    recognised application, with one peer, before they become a range.
    """

    category: int = 3
    subnet: int = 3
    high_ports: int = 3
    any_ports: int = 8


class _Use(msgspec.Struct, frozen=True):
    """One conversation on its way to a rule."""

    device: str
    direction: Direction
    peer: Peer
    transport: str
    port: int | None
    application: str | None
    flows: int
    bytes: int
    first_seen: int
    last_seen: int
    scope: str
    port_to: int | None = None
    reason: str = ""


_NO_PORTS = frozenset({"icmp", "icmp6", "icmpv6", "1", "58"})


NO_NEEDS: Mapping[str, NetworkNeeds] = {}


def learn_device(
    device: Device,
    devices: Mapping[str, Device],
    breadth: Breadth | None = None,
    needs: Mapping[str, NetworkNeeds] = NO_NEEDS,
) -> Policy:
    """Return the allow list of one device, from its own conversations.

    ``devices`` (by id) says what its peers are, ``needs`` what makers' forms say, by device.
    """
    return _learn("device", device.id, device.label, [device], devices, breadth or Breadth(), needs)


def learn_category(
    category: str,
    devices: Mapping[str, Device],
    breadth: Breadth | None = None,
    needs: Mapping[str, NetworkNeeds] = NO_NEEDS,
) -> Policy:
    """Return the common allow list of all devices of ``category`` among ``devices`` (by id).

    A rule states how many of the devices were seen to need it; ``needs`` is what makers' forms say of each.
    """
    members = sorted((d for d in devices.values() if d.category == category), key=lambda d: d.id)
    return _learn(
        "category", category, category_name(category), members, devices, breadth or Breadth(), needs
    )


def _learn(
    kind: str,
    subject: str,
    title: str,
    members: Sequence[Device],
    devices: Mapping[str, Device],
    breadth: Breadth,
    needs: Mapping[str, NetworkNeeds],
) -> Policy:
    observed = [observe(device) for device in members]
    uses, unnamed = _pinned(_uses(observed, devices))
    uses = _by_category(uses, devices, subject if kind == "category" else None, breadth)
    uses = _by_subnet(uses, breadth)
    uses = _by_port_range(uses, breadth)
    rules = _rules(uses, len(members), kind)
    seen = [c for device in members for c in device.conversations]
    first = min((c.first_seen for c in seen), default=0)
    last = max((c.last_seen for c in seen), default=0)
    return Policy(
        id=stable_id("p", *sorted({d.site for d in members}), kind, subject),
        subject_kind=kind,
        subject=subject,
        title=title,
        state=PolicyState.LEARNT,
        version=1,
        rules=rules,
        observed_from=first,
        observed_to=last,
        devices=tuple(d.id for d in members),
        notes=notes_on(observed, rules, unnamed, first, last)
        + notes_of_makers(rules, (d.id for d in members), needs),
    )


def _uses(observed: Iterable[Observed], devices: Mapping[str, Device]) -> list[_Use]:
    uses = []
    for each in observed:
        for conversation in (*each.learnt, *each.discovery):
            peer = narrowest(conversation, devices)
            if peer is not None:
                uses.append(_use(each.device.id, conversation, peer))
    return uses


def _use(device: str, conversation: Conversation, peer: Peer) -> _Use:
    service = (conversation.transport, conversation.port)
    quiet = ONE_WAY.get(service) if not conversation.established else None
    return _Use(
        device=device,
        direction=Direction.TO_PEER if conversation.role == "client" else Direction.FROM_PEER,
        peer=peer,
        transport=conversation.transport,
        port=None if conversation.transport in _NO_PORTS else conversation.port,
        application=conversation.application,
        flows=conversation.flows,
        bytes=conversation.bytes_sent + conversation.bytes_received,
        first_seen=conversation.first_seen,
        last_seen=conversation.last_seen,
        scope=conversation.scope,
        reason=f"{quiet}, one-way by design" if quiet else "",
    )


def _pinned(uses: list[_Use]) -> tuple[list[_Use], list[str]]:
    """Keep internet addresses without a name only where they are few; return the ones left out."""
    groups: dict[tuple[str, int | None], set[str]] = defaultdict(set)
    for use in uses:
        if use.scope == "internet" and use.peer.kind == "address":
            groups[use.transport, use.port].add(use.peer.value)
    kept: list[_Use] = []
    left: set[str] = set()
    for use in uses:
        if use.scope != "internet" or use.peer.kind != "address":
            kept.append(use)
        elif len(groups[use.transport, use.port]) > UNNAMED_LIMIT:
            left.add(use.peer.value)
        else:
            kept.append(msgspec.structs.replace(use, reason=NAMELESS_OUTSIDE))
    return kept, sorted(left)


def _by_category(
    uses: list[_Use], devices: Mapping[str, Device], own: str | None, breadth: Breadth
) -> list[_Use]:
    """Widen device peers to their category where enough of them were used in the same way."""

    def category(use: _Use) -> str | None:
        known = devices.get(use.peer.value) if use.peer.kind == "device" else None
        if known is None or known.category is None or known.category.startswith("unknown"):
            return None
        return known.category

    def widened(name: str, peers: int) -> tuple[Peer, str] | None:
        if peers < breadth.category and name != own:
            return None
        title = category_name(name)
        return Peer("category", name, title), f"{peers} devices of this category were seen"

    return _widen(uses, category, widened)


def _by_subnet(uses: list[_Use], breadth: Breadth) -> list[_Use]:
    """Widen internal addresses that are no known device to their subnet where they are many."""

    def subnet(use: _Use) -> str | None:
        network = (
            network_of(use.peer.value) if use.peer.kind == "address" and use.scope == "internal" else None
        )
        return None if network is None else str(network)

    def widened(name: str, peers: int) -> tuple[Peer, str] | None:
        if peers < breadth.subnet:
            return None
        return Peer("subnet", name, name), f"{peers} addresses of this subnet were seen"

    return _widen(uses, subnet, widened)


def _widen(
    uses: list[_Use],
    group_of: Callable[[_Use], str | None],
    widened: Callable[[str, int], tuple[Peer, str] | None],
) -> list[_Use]:
    groups: dict[tuple[str, Direction, str, int | None], set[str]] = defaultdict(set)
    keys: list[tuple[str, Direction, str, int | None] | None] = []
    for use in uses:
        name = group_of(use)
        key = None if name is None else (name, use.direction, use.transport, use.port)
        keys.append(key)
        if key is not None:
            groups[key].add(use.peer.value)
    result = []
    for use, key in zip(uses, keys, strict=True):
        wider = None if key is None else widened(key[0], len(groups[key]))
        result.append(use if wider is None else msgspec.structs.replace(use, peer=wider[0], reason=wider[1]))
    return result


def _by_port_range(uses: list[_Use], breadth: Breadth) -> list[_Use]:
    """Turn ports that a service picks anew each time (RFC 6335 section 6) into one range."""
    groups: dict[tuple[Direction, str, str, str], set[int]] = defaultdict(set)
    for use in uses:
        if use.port is not None and use.port > 1023 and use.application is None:
            groups[use.direction, use.peer.kind, use.peer.value, use.transport].add(use.port)
    ranges = {}
    for key, ports in groups.items():
        high = {port for port in ports if port >= 32768}
        if len(ports) >= breadth.any_ports:
            ranges[key] = (1024 if min(ports) < 32768 else _floor(ports), ports)
        elif len(high) >= breadth.high_ports:
            ranges[key] = (_floor(high), high)
    result = []
    for use in uses:
        found = ranges.get((use.direction, use.peer.kind, use.peer.value, use.transport))
        if found is None or use.application is not None or use.port not in found[1]:
            result.append(use)
            continue
        reason = f"{len(found[1])} changing ports were seen"
        result.append(msgspec.structs.replace(use, port=found[0], port_to=65535, reason=reason))
    return result


def _floor(ports: Iterable[int]) -> int:
    return 49152 if min(ports) >= 49152 else 32768


def _rules(uses: list[_Use], members: int, kind: str) -> tuple[PolicyRule, ...]:
    merged: dict[tuple[Direction, str, str, str, int | None, int | None], list[_Use]] = defaultdict(list)
    for use in uses:
        key = (use.direction, use.peer.kind, use.peer.value, use.transport, use.port, use.port_to)
        merged[key].append(use)
    rules = [_rule(group, members, kind) for group in merged.values()]
    rules.sort(
        key=lambda r: (
            r.direction,
            KINDS.index(r.peer.kind),
            r.peer.label,
            r.transport,
            r.port or 0,
            r.peer.value,
        )
    )
    return tuple(rules)


def _rule(group: list[_Use], members: int, kind: str) -> PolicyRule:
    first = group[0]
    devices = len({use.device for use in group})
    reasons = sorted({use.reason for use in group if use.reason})
    if kind == "category" and devices == 1 and members > 1:
        reasons.append(f"needed by 1 of {members} devices only: check")
    flows: dict[str, int] = defaultdict(int)
    for use in group:
        if use.application is not None:
            flows[use.application] += use.flows
    return PolicyRule(
        direction=first.direction,
        peer=first.peer,
        transport=first.transport,
        port=first.port,
        application=max(flows, key=lambda name: (flows[name], name)) if flows else None,
        flows=sum(use.flows for use in group),
        bytes=sum(use.bytes for use in group),
        first_seen=min(use.first_seen for use in group),
        last_seen=max(use.last_seen for use in group),
        devices=devices,
        reason="; ".join(reasons),
        port_to=first.port_to,
    )
