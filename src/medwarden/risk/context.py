"""What the assessment of one device needs to know about the others, and about the world.

Knowledge (which category is how critical, when support of an operating system ended) comes through
two small protocols, so that the engine runs with the shipped tables, a hospital's own, or none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Protocol

import msgspec

from medwarden.kernel.clock import to_datetime
from medwarden.knowledge.taxonomy import categories
from medwarden.model.device import Conversation, Device, DeviceClass


class CategoryFacts(Protocol):
    """What the taxonomy knows of a category."""

    @property
    def name(self) -> str:
        """Return the category in words."""
        ...

    @property
    def medical(self) -> bool:
        """Tell whether devices of the category are used in care."""
        ...

    @property
    def criticality(self) -> int:
        """Return how bad a failure is for the patient: 1 (nuisance) to 5 (life); 0 where not judged."""
        ...

    @property
    def phi(self) -> str:
        """Return how likely the category holds patient data: none, low, medium, high or a blank."""
        ...


CategoryLookup = Callable[[str], CategoryFacts | None]
"""Returns what is known of a category id, or None. The shipped taxonomy is the default."""

SupportLookup = Callable[[str, str | None], date | None]
"""Takes an operating system and its version; returns the day its security updates ended or end, or None
where that is not known. The factor compares the day with the time of the assessment."""


def shipped_category(category: str) -> CategoryFacts | None:
    """Return what the shipped taxonomy knows of a category id, or None."""
    return categories().get(category)


def no_support(_os: str, _version: str | None) -> date | None:
    """Know no end of support."""
    return None


SERVER_CATEGORIES = frozenset(
    {"ehr_server", "interface_engine", "server", "hypervisor", "domain_controller", "storage"}
)
"""IT that belongs beside clinical servers; everything else of class IT has people at it."""


class Neighbourhood(msgspec.Struct, frozen=True):
    """How many devices of each class share a subnet (or a VLAN); ``servers`` of the IT ones are servers."""

    name: str
    counts: Mapping[DeviceClass, int]
    servers: int = 0

    @property
    def total(self) -> int:
        """Return the number of devices, infrastructure included."""
        return sum(self.counts.values())

    @property
    def office(self) -> int:
        """Return the number of IT devices that are no servers."""
        return self.counts.get(DeviceClass.IT, 0) - self.servers

    def of(self, *classes: DeviceClass) -> int:
        """Return the number of devices of ``classes``."""
        return sum(self.counts.get(each, 0) for each in classes)


class RiskContext(msgspec.Struct, frozen=True):
    """The surroundings of a device at ``now_ns``.

    ``subnets`` and ``vlans`` are keyed by (site, name): sites may use the same addresses.
    ``labels`` and ``classes`` are by device id.
    """

    now_ns: int
    subnets: Mapping[tuple[str, str], Neighbourhood]
    vlans: Mapping[tuple[str, int], Neighbourhood]
    classes: Mapping[str, DeviceClass]
    labels: Mapping[str, str]
    category: CategoryLookup = shipped_category
    support_ends: SupportLookup = no_support

    @classmethod
    def build(
        cls,
        devices: Iterable[Device],
        now_ns: int | None = None,
        category: CategoryLookup = shipped_category,
        support_ends: SupportLookup = no_support,
    ) -> RiskContext:
        """Return the context that ``devices`` are to each other.

        ``now_ns`` is the day on which ends of support are judged; left out, it is when the last device
        was last heard.
        """
        subnets: dict[tuple[str, str], list[Device]] = {}
        vlans: dict[tuple[str, int], list[Device]] = {}
        classes: dict[str, DeviceClass] = {}
        labels: dict[str, str] = {}
        latest = 0
        for device in devices:
            classes[device.id] = device.device_class
            labels[device.id] = device.label
            latest = max(latest, device.last_seen)
            if device.subnet:
                subnets.setdefault((device.site, device.subnet), []).append(device)
            for vlan in device.vlans:
                vlans.setdefault((device.site, vlan), []).append(device)
        return cls(
            now_ns=latest if now_ns is None else now_ns,
            subnets={key: _neighbourhood(key[1], inside) for key, inside in subnets.items()},
            vlans={key: _neighbourhood(f"VLAN {key[1]}", inside) for key, inside in vlans.items()},
            classes=classes,
            labels=labels,
            category=category,
            support_ends=support_ends,
        )

    @property
    def today(self) -> date:
        """Return the day of ``now_ns`` in UTC."""
        return to_datetime(self.now_ns).date()

    def facts(self, device: Device) -> CategoryFacts | None:
        """Return what the taxonomy knows of the category of ``device``."""
        return self.category(device.category) if device.category else None

    def medical(self, device: Device) -> bool:
        """Tell whether ``device`` is used in care: by its category, else by its class."""
        facts = self.facts(device)
        return facts.medical if facts else device.device_class is DeviceClass.IOMT

    def peer(self, conversation: Conversation) -> str:
        """Return how a person calls the peer of ``conversation``."""
        if conversation.peer_device is not None:
            known = self.labels.get(conversation.peer_device)
            if known:
                return known
        return conversation.peer_name or conversation.peer_ip or "an unknown peer"


def _neighbourhood(name: str, inside: Sequence[Device]) -> Neighbourhood:
    counts = Counter(device.device_class for device in inside)
    servers = sum(1 for d in inside if d.device_class is DeviceClass.IT and d.category in SERVER_CATEGORIES)
    return Neighbourhood(name, MappingProxyType(dict(counts)), servers)
