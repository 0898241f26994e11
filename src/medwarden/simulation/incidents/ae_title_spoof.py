"""AE title spoof: a stranger sends images to the archive under the title of a modality."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation import calendar
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene
from medwarden.simulation.work import imaging


def _prepare(staging: Staging) -> Play:
    stranger, archive = staging.guest(name="tmp-laptop"), staging.role("pacs")
    real = staging.any_of("ct", "mri", "ultrasound", "xray_fixed", "xray_mobile", "c_arm", "angiography")[0]
    staging.actors, staging.victims = [stranger], [archive, real]
    staging.facts["ae_title"] = real.ae_title
    staging.flow(stranger, archive, 104)

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("ae_title_spoof")
        at = staging.start
        yield at
        imaging.echo(scene, stranger, archive, at, rng, calling=real.ae_title)
        while at < staging.end:
            patient = rng.choice(scene.site.patients)
            ended = imaging.store(scene, stranger, archive, at, rng, "CT", patient, 3, calling=real.ae_title)
            at = calendar.after(rng, ended, 120)
            yield at

    return play


INCIDENT = Incident("ae_title_spoof", "A stranger uses the AE title of a modality", False, _prepare)
