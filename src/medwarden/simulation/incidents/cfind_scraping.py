"""C-FIND scraping: one query after another for whole lists of studies."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation import calendar
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene
from medwarden.simulation.voices import dicom
from medwarden.simulation.work import imaging


def _prepare(staging: Staging) -> Play:
    stranger, archive = staging.guest(name="nb-temp"), staging.role("pacs")
    stranger.ae_title = "FINDSCU"
    staging.actors, staging.victims = [stranger], [archive]
    staging.flow(stranger, archive, 104)

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("cfind_scraping")
        at = staging.start
        yield at
        while at < staging.end:
            talk = imaging.Association(scene, stranger, archive, at, rng, imaging.contexts(dicom.STUDY_FIND))
            for _ in range(5):
                count = min(30, len(scene.site.patients))
                imaging.find(talk, rng, rng.sample(scene.site.patients, count))
            at = calendar.after(rng, talk.release(), 15)
            yield at

    return play


INCIDENT = Incident("cfind_scraping", "Somebody lists all patients of the archive", False, _prepare)
