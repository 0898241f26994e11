"""What the assessment of one device needs to know about the others, and about the world.

Knowledge (which category is how critical, when support of an operating system ended) comes through
two small protocols, so that the engine runs with the shipped tables, a hospital's own, or none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Protocol, TypeVar

import msgspec

from medwarden.kernel.clock import to_datetime
from medwarden.knowledge.taxonomy import categories
from medwarden.model.device import Conversation, Device, DeviceClass
from medwarden.model.finding import FindingKind, Severity
from medwarden.model.life_cycle import Ending
from medwarden.model.mds2 import Disclosure
from medwarden.model.vulnerability import Cvss, MatchState
from medwarden.risk.weights import Rules, shipped_rules


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


class KnownVulnerability(msgspec.Struct, frozen=True):
    """A vulnerability that concerns a device or may, and how much it matters (CVSS, KEV, EPSS, exploits).

    ``vectors`` are its CVSS vectors as published, one of each version; ``weaknesses`` CWE ids;
    ``exploit_count`` is how many distinct exploits are public.
    """

    vulnerability: str
    state: MatchState
    reason: str
    since_ns: int
    score: float | None = None
    exploited: bool = False
    exploits: bool = False
    epss: float | None = None
    vectors: tuple[Cvss, ...] = ()
    weaknesses: tuple[str, ...] = ()
    exploit_count: int = 0


NONE_KNOWN: Mapping[str, tuple[KnownVulnerability, ...]] = MappingProxyType({})


class LiveFinding(msgspec.Struct, frozen=True):
    """A finding of another engine that is not dealt with: a threat, an anomaly, a recall; times in ns."""

    id: str
    kind: FindingKind
    type: str
    severity: Severity
    title: str
    opened_ns: int
    last_seen: int


class PolicyInForce(msgspec.Struct, frozen=True):
    """An allow list that the network enforces for a device since ``since_ns``.

    ``allows`` tells of a conversation of the device whether a rule permits it, ``serves`` of a transport and
    port whether anybody may open them; ``reach`` from where it may be reached at most: ``none``,
    ``segment`` (its own) or ``beyond``.
    """

    id: str
    title: str
    since_ns: int
    reach: str
    allows: Callable[[Conversation], bool]
    serves: Callable[[str, int], bool]


class AtWork(msgspec.Struct, frozen=True):
    """A device was at work on a patient: what says so in words, and when that was last heard (ns)."""

    reason: str
    last_ns: int


class SupportEnd(msgspec.Struct, frozen=True):
    """The day on which help for a device ends, what ends then, who says so, and why it is this device."""

    day: date
    source: str
    ending: Ending = Ending.SUPPORT
    reason: str = ""
    since_ns: int = 0


class DeviceRecord(msgspec.Struct, frozen=True):
    """What is known of one device beside what it says itself."""

    findings: tuple[LiveFinding, ...] = ()
    policy: PolicyInForce | None = None
    at_work: AtWork | None = None
    support: SupportEnd | None = None


NO_DISCLOSURES: Mapping[str, Disclosure] = MappingProxyType({})
NO_PLACES: Mapping[str, str] = MappingProxyType({})
NO_RECORD = DeviceRecord()
NO_RECORDS: Mapping[str, DeviceRecord] = MappingProxyType({})


class FdaFacts(msgspec.Struct, frozen=True):
    """How the FDA classifies a kind of device: the highest class (1 to 3) among its product codes."""

    device_class: int
    codes: tuple[str, ...]
    life_support: bool = False


FdaLookup = Callable[[str], FdaFacts | None]
"""Takes a category id; returns how its product codes are classified, or None where that is not known."""


def no_classification(_category: str) -> FdaFacts | None:
    """Know no classification."""
    return None


class RiskContext(msgspec.Struct, frozen=True):
    """The surroundings of a device at ``now_ns``.

    ``subnets`` and ``vlans`` are keyed by (site, name): sites may use the same addresses.
    ``labels``, ``classes``, ``places`` (subnets), ``vulnerabilities``, ``records`` and
    ``disclosures`` (makers' forms) are by device id.
    """

    now_ns: int
    subnets: Mapping[tuple[str, str], Neighbourhood]
    vlans: Mapping[tuple[str, int], Neighbourhood]
    classes: Mapping[str, DeviceClass]
    labels: Mapping[str, str]
    category: CategoryLookup = shipped_category
    support_ends: SupportLookup = no_support
    vulnerabilities: Mapping[str, tuple[KnownVulnerability, ...]] = NONE_KNOWN
    places: Mapping[str, str] = NO_PLACES
    records: Mapping[str, DeviceRecord] = NO_RECORDS
    fda: FdaLookup = no_classification
    rules: Rules = msgspec.field(default_factory=shipped_rules)
    disclosures: Mapping[str, Disclosure] = NO_DISCLOSURES

    @classmethod
    def build(
        cls,
        devices: Iterable[Device],
        now_ns: int | None = None,
        category: CategoryLookup = shipped_category,
        support_ends: SupportLookup = no_support,
        vulnerabilities: Mapping[str, tuple[KnownVulnerability, ...]] = NONE_KNOWN,
    ) -> RiskContext:
        """Return the context that ``devices`` are to each other.

        ``now_ns`` is the day on which ends of support are judged; left out, it is when the last device
        was last heard.
        """
        around = Surroundings(category, support_ends)
        latest = 0
        for device in devices:
            around.put(device)
            latest = max(latest, device.last_seen)
        context = around.context(latest if now_ns is None else now_ns)
        return msgspec.structs.replace(context, vulnerabilities=vulnerabilities)

    @property
    def today(self) -> date:
        """Return the day of ``now_ns`` in UTC."""
        return to_datetime(self.now_ns).date()

    def record(self, device: Device) -> DeviceRecord:
        """Return what is known of ``device`` beside what it says itself."""
        return self.records.get(device.id, NO_RECORD)

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


class _Standing(msgspec.Struct, frozen=True):
    """Where a device counts, and as what."""

    subnets: tuple[tuple[str, str], ...]
    vlans: tuple[tuple[str, int], ...]
    device_class: DeviceClass
    server: bool


def _standing(device: Device) -> _Standing:
    return _Standing(
        ((device.site, device.subnet),) if device.subnet else (),
        tuple((device.site, vlan) for vlan in device.vlans),
        device.device_class,
        device.device_class is DeviceClass.IT and device.category in SERVER_CATEGORIES,
    )


class Surroundings:
    """Devices as the surroundings of each other, kept up to date one device at a time.

    A context that was given out shows what is put and dropped after it, too.
    """

    def __init__(
        self, category: CategoryLookup = shipped_category, support_ends: SupportLookup = no_support
    ) -> None:
        self._lookups = category, support_ends
        self._standing: dict[str, _Standing] = {}
        self._labels: dict[str, str] = {}
        self._classes: dict[str, DeviceClass] = {}
        self._places: dict[str, str] = {}
        self._in_subnet: dict[tuple[str, str], Counter[tuple[DeviceClass, bool]]] = {}
        self._in_vlan: dict[tuple[str, int], Counter[tuple[DeviceClass, bool]]] = {}
        self._subnets: dict[tuple[str, str], Neighbourhood] = {}
        self._vlans: dict[tuple[str, int], Neighbourhood] = {}
        self._changed_subnets: set[tuple[str, str]] = set()
        self._changed_vlans: set[tuple[str, int]] = set()

    def __len__(self) -> int:
        """Return how many devices there are."""
        return len(self._standing)

    def put(self, device: Device) -> None:
        """Add a device, or say what it is and where it is now."""
        standing = _standing(device)
        self._labels[device.id] = device.label
        self._places[device.id] = device.subnet or ""
        before = self._standing.get(device.id)
        if before == standing:
            return
        if before is not None:
            self._count(before, -1)
        self._standing[device.id] = standing
        self._classes[device.id] = device.device_class
        self._count(standing, 1)

    def count(self, device: Device, number: int) -> None:
        """Count ``number`` devices that stand where ``device`` stands, without knowing which they are."""
        self._count(_standing(device), number)

    def name(self, device: Device) -> None:
        """Say what one of the devices that were counted is, for those that speak with it."""
        self._labels[device.id] = device.label
        self._places[device.id] = device.subnet or ""
        self._classes[device.id] = device.device_class

    def drop(self, device_id: str) -> None:
        """Take a device away; one that is not there is none the less gone."""
        before = self._standing.pop(device_id, None)
        if before is not None:
            del self._labels[device_id], self._classes[device_id], self._places[device_id]
            self._count(before, -1)

    def context(self, now_ns: int) -> RiskContext:
        """Return what the devices are to each other, judged at ``now_ns``."""
        for subnet in self._changed_subnets:
            _renew(self._subnets, subnet, subnet[1], self._in_subnet[subnet])
        for vlan in self._changed_vlans:
            _renew(self._vlans, vlan, f"VLAN {vlan[1]}", self._in_vlan[vlan])
        self._changed_subnets.clear()
        self._changed_vlans.clear()
        category, support_ends = self._lookups
        return RiskContext(
            now_ns, self._subnets, self._vlans, self._classes, self._labels, category, support_ends,
            places=self._places,
        )  # fmt: skip

    def _count(self, standing: _Standing, by: int) -> None:
        kind = standing.device_class, standing.server
        for subnet in standing.subnets:
            self._in_subnet.setdefault(subnet, Counter())[kind] += by
            self._changed_subnets.add(subnet)
        for vlan in standing.vlans:
            self._in_vlan.setdefault(vlan, Counter())[kind] += by
            self._changed_vlans.add(vlan)


Key = TypeVar("Key")


def _renew(
    known: dict[Key, Neighbourhood], key: Key, name: str, inside: Counter[tuple[DeviceClass, bool]]
) -> None:
    counts: dict[DeviceClass, int] = {}
    servers = 0
    for (device_class, server), number in inside.items():
        if number:
            counts[device_class] = counts.get(device_class, 0) + number
            servers += number if server else 0
    if counts:
        known[key] = Neighbourhood(name, MappingProxyType(counts), servers)
    else:
        known.pop(key, None)
