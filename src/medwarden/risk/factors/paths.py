"""From where a device is reached and could be: paths that were seen, and paths that are open."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from medwarden.model.device import Conversation, Device, DeviceClass
from medwarden.risk.context import RiskContext
from medwarden.risk.factor import Advice, Group, Hit, RiskFactor
from medwarden.risk.factors.reach import neighbourhoods
from medwarden.risk.facts import from_talk, quantity
from medwarden.risk.present import policy_of

_WEIGHT = {
    DeviceClass.UNKNOWN: 1.0,
    DeviceClass.IOT: 1.0,
    DeviceClass.IT: 0.8,
    DeviceClass.OT: 0.8,
    DeviceClass.IOMT: 0.3,
    DeviceClass.NET: 0.2,
}
"""How much it matters that a device of a class can reach this one: people, mail and browsers are at IT."""

_NAMES = {
    DeviceClass.UNKNOWN: "unknown devices",
    DeviceClass.IOT: "other IoT devices",
    DeviceClass.IT: "computers",
    DeviceClass.OT: "building devices",
    DeviceClass.IOMT: "medical devices",
    DeviceClass.NET: "network devices",
}
_FULL_SEEN = 12.0
_FULL_OPEN = 100.0


class Reachable:
    """Others can open connections to it."""

    id: ClassVar[str] = "reachable"
    title: ClassVar[str] = "Reachable by others"
    group: ClassVar[Group] = Group.EXPOSURE
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply to devices without people at them: by who was seen to reach them and who could.

        Half of the strength is for devices that opened connections to it, by class, those of other subnets
        twice; half for its neighbours in the segment, whom nothing keeps away unless a policy is enforced.
        """
        if device.device_class in (DeviceClass.IT, DeviceClass.NET):
            return None
        calls = _opened(device)
        seen, outside = _seen(device, calls, context)
        limited = policy_of(device, context) is not None
        neighbours: Counter[DeviceClass] = Counter()
        for around in () if limited else neighbourhoods(device, context):
            neighbours.update(around.counts)
        neighbours[device.device_class] -= 1
        neighbours = Counter({kind: _about(count) for kind, count in neighbours.items() if count > 0})
        could = sum(_WEIGHT[kind] * count for kind, count in neighbours.items())
        strength = 0.5 * min(1.0, seen / _FULL_SEEN) + 0.5 * min(1.0, could / _FULL_OPEN)
        if strength < 0.02:
            return None
        return Hit(
            _words(calls, outside, neighbours, limited),
            from_talk(calls, context),
            strength=round(strength, 3),
        )


def _about(count: int) -> int:
    """Return a count with one digit that counts, so that one device more does not move every score."""
    step: int = 10 ** (len(str(count)) - 1)
    return count // step * step


def _opened(device: Device) -> tuple[Conversation, ...]:
    return tuple(
        c
        for c in device.conversations
        if c.role == "server" and c.established and c.scope in ("internal", "internet")
    )


def _seen(device: Device, calls: tuple[Conversation, ...], context: RiskContext) -> tuple[float, int]:
    """Return how much those count that opened connections, and how many are of other subnets."""
    total, outside = 0.0, 0
    for peer in {c.peer_device or c.peer_ip for c in calls}:
        kind = context.classes.get(peer or "", DeviceClass.UNKNOWN)
        place = context.places.get(peer or "", "")
        elsewhere = bool(place) and place != (device.subnet or "")
        outside += elsewhere
        total += _WEIGHT[kind] * (2 if elsewhere else 1)
    return round(total), outside


def _words(
    calls: tuple[Conversation, ...], outside: int, neighbours: Counter[DeviceClass], limited: bool
) -> str:
    peers = _about(len({c.peer_device or c.peer_ip for c in calls}))
    outside = _about(outside)
    seen = (
        f"{quantity(peers, 'device')}{' or more' if peers >= 10 else ''} opened connections to it"
        + (f", {outside} of them from other subnets" if outside else "")
        if peers
        else "Nobody was seen to open a connection to it"
    )
    if limited:
        return f"{seen}; an enforced policy names who may."
    groups = [
        f"{'' if count < 10 else 'some '}{count:,} {_NAMES[kind].removesuffix('s' if count == 1 else '')}"
        for kind, count in neighbours.most_common()
    ]
    if not groups:
        return f"{seen}."
    return f"{seen}; its segment lets {', '.join(groups)} do so."


FACTORS: tuple[RiskFactor, ...] = (Reachable(),)
