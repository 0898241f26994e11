"""Which devices of one site may be one: interfaces of one machine, a changing address, a replaced card.

Two devices are compared only where both state the same identifier, so the work grows with what is
stated, not with the square of the house. What speaks for and against it is added up as log-odds with a
sentence each. A link is *certain* only where an identifier that one thing has says so, the odds are
overwhelming and nothing speaks against it; whatever is likely beyond that is a proposal for a person.

An identifier that devices state which cannot be one (other names, makers, serial numbers) was copied
with a disk image or left as it came, and counts for nothing.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from medwarden.inventory.identifiers import (
    CHASSIS,
    MACHINE,
    NAME,
    NAME_WEIGHT,
    SERIAL,
    STACK,
    Identifier,
    Stated,
    is_identifying,
    stated,
)
from medwarden.knowledge.oui import is_locally_administered, is_virtual_router
from medwarden.model.device import Device

CERTAIN, WORTH_ASKING = 9.0, 4.0
"""Log-odds from which a link is made without asking (8,000 to 1), and from which a person is asked."""

_MOST_NAMED_ALIKE = 4
_MOST_STATING = 2000
_SURE = 0.8
_SILENT_NS = 60 * 1_000_000_000
_CONTRADICTS = -4.0
_LEVELS = {"vendor": -5.0, "category": -4.0, "model": -5.0, "serial": -9.0, "os": -2.0}


class Kind(StrEnum):
    """What two devices are to each other."""

    INTERFACES = "interfaces"  # two network cards of one machine
    RANDOMISED = "randomised"  # one radio under changing addresses
    REPLACED = "replaced"  # one machine with another card than before


class Link(msgspec.Struct, frozen=True):
    """That two devices are one, with what speaks for it and against it, and the sum as log-odds.

    ``left`` was heard first. ``certain`` links need nobody's word.
    """

    kind: Kind
    left: str
    right: str
    odds: float
    supporting: tuple[str, ...]
    against: tuple[str, ...]
    certain: bool


class _Member(msgspec.Struct, frozen=True):
    """A device with what it states."""

    device: Device
    says: Stated
    gateway: bool

    @property
    def randomised(self) -> bool:
        return bool(self.device.macs) and all(is_locally_administered(mac) for mac in self.device.macs)


def links(devices: Iterable[Device], gateways: frozenset[str] = frozenset()) -> list[Link]:
    """Return all links worth a look among the devices of one site, the certain ones first.

    Of the ledgers only identifying fields are needed (:func:`~.identifiers.is_identifying`); verdicts say
    what contradicts. ``gateways`` are ids of devices that forward for others.
    """
    members = [
        _Member(device, stated(device), device.id in gateways)
        for device in sorted(devices, key=lambda d: (d.first_seen, d.id))
        if not any(is_virtual_router(mac) for mac in device.macs)
    ]
    pairs: dict[tuple[str, str], list[Identifier]] = defaultdict(list)
    by_id = {member.device.id: member for member in members}
    for group, identifier in _groups(members):
        first = group[0]
        for other in group[1:]:
            pairs[first.device.id, other.device.id].append(identifier)
    found = [_compared(by_id[a], by_id[b], shared) for (a, b), shared in sorted(pairs.items())]
    worthy = [link for link in found if link.odds >= WORTH_ASKING]
    return sorted(worthy, key=lambda link: (not link.certain, -link.odds, link.left, link.right))


def _groups(members: Sequence[_Member]) -> Iterable[tuple[list[_Member], Identifier]]:
    """Yield devices that state the same value, by first appearance, where the value can be believed."""
    stating: dict[tuple[str, str], list[tuple[_Member, Identifier]]] = defaultdict(list)
    for member in members:
        for identifier in (*member.says.identifiers, *member.says.names, *member.says.clients):
            stating[identifier.kind, identifier.value].append((member, identifier))
    for (kind, _), group in sorted(stating.items()):
        who = list({member.device.id: member for member, _ in group}.values())
        if not 2 <= len(who) <= _MOST_STATING or _copied(kind, who):
            continue
        settled = [m for m in who if not m.randomised]
        if kind == NAME and len(settled) > _MOST_NAMED_ALIKE:
            continue
        yield who, group[0][1]


def _copied(kind: str, group: Sequence[_Member]) -> bool:
    """Tell whether devices that state one value cannot all be the same thing."""
    if kind != NAME:
        names = {m.says.names[0].value for m in group if len(m.says.names) == 1}
        if len(names) > 1:
            return True
    if kind != SERIAL:
        serials = {i.value for m in group for i in m.says.identifiers if i.kind == SERIAL}
        if len(serials) > 1:
            return True
    return any(len(_sure_labels(group, level)) > 1 for level in ("vendor", "category"))


def _sure_labels(group: Iterable[_Member], level: str) -> set[str]:
    return {label for m in group if (label := _sure(m.device, level)) is not None}


def _sure(device: Device, level: str) -> str | None:
    verdict = device.verdict(level)
    if verdict is None or verdict.label is None or verdict.confidence < _SURE:
        return None
    return verdict.label.casefold()


def _compared(left: _Member, right: _Member, shared: Sequence[Identifier]) -> Link:
    supporting: list[str] = []
    odds = 0.0
    kinds: set[str] = set()
    for identifier in sorted(shared, key=lambda i: -i.weight):
        # A second identifier of one kind says little that the first did not.
        odds += identifier.weight if identifier.kind not in kinds else 1.0
        if identifier.kind not in kinds:
            shown = identifier.entry.value[:80]
            supporting.append(f"both state the {identifier.kind} {shown!r} ({identifier.entry.field})")
        kinds.add(identifier.kind)
    strong = any(i.weight > NAME_WEIGHT for i in shared)
    alike, same_stack = _same_stack(left.device, right.device)
    odds += alike
    supporting += same_stack
    silent = right.device.first_seen > left.device.last_seen + _SILENT_NS
    kind = Kind.INTERFACES
    if silent:
        odds += 1.5
        supporting.append("the second was first heard after the first had fallen silent")
        kind = Kind.RANDOMISED if right.randomised else Kind.REPLACED
        if addresses := sorted(set(left.device.ips) & set(right.device.ips)):
            odds += 1.5
            supporting.append(f"the second took over the address {addresses[0]}")
    elif left.randomised and right.randomised:
        kind = Kind.RANDOMISED
    against = list(_against(left, right, shared))
    odds += sum(weight for weight, _ in against)
    changing = kind is Kind.RANDOMISED and silent and NAME in kinds and alike > 0
    certain = odds >= CERTAIN and not against and (strong or changing)
    return Link(
        kind,
        left.device.id,
        right.device.id,
        round(odds, 2),
        tuple(supporting),
        tuple(sentence for _, sentence in against),
        certain,
    )


def _same_stack(left: Device, right: Device) -> tuple[float, list[str]]:
    """Return what a like DHCP fingerprint adds, and a sentence for it."""
    alike = [
        field
        for field in STACK
        if {e.value for e in left.values(field)} & {e.value for e in right.values(field)}
    ]
    if not alike:
        return 0.0, []
    return 1.0, [f"their DHCP requests are alike ({', '.join(alike)})"]


def _against(left: _Member, right: _Member, shared: Sequence[Identifier]) -> Iterable[tuple[float, str]]:
    for level, weight in _LEVELS.items():
        one, other = _sure(left.device, level), _sure(right.device, level)
        if one is not None and other is not None and one != other:
            yield weight, f"their {level} differs: {one} and {other}"
    for kind in (SERIAL, MACHINE):
        ours = {i.value for i in left.says.identifiers if i.kind == kind}
        theirs = {i.value for i in right.says.identifiers if i.kind == kind}
        if ours and theirs and not ours & theirs:
            yield _LEVELS["serial"], f"each states a {kind} of its own: {min(ours)} and {min(theirs)}"
    if left.says.names and right.says.names:
        names = {i.value for i in left.says.names}, {i.value for i in right.says.names}
        if not names[0] & names[1]:
            yield _CONTRADICTS, f"they are called differently: {min(names[0])} and {min(names[1])}"
    for member in (left, right):
        if member.says.shared:
            several = ", ".join(member.says.shared)
            yield (
                _CONTRADICTS,
                f"{member.device.label} states several of what a device has one ({several}): "
                "a dock, a bridge, or somebody who speaks for others",
            )
    if left.gateway != right.gateway and not any(i.entry.field in CHASSIS for i in shared):
        yield _CONTRADICTS, "one of them forwards for others and the other does not"


class Compared(msgspec.Struct, frozen=True):
    """The evidence field that a sentence on two devices names, and what each of them says in it."""

    field: str
    left: str
    right: str


_BOTH_STATE = re.compile(r"both state the [\w ]+ (?P<value>['\"].*['\"]) \((?P<field>[\w.]+)\)", re.DOTALL)
_ALIKE = re.compile(r"their DHCP requests are alike \((?P<field>[\w.]+)")
_DIFFER = re.compile(r"their (?P<field>\w+) differs: (?P<left>.+) and (?P<right>.+)")
_OWN = re.compile(
    r"each states a (?P<field>serial|SMBIOS UUID)\b.* of its own: (?P<left>.+) and (?P<right>.+)"
)
_CALLED = re.compile(r"they are called differently: (?P<left>.+) and (?P<right>.+)")
_TOOK_OVER = re.compile(r"the second took over the address (?P<value>\S+)")


def ground_of(sentence: str) -> Compared | None:
    """Return what a sentence of a :class:`Link` rests on, None where it is about when, not what.

    An empty value stands for all that a device says in a field.
    """
    if found := _BOTH_STATE.fullmatch(sentence):
        try:
            value = str(ast.literal_eval(found["value"]))
        except (SyntaxError, ValueError):  # not as this module writes it
            return None
        return Compared(found["field"], value, value)
    if found := _ALIKE.match(sentence):
        return Compared(found["field"], "", "")
    if found := _TOOK_OVER.fullmatch(sentence):
        return Compared("ip", found["value"], found["value"])
    if found := _DIFFER.fullmatch(sentence) or _OWN.fullmatch(sentence):
        return Compared(found["field"], found["left"], found["right"])
    if found := _CALLED.fullmatch(sentence):
        return Compared("name", found["left"], found["right"])
    return None


__all__ = ["CERTAIN", "WORTH_ASKING", "Compared", "Kind", "Link", "ground_of", "is_identifying", "links"]
