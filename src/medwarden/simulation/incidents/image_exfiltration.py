"""Slow exfiltration of images: somebody moves studies out of the archive to a station that is not known."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation import calendar
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene
from medwarden.simulation.work import imaging


def _prepare(staging: Staging) -> Play:
    stranger = staging.guest(name="viewer-tmp")
    stranger.ae_title = "STORESCP"
    archive = staging.role("pacs")
    asking = staging.rng.choice(staging.any_of("dicom_workstation", "workstation"))
    staging.actors, staging.victims = [asking, stranger], [archive]
    staging.facts["ae_title"] = stranger.ae_title
    staging.flow(asking, archive, 104)
    staging.flow(archive, stranger, 104)

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("image_exfiltration")
        at = staging.start
        yield at
        while at < staging.end:
            patient = rng.choice(scene.site.patients)
            ended = imaging.find_and_move(scene, asking, archive, at, rng, patient, stranger, count=4)
            at = calendar.after(rng, ended, 45)
            yield at

    return play


INCIDENT = Incident("image_exfiltration", "Studies leave to a stranger", False, _prepare)
