"""A firmware campaign: all pumps of one model fetch the new version from their server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from medwarden.simulation.ends import MILLISECOND, SECOND
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene


def _prepare(staging: Staging) -> Play:
    pumps = staging.any_of("infusion_pump", "syringe_pump", "ip_camera")
    counts = Counter(pump.model.name for pump in pumps)
    model = max(pumps, key=lambda pump: counts[pump.model.name]).model
    staging.actors = [pump for pump in pumps if pump.model is model]
    server = staging.site.roles.get("pumps") or staging.role("files")
    version = f"{model.firmware[-1]}.1"
    staging.facts["firmware"] = version
    for pump in staging.actors:
        pump.firmwares.append((staging.start, version))
        staging.flow(pump, server, 8080)

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("firmware_campaign")
        at = staging.start
        yield at
        host = scene.site.fqdn(server)
        for pump in staging.actors:
            path = f"/updates/{model.name.replace(' ', '')}/{version}.pkg"
            body = b"PKG\0" + rng.randbytes(60_000)
            at = scene.web(
                pump,
                server.end(at),
                host,
                at,
                rng,
                path=path,
                port=8080,
                body=body,
                kind="application/octet-stream",
                agent=model.name.replace(" ", "-"),
            )
            at += int(rng.random() * 5 * SECOND) + MILLISECOND
            yield at

    return play


INCIDENT = Incident("firmware_campaign", "New firmware for all devices of a model", True, _prepare)
