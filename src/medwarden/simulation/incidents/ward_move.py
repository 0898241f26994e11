"""A ward moves to another floor: its devices get new places, networks and addresses."""

from __future__ import annotations

from medwarden.simulation.ends import SECOND
from medwarden.simulation.incidents.staging import Incident, Staging


def _prepare(staging: Staging) -> None:
    site, rng = staging.site, staging.rng
    floors = {d.stays[0].network.name for d in site.devices if d.stays[0].network.name.startswith("Building")}
    counts = {name: sum(d.stays[0].network.name == name for d in site.devices) for name in floors}
    old = max(sorted(counts), key=lambda name: counts[name])
    place, network = site.plan.random_place(site.name, rng)
    while network.name == old:
        place, network = site.plan.random_place(site.name, rng)
    staging.actors = [d for d in site.devices if d.stays[0].network.name == old and d.stays[0].dhcp]
    staging.facts |= {"from": old, "to": network.name}
    for device in staging.actors:
        since = staging.start + int(rng.random() * 60 * SECOND)
        device.settle(since, place, network, network.next_address(), dhcp=True)


INCIDENT = Incident("ward_move", "A ward moves", True, _prepare)
