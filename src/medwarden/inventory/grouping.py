"""Which identities make up one device: decisions replayed in their order.

An identity is what the resolver tells apart by itself (an interface, or an address where no interface
can be seen). A :class:`Decision` joins two or takes some out of their device. The grouping is a function
of the decisions that hold and of nothing else, so undoing one gives what would be had it never been
made, whatever came after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec


class Action(StrEnum):
    """What was decided."""

    JOIN = "join"
    PART = "part"


class Decision(msgspec.Struct, frozen=True):
    """One decision of a site.

    A join says that the device of ``right`` belongs to the device of ``left`` (one identity each); a
    parting takes all of ``left`` out of whatever devices they are in, to be one device together, apart
    from ``right``, those that were left behind. ``automatic``: the linker's, which no person confirmed.
    """

    number: int
    action: Action
    left: tuple[str, ...]
    right: tuple[str, ...]
    automatic: bool = False


class Grouping:
    """The devices that decisions make of identities; an identity no decision speaks of is its own."""

    def __init__(self, decisions: Iterable[Decision] = ()) -> None:
        self._device: dict[str, str] = {}
        self._members: dict[str, list[str]] = {}
        self._apart: set[frozenset[str]] = set()
        for decision in sorted(decisions, key=lambda d: d.number):
            self.add(decision)

    def add(self, decision: Decision) -> None:
        """Take in a decision later than all before."""
        if decision.action is Action.JOIN:
            self._join(decision)
        else:
            self._part(decision)

    def device(self, identity: str) -> str:
        """Return the id of the device an identity is part of, which is one of its identities'."""
        return self._device.get(identity, identity)

    def members(self, device: str) -> tuple[str, ...]:
        """Return the identities of a device, its own first, the others in the order they came."""
        return tuple(self._members.get(device, [device]))

    def composed(self) -> dict[str, str]:
        """Return the device of every identity that is not alone in it."""
        return {i: device for device, members in self._members.items() if len(members) > 1 for i in members}

    def parted(self, left: str, right: str) -> bool:
        """Tell whether somebody took one of the two devices' identities out of a device with the other's."""
        if not self._apart:
            return False
        ones, others = self.members(self.device(left)), self.members(self.device(right))
        return any(frozenset((a, b)) in self._apart for a in ones for b in others)

    def _join(self, decision: Decision) -> None:
        left, right = self.device(decision.left[0]), self.device(decision.right[0])
        if left == right or (decision.automatic and self.parted(left, right)):
            return
        moved = list(self.members(right))
        if not decision.automatic:
            for one in self.members(left):
                self._apart -= {frozenset((one, other)) for other in moved}
        self._settle(left, [*self.members(left), *moved])
        self._members.pop(right, None)

    def _part(self, decision: Decision) -> None:
        taken = dict.fromkeys(decision.left)
        for device in {self.device(identity) for identity in taken}:
            stay = [i for i in self.members(device) if i not in taken]
            self._members.pop(device, None)
            if stay:
                self._settle(device if device in stay else stay[0], stay)
        own = [i for i in taken if self.device(i) == i]
        first = (own or list(taken))[0]
        self._settle(first, [first, *(i for i in taken if i != first)])
        self._apart |= {frozenset((one, other)) for one in taken for other in decision.right}

    def _settle(self, device: str, members: list[str]) -> None:
        self._members[device] = members
        for identity in members:
            self._device[identity] = device


def renamed(decision: Decision, gone: str, kept: str) -> Decision | None:
    """Return a decision as it stands when the resolver found identity ``gone`` to be ``kept``.

    None where nothing remains of it: it spoke of these two alone.
    """
    left = tuple(dict.fromkeys(kept if i == gone else i for i in decision.left))
    right = tuple(dict.fromkeys(kept if i == gone else i for i in decision.right))
    if decision.action is Action.JOIN and left == right:
        return None
    if decision.action is Action.PART:
        right = tuple(i for i in right if i not in left)
        if not right:
            return None
    return msgspec.structs.replace(decision, left=left, right=right)


def changed_identities(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """Return all identities of devices that two groupings (as :meth:`Grouping.composed`) tell differently."""
    moved = {i for i in before.keys() | after.keys() if before.get(i, i) != after.get(i, i)}
    devices = {before.get(i, i) for i in moved} | {after.get(i, i) for i in moved}
    inside = {i for i, device in [*before.items(), *after.items()] if device in devices}
    return moved | inside | devices
