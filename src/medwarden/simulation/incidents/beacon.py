"""A beacon of an infected ultrasound system to a domain nobody asked for before."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation import calendar
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene

_DOMAIN = "update-sync-service.net"


def _prepare(staging: Staging) -> Play:
    source = staging.rng.choice(staging.any_of("ultrasound", "xray_fixed", "ct", "workstation"))
    staging.actors = [source]
    staging.facts["domain"] = _DOMAIN

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("beacon")
        far = scene.outside(_DOMAIN)
        at = staging.start
        yield at
        while at < staging.end:
            moment = scene.look_up(source, _DOMAIN, at, rng)
            scene.tls(source, far, _DOMAIN, moment, rng, library="openssl102", turns=((320, 180),))
            at = calendar.regular(rng, at, 60, 0.2)
            yield at

    return play


INCIDENT = Incident("beacon", "An infected device beacons to a new domain", False, _prepare)
