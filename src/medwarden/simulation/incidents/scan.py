"""A scan from a visitor: every address of a network, the ports that are worth asking."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation.ends import MILLISECOND, SECOND
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene
from medwarden.simulation.talk import Stream

_PORTS = (21, 22, 23, 80, 104, 135, 139, 443, 445, 502, 554, 2575, 3389, 8080, 9100, 11_112)


def _prepare(staging: Staging) -> Play:
    intruder = staging.guest()
    staging.actors = [intruder]
    near = intruder.stays[0].network
    found = [d for d in staging.site.devices if d.stays[0].network is near and d is not intruder]
    staging.victims = (found or staging.any_of("workstation"))[:60]
    staging.facts["ports"] = list(_PORTS)
    for victim in staging.victims:
        staging.flow(intruder, victim, 0)

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("scan")
        at = staging.start
        yield at
        for victim in staging.victims:
            for port in _PORTS:
                if at >= staging.end:
                    return
                stream = Stream(scene.ear, rng, intruder.end(at), victim.end(at), port, at)
                if port in (22, 104, 445) and rng.random() < 0.3:
                    stream.connect().reset()
                elif rng.random() < 0.7:
                    stream.refuse()
                else:
                    stream.unanswered(1)
                at += int((20 + rng.random() * 60) * MILLISECOND)
            yield at
            at += int(rng.random() * SECOND)

    return play


INCIDENT = Incident("scan", "A visitor scans the network", False, _prepare)
