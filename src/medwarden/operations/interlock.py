"""The interlock: may this action be done to this device now? Everything that touches a device asks here.

The answer is a :class:`~medwarden.operations.permit.Permit`, without which no prober and no enforcer does
anything, or a :class:`Refusal` that says in a sentence who or what protects the device. What is not known
protects: no subnet switched on, an address nobody is known to hold, a kind that is not known, a use that
cannot be told. The do-not-probe registry has the last word: no override lifts one of its entries.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from medwarden.kernel.clock import NANOSECONDS, iso
from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.taxonomy import UNKNOWN as _UNKNOWN
from medwarden.knowledge.taxonomy import categories, name_of
from medwarden.model.device import Device
from medwarden.operations.in_use import LIFE_CRITICAL, SURE, InUse, Use, clinical_protocols
from medwarden.operations.permit import Action, ActionKind, Permit, Target, _issue

USE_S = 5
"""A judgement of use older than this many seconds is as good as none."""

HEARD_S = 15 * 60
"""Who was not heard for so long may have left its address to another: a printer's to a pump."""

PLAUSIBLE = 0.1
"""A label with this probability is reckoned with, where it would protect the device."""

MOST_OVERRIDE_S = 24 * 60 * 60
"""An override that was made for longer is none."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Protects(StrEnum):
    """What stands in the way of an action."""

    NO_SUCH_TARGET = "no such target"
    NOT_SWITCHED_ON = "not switched on"
    OUTSIDE_HOURS = "outside hours"
    REGISTRY = "do-not-probe registry"
    NOBODY_KNOWN = "nobody known there"
    UNKNOWN_KIND = "unknown kind"
    LIFE_CRITICAL = "life-critical"
    USE_UNKNOWN = "use unknown"
    IN_USE = "in use"


LIFTABLE = frozenset(
    {
        Protects.NOBODY_KNOWN,
        Protects.UNKNOWN_KIND,
        Protects.LIFE_CRITICAL,
        Protects.USE_UNKNOWN,
        Protects.IN_USE,
    }
)
"""What a named person may override; for a probe of a life-critical device that is in use, nobody may."""


class EntryKind(StrEnum):
    """What an entry of the do-not-probe registry speaks of."""

    DEVICE = "device"  # id of a device
    MAC = "mac"
    IP = "ip"
    SUBNET = "subnet"
    CATEGORY = "category"
    VENDOR = "vendor"
    MODEL = "model"  # "vendor/model"


class ProtectedEntry(msgspec.Struct, frozen=True):
    """One entry of the registry: nothing is done to what it names until ``until_ns`` (None: for good)."""

    id: str
    kind: EntryKind
    value: str
    reason: str
    who: str
    since_ns: int
    until_ns: int | None = None


class Grant(msgspec.Struct, frozen=True):
    """A subnet in which active query is switched on: by whom, with which probers, when, how fast.

    ``hours`` are the hours of the day (UTC, 0 to 23) in which it is on; ``categories`` are life-critical
    categories that are listed and so not protected by their category here; ``unknown`` among them vouches
    that unknown devices of a subnet without medical ones may be asked what they are. ``per_minute`` bounds
    the probes of the whole subnet.
    """

    id: str
    site: str
    network: str
    probers: frozenset[str]
    who: str
    reason: str
    since_ns: int
    until_ns: int | None = None
    hours: frozenset[int] = frozenset(range(24))
    categories: frozenset[str] = frozenset()
    per_minute: int = 30


class Registry(msgspec.Struct, frozen=True):
    """What people decided about active query at a site."""

    entries: tuple[ProtectedEntry, ...] = ()
    grants: tuple[Grant, ...] = ()


class Override(msgspec.Struct, frozen=True):
    """One person's decision to act on one device in spite of what protects it, with reason and end.

    ``device`` is a device id, or an IP address where no device is known there.
    """

    id: str
    device: str
    actions: frozenset[Action]
    lifts: frozenset[Protects]
    who: str
    reason: str
    since_ns: int
    until_ns: int


class Request(msgspec.Struct, frozen=True):
    """What is to be done, where, and every device that holds or lately held the address.

    ``medical_segment`` tells whether medical devices are known in the subnet of the address; None, where
    that is not known, counts as yes.
    """

    action: Action
    target: Target
    devices: tuple[Device, ...]
    medical_segment: bool | None = None


class Refusal(msgspec.Struct, frozen=True):
    """No: ``reason`` is a sentence for people, ``protects`` its kind, ``by`` who or what protects."""

    reason: str
    protects: Protects
    by: str


def decide(
    request: Request,
    registry: Registry,
    use: Mapping[str, InUse],
    override: Override | None,
    now_ns: int,
) -> Permit | Refusal:
    """Return a permit for ``request`` or the first thing that stands in its way.

    ``use`` holds the judgement of every device of the request, by id; one that is missing or older than
    :data:`USE_S` counts as unknown. All devices at the address must be free of protection.
    """
    address = _address(request.target.ip)
    if address is None:
        return Refusal(
            f"{request.target.ip[:60]} is no address of a single device", Protects.NO_SUCH_TARGET, "medwarden"
        )
    if refusal := _registered(request, registry.entries, address, now_ns):
        return refusal
    grant: Grant | None = None
    if request.action.kind is ActionKind.PROBE:
        switched = _switched_on(request, registry.grants, address, now_ns)
        if isinstance(switched, Refusal):
            return switched
        grant = switched
    lifted = _lifted(request, override, now_ns)
    for refusal in _protections(request, grant, use, now_ns):
        if refusal.protects not in lifted or _beyond_override(request, use, refusal):
            return refusal
    return _issue(
        request.action,
        request.target,
        tuple(device.id for device in request.devices),
        now_ns,
        medical=not request.devices or any(_maybe_medical(device, request) for device in request.devices),
        grant="" if grant is None else grant.id,
        override=override.id if override is not None and lifted else "",
    )


def _address(text: str) -> Address | None:
    """Return the address where it is one of a single device: never a group, a broadcast or nothing."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    plain = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if plain is not None or address.is_multicast or address.is_unspecified or str(address) != text:
        return None
    if isinstance(address, ipaddress.IPv4Address) and (int(address) >= 0xF0000000 or int(address) >> 24 == 0):
        return None
    return address


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _holds(start_ns: int, until_ns: int | None, now_ns: int) -> bool:
    """Tell whether something is in force; what is dated in the future is not, lest a clock set back helps."""
    return start_ns <= now_ns and (until_ns is None or now_ns < until_ns)


