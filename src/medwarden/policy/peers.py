"""Naming the other side of a conversation: as narrowly as is known, as widely as was seen."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from medwarden.knowledge.taxonomy import categories
from medwarden.model.device import Conversation, Device
from medwarden.model.policy import Peer

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

KINDS = ("device", "category", "subnet", "address", "domain", "internet", "multicast", "broadcast")
"""Kinds of peers in the order policies list them."""

NAMELESS_OUTSIDE = "internet address without a name: find out whose it is"
"""Why a rule for an address on the internet wants a look."""


def category_name(category: str) -> str:
    """Return how a person calls a category, or its id where the taxonomy does not have it."""
    known = categories().get(category)
    return known.name if known else category


def host_name(name: str | None) -> str | None:
    """Return a DNS name in its comparable form (lower case, no final dot), or None for none."""
    text = (name or "").strip().rstrip(".").lower()
    return text or None


def network_of(address: str) -> Network | None:
    """Return the /24 (IPv4) or /64 (IPv6) an address lies in; None for what is no address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    prefix = 24 if parsed.version == 4 else 64
    return ipaddress.ip_network(f"{parsed}/{prefix}", strict=False)


def within(address: str | None, network: str) -> bool:
    """Tell whether ``address`` lies in ``network``; False where either cannot be read."""
    try:
        return ipaddress.ip_address((address or "").partition("%")[0]) in ipaddress.ip_network(network)
    except ValueError:
        return False


def narrowest(conversation: Conversation, devices: Mapping[str, Device]) -> Peer | None:
    """Return the narrowest name of the peer: device, else domain or address; None where nothing is known."""
    if conversation.scope in ("multicast", "broadcast"):
        group = conversation.peer_ip or conversation.scope
        return Peer(conversation.scope, group, f"{conversation.scope} {group}")
    if conversation.peer_device is not None:
        known = devices.get(conversation.peer_device)
        return Peer("device", conversation.peer_device, known.label if known else conversation.peer_device)
    name = host_name(conversation.peer_name)
    if name is not None and conversation.scope == "internet":
        return Peer("domain", name, name)
    if conversation.peer_ip is None:
        return None
    label = f"{name} ({conversation.peer_ip})" if name else conversation.peer_ip
    return Peer("address", conversation.peer_ip, label)


def includes(peer: Peer, conversation: Conversation, devices: Mapping[str, Device]) -> bool:
    """Tell whether ``peer`` names the other side of ``conversation``."""
    if (conversation.scope in ("multicast", "broadcast")) != (peer.kind in ("multicast", "broadcast")):
        return False
    match peer.kind:
        case "device":
            return conversation.peer_device == peer.value
        case "category":
            other = devices.get(conversation.peer_device or "")
            return other is not None and other.category == peer.value
        case "subnet":
            return conversation.scope == "internal" and within(conversation.peer_ip, peer.value)
        case "address":
            return conversation.peer_ip == peer.value
        case "domain":
            return conversation.scope == "internet" and host_name(conversation.peer_name) == peer.value
        case "internet":
            return conversation.scope == "internet"
        case "multicast" | "broadcast":
            group = conversation.peer_ip or conversation.scope
            return conversation.scope == peer.kind and group == peer.value
        case _:
            return False
