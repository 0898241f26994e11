"""Sorting what a device was seen to do into what a policy may learn from and what it must not."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from medwarden.model.device import Conversation, Device

ONE_WAY = {
    ("udp", 162): "SNMP notifications",
    ("udp", 514): "syslog",
    ("udp", 2055): "NetFlow",
    ("udp", 4739): "IPFIX",
    ("udp", 6343): "sFlow",
}
"""Services whose receivers never answer; one direction is all there is to see."""

SCAN_PORTS = 15
"""Distinct ports of one device tried by one peer from which the peer is taken for a scanner; ports from
32768 on do not count, as remote procedure calls pick those anew each time."""


class Observed(msgspec.Struct, frozen=True):
    """The conversations of one device, sorted.

    ``learnt`` may become rules; ``discovery`` is multicast and broadcast. Left out: ``unanswered``
    attempts, ``scans`` (one peer on very many ports) and ``inbound`` from the internet.
    """

    device: Device
    learnt: tuple[Conversation, ...]
    discovery: tuple[Conversation, ...]
    unanswered: tuple[Conversation, ...]
    scans: tuple[Conversation, ...]
    inbound: tuple[Conversation, ...]


def observe(device: Device) -> Observed:
    """Return the conversations of ``device`` sorted by what may be learnt from them."""
    scanners = _scanners(device)
    sorted_: dict[str, list[Conversation]] = defaultdict(list)
    for conversation in device.conversations:
        sorted_[_bin(conversation, scanners)].append(conversation)
    return Observed(device, *(tuple(sorted_[name]) for name in Observed.__struct_fields__[1:]))


def _bin(conversation: Conversation, scanners: frozenset[tuple[str | None, str | None]]) -> str:
    if conversation.scope in ("multicast", "broadcast"):
        return "discovery"
    if conversation.role == "server" and (conversation.peer_device, conversation.peer_ip) in scanners:
        return "scans"
    if not conversation.established and (conversation.transport, conversation.port) not in ONE_WAY:
        return "unanswered"
    if conversation.role == "server" and conversation.scope == "internet":
        return "inbound"
    return "learnt"


def _scanners(device: Device) -> frozenset[tuple[str | None, str | None]]:
    ports: dict[tuple[str | None, str | None], set[tuple[str, int]]] = defaultdict(set)
    for conversation in device.conversations:
        told_apart = conversation.peer_device or conversation.peer_ip
        if told_apart and conversation.role == "server" and conversation.port < 32768:
            peer = (conversation.peer_device, conversation.peer_ip)
            ports[peer].add((conversation.transport, conversation.port))
    return frozenset(peer for peer, tried in ports.items() if len(tried) >= SCAN_PORTS)
