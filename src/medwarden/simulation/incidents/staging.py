"""Putting an incident on stage: when, who, against whom, and what the truth will say of it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from medwarden.kernel.errors import ConfigurationError
from medwarden.simulation import wire
from medwarden.simulation.catalogue import Model, models
from medwarden.simulation.device import Device
from medwarden.simulation.ends import HOUR, MINUTE
from medwarden.simulation.hospital import Hospital, Play, Site
from medwarden.simulation.systems import SYSTEMS
from medwarden.simulation.truth import iso


class Incident(msgspec.Struct, frozen=True):
    """One thing that may happen. ``prepare`` chooses time and people and returns what they then do."""

    name: str
    title: str
    benign: bool
    prepare: Callable[[Staging], Play | None]


class Staging:
    """Time, actors and victims of one incident at one site."""

    def __init__(self, hospital: Hospital, site: Site, incident: Incident) -> None:
        self.hospital = hospital
        self.site = site
        self.incident = incident
        self.rng = Random(f"{hospital.seed}/{site.name}/incident/{incident.name}")  # noqa: S311 - repeatable
        span = hospital.stop - hospital.start
        self.start = hospital.start + int(span * (0.25 + 0.3 * self.rng.random()))
        self.end = min(self.start + max(span // 3, min(span // 2, 10 * MINUTE)), hospital.stop)
        self.actors: list[Device] = []
        self.victims: list[Device] = []
        self.flows: list[dict[str, Any]] = []
        self.facts: dict[str, Any] = {}

    def any_of(self, *categories: str, least: int = 1) -> list[Device]:
        """Return devices of the first of these categories the site has enough of.

        Raises ConfigurationError where the hospital is too small for the incident.
        """
        for category in categories:
            found = self.site.of(category)
            if len(found) >= least:
                return found
        kinds = ", ".join(categories)
        raise ConfigurationError(
            f"the incident {self.incident.name} needs {least} of {kinds}: simulate more devices"
        )

    def role(self, name: str) -> Device:
        """Return the system with a role; raises ConfigurationError where the site has none."""
        device = self.site.roles.get(name)
        if device is None:
            raise ConfigurationError(
                f"the incident {self.incident.name} needs the system for {name}: simulate more devices"
            )
        return device

    def guest(
        self, system: str = "debian_11", network: str = "", name: str = "kali", model: Model | None = None
    ) -> Device:
        """Bring a stranger's device into the site and return it."""
        chosen = model or models()["laptop"][0]
        device = self.site.add(chosen, self.rng, 900 + len(self.site.devices))
        device.system, device.name, device.managed = SYSTEMS[system], name, False
        device.wireless = False
        device.arrives = max(self.hospital.start, self.start - MINUTE)
        place, chosen_network = self.site.plan.random_place(self.site.name, self.rng)
        if network:
            chosen_network = self.site.plan.networks[network]
        device.stays.clear()
        device.settle(
            self.hospital.start - HOUR, place, chosen_network, chosen_network.next_address(), dhcp=True
        )
        return device

    def newcomer(self, model: Model, name: str = "") -> Device:
        """Bring a new device of the hospital's own into the site, from the start of the window on."""
        device = self.site.add(model, self.rng, 800 + len(self.site.devices))
        device.arrives = self.start
        device.name = name or device.name
        return device

    def flow(self, source: Device, target: Device | str, port: int, protocol: str = "tcp") -> None:
        """Tell the truth of conversations that belong to the incident."""
        to = target if isinstance(target, str) else wire.dotted(target.end(self.start).ip)
        self.flows.append(
            {"from": wire.dotted(source.end(self.start).ip), "to": to, "port": port, "protocol": protocol}
        )

    def record(self) -> dict[str, Any]:
        """Return what the truth says of the incident."""
        return {
            "name": self.incident.name,
            "title": self.incident.title,
            "benign": self.incident.benign,
            "label": "benign change" if self.incident.benign else "incident",
            "site": self.site.name,
            "start": iso(self.start),
            "end": iso(self.end),
            "actors": [device.key for device in self.actors],
            "actor_macs": [wire.mac_text(device.macs[0]) for device in self.actors],
            "victims": [device.key for device in self.victims],
            "flows": self.flows,
        } | self.facts
