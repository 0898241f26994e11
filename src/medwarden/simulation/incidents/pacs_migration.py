"""A new archive and the migration of all studies: hours of images from the old one to the new one."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation import calendar
from medwarden.simulation.catalogue import models
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene
from medwarden.simulation.work import imaging


def _prepare(staging: Staging) -> Play:
    old = staging.role("pacs")
    model = next((m for m in models()["vna"] if m is not old.model), models()["pacs"][0])
    new = staging.newcomer(model, "pacs-new")
    staging.actors, staging.victims = [old, new], []
    staging.flow(old, new, 104)

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("pacs_migration")
        at = staging.start
        yield at
        while at < staging.end:
            patient, kind = rng.choice(scene.site.patients), rng.choice(("CT", "MR", "US", "DX"))
            ended = imaging.store(scene, old, new, at, rng, kind, patient, rng.randrange(3, 12))
            at = calendar.after(rng, ended, 4)
            yield at

    return play


INCIDENT = Incident("pacs_migration", "All studies move to a new archive", True, _prepare)
