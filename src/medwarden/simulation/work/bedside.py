"""Care at the bed: pumps and their server, monitors and their central station, gateways, calls, testers."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from medwarden.simulation import calendar, wire
from medwarden.simulation.device import Device
from medwarden.simulation.ends import HOUR, MILLISECOND, MINUTE, SECOND
from medwarden.simulation.scene import Scene
from medwarden.simulation.talk import Datagrams, Stream
from medwarden.simulation.voices import bedside, hl7, tls
from medwarden.simulation.work.records import send_hl7

_NUMERICS = ((0x4182, 0x0AA0, 7200), (0x4BB8, 0x0220, 9700), (0x500A, 0x0AE0, 1600), (0x4A05, 0x0F20, 12_000))


def pump(scene: Scene, me: Device) -> Iterator[int]:
    """Report to the pump server every 15 to 60 s over a lasting TLS connection; infuse now and then.

    Pumps of another maker than the server's have one of their own in a data centre of the group.
    """
    rng = scene.rng(me, "pump")
    server = scene.site.roles.get("pumps")
    if server is None:
        return
    same = server.model.vendor == me.model.vendor
    owner = server.model.fact("cert") if same else ""
    host = scene.site.fqdn(server) if same else scene.of_the_group(f"pumps-{me.model.vendor}")
    beat = rng.choice((15, 30, 30, 60))
    in_use = rng.random() < 0.45
    at = max(scene.start, me.arrives) + int(rng.random() * beat * SECOND)
    yield at
    stream: Stream | None = None
    until = calendar.after(rng, at, 4 * 3600)
    began = at
    version = tls.TLS12
    while at < scene.stop:
        near = me.end(at)
        if stream is not None and (stream.path.near is not near or not me.present(at)):
            stream.end()  # it roamed or was switched off: the connection is never closed
            stream = None
        if me.present(at):
            if stream is None:
                far = server.end(at) if same else scene.elsewhere(host)
                moment = scene.look_up(me, host, at, rng)
                stream = scene.tls(
                    me,
                    far,
                    host,
                    moment,
                    rng,
                    turns=((400, 200),),
                    owner=owner,
                    close=False,
                )
                version = min(tls.agreed(me.system.tls, tls.TLS12)[0], tls.TLS12)
            else:
                stream.leap(at)
                status = 180 if in_use and rng.random() < 0.1 else 64
                stream.say(True, tls.sealed(rng, version, status))
                stream.say(False, tls.sealed(rng, version, 40), stream.path.rtt + MILLISECOND)
                stream.settle()
            if at >= until:
                if in_use:
                    scene.act(me, "infusion", began, at)
                in_use, began = not in_use, at
                until = calendar.after(rng, at, (3 if in_use else 4) * 3600, scene.day.ward)
        at = calendar.regular(rng, max(at, stream.at if stream is not None else at), beat, 0.1)
        yield at
    if in_use:
        scene.act(me, "infusion", began, scene.stop)


def alaris_discovery(scene: Scene, me: Device) -> Iterator[int]:
    """Look for the Alaris server on its registered port (IANA: alaris-disc, UDP 3613)."""
    rng = scene.rng(me, "discovery")
    server = scene.site.roles.get("pumps")
    at = scene.first(me, rng, scene.start + int(rng.random() * 900 * SECOND))
    yield at
    while at < scene.stop and server is not None:
        if me.present(at):
            talk = Datagrams(scene.ear, rng, me.end(at), server.end(at), 3613, at, sport=3613)
            talk.ask(rng.randbytes(34), rng.randbytes(42))
            talk.end()
        at = calendar.regular(rng, at, 900)
        yield at


def intellivue(scene: Scene, me: Device) -> Iterator[int]:
    """Announce the monitor and answer the central station's polls for numerics."""
    rng = scene.rng(me, "monitor")
    central = scene.site.roles.get("central")
    model, bed = me.model.fact("iv_model"), f"{me.stay(scene.start).place.room}-{rng.randrange(1, 4)}"
    at = scene.start + int(rng.random() * 20 * SECOND)
    yield at
    talk: Datagrams | None = None
    number, announced = 0, 0
    while at < scene.stop:
        if me.present(at):
            clock = (at - scene.start) // MILLISECOND * 8
            if at - announced > 60 * SECOND or not announced:
                scene.broadcast(me, 24_005, bedside.connect_indication(model, bed, clock), at, rng)
                announced = at
            if central is not None and talk is None:
                talk = Datagrams(scene.ear, rng, central.end(at), me.end(at), 24_105, at, service="")
                talk.ask(bedside.associate(False), bedside.associate(True))
                talk.say(
                    False,
                    bedside.mds_create(model, bed, me.serial, "M8000-60001", me.firmware, clock),
                    5 * MILLISECOND,
                )
            elif talk is not None and central is not None:
                talk.at = at
                number = number + 1 & 0xFFFF
                values = [(kind, unit, base + rng.randrange(-300, 300)) for kind, unit, base in _NUMERICS]
                talk.ask(bedside.poll_request(number), bedside.numerics(number, clock, values))
        at = calendar.regular(rng, at, 2, 0.05)
        yield at
    if talk is not None:
        talk.end()


