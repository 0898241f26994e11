"""HL7 result tampering: a stranger sends corrected results for real patients to the engine."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation import calendar
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene
from medwarden.simulation.voices import hl7
from medwarden.simulation.work.records import send_hl7


def _prepare(staging: Staging) -> Play:
    stranger, engine = staging.guest(name="lab-pc-x"), staging.role("engine")
    staging.actors, staging.victims = [stranger], [engine]
    staging.flow(stranger, engine, 2575)

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("hl7_tampering")
        laboratory = scene.site.roles.get("lis")
        sender = (laboratory.model.fact("hl7", "LIS") if laboratory else "LIS", scene.site.naming.facility)
        at = staging.start
        yield at
        while at < staging.end:
            patient = rng.choice(scene.site.patients)
            segments = [
                hl7.pid(patient.pid(), patient.account),
                f"OBR|1|||K^Potassium|||{hl7.stamp(at)}",
                f"OBX|1|NM|2823-3^K^LN||{2 + rng.random():.1f}|mmol/L|||||C|||{hl7.stamp(at)}",
            ]
            ended = send_hl7(scene, stranger, engine, at, rng, "ORU^R01", sender, segments)
            at = calendar.after(rng, ended, 40)
            yield at

    return play


INCIDENT = Incident("hl7_tampering", "Results are altered on their way", False, _prepare)
