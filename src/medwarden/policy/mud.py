"""A policy as a Manufacturer Usage Description (RFC 8520) with access lists (RFC 8519), as JSON.

MUD knows no device ids and describes a kind of thing, not one thing. Peers are therefore mapped:

- a device or category becomes a ``controller`` class with a URN of ours (``urn:medwarden:device:...``);
  the MUD manager of the hospital resolves it to addresses. DNS and NTP servers use the well-known
  classes that RFC 8520 registers; the server that directs a category (an infusion server for
  pumps) is ``my-controller``; a peer of the policy's own category is ``model`` with the policy's own MUD URL;
- a domain becomes ``ietf-acldns:dst-dnsname`` (or ``src-dnsname`` towards the device);
- an address, subnet or multicast group becomes an IPv4 or IPv6 network;
- broadcast becomes ``local-networks``; a rule for the internet at large is left out.

TCP entries state ``direction-initiated``. Everything not accepted is denied, as MUD has it.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from urllib.parse import quote

from medwarden.kernel.clock import to_datetime
from medwarden.model.device import Device
from medwarden.model.policy import Direction, Peer, Policy, PolicyRule
from medwarden.policy.peers import Network

Json = dict[str, "JsonValue"]
JsonValue = str | int | bool | None | list["JsonValue"] | Json

DEFAULT_BASE = "https://medwarden.local/mud"
CACHE_HOURS = 48

DIRECTED_BY = {
    "infusion_pump": "infusion_server",
    "syringe_pump": "infusion_server",
    "pca_pump": "infusion_server",
    "patient_monitor": "central_station",
    "telemetry": "central_station",
    "ip_camera": "nvr",
}
"""Which category directs which: the thing's controller in the sense of RFC 8520 section 4."""

WELL_KNOWN = {("udp", 53): "urn:ietf:params:mud:dns", ("tcp", 53): "urn:ietf:params:mud:dns",
              ("udp", 123): "urn:ietf:params:mud:ntp"}  # fmt: skip
_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "icmp6": 58, "icmpv6": 58}
_EMPTY: list[JsonValue] = [None]
"""A leaf of type empty in the JSON encoding of YANG (RFC 7951 section 6.9)."""


def to_mud(policy: Policy, devices: Mapping[str, Device] | None = None, base: str = DEFAULT_BASE) -> Json:
    """Return ``policy`` as a MUD file.

    ``devices`` (by id) lets peers be recognised by their category; ``base`` is the https address the
    files will be served from. An IPv6 list is written where a rule needs one.
    """
    known = devices or {}
    url = f"{base.rstrip('/')}/{quote(policy.id, safe='')}.json"
    lists: list[JsonValue] = []
    named: dict[Direction, list[JsonValue]] = {Direction.TO_PEER: [], Direction.FROM_PEER: []}
    for version in (4, 6):
        rules = [rule for rule in policy.rules if version in _versions(rule.peer)]
        if version == 6 and not any(_versions(rule.peer) == (6,) for rule in rules):
            continue
        for side in (Direction.TO_PEER, Direction.FROM_PEER):
            name = f"{policy.id}-v{version}-{'from' if side is Direction.TO_PEER else 'to'}"
            entries = [_entry(i, rule, side, version, policy, known, url) for i, rule in enumerate(rules)]
            lists.append({"name": name, "type": f"ipv{version}-acl-type", "aces": {"ace": [*entries]}})
            named[side].append({"name": name})
    mud: Json = {
        "mud-version": 1,
        "mud-url": url,
        "last-update": to_datetime(policy.observed_to).isoformat(timespec="seconds"),
        "cache-validity": CACHE_HOURS,
        "is-supported": True,
        "systeminfo": _one_line(f"{policy.title}: learnt allow list, {policy.state.value}", 60),
        "from-device-policy": {"access-lists": {"access-list": named[Direction.TO_PEER]}},
        "to-device-policy": {"access-lists": {"access-list": named[Direction.FROM_PEER]}},
    }
    subject = known.get(policy.subject) if policy.subject_kind == "device" else None
    for field, value in (("mfg-name", subject and subject.vendor), ("model-name", subject and subject.model)):
        if value:
            mud[field] = _one_line(value, 60)
    return {"ietf-mud:mud": mud, "ietf-access-control-list:acls": {"acl": lists}}