def registered(request: Request, registry: Registry, now_ns: int) -> Refusal | None:
    """Return the entry of the do-not-probe registry that protects the target, None where none does.

    For what is asked by an operator's own list and needs no other leave, such as polling of switches.
    """
    address = _address(request.target.ip)
    return None if address is None else _registered(request, registry.entries, address, now_ns)


def _registered(
    request: Request, entries: Iterable[ProtectedEntry], address: Address, now_ns: int
) -> Refusal | None:
    for entry in entries:
        # A protection dated in the future (a clock was set back) protects all the same.
        if entry.until_ns is not None and now_ns >= entry.until_ns:
            continue
        if _matches(entry, request, address):
            until = "" if entry.until_ns is None else f" until {iso(entry.until_ns)}"
            return Refusal(
                f"{entry.kind.value} {entry.value} is on the do-not-probe list{until}: {entry.reason}",
                Protects.REGISTRY,
                entry.who,
            )
    return None


def _matches(entry: ProtectedEntry, request: Request, address: Address) -> bool:
    value = entry.value.strip()
    if entry.kind in (EntryKind.IP, EntryKind.SUBNET):
        network = _network(value)
        if network is None:
            return True  # an entry that cannot be read must not stop protecting
        every = {address, *(a for d in request.devices for ip in d.ips if (a := _address(ip)) is not None)}
        return any(a.version == network.version and a in network for a in every)
    folded = value.casefold()
    return any(_names(entry.kind, folded, device) for device in request.devices)


