"""Records and messages: admissions from the health record through the engine to every subscriber, by HL7."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from medwarden.simulation import calendar
from medwarden.simulation.device import Device
from medwarden.simulation.ends import MILLISECOND
from medwarden.simulation.patients import Patient
from medwarden.simulation.scene import Scene
from medwarden.simulation.talk import Stream
from medwarden.simulation.voices import hl7

PORT = 2575


def receiver_of(scene: Scene, server: Device) -> tuple[str, str]:
    """Return application and facility by which a system is addressed."""
    return server.model.fact("hl7") or server.category.upper()[:12], scene.site.naming.facility


def send_hl7(
    scene: Scene,
    me: Device,
    server: Device,
    at: int,
    rng: Random,
    kind: str,
    sender: tuple[str, str],
    segments: Sequence[str],
    code: str = "AA",
    port: int = PORT,
) -> int:
    """Send one message on a connection of its own and take the acknowledgement; returns when it ended."""
    receiver = receiver_of(scene, server)
    control = f"{rng.randrange(10**9):09d}"
    stream = Stream(scene.ear, rng, me.end(at), server.end(at), port, at).connect()
    text = hl7.message(kind, sender, receiver, at, control, segments)
    stream.say(True, hl7.frame(text), MILLISECOND)
    think = int((2 + rng.expovariate(0.15)) * MILLISECOND)
    reply = hl7.acknowledgement(kind, receiver, sender, at + think, control, code)
    stream.say(False, hl7.frame(reply), stream.path.rtt + think)
    stream.settle()
    return stream.close()


class _House:
    """Who is in the hospital, and where."""

    def __init__(self, scene: Scene, rng: Random) -> None:
        self._rng = rng
        self._patients = list(scene.site.patients)
        rng.shuffle(self._patients)
        half = len(self._patients) // 2
        self._inside = [(index, f"A{index % 5}^A{index % 5}{index:02d}^1") for index in range(half)]

    def next_event(self) -> tuple[str, Patient, str]:
        """Return trigger, patient and place of the next admission, update or discharge."""
        rng, inside = self._rng, self._inside
        draw = rng.random()
        if draw < 0.4 and len(inside) < len(self._patients):
            known = {index for index, _ in inside}
            index = next(number for number in range(len(self._patients)) if number not in known)
            place = f"{rng.choice('ABC')}{rng.randrange(5)}^{rng.randrange(1, 60):02d}^{rng.randrange(1, 4)}"
            inside.append((index, place))
            kind = rng.choice(("ADT^A01", "ADT^A01", "ADT^A04"))
        elif draw < 0.8 or len(inside) < 2:
            index, place = rng.choice(inside)
            kind = "ADT^A08"
        else:
            index, place = inside.pop(rng.randrange(len(inside)))
            kind = "ADT^A03"
        return kind, self._patients[index], place


def admissions(scene: Scene, me: Device) -> Iterator[int]:
    """Admit, update and discharge patients; the engine passes every event on to its subscribers."""
    rng = scene.rng(me, "admissions")
    engine = scene.site.roles.get("engine")
    if engine is None:
        return
    mean_s = max(20.0, 40_000 / max(1, len(scene.site.devices) // 8))
    house = _House(scene, rng)
    sender = (me.model.fact("hl7", "HIS"), scene.site.naming.facility)
    at = calendar.after(rng, scene.start, mean_s, scene.day.admission)
    yield at
    while at < scene.stop:
        kind, patient, place = house.next_event()
        segments = [
            f"EVN|{kind[-3:]}|{hl7.stamp(at)}",
            hl7.pid(patient.pid(), patient.account),
            hl7.pv1(place, "I", rng.choice(scene.site.staff), patient.account),
        ]
        action = {"ADT^A03": "discharge", "ADT^A08": "update"}.get(kind, "admission")
        scene.act(me, action, at, at, patient.identifier)
        ended = send_hl7(scene, me, engine, at, rng, kind, sender, segments)
        for role in ("ris", "lis", "pumps"):
            server = scene.site.roles.get(role)
            if server is not None:
                pause = int(rng.expovariate(0.02) * MILLISECOND)
                send_hl7(scene, engine, server, ended + pause, rng, kind, sender, segments)
        at = calendar.after(rng, at, mean_s, scene.day.admission)
        yield at
