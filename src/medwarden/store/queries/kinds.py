"""The inventory by the hierarchy of answers, and how sure they are: class, category, vendor, model."""

from __future__ import annotations

from collections import Counter

import msgspec
from django.db.models import Count, Q

from medwarden.inventory.doubt import LEVELS, Doubt
from medwarden.store.queries.filters import UNKNOWN, DeviceFilter, select
from medwarden.store.queries.scope import Scope

_RISKY = ("critical", "high")


class Kind(msgspec.Struct, frozen=True):
    """Devices of one class, category, vendor and model; a level that is open is None.

    ``risky`` are those at high or critical risk, ``unsure`` those that are not sure at every level.
    """

    device_class: str
    category: str | None
    vendor: str | None
    model: str | None
    devices: int
    risky: int
    unsure: int


class SubnetSureness(msgspec.Struct, frozen=True):
    """How many devices of a subnet there are and how far they are sure, with the reasons for the rest.

    ``unsure`` counts by the first level that is not sure; ``doubts`` by reason, a device may have several.
    """

    subnet: str | None
    devices: int
    sure: int
    unsure: dict[str, int]
    doubts: dict[str, int]


class Sureness(msgspec.Struct, frozen=True):
    """How sure a house is of its devices: over all, and by subnet with the largest doubt first."""

    devices: int
    sure: int
    unsure: dict[str, int]
    doubts: dict[str, int]
    subnets: tuple[SubnetSureness, ...]


def kinds(scope: Scope, wanted: DeviceFilter | None = None) -> list[Kind]:
    """Return the kinds of devices, most devices first."""
    rows = (
        select(scope, wanted or DeviceFilter())
        .order_by()
        .values_list("device_class", "category", "vendor", "model")
        .annotate(
            n=Count("*"),
            risky=Count("pk", filter=Q(risk_level__in=_RISKY)),
            doubtful=Count("pk", filter=~Q(unsure="")),
        )
    )
    found = [Kind(*row) for row in rows]
    found.sort(key=lambda k: (-k.devices, k.device_class, k.category or "", k.vendor or "", k.model or ""))
    return found


def sureness(scope: Scope, wanted: DeviceFilter | None = None) -> Sureness:
    """Return how sure medwarden is of devices, by level, reason and subnet."""
    rows = (
        select(scope, wanted or DeviceFilter())
        .order_by()
        .values_list("subnet", "unsure", "doubts")
        .annotate(n=Count("*"))
    )
    whole = _Tally()
    by_subnet: dict[str | None, _Tally] = {}
    for subnet, unsure, doubts, count in rows:
        for tally in (whole, by_subnet.setdefault(subnet, _Tally())):
            tally.add(unsure, doubts, count)
    subnets = [
        SubnetSureness(subnet, t.devices, t.sure, t.levels(), t.reasons()) for subnet, t in by_subnet.items()
    ]
    subnets.sort(key=lambda s: (s.sure - s.devices, s.subnet or UNKNOWN))
    return Sureness(whole.devices, whole.sure, whole.levels(), whole.reasons(), tuple(subnets))


class _Tally:
    """Counts of one subnet, or of all."""

    def __init__(self) -> None:
        self.devices = 0
        self.sure = 0
        self._unsure: Counter[str] = Counter()
        self._doubts: Counter[str] = Counter()

    def add(self, unsure: str, doubts: str, count: int) -> None:
        self.devices += count
        if unsure:
            self._unsure[unsure] += count
            self._doubts.update(dict.fromkeys(doubts.split(), count))
        else:
            self.sure += count

    def levels(self) -> dict[str, int]:
        return {level: self._unsure[level] for level in LEVELS}

    def reasons(self) -> dict[str, int]:
        return {doubt.value: self._doubts[doubt.value] for doubt in Doubt if self._doubts[doubt.value]}
