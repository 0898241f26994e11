"""What the resolver keeps: devices as known, facts as heard, addresses as seen together."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from medwarden.knowledge.oui import is_group, is_locally_administered, is_virtual_router
from medwarden.model.inventory_delta import DeviceChange, InterfaceChange, KeyKind

_K = TypeVar("_K")
_ZERO_MAC = "00:00:00:00:00:00"


class Known(msgspec.Struct):
    """A device as the resolver keeps it."""

    id: str
    kind: KeyKind
    key: str
    first_seen: int
    last_seen: int
    announced: bool = False
    gateway: bool = False
    told_gateway: bool = False
    vlans: set[int] = msgspec.field(default_factory=set)
    values: dict[str, set[int]] = msgspec.field(default_factory=dict)


def known_again(stored: DeviceChange, key: str) -> Known:
    """Return a device as it was stored; ``key`` is its MAC or IP address."""
    return Known(
        stored.id,
        stored.kind,
        key,
        stored.first_seen,
        stored.last_seen,
        announced=True,
        gateway=stored.gateway,
        told_gateway=stored.gateway,
        vlans=set(stored.vlans),
    )


def device_change(site: str, known: Known) -> DeviceChange:
    """Return what is to be said of a device that was heard of."""
    return DeviceChange(
        id=known.id,
        site=site,
        kind=known.kind,
        new=not known.announced,
        gateway=known.gateway,
        first_seen=known.first_seen,
        last_seen=known.last_seen,
        vlans=tuple(sorted(known.vlans)),
    )


def interface_change(known: Known) -> InterfaceChange:
    """Return what is to be said of the interface of a device that is known by it."""
    virtual = is_virtual_router(known.key)
    randomised = is_locally_administered(known.key) and not virtual
    return InterfaceChange(known.id, known.key, randomised, virtual, known.first_seen, known.last_seen)


class Fact(msgspec.Struct):
    """How often and when one fact was heard in this round."""

    first_seen: int
    last_seen: int
    count: int


FactKey = tuple[str, str, str, str]  # sensor, source, field, value
Pair = tuple[str | None, str | None]  # MAC and IP address as seen together


class Sighting(msgspec.Struct):
    """When a pair of addresses was seen together, and what its hop limits say."""

    first_seen: int
    last_seen: int
    direct: bool | None = None
    vlans: set[int] = msgspec.field(default_factory=set)
    spoke: bool = False


def is_interface(mac: str | None, or_none: bool = False) -> bool:
    """Tell whether a MAC address can be a device's: neither group nor zero (nor missing)."""
    if mac is None:
        return or_none
    return mac != _ZERO_MAC and not is_group(mac)


def add_fact(facts: dict[_K, Fact], key: _K, heard: Fact) -> None:
    """Fold what was heard into what is there: counts add, times widen."""
    fact = facts.get(key)
    if fact is None:
        facts[key] = heard
        return
    fact.first_seen = min(fact.first_seen, heard.first_seen)
    fact.last_seen = max(fact.last_seen, heard.last_seen)
    fact.count += heard.count


def pair_order(item: tuple[Pair, Sighting]) -> tuple[str, str]:
    """Sort pairs of addresses by their text, so that results do not depend on the order of input."""
    (mac, ip), _ = item
    return mac or "", ip or ""
