"""What changes by itself: visitors, docked laptops, roaming, other addresses, new and retired devices."""

from __future__ import annotations

from random import Random

from medwarden.simulation.addressing import WIRELESS_MEDICAL
from medwarden.simulation.device import Device
from medwarden.simulation.ends import DAY, HOUR, MINUTE
from medwarden.simulation.hospital import Hospital, Site

ADDRESSES_PER_DAY = 0.05
"""Part of the devices with DHCP that get another address in a day."""
MOVES_PER_HOUR = 0.08
"""How often a wireless medical device is carried to another floor."""
RENEWED_PER_DAY = 0.002
"""Part of all devices that are retired, and as many that come new, in a day."""
DOCKED = 0.4
"""Part of laptops that stand in a docking station with an interface of its own for some hours."""

_FIXED = frozenset(
    {"domain_controller", "pacs", "ehr_server", "interface_engine", "mwl_ris", "lis", "infusion_server"}
)


def live_through(hospital: Hospital) -> None:
    """Plan for every site what will change between start and stop; places and addresses over time follow."""
    for site in hospital.sites:
        rng = Random(f"{hospital.seed}/{site.name}/events")  # noqa: S311 - a simulation must be repeatable
        serving = set(site.roles.values())
        for device in list(site.devices):
            if device in serving or device.category in _FIXED:
                continue
            if device.category == "smartphone":
                _visit(hospital, device, rng)
            elif device.category == "laptop" and rng.random() < DOCKED:
                _dock(hospital, site, device, rng)
            elif device.category in WIRELESS_MEDICAL:
                _roam(hospital, site, device, rng)
            elif device.stays[0].dhcp:
                _churn(hospital, device, rng)
            if rng.random() < RENEWED_PER_DAY * (hospital.stop - hospital.start) / DAY:
                _replace(hospital, site, device, rng)


def join(hospital: Hospital, share: float) -> None:
    """Let a part of the devices be switched on for the first time at some moment of the first half."""
    if not share:
        return
    for site in hospital.sites:
        rng = Random(f"{hospital.seed}/{site.name}/joining")  # noqa: S311 - a simulation must be repeatable
        serving = set(site.roles.values())
        for device in site.devices:
            if device in serving or device.category in _FIXED or device.arrives or len(device.stays) > 1:
                continue
            if rng.random() < share:
                device.arrives = hospital.start + int(rng.random() * (hospital.stop - hospital.start) / 2)


def _visit(hospital: Hospital, device: Device, rng: Random) -> None:
    """Let a phone come and go: staff for a shift, visitors for an hour or two."""
    length = rng.choice((8 * HOUR, 8 * HOUR, HOUR, 2 * HOUR))
    span = hospital.stop - hospital.start
    device.arrives = hospital.start - length // 2 + int(rng.random() * (span + length // 4))
    if device.arrives <= hospital.start:
        device.arrives = 0
    device.leaves = max(device.arrives, hospital.start) + int(length * (0.5 + rng.random()))


def _dock(hospital: Hospital, site: Site, device: Device, rng: Random) -> None:
    """Let a laptop be docked at a desk: for that time the station's own interface speaks."""
    first = device.stays[0]
    docked = hospital.start + int(rng.random() * (hospital.stop - hospital.start))
    undocked = docked + int((1 + rng.random() * 5) * HOUR)
    own = bytes.fromhex(device.model.fact("dock")) or device.model.prefixes[0]
    station = own + rng.randbytes(3)
    device.macs.append(station)
    place, network = site.plan.random_place(site.name, rng)
    device.settle(docked, place, network, network.next_address(), dhcp=True, mac=station)
    wired = device.stay(docked).end
    wired.distance, wired.loss = 150_000, 0.0004
    if undocked < hospital.stop:
        device.settle(undocked, first.place, first.network, first.end.ip, dhcp=True)


def _roam(hospital: Hospital, site: Site, device: Device, rng: Random) -> None:
    """Carry a device from floor to floor: it keeps its address and changes the access point."""
    at = hospital.start
    while True:
        at += int(rng.expovariate(MOVES_PER_HOUR) * HOUR) + MINUTE
        if at >= hospital.stop:
            return
        last = device.stays[-1]
        place, _ = site.plan.random_place(site.name, rng)
        device.settle(at, place, last.network, last.end.ip, dhcp=last.dhcp)


def _churn(hospital: Hospital, device: Device, rng: Random) -> None:
    """Give a device another address when its lease was not renewed in time."""
    if rng.random() < ADDRESSES_PER_DAY * (hospital.stop - hospital.start) / DAY:
        last = device.stays[-1]
        at = hospital.start + int(rng.random() * (hospital.stop - hospital.start))
        device.settle(at, last.place, last.network, last.network.next_address(), dhcp=True)


def _replace(hospital: Hospital, site: Site, device: Device, rng: Random) -> None:
    """Retire a device and bring another of the same model."""
    at = hospital.start + int(rng.random() * (hospital.stop - hospital.start))
    device.leaves = min(device.leaves, at)
    new = site.add(device.model, rng, 700 + len(site.devices))
    new.arrives = at + 10 * MINUTE
    new.managed = device.managed