def to_mud_text(policy: Policy, devices: Mapping[str, Device] | None = None, base: str = DEFAULT_BASE) -> str:
    """Return the MUD file of ``policy`` as JSON text."""
    return json.dumps(to_mud(policy, devices, base), indent=2, ensure_ascii=False) + "\n"


def _entry(
    index: int,
    rule: PolicyRule,
    side: Direction,
    version: int,
    policy: Policy,
    devices: Mapping[str, Device],
    url: str,
) -> Json:
    """Return one entry: packets from the device where ``side`` is TO_PEER, packets to it else."""
    ip: Json = {}
    matches: Json = {}
    protocol = _PROTOCOLS.get(rule.transport)
    if protocol is None and rule.transport.isdigit():
        protocol = int(rule.transport)
    if protocol is not None:
        ip["protocol"] = 58 if version == 6 and protocol == 1 else protocol
    outward = side is Direction.TO_PEER
    network = _network(rule.peer)
    if network is not None:
        ip[f"{'destination' if outward else 'source'}-ipv{version}-network"] = str(network)
    elif rule.peer.kind == "domain":
        ip[f"ietf-acldns:{'dst' if outward else 'src'}-dnsname"] = rule.peer.value
    else:
        matches["ietf-mud:mud"] = _abstract(rule, policy, devices, url)
    if ip:
        matches[f"ipv{version}"] = ip
    if rule.transport in ("tcp", "udp"):
        # The server's port: the peer's where the device opened the connection, else the device's own.
        far = (rule.direction is Direction.TO_PEER) == outward
        layer: Json = {}
        if rule.transport == "tcp":
            opened = rule.direction is Direction.TO_PEER
            layer["ietf-mud:direction-initiated"] = "from-device" if opened else "to-device"
        if rule.port is not None:
            layer[f"{'destination' if far else 'source'}-port"] = _port(rule.port, rule.port_to)
        if layer:
            matches[rule.transport] = layer
    return {
        "name": f"r{index}-{'from' if outward else 'to'}",
        "matches": matches,
        "actions": {"forwarding": "accept"},
    }


def _port(port: int, last: int | None) -> Json:
    if last is None:
        return {"operator": "eq", "port": port}
    return {"lower-port": port, "upper-port": last}


def _abstract(rule: PolicyRule, policy: Policy, devices: Mapping[str, Device], url: str) -> Json:
    """Return the MUD abstraction that stands for the peer of ``rule``."""
    peer = rule.peer
    if peer.kind == "broadcast":
        return {"local-networks": _EMPTY}
    subject = devices.get(policy.subject)
    own = policy.subject if policy.subject_kind == "category" else (subject.category if subject else None)
    known = devices.get(peer.value)
    theirs = peer.value if peer.kind == "category" else (known.category if known else None)
    if policy.subject_kind == "category" and peer.kind == "category" and theirs == own:
        return {"model": url}
    well_known = WELL_KNOWN.get((rule.transport, rule.port or 0))
    if well_known is not None and rule.direction is Direction.TO_PEER:
        return {"controller": well_known}
    if theirs is not None and DIRECTED_BY.get(own or "") == theirs:
        return {"my-controller": _EMPTY}
    return {"controller": f"urn:medwarden:{peer.kind}:{quote(peer.value, safe='')}"}


def _network(peer: Peer) -> Network | None:
    if peer.kind not in ("address", "subnet", "multicast"):
        return None
    try:
        return ipaddress.ip_network(peer.value.partition("%")[0], strict=False)
    except ValueError:
        return None


def _versions(peer: Peer) -> tuple[int, ...]:
    """Return the IP versions an entry for ``peer`` belongs to; an address or network fixes it.

    The internet at large belongs to none: an entry without an address would match every peer.
    """
    if peer.kind == "internet":
        return ()
    network = _network(peer)
    if network is not None:
        return (network.version,)
    return (4,) if peer.kind == "broadcast" else (4, 6)


def _one_line(text: str, limit: int) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:limit]
