"""Many casualties at once: admissions, imaging and laboratory far beyond the hour of the day."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation import calendar
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene
from medwarden.simulation.voices import hl7
from medwarden.simulation.work import imaging
from medwarden.simulation.work.records import send_hl7


def _prepare(staging: Staging) -> Play:
    staging.site.day.rush = (staging.start, staging.end)
    ehr, engine = staging.role("ehr"), staging.role("engine")
    staging.actors = [ehr, engine]

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("mass_casualty")
        sender = (ehr.model.fact("hl7", "HIS"), scene.site.naming.facility)
        rooms = [d for kind in ("ct", "xray_fixed", "xray_mobile", "ultrasound") for d in scene.site.of(kind)]
        at = staging.start
        yield at
        while at < staging.end:
            patient = rng.choice(scene.site.patients)
            segments = [
                f"EVN|A04|{hl7.stamp(at)}",
                hl7.pid(patient.pid(), patient.account),
                hl7.pv1(f"ED^{rng.randrange(1, 30)}^1", "E", rng.choice(scene.site.staff), patient.account),
            ]
            send_hl7(scene, ehr, engine, at, rng, "ADT^A04", sender, segments)
            archive = scene.site.roles.get("pacs")
            if rooms and archive is not None:
                room = rng.choice(rooms)
                imaging.store(scene, room, archive, at, rng, room.model.fact("mods"), patient, 3)
            at = calendar.after(rng, at, 30)
            yield at

    return play


INCIDENT = Incident("mass_casualty", "A day with many casualties", True, _prepare)