def _names(kind: EntryKind, folded: str, device: Device) -> bool:
    """Tell whether an entry means ``device``, also where it is only plausibly of that kind."""
    if kind is EntryKind.DEVICE:
        return device.id.casefold() == folded
    if kind is EntryKind.MAC:
        return _hex(folded) in {_hex(mac.casefold()) for mac in device.macs}
    if kind is EntryKind.CATEGORY:
        return folded in {label.casefold() for label in _plausible(device, "category", device.category)}
    if kind is EntryKind.VENDOR:
        return folded in {label.casefold() for label in _plausible(device, "vendor", device.vendor)}
    vendors = {label.casefold() for label in _plausible(device, "vendor", device.vendor)}
    models = {label.casefold() for label in _plausible(device, "model", device.model)}
    vendor, slash, model = folded.partition("/")
    if not slash:
        return folded in models
    return (not vendor.strip() or vendor.strip() in vendors) and model.strip() in models


def _hex(mac: str) -> str:
    return "".join(c for c in mac if c in "0123456789abcdef")


def _plausible(device: Device, level: str, label: str | None) -> set[str]:
    """Return the label of a level and every other that was voted for with some probability."""
    found = set() if label is None else {label}
    verdict = device.verdict(level)
    if verdict is not None:
        if verdict.label is not None:
            found.add(verdict.label)
        if verdict.runner_up is not None and verdict.runner_up_confidence >= PLAUSIBLE:
            found.add(verdict.runner_up)
    return found


