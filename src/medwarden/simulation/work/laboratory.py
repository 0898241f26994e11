"""The laboratory: analysers that send results to the laboratory system (LIS1-A, LIS2-A2)."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation import calendar
from medwarden.simulation.device import Device
from medwarden.simulation.ends import MILLISECOND, SECOND
from medwarden.simulation.scene import Scene
from medwarden.simulation.talk import Stream
from medwarden.simulation.voices import bedside, hl7

_TESTS = {
    "chem_analyzer": (
        ("NA", "140", "mmol/L"),
        ("K", "4.1", "mmol/L"),
        ("CREA", "0.9", "mg/dL"),
        ("CRP", "12", "mg/L"),
    ),
    "hematology": (("WBC", "7.4", "10*9/L"), ("HGB", "13.8", "g/dL"), ("PLT", "240", "10*9/L")),
    "coagulation": (("PT", "98", "%"), ("APTT", "31", "s")),
    "blood_gas": (("PH", "7.38", ""), ("PCO2", "41", "mmHg"), ("PO2", "88", "mmHg")),
}


def analyser(scene: Scene, me: Device) -> Iterator[int]:
    """Send results sample by sample, in bursts after the rounds; each frame is acknowledged."""
    rng = scene.rng(me, "analyser")
    server = scene.site.roles.get("lis")
    tests = _TESTS.get(me.category, (("RESULT", "NEG", ""),))
    at = calendar.after(rng, scene.start, 300, scene.day.laboratory)
    yield at
    while at < scene.stop and server is not None:
        if me.present(at):
            stream = Stream(scene.ear, rng, me.end(at), server.end(at), 4000 + me.number % 40, at).connect()
            for _ in range(rng.randrange(1, 5)):
                patient = rng.choice(scene.site.patients)
                sample = f"{rng.randrange(10**9):09d}"
                records = bedside.astm_result(
                    me.model.fact("astm"),
                    server.model.fact("hl7", "LIS"),
                    hl7.stamp(at),
                    sample,
                    patient.pid(),
                    tests,
                )
                stream.say(True, bedside.ENQ, 5 * MILLISECOND)
                stream.say(False, bedside.ACK, stream.path.rtt + MILLISECOND)
                for number, record in enumerate(records, 1):
                    stream.say(True, bedside.astm_frame(number, record), 3 * MILLISECOND)
                    stream.say(False, bedside.ACK, stream.path.rtt + MILLISECOND)
                stream.say(True, bedside.EOT, MILLISECOND)
                stream.leap(stream.at + int(rng.random() * 2 * SECOND))
            stream.settle()
            scene.act(me, "results", at, stream.close())
        at = calendar.after(rng, max(at, stream.at if me.present(at) else at), 420, scene.day.laboratory)
        yield at
