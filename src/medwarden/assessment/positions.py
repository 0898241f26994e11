"""Where the next sensor should stand: what is missing, against what it costs to hear it.

A DHCP log or the polling of switches is set up once and serves every subnet; a mirror port is work at
one place. So logs come first where they bring as much, and each proposal counts only what no cheaper one
before it would bring.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from medwarden.assessment.words import listed, quantity
from medwarden.model.visibility import Position, SubnetSight

LOG, POLL, MIRROR = 1, 2, 4
_FEW = 3
"""Devices below which a source of its own is not worth proposing."""

_MEDICAL_WEIGHT = 3
_MOST_MIRRORS = 5


def next_positions(subnets: Sequence[SubnetSight]) -> tuple[Position, ...]:
    """Return what to connect next, most devices per effort first, medical devices counting thrice."""
    seen = [s for s in subnets if not s.blind]
    everywhere = (
        _for_all(
            seen,
            lambda s: s.address_only,
            "DHCP server log",
            LOG,
            "MAC address, host name and what the device asked for, of devices known by address alone",
            "medwarden sensor --syslog udp://0.0.0.0:5140",
        ),
        _for_all(
            seen,
            lambda s: s.without_place,
            "Polling of switches and wireless controllers",
            POLL,
            "the switch port or access point each device is attached to",
            "medwarden sensor --snmp switches.toml",
        ),
    )
    proposals = [p for p in everywhere if p is not None]
    mirrors = [_mirror(s) for s in seen if s.without_category >= _FEW]
    proposals += sorted(mirrors, key=_worth, reverse=True)[:_MOST_MIRRORS]
    proposals += [_flows(s) for s in subnets if s.blind][:_MOST_MIRRORS]
    return tuple(sorted(proposals, key=_worth, reverse=True))


def _worth(position: Position) -> tuple[float, int, str]:
    weighted = position.devices + (_MEDICAL_WEIGHT - 1) * position.medical
    return weighted / position.effort, -position.effort, position.where


def _for_all(
    seen: Sequence[SubnetSight],
    missing: Callable[[SubnetSight], int],
    source: str,
    effort: int,
    brings: str,
    command: str,
) -> Position | None:
    lacking = sorted((s for s in seen if missing(s)), key=missing, reverse=True)
    devices = sum(map(missing, lacking))
    if devices < _FEW:
        return None
    return Position(
        source,
        listed(s.subnet for s in lacking),
        effort,
        devices,
        sum(min(missing(s), s.medical) for s in lacking),
        brings,
        command,
    )


def _mirror(sight: SubnetSight) -> Position:
    return Position(
        "Mirror port or tap",
        sight.subnet if sight.planned is None else f"{sight.subnet} ({sight.planned})",
        MIRROR,
        sight.without_category,
        min(sight.without_category, sight.medical),
        f"what {quantity(sight.without_category, 'device')} there say of themselves within their own segment",
        "medwarden sensor --interface INTERFACE",
    )


def _flows(sight: SubnetSight) -> Position:
    return Position(
        "Flow export of the router",
        f"{sight.subnet} ({sight.planned})",
        POLL,
        0,
        0,
        "the first sight of a subnet of the plan from which nothing was heard",
        "medwarden sensor --netflow 0.0.0.0:2055",
    )