def _switched_on(request: Request, grants: Iterable[Grant], address: Address, now_ns: int) -> Grant | Refusal:
    """Return the narrowest subnet around the address that is switched on for this prober at this hour."""
    around: list[tuple[int, Grant]] = []
    edge = False
    for grant in grants:
        network = _network(grant.network)
        if network is None or grant.site != request.target.site or address.version != network.version:
            continue
        if address in network and _holds(grant.since_ns, grant.until_ns, now_ns):
            around.append((network.prefixlen, grant))
            if network.version == 4 and network.prefixlen < 31:
                edge = edge or address in (network.network_address, network.broadcast_address)
    if edge:
        return Refusal(
            f"{address} is the network's own or its broadcast address", Protects.NO_SUCH_TARGET, "medwarden"
        )
    if not around:
        return Refusal(
            f"active query is off for {address}: no subnet around it is switched on",
            Protects.NOT_SWITCHED_ON,
            "the default",
        )
    # The narrowest decides: a wider subnet must not allow what somebody left out of a narrower one.
    narrowest = max(length for length, _ in around)
    named = [grant for length, grant in around if length == narrowest]
    able = [grant for grant in named if request.action.name in grant.probers]
    if len(able) < len(named):
        first = next(grant for grant in named if grant not in able)
        return Refusal(
            f"{request.action.name} is not among the probers switched on in {first.network}",
            Protects.NOT_SWITCHED_ON,
            first.who,
        )
    hour = datetime.fromtimestamp(now_ns // NANOSECONDS, UTC).hour
    for grant in able:
        if hour not in grant.hours:
            return Refusal(
                f"active query in {grant.network} is off at {hour:02d}:00 UTC",
                Protects.OUTSIDE_HOURS,
                grant.who,
            )
    return min(able, key=lambda grant: (len(grant.categories), grant.per_minute, grant.id))


def _protections(
    request: Request, grant: Grant | None, use: Mapping[str, InUse], now_ns: int
) -> Iterator[Refusal]:
    """Yield all that protects the devices at the address, other than what people registered."""
    if not request.devices:
        yield Refusal(
            f"no device is known at {request.target.ip}: what is there may be anything",
            Protects.NOBODY_KNOWN,
            "the default",
        )
    listed = frozenset() if grant is None else grant.categories
    for device in request.devices:
        yield from _kind(device, request, listed)
        if device.last_seen < now_ns - HEARD_S * NANOSECONDS:
            yield Refusal(
                f"{device.label} was last heard {iso(device.last_seen)}: another may have its address now",
                Protects.NOBODY_KNOWN,
                "the default",
            )
        judged = use.get(device.id)
        if judged is None or not 0 <= now_ns - judged.judged_ns <= USE_S * NANOSECONDS:
            yield Refusal(
                f"whether {device.label} is in use was not judged just now",
                Protects.USE_UNKNOWN,
                "the default",
            )
        elif judged.state is Use.UNKNOWN and not _vouched_for(device, request, listed):
            yield Refusal(
                f"whether {device.label} is in use cannot be told: {judged.reason}",
                Protects.USE_UNKNOWN,
                "the default",
            )
        elif judged.state is Use.YES:
            yield Refusal(f"{device.label} is in use: {judged.reason}", Protects.IN_USE, "the patient")


def _vouched_for(device: Device, request: Request, listed: frozenset[str]) -> bool:
    """Tell whether a person listed unknown devices for this subnet, and nothing speaks of medicine there.

    Without this, what is not known yet could never be asked what it is, not even in an office.
    """
    return (
        _UNKNOWN in listed
        and request.medical_segment is False
        and not _known(device)
        and not _maybe_medical(device, request)
    )


def _kind(device: Device, request: Request, listed: frozenset[str]) -> Iterator[Refusal]:
    known = _known(device)
    if not known and _maybe_medical(device, request):
        yield Refusal(
            f"what {device.label} is is not known well enough, and it may be a medical device",
            Protects.UNKNOWN_KIND,
            "the default",
        )
    for label in sorted(_plausible(device, "category", device.category)):
        kind = categories().get(label)
        if (kind is None or kind.criticality >= LIFE_CRITICAL) and label not in listed:
            name = label if kind is None else name_of(label)
            yield Refusal(
                f"{device.label} is or may be of a life-critical kind that is not listed here ({name})",
                Protects.LIFE_CRITICAL,
                "the default",
            )


def _known(device: Device) -> bool:
    verdict = device.verdict("category")
    return (
        device.category is not None
        and not device.category.startswith("unknown")
        and verdict is not None
        and verdict.label == device.category
        and verdict.confidence >= SURE
    )


def _maybe_medical(device: Device, request: Request) -> bool:
    """Tell whether a device is a medical one, or could be: what is not known on a medical segment is."""
    plausible = [categories().get(label) for label in _plausible(device, "category", device.category)]
    if any(kind is None or kind.medical for kind in plausible):
        return True
    clinical = clinical_protocols()
    if any(entry.field.partition(".")[0] in clinical for entry in device.ledger):
        return True
    if any(talk.application in clinical for talk in device.conversations):
        return True
    return not _known(device) and request.medical_segment is not False


def _lifted(request: Request, override: Override | None, now_ns: int) -> frozenset[Protects]:
    """Return what ``override`` lifts here: it must name this device and action, a person and a reason."""
    if override is None or request.action not in override.actions:
        return frozenset()
    if not override.who.strip() or not override.reason.strip():
        return frozenset()
    if override.until_ns - override.since_ns > MOST_OVERRIDE_S * NANOSECONDS:
        return frozenset()
    if not _holds(override.since_ns, override.until_ns, now_ns):
        return frozenset()
    named = {device.id for device in request.devices} or {request.target.ip}
    # One person's decision about one device must not carry another that shares its address.
    return override.lifts & LIFTABLE if named == {override.device} else frozenset()


def _beyond_override(request: Request, use: Mapping[str, InUse], refusal: Refusal) -> bool:
    """Tell whether a protection stands against everybody: nobody probes what works on a patient now and
    on which a life depends. Whether to cut such a device off is another question, and a person's.
    """
    if request.action.kind is not ActionKind.PROBE:
        return False
    if refusal.protects is not Protects.IN_USE:
        return False
    at_work = [
        d for d in request.devices if (judged := use.get(d.id)) is not None and judged.state is Use.YES
    ]
    return any(_life_critical(device) for device in at_work)


def _life_critical(device: Device) -> bool:
    """Tell whether a life may depend on a device; on one of no known kind, too."""
    labels = _plausible(device, "category", device.category)
    kinds = [categories().get(label) for label in labels]
    return not labels or any(kind is None or kind.criticality >= LIFE_CRITICAL for kind in kinds)


def check_network(text: str) -> str:
    """Return a subnet in canonical form; raises ConfigurationError for what is none."""
    network = _network(text)
    if network is None or network.is_multicast:
        raise ConfigurationError(f"{text[:60]!r} is no subnet: write 10.20.30.0/24")
    return str(network)
