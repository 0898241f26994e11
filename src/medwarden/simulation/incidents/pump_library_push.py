"""Pump library push from a stranger: large uploads to pumps from a host that is not their server."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation.ends import MILLISECOND, SECOND
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene


def _prepare(staging: Staging) -> Play:
    stranger = staging.guest(name="service-nb")
    staging.actors = [stranger]
    staging.victims = staging.any_of("infusion_pump", "syringe_pump")[:20]
    for victim in staging.victims:
        staging.flow(stranger, victim, 443)

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("pump_library_push")
        at = staging.start
        yield at
        for victim in staging.victims:
            if at >= staging.end:
                return
            far = victim.end(at)
            host = victim.name or "pump"
            stream = scene.tls(
                stranger, far, host, at, rng, turns=((90_000, 200), (60_000, 200)), owner="pump"
            )
            at = stream.ended + int(rng.random() * 20 * SECOND) + MILLISECOND
            yield at

    return play


INCIDENT = Incident("pump_library_push", "A stranger pushes a drug library to pumps", False, _prepare)
