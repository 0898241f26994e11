"""Why a device is not known for sure: where the hierarchy of answers ends, and what stands in the way.

Each reason leads to something a person can do: listen elsewhere, bring a log, answer a question, or look
at a contradiction. The thresholds are those at which pages call an answer sure.
"""

from __future__ import annotations

from enum import StrEnum

from medwarden.inventory.declared import heard_fields
from medwarden.knowledge.oui import is_locally_administered
from medwarden.model.device import Device

SURE = 0.9
"""Least confidence with which an answer counts as sure."""

LEVELS = ("class", "category", "vendor", "model")
"""Levels of the hierarchy from the most general to the most special."""

_CLOSE = 0.25
"""A runner-up this probable speaks against the answer."""

_ADDRESSING = frozenset({"arp", "ndp", "flow", "hsrp", "stp", "switch", "wireless", "tcp", "ip"})
"""Protocols that say where a device is, not what it is."""

_SEALED = frozenset({"tls", "dtls", "quic", "ssh", "ntp", "dns", "wireguard", "openvpn", "ike"})
"""Protocols whose content tells little of their client."""


class Doubt(StrEnum):
    """A reason for which a device is not known for sure."""

    NO_MAC = "no_mac"
    PRIVATE_MAC = "private_mac"
    SILENT = "silent"
    SEALED = "sealed"
    NO_DHCP = "no_dhcp"
    CONTRADICTED = "contradicted"
    STRANGE = "strange"


def unsure_level(device: Device) -> str:
    """Return the most general level of class, category, vendor and model that is not sure; '' if all are."""
    for level in LEVELS:
        verdict = device.verdict(level)
        if verdict is None or verdict.label is None or verdict.confidence < SURE:
            return level
    return ""


def doubts(device: Device) -> tuple[Doubt, ...]:
    """Return why a device that is not sure at every level is not; empty for one that is.

    ``no_mac``: known by its address alone, as a sensor behind a router sees it. ``private_mac``: no maker
    in any of its MAC addresses. ``silent``: nothing but addresses and flows was heard. ``sealed``: all it
    speaks is encrypted or says nothing of its client. ``no_dhcp``: no lease of it was heard, and nothing
    declares it. ``contradicted``: another answer has a quarter of the probability or more. ``strange``: it
    says things of itself that no rule knows.
    """
    open_level = unsure_level(device)
    if not open_level:
        return ()
    found: list[Doubt] = []
    heard = set(heard_fields(device.ledger))
    telling = heard - _ADDRESSING
    if not device.macs:
        found.append(Doubt.NO_MAC)
    elif all(map(is_locally_administered, device.macs)):
        found.append(Doubt.PRIVATE_MAC)
    if not telling:
        found.append(Doubt.SILENT)
    elif telling <= _SEALED:
        found.append(Doubt.SEALED)
    if not heard & {"dhcp", "dhcpv6"}:
        found.append(Doubt.NO_DHCP)
    verdict = device.verdict(open_level)
    if verdict is not None and verdict.runner_up is not None and verdict.runner_up_confidence >= _CLOSE:
        found.append(Doubt.CONTRADICTED)
    if telling - _SEALED and Doubt.CONTRADICTED not in found:
        found.append(Doubt.STRANGE)
    return tuple(found)
