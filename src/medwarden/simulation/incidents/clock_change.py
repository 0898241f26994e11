"""The clocks change by an hour: local times in messages jump while the network goes on."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation.ends import SECOND
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene
from medwarden.simulation.work import basics


def _prepare(staging: Staging) -> Play:
    devices = [d for d in staging.site.devices if d.system.name.startswith("Windows")][:400]
    staging.facts["moved_by_s"] = 3600

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("clock_change")
        at = staging.start
        yield at
        for device in devices:
            if device.present(at):
                basics.ask_time(scene, device, at, rng)
            at += int(rng.random() * SECOND)
            yield at

    return play


INCIDENT = Incident("clock_change", "The clocks change", True, _prepare)
