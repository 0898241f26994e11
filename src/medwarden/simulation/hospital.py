"""The simulated hospital: sites with devices, networks, names, patients and the systems they rely on."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from medwarden.kernel.errors import ConfigurationError
from medwarden.simulation.addressing import STATIC, WIRELESS_MEDICAL, WIRELESS_STAFF, Plan
from medwarden.simulation.calendar import Day
from medwarden.simulation.catalogue import Model, models
from medwarden.simulation.device import Device
from medwarden.simulation.ends import End
from medwarden.simulation.naming import Naming, naming
from medwarden.simulation.patients import Patient, invent, staff
from medwarden.simulation.population import (
    IMAGING_KINDS,
    MONITOR_KINDS,
    PUMP_KINDS,
    UNMANAGED,
    UNSUPPORTED_IMAGING,
    apportion,
    census,
    group_of,
)
from medwarden.simulation.systems import System
from medwarden.simulation.unfamiliar import unfamiliar

if TYPE_CHECKING:
    from medwarden.simulation.scene import Scene

UNSUPPORTED = frozenset(
    {
        "windows_xp",
        "windows_2003",
        "windows_7",
        "windows_81",
        "windows_ce",
        "server_2008r2",
        "server_2012r2",
        "debian_8",
        "rhel_7",
    }
    | {"vxworks_5", "vxworks", "qnx", "embedded_linux_old", "ubuntu_1804", "windows_10"}
)
"""Systems whose makers had stopped updates by 2026."""

_FEWEST = 12
_DHCP_OF_GROUP = {"medical": 0.8, "it": 1.0, "other": 0.85}
_ROLES = {
    "dns": "domain_controller",
    "pacs": "pacs",
    "ris": "mwl_ris",
    "lis": "lis",
    "ehr": "ehr_server",
    "engine": "interface_engine",
    "pumps": "infusion_server",
    "central": "central_station",
    "recorder": "nvr",
    "router": "router_firewall",
    "files": "server",
}


_FLEETS = {"infusion_server": tuple(PUMP_KINDS), "central_station": tuple(MONITOR_KINDS)}


class Play(Protocol):
    """What an incident or change lets happen, told the scene; yields like an activity."""

    def __call__(self, scene: Scene, /) -> Iterator[int]:
        """Begin."""
        ...


class Site:
    """One site. ``roles`` names the systems that others rely on; what a small site lacks is absent."""

    def __init__(self, seed: int, number: int, total: int, start: int, *, strange: bool = False) -> None:
        self.seed = seed
        self.models = unfamiliar(models(), seed) if strange else models()
        self.number = number
        self.name = f"site-{number + 1}"
        self.start = start
        rng = Random(f"{seed}/site/{number}")  # noqa: S311 - a simulation must be repeatable
        self.naming: Naming = naming(seed, number, strange=strange)
        self.plan = Plan(rng, total, strange=strange)
        self.patients: list[Patient] = invent(seed, number, max(20, total // 4))
        self.staff = staff(seed, 24)
        self.devices: list[Device] = []
        self.roles: dict[str, Device] = {}
        self.plays: list[Play] = []
        self.day = Day()
        self.incidents: list[dict[str, Any]] = []
        self._populate(rng, total)

    def _populate(self, rng: Random, total: int) -> None:
        counts = census(total, rng)
        old = self._outdated_imaging(rng, counts)
        fleets = self._fleets(counts)
        for category in sorted(counts):
            choice = self.models[category]
            choice = tuple(m for m in choice if m.vendor == fleets.get(category)) or choice
            weights = [model.weight for model in choice]
            favourites = [weight * rng.choice((1, 1, 3, 6)) for weight in weights]
            for number in range(counts[category]):
                model = rng.choices(choice, favourites)[0]
                outdated = None
                if category in old:
                    outdated = number < old[category]
                    model = self._model_with(choice, favourites, outdated, rng)
                self.add(model, rng, number + 1, outdated=outdated)
        self._assign_roles()
        self._route()
        self._manage(rng)

    def _fleets(self, counts: dict[str, int]) -> dict[str, str]:
        """Return the maker of pumps and their server, and of monitors and their central station.

        Pumps report to the server of their maker and monitors to its central station, over protocols that
        nobody else speaks, so a house has one maker of each as far as that maker makes the kind.
        """
        makers: dict[str, str] = {}
        for server, kinds in _FLEETS.items():
            if server in counts:
                rng = Random(f"{self.seed}/site/{self.number}/{server}")  # noqa: S311 - must be repeatable
                choice = self.models[server]
                maker = rng.choices(choice, [model.weight for model in choice])[0].vendor
                makers |= dict.fromkeys((server, *kinds), maker)
        return makers

    def _outdated_imaging(self, rng: Random, counts: dict[str, int]) -> dict[str, int]:
        """Divide 83 % of the imaging devices over the kinds that are there."""
        kinds = {name: counts[name] for name in IMAGING_KINDS if name in counts}
        del rng
        whole = sum(kinds.values())
        outdated = round(whole * UNSUPPORTED_IMAGING)
        if not whole:
            return {}
        able = {
            name: count for name, count in kinds.items() if any(_systems(m, True) for m in self.models[name])
        }
        never_new = {
            name: count
            for name, count in able.items()
            if not any(_systems(m, False) for m in self.models[name])
        }
        result = dict.fromkeys(kinds, 0) | never_new
        outdated -= sum(never_new.values())
        rest = {name: count for name, count in able.items() if name not in never_new}
        for name, count in apportion(max(0, outdated), rest).items() if rest else ():
            result[name] = min(count, rest[name])
        return result

    def _model_with(
        self, choice: tuple[Model, ...], weights: list[int], outdated: bool, rng: Random
    ) -> Model:
        fitting = [
            (model, weight)
            for model, weight in zip(choice, weights, strict=True)
            if _systems(model, outdated)
        ]
        if not fitting:
            return rng.choices(choice, weights)[0]
        return rng.choices([model for model, _ in fitting], [weight for _, weight in fitting])[0]

    def add(self, model: Model, rng: Random, number: int, *, outdated: bool | None = None) -> Device:
        """Bring a device of a model into the site and return it."""
        systems = model.systems
        if outdated is not None:
            systems = _systems(model, outdated) or systems
        system = rng.choice(systems)
        index = len(self.devices)
        firmware = rng.choice(model.firmware)
        serial = f"{model.vendor[:2].upper().strip('.')}{rng.randrange(10**7, 10**8)}"
        device = Device(
            index, f"{self.name}/{model.category}-{number}-{index}", model, system, firmware, serial
        )
        prefix = rng.choice(model.prefixes)
        device.macs = [prefix + rng.randbytes(3)]
        if model.category == "smartphone" or (model.category == "tablet" and rng.random() < 0.5):
            device.macs = [bytes((rng.randrange(64) << 2 | 2,)) + rng.randbytes(5)]  # a private address
        device.wireless = (
            model.category in WIRELESS_MEDICAL | WIRELESS_STAFF or model.category == "smartphone"
        )
        place, network = self.plan.home(device, self.name, rng)
        dhcp = not self._static(device, rng)
        device.name = self._host_name(device, rng, place.building, place.floor, number)
        device.ae_title = self.naming.ae_title(model.category, model.name, number)
        device.settle(self.start - 10**9, place, network, network.next_address(), dhcp=dhcp)
        self.devices.append(device)
        return device

    def _static(self, device: Device, rng: Random) -> bool:
        if device.category in STATIC:
            return True
        if device.category in IMAGING_KINDS and not device.wireless:
            return rng.random() < 0.9
        return rng.random() >= _DHCP_OF_GROUP[group_of(device.category)]

    def _host_name(self, device: Device, rng: Random, building: str, floor: int, number: int) -> str:
        tail = device.macs[0].hex().upper()
        own = device.model.facts.get("host") or device.model.facts.get("name")
        if own and device.system.chatter != "windows":
            own = str(own)
            if own in ("NPI", "KM"):
                return own + tail[6:]
            if own in ("ET", "BRN", "SEP", "XRX"):
                return own + tail
            if own in ("raspberrypi", "Philips-hue"):
                return own
            return (
                f"{own}{rng.randrange(10**8, 10**9)}"
                if own == "ZBR"
                else f"{own.rstrip('-')}-{rng.randrange(100, 999)}"
            )
        kind = device.system.id
        if kind == "thinos":
            return "WT" + tail.lower()
        if kind == "igel":
            return "ITC" + tail
        if kind in ("ios", "ipados"):
            return "iPhone" if kind == "ios" else "iPad"
        if kind in ("android", "android_8"):
            return f"android-{rng.randbytes(8).hex()}" if kind == "android_8" else ""
        if own:
            return f"{own}-{number:02d}".upper()
        if kind in ("rtos", "lwip", "threadx", "vxworks_5") and rng.random() < 0.6:
            return ""
        return self.naming.host(rng, device.category, building, floor, number)

    def _assign_roles(self) -> None:
        for role, category in _ROLES.items():
            found = [device for device in self.devices if device.category == category]
            if found:
                self.roles[role] = found[0]
        servers = [device for device in self.devices if device.category == "server"]
        for role, number in (("calls", 1), ("watch", 2), ("broker", 3)):
            if servers:
                self.roles[role] = servers[min(number, len(servers) - 1)]
        controllers = [device for device in self.devices if device.category == "domain_controller"]
        if len(controllers) > 1:
            self.roles["dhcp"] = controllers[1]
        elif controllers:
            self.roles["dhcp"] = controllers[0]

    def _route(self) -> None:
        """Make one router the gateway of every network: it has an interface in each."""
        router = self.roles.get("router")
        if router is not None:
            router.macs += self.plan.gateways

    def _manage(self, rng: Random) -> None:
        """Give half of all devices into management: those that IT can manage first."""
        wanted = len(self.devices) - round(len(self.devices) * UNMANAGED)
        order = sorted(
            self.devices,
            key=lambda d: (
                not d.system.joins,
                group_of(d.category) != "it",
                d.category == "smartphone",
                rng.random(),
            ),
        )
        for device in order[:wanted]:
            device.managed = True

    def of(self, category: str) -> list[Device]:
        """Return the devices of a category."""
        return [device for device in self.devices if device.category == category]

    def fqdn(self, device: Device) -> str:
        """Return the full name of a device in the domain."""
        return f"{device.name.lower()}.{self.naming.domain}"

    def server(self, role: str, at: int) -> End | None:
        """Return the interface of the system with a role, or None where the site has none."""
        device = self.roles.get(role)
        return device.end(at) if device is not None else None


class Hospital:
    """All sites. ``start`` and ``stop`` are nanoseconds since the epoch; ``strange``: unfamiliar ones."""

    def __init__(
        self, seed: int, devices: int, hours: float, start: int, sites: int = 1, *, strange: bool = False
    ) -> None:
        if devices < _FEWEST * sites:
            raise ConfigurationError(f"a simulated site needs at least {_FEWEST} devices")
        if hours <= 0:
            raise ConfigurationError("the time to simulate must be more than 0 hours")
        self.seed = seed
        self.start = start
        self.stop = start + int(hours * 3600) * 10**9
        shares = apportion(devices, {str(number): 1.0 / (number + 1) for number in range(sites)})
        self.sites = [
            Site(seed, number, shares[str(number)], start, strange=strange) for number in range(sites)
        ]

    def devices(self) -> Iterator[tuple[Site, Device]]:
        """Yield every device with its site."""
        for site in self.sites:
            for device in site.devices:
                yield site, device


def _systems(model: Model, outdated: bool) -> tuple[System, ...]:
    return tuple(system for system in model.systems if (system.id in UNSUPPORTED) is outdated)
