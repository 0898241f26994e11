"""ARP spoof: an intruder tells everybody in a network that the gateway is at its address."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation.ends import MILLISECOND, SECOND
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene
from medwarden.simulation.voices import arp


def _prepare(staging: Staging) -> Play:
    intruder = staging.guest(name="")
    near = intruder.stays[0].network
    staging.actors = [intruder]
    staging.victims = [d for d in staging.site.devices if d.stays[0].network is near and d is not intruder][
        :30
    ]
    staging.facts["gateway"] = near.name

    def play(scene: Scene) -> Iterator[int]:
        at = staging.start
        yield at
        while at < staging.end:
            end, gateway = intruder.end(at), near.gateway
            for number, victim in enumerate(staging.victims):
                other = victim.end(at)
                frame = arp.reply(end.mac, gateway, other.mac, other.ip, end.vlan)
                scene.ear.frame(at + number * MILLISECOND, frame)
            at += 2 * SECOND
            yield at

    return play


INCIDENT = Incident("arp_spoof", "Somebody stands between devices and their gateway", False, _prepare)
