"""Firmware with the wrong hash: a modality fetches an image over plain HTTP that is not the published one."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene


def _prepare(staging: Staging) -> Play:
    source = staging.rng.choice(staging.any_of("infusion_pump", "ip_camera", "printer"))
    server = staging.site.roles.get("files") or staging.role("engine")
    staging.actors, staging.victims = [server], [source]
    staging.facts["published_sha256"] = staging.rng.randbytes(32).hex()
    staging.flow(source, server, 80)

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("firmware_wrong_hash")
        at = staging.start
        yield at
        host = scene.site.fqdn(server)
        name = f"/firmware/{source.model.name.replace(' ', '_')}_{source.firmware or '1.0'}.bin"
        scene.web(
            source,
            server.end(at),
            host,
            at,
            rng,
            path=name,
            agent="Updater/1.0",
            server="Microsoft-IIS/10.0",
            body=b"FWIMG\0" + rng.randbytes(120_000),
            kind="application/octet-stream",
        )

    return play


INCIDENT = Incident(
    "firmware_wrong_hash", "Firmware is loaded that its maker did not publish", False, _prepare
)