def monitor_link(scene: Scene, me: Device) -> Iterator[int]:
    """Stream parameters to the central station over the maker's own TCP connection."""
    rng = scene.rng(me, "link")
    central = scene.site.roles.get("central")
    at = scene.start + int(rng.random() * 30 * SECOND)
    yield at
    if central is None:
        return
    port = 9000 + zlib.crc32(me.model.vendor.encode()) % 90
    stream: Stream | None = None
    while at < scene.stop:
        if me.present(at):
            if stream is None:
                stream = Stream(scene.ear, rng, me.end(at), central.end(at), port, at).connect()
            stream.leap(at)
            stream.say(True, b"\x7e\x01" + rng.randbytes(110))
            stream.settle()
        at = calendar.regular(rng, at, 3)
        yield at
    if stream is not None:
        stream.end()


def unity(scene: Scene, me: Device) -> Iterator[int]:
    """Announce a node of GE's monitoring network, and tell the time where it is the central station.

    Every node broadcasts packets about itself (ApexPro service manual); how often is not published.
    """
    rng = scene.rng(me, "unity")
    at = scene.first(me, rng, scene.start + int(rng.random() * 30 * SECOND))
    yield at
    while at < scene.stop:
        if me.present(at):
            ip = me.end(at).ip
            scene.broadcast(me, 7000, bedside.unity_announcement(rng, ip), at, rng)
            if me.model.fact("unity") == "master":
                room = me.stay(at).place.room
                scene.broadcast(me, 2000, bedside.unity_time(rng, ip, "ICU", room, at), at + MILLISECOND, rng)
        at = calendar.regular(rng, at, 60)
        yield at


def infinity(scene: Scene, me: Device) -> Iterator[int]:
    """Announce a monitor of Draeger's Infinity network by multicast; the group and the rhythm are assumed."""
    rng = scene.rng(me, "infinity")
    at = scene.first(me, rng, scene.start + int(rng.random() * 30 * SECOND))
    name = f"{me.stay(scene.start).place.room}-{rng.randrange(1, 4)}"
    model = me.model.fact("infinity")
    yield at
    while at < scene.stop:
        if me.present(at):
            said = bedside.infinity_announcement(me.end(at).ip, name, model, me.firmware, me.serial)
            scene.multicast(me, wire.address("224.127.1.255"), 2150, said, at, rng, ttl=1)
        at = calendar.regular(rng, at, 60)
        yield at


def hl7_from_device(scene: Scene, me: Device) -> Iterator[int]:
    """Send vital signs of the bed to the engine every minute, or when a nurse measured."""
    rng = scene.rng(me, "vitals")
    engine = scene.site.roles.get("engine")
    if engine is None:
        return
    spot = me.category in ("vitals_monitor", "pulse_oximeter", "blood_gas", "microbiology", "molecular_pcr")
    patient = rng.choice(scene.site.patients)
    application = me.model.fact("hl7") or me.model.fact("hl7eq") or me.model.name
    equipment = me.model.fact("hl7eq") or me.model.name
    at = calendar.after(rng, scene.start, 900 if spot else 60, scene.day.ward)
    yield at
    while at < scene.stop:
        if me.present(at):
            if spot:
                patient = rng.choice(scene.site.patients)
            room = me.stay(at).place.room
            values = (
                ("8867-4^HR^LN", 60 + rng.randrange(50), "/min"),
                ("59408-5^SpO2^LN", 92 + rng.randrange(8), "%"),
            )
            segments = [
                hl7.pid(patient.pid(), patient.account),
                hl7.pv1(f"{room[:2]}^{room}^1"),
                f"OBR|1|||VITALS|||{hl7.stamp(at)}",
                *(
                    f"OBX|{n}|NM|{code}||{value}|{unit}|||||F|||{hl7.stamp(at)}|||{equipment}^{me.serial}^^{me.model.vendor}"
                    for n, (code, value, unit) in enumerate(values, 1)
                ),
            ]
            kind = "OUL^R22" if me.category in ("microbiology", "molecular_pcr") else "ORU^R01"
            send_hl7(scene, me, engine, at, rng, kind, (application, scene.site.naming.facility), segments)
            if spot:
                scene.act(me, "measurement", at, at + MINUTE)
        at = calendar.after(rng, at, 1500, scene.day.ward) if spot else calendar.regular(rng, at, 60)
        yield at


