"""Building and plant: controllers that announce themselves, meters that are read, sensors that publish."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation import calendar
from medwarden.simulation.device import Device
from medwarden.simulation.ends import MILLISECOND, SECOND
from medwarden.simulation.scene import Scene
from medwarden.simulation.talk import Datagrams, Stream
from medwarden.simulation.voices import plant


def bacnet(scene: Scene, me: Device) -> Iterator[int]:
    """Announce the controller, answer who it is, and report a temperature."""
    rng = scene.rng(me, "bacnet")
    vendor, model, maker = me.model.facts.get("bacnet", (0, me.model.name, me.model.vendor))
    instance = 1000 + me.number
    asker = _station(scene, me) or scene.site.roles.get("files")
    at = scene.first(me, rng, scene.start + int(rng.random() * 600 * SECOND), 5)
    yield at
    invoke, asked = rng.randrange(200), False
    while at < scene.stop:
        if me.present(at):
            if me.category == "bms_controller":
                scene.broadcast(me, 47_808, plant.who_is(), at, rng)
            scene.broadcast(me, 47_808, plant.i_am(instance, vendor), at + 5 * MILLISECOND, rng)
            if asker is not None:
                talk = Datagrams(
                    scene.ear,
                    rng,
                    asker.end(at),
                    me.end(at),
                    47_808,
                    at + 20 * MILLISECOND,
                    sport=47_808,
                    service="",
                )
                values: dict[str, str | int | float] = {"present_value": 21.5 + rng.random()}
                if not asked or rng.random() < 0.2:
                    values = {
                        "object_name": me.name or f"DEV{instance}",
                        "model_name": str(model),
                        "vendor_name": str(maker),
                        "firmware_revision": me.firmware,
                        "location": me.stay(at).place.text(),
                    }
                    asked = True
                for name, value in values.items():
                    invoke = invoke % 250 + 1
                    kind, number = (0, 1) if name == "present_value" else (8, instance)
                    talk.ask(
                        plant.read_property(invoke, kind, number, name),
                        plant.property_ack(invoke, kind, number, name, value),
                    )
                    talk.at += 5 * MILLISECOND
                talk.end()
        at = calendar.regular(rng, at, 300)
        yield at


def _station(scene: Scene, me: Device) -> Device | None:
    """Return a controller that asks others and was there before the day began, None where there is none."""
    others = (d for d in scene.site.of("bms_controller") if d is not me)
    return next((d for d in others if d.arrives <= scene.start), None)


def modbus(scene: Scene, me: Device) -> Iterator[int]:
    """Be read by the plant's master: registers every minute, the identity when it connects."""
    rng = scene.rng(me, "modbus")
    master = _station(scene, me) or scene.site.roles.get("files")
    facts = [
        str(value) for value in me.model.facts.get("modbus", (me.model.vendor, me.model.name, me.firmware))
    ]
    at = scene.first(me, rng, scene.start + int(rng.random() * 300 * SECOND), 30)
    yield at
    if master is None:
        return
    stream: Stream | None = None
    number = 0
    while at < scene.stop:
        if me.present(at):
            if stream is None:
                stream = Stream(
                    scene.ear, rng, master.end(at), me.end(at), 502, at, service="modbus"
                ).connect()
                stream.say(True, plant.modbus(1, 1, plant.identify()))
                stream.say(
                    False, plant.modbus(1, 1, plant.identification(facts)), stream.path.rtt + 3 * MILLISECOND
                )
            stream.leap(at)
            number = number + 1 & 0xFFFF
            stream.say(True, plant.modbus(number, 1, plant.read_registers(100, 6)))
            stream.say(
                False,
                plant.modbus(number, 1, plant.registers([rng.randrange(2000) for _ in range(6)])),
                stream.path.rtt + 2 * MILLISECOND,
            )
            stream.settle()
        at = calendar.regular(rng, at, 60)
        yield at
    if stream is not None:
        stream.end()


def mqtt(scene: Scene, me: Device) -> Iterator[int]:
    """Publish a temperature to the broker every five minutes."""
    rng = scene.rng(me, "mqtt")
    broker = scene.site.roles.get("broker")
    client = f"{me.model.fact('mqtt', me.model.name)} {me.macs[0].hex()[6:]}"
    at = scene.first(me, rng, scene.start + int(rng.random() * 300 * SECOND))
    yield at
    stream: Stream | None = None
    while at < scene.stop and broker is not None:
        if me.present(at):
            if stream is None:
                stream = Stream(
                    scene.ear, rng, me.end(at), broker.end(at), 1883, at, service="mqtt"
                ).connect()
                stream.say(True, plant.mqtt_connect(client))
                stream.say(False, plant.mqtt_connected(), stream.path.rtt + MILLISECOND)
            stream.leap(at)
            stream.say(
                True,
                plant.mqtt_publish(
                    f"sensors/{me.stay(at).place.room}/temperature", f"{3 + rng.random() * 2:.2f}".encode()
                ),
            )
            ping, pong = plant.mqtt_ping()
            stream.say(True, ping, 30 * MILLISECOND)
            stream.say(False, pong, stream.path.rtt)
            stream.settle()
        at = calendar.regular(rng, at, 120)
        yield at
    if stream is not None:
        stream.end()


def s7(scene: Scene, me: Device) -> Iterator[int]:
    """Be asked for the module identification by the plant's engineering station.

    Stations try again and again to reach a controller that is off, so one that is switched on is asked soon.
    """
    rng = scene.rng(me, "s7")
    master = _station(scene, me) or scene.site.roles.get("watch")
    digits = [int(part) for part in me.firmware.lstrip("V").split(".")]
    version = (digits[0], digits[1], digits[2])
    at = scene.first(me, rng, scene.start + int(rng.random() * 600 * SECOND), 30)
    yield at
    while at < scene.stop and master is not None:
        if me.present(at):
            stream = Stream(scene.ear, rng, master.end(at), me.end(at), 102, at).connect()
            turns = (
                (True, plant.s7_connect(False)),
                (False, plant.s7_connect(True)),
                (True, plant.s7_setup(1, False)),
                (False, plant.s7_setup(1, True)),
                (True, plant.s7_identify(2)),
                (False, plant.s7_identification(2, me.model.fact("s7"), version)),
            )
            stream.exchange(turns, 4 * MILLISECOND)
            stream.settle()
            stream.close()
        at = calendar.regular(rng, at, 1800)
        yield at
