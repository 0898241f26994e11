"""How well the network is seen: per subnet, per sensor, and where the next sensor should stand."""

from __future__ import annotations

import msgspec


class SubnetSight(msgspec.Struct, frozen=True):
    """One subnet and what is missing of its devices.

    ``address_only`` devices are known by an IP address without a MAC; ``without_dhcp`` never were heard
    asking for an address; ``without_category`` said too little to be told what they are; ``silent`` said
    nothing of themselves at all; ``without_place`` nobody can find. ``planned`` names the place that the
    hospital's plan gives the subnet; a subnet of the plan without any device is blind.
    """

    subnet: str
    devices: int
    medical: int = 0
    address_only: int = 0
    without_dhcp: int = 0
    without_category: int = 0
    silent: int = 0
    without_place: int = 0
    planned: str | None = None

    @property
    def blind(self) -> bool:
        """Tell whether the plan knows the subnet and no sensor does."""
        return self.devices == 0

    @property
    def word(self) -> str:
        """Return how well the subnet is seen: well, partly, poorly or blind."""
        if self.blind:
            return "blind"
        share = max(self.address_only, self.without_category) / self.devices
        return "well" if share <= 0.1 else "partly" if share <= 0.5 else "poorly"


class Heard(msgspec.Struct, frozen=True):
    """What one sensor hears of one protocol: how many devices speak it, and when one last did."""

    sensor: str
    protocol: str
    devices: int
    last_seen: int


class Position(msgspec.Struct, frozen=True):
    """One thing to do to see more: a source, where, and what it would bring.

    ``effort`` is 1 for a log that is forwarded, 2 for flows or polling that somebody sets up, 4 for a
    mirror port. ``devices`` would gain something that is missing now, ``medical`` of them medical.
    """

    source: str
    where: str
    effort: int
    devices: int
    medical: int
    brings: str
    command: str
