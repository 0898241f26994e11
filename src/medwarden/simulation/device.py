"""A device of the simulated hospital: what it is, where it is, and the address it has at a moment."""

from __future__ import annotations

from random import Random

import msgspec

from medwarden.simulation.catalogue import Model
from medwarden.simulation.ends import MICROSECOND, End
from medwarden.simulation.systems import System


class Place(msgspec.Struct, frozen=True):
    """Where a device stands and what it is plugged into."""

    site: str
    building: str
    floor: int
    room: str
    switch: str
    port: str

    def text(self) -> str:
        """Return the place in words."""
        return f"{self.building}, floor {self.floor}, room {self.room}"


class Network(msgspec.Struct):
    """One VLAN with its subnet. ``number`` tells networks of a site apart."""

    number: int
    vlan: int
    name: str
    base: int
    prefix: int
    gateway_mac: bytes
    taken: int = 10

    @property
    def mask(self) -> int:
        """Return the subnet mask."""
        return 0xFFFFFFFF << (32 - self.prefix) & 0xFFFFFFFF

    @property
    def gateway(self) -> int:
        """Return the router's address: the first of the subnet."""
        return self.base + 1

    @property
    def broadcast(self) -> int:
        """Return the directed broadcast address."""
        return self.base | ~self.mask & 0xFFFFFFFF

    def next_address(self) -> int:
        """Return an address that nobody has."""
        self.taken += 1
        return self.base + self.taken


class Stay(msgspec.Struct):
    """A device at a place with an address from a moment on; ``end`` is its interface there."""

    since: int
    place: Place
    network: Network
    end: End
    dhcp: bool


class Device:
    """One device. ``stays`` are in order of time; the last before a moment holds."""

    def __init__(
        self, number: int, key: str, model: Model, system: System, firmware: str, serial: str
    ) -> None:
        self.number = number
        self.key = key
        self.model = model
        self.system = system
        self.firmware = firmware
        self.serial = serial
        self.macs: list[bytes] = []
        self.name = ""
        self.ae_title = ""
        self.stays: list[Stay] = []
        self.managed = False
        self.wireless = False
        self.arrives = 0
        self.leaves = 1 << 62
        self.user = ""
        self.servers: dict[str, Device] = {}
        self.changes: list[dict[str, object]] = []
        self.firmwares: list[tuple[int, str]] = []

    @property
    def category(self) -> str:
        """Return the category of the taxonomy."""
        return self.model.category

    def present(self, at: int) -> bool:
        """Tell whether the device is on the network then."""
        return self.arrives <= at < self.leaves

    def stay(self, at: int) -> Stay:
        """Return where the device is then."""
        found = self.stays[0]
        for stay in self.stays[1:]:
            if stay.since > at:
                break
            found = stay
        return found

    def end(self, at: int) -> End:
        """Return the interface it uses then."""
        return self.stays[0].end if len(self.stays) == 1 else self.stay(at).end

    def settle(
        self, since: int, place: Place, network: Network, ip: int, *, dhcp: bool, mac: bytes | None = None
    ) -> None:
        """Put the device at a place with an address from ``since`` on."""
        wireless = self.wireless
        end = End(
            mac or self.macs[0],
            ip,
            self.system,
            vlan=network.vlan,
            net=network.number,
            gateway=network.gateway_mac,
            distance=(2500 if wireless else 150) * MICROSECOND,
            loss=0.008 if wireless else 0.0004,
        )
        self.stays.append(Stay(since, place, network, end, dhcp))
        self.stays.sort(key=lambda stay: stay.since)

    def rng(self, seed: int, purpose: str) -> Random:
        """Return a source of chance of its own for one purpose: nobody else's draws change it."""
        return Random(f"{seed}/{self.key}/{purpose}")  # noqa: S311 - a simulation must be repeatable