def poct(scene: Scene, me: Device) -> Iterator[int]:
    """Dock a point-of-care tester: greet, send results, be acknowledged (POCT1-A2)."""
    rng = scene.rng(me, "poct")
    server = scene.site.roles.get("lis") or scene.site.roles.get("engine")
    at = calendar.after(rng, scene.start, 2400, scene.day.ward)
    yield at
    control = rng.randrange(1, 9000)
    while at < scene.stop and server is not None:
        if me.present(at):
            stamp = hl7.stamp(at)
            moment = (
                f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}T{stamp[8:10]}:{stamp[10:12]}:{stamp[12:14]}+00:00"
            )
            stream = Stream(scene.ear, rng, me.end(at), server.end(at), 4010, at).connect()
            facts = {
                "device_id": me.macs[0].hex("-"),
                "vendor_id": me.model.vendor,
                "model_id": me.model.fact("poct"),
                "serial_id": me.serial,
                "manufacturer_name": me.model.vendor,
                "sw_version": me.firmware,
                "device_name": me.name or me.serial,
            }
            said = [bedside.poct_hello(control, facts, moment)]
            for _ in range(rng.randrange(1, 5)):
                patient = rng.choice(scene.site.patients)
                said.append(
                    bedside.poct_observation(
                        control + 1, moment, patient.pid(), "GLU", str(70 + rng.randrange(120)), "mg/dL"
                    )
                )
            for text in said:
                stream.say(True, text, 3 * MILLISECOND)
                stream.say(
                    False,
                    bedside.poct_acknowledge(control + 5000, control, moment),
                    stream.path.rtt + 4 * MILLISECOND,
                )
                control += 1
            stream.settle()
            at = stream.close()
            scene.act(me, "docked", stream.start, at)
        at = calendar.after(rng, at, 3600, scene.day.ward)
        yield at


def speaks_for_others(scene: Scene, me: Device) -> Iterator[int]:
    """Speak for the ventilators and dialysis machines on the gateway's serial ports: HL7 every minute."""
    rng = scene.rng(me, "gateway")
    engine = scene.site.roles.get("engine")
    if engine is None:
        return
    behind = [
        ("MDC_DEV_SYS_PT_VENT_MDS", "Evita XL"),
        ("MDC_DEV_PUMP_INFUS_VMD", "Orchestra"),
        ("MDC_DEV_HDIALY_MACHINE_MDS", "4008 S"),
    ]
    beds = rng.sample(scene.site.patients, min(3, len(scene.site.patients)))
    at = scene.start + int(rng.random() * 60 * SECOND)
    yield at
    while at < scene.stop:
        for (code, name), patient in zip(behind, beds, strict=False):
            room = me.stay(at).place.room
            segments = [
                hl7.pid(patient.pid(), patient.account),
                hl7.pv1(f"ICU^{room}^{beds.index(patient) + 1}"),
                f"OBR|1|||{code}^{name}|||{hl7.stamp(at)}",
                f"OBX|1||69854^{code}^MDC|1.0.0.0|||||||X|||||||{name}^{me.serial}",
                f"OBX|2|NM|151562^MDC_VENT_RESP_RATE^MDC|1.1.1.1|{12 + rng.randrange(9)}|/min|||||F",
            ]
            at = send_hl7(
                scene,
                me,
                engine,
                at,
                rng,
                "ORU^R01",
                (me.model.fact("hl7", "GATEWAY"), scene.site.naming.facility),
                segments,
            )
        at = calendar.regular(rng, at, 60)
        yield at


def maker_cloud(scene: Scene, me: Device) -> Iterator[int]:
    """Call the maker's servers on the Internet."""
    rng = scene.rng(me, "cloud")
    hosts = me.model.facts.get("cloud") or ()
    at = scene.first(me, rng, calendar.after(rng, scene.start, 900))
    yield at
    while at < scene.stop and hosts:
        if me.present(at):
            scene.cloud(me, rng.choice(hosts), at, rng, ((900, 500),))
        at = calendar.after(rng, at, 2400)
        yield at


def phones_home(scene: Scene, me: Device) -> Iterator[int]:
    """Send service data to the maker at night, as modalities and analysers under contract do."""
    rng = scene.rng(me, "service")
    hosts = {
        "GE HealthCare": "insite.gehealthcare.com",
        "Siemens Healthineers": "srs.siemens-healthineers.com",
        "Philips": "prs.philips.com",
        "Canon Medical": "innervision.medical.canon",
        "Roche": "axeda.roche.com",
        "Sysmex": "sncs.sysmex-europe.com",
        "BD": "smartservices.bd.com",
        "Hologic": "hologic.axeda.com",
    }
    host = hosts.get(me.model.vendor)
    at = scene.start + int(rng.random() * 2 * HOUR)
    yield at
    while at < scene.stop and host is not None:
        if me.present(at) and calendar.hour_of(at) in (0, 1, 2, 3, 4, 22, 23, 7, 8):
            scene.cloud(me, host, at, rng, ((1200, 300), (6000, 200)))
        at = calendar.after(rng, at, 3 * 3600)
        yield at
