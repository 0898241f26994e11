"""A rogue access point: a home router in a wall socket, behind which phones share its address."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation import calendar
from medwarden.simulation.catalogue import models
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene


def _prepare(staging: Staging) -> Play:
    model = models()["smart_plug"][0]
    router = staging.guest(system="embedded_linux", name="TL-WR841N", model=model)
    staging.actors = [router]
    staging.facts["behind"] = 3

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("rogue_access_point")
        at = staging.start
        yield at
        hosts = (
            "www.youtube.com",
            "i.instagram.com",
            "gateway.icloud.com",
            "play.googleapis.com",
            "store.steampowered.com",
        )
        libraries = ("apple", "android", "chrome")
        while at < staging.end:
            host = rng.choice(hosts)
            moment = scene.look_up(router, host, at, rng)
            scene.tls(
                router,
                scene.outside(host),
                host,
                moment,
                rng,
                library=rng.choice(libraries),
                turns=((700, 9000),),
            )
            at = calendar.after(rng, at, 6)
            yield at

    return play


INCIDENT = Incident("rogue_access_point", "An access point nobody installed", False, _prepare)
