"""Devices that discover each other and subscribe: SDC at the bed, ONVIF cameras and their recorder."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from medwarden.simulation import calendar, wire
from medwarden.simulation.device import Device
from medwarden.simulation.ends import MILLISECOND, SECOND
from medwarden.simulation.scene import Scene
from medwarden.simulation.talk import Datagrams, Stream
from medwarden.simulation.voices import sdc
from medwarden.simulation.voices.offices import http_request, http_response

_GROUP = "239.255.255.250"
_PORT = 3702
_SERVICE = 6464
_SOAP = "application/soap+xml; charset=utf-8"


def _uuid(rng: Random) -> str:
    text = rng.randbytes(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def provider_of(scene: Scene, me: Device, at: int) -> sdc.Provider:
    """Return what a device tells of itself."""
    stay = me.stay(at)
    uuid = _uuid(scene.rng(me, "uuid"))
    return sdc.Provider(
        uuid=uuid,
        maker=me.model.vendor,
        model=me.model.name,
        name=f"{me.model.name} {stay.place.room}",
        firmware=me.firmware,
        serial=me.serial,
        kind=me.model.fact("sdc"),
        facility=scene.site.naming.facility,
        unit=stay.place.room[:2],
        bed=stay.place.room[2:],
        address=f"http://{wire.dotted(stay.end.ip)}:{_SERVICE}/{uuid}",
    )


def provider(scene: Scene, me: Device) -> Iterator[int]:
    """Say hello, answer who one is, and report values to the gateway that subscribed."""
    rng = scene.rng(me, "sdc")
    listener = next(iter(scene.site.of("device_gateway")), None) or scene.site.roles.get("central")
    at = scene.first(me, rng, scene.start + int(rng.random() * 60 * SECOND), 5)
    yield at
    sequence, number, known = _uuid(rng), 0, False
    notify = ""
    while at < scene.stop:
        if me.present(at):
            told = provider_of(scene, me, at)
            if not known or rng.random() < 0.01:
                number += 1
                scene.multicast(
                    me, wire.address(_GROUP), _PORT, sdc.hello(told, _uuid(rng), number), at, rng, ttl=2
                )
            if listener is not None and not known:
                notify = f"http://{wire.dotted(listener.end(at).ip)}:8090/{_uuid(rng)}"
                at = _subscribe(scene, me, listener, told, at + 500 * MILLISECOND, rng, (sequence, notify))
                known = True
            elif listener is not None:
                number += 1
                report = sdc.metric_report(
                    notify, _uuid(rng), sequence, number, at // 10**6, 10 + rng.randrange(15)
                )
                path, host = "/" + notify.rpartition("/")[2], notify.split("/")[2]
                stream = Stream(
                    scene.ear, rng, me.end(at), listener.end(at), 8090, at, service="http"
                ).connect()
                stream.say(True, http_request("POST", path, host, {"Content-Type": _SOAP}, report))
                stream.say(False, http_response("202 Accepted", "", "text/plain", b""), 3 * MILLISECOND)
                stream.settle()
                stream.close()
        at = calendar.regular(rng, at, 20)
        yield at


def _subscribe(
    scene: Scene, me: Device, listener: Device, told: sdc.Provider, at: int, rng: Random, ids: tuple[str, str]
) -> int:
    """Let the listener probe, read metadata and MDIB, and subscribe; returns when it was done."""
    sequence, notify = ids
    asked = _uuid(rng)
    scene.multicast(listener, wire.address(_GROUP), _PORT, sdc.probe(asked), at, rng, ttl=2)
    talk = Datagrams(
        scene.ear, rng, me.end(at), listener.end(at), 40_000 + rng.randrange(9000), at, sport=_PORT
    )
    talk.say(True, sdc.probe_match(told, _uuid(rng), asked, 2), 80 * MILLISECOND)
    at = talk.end() + 20 * MILLISECOND
    host = told.address.split("/")[2]
    first, second, third = _uuid(rng), _uuid(rng), _uuid(rng)
    turns = (
        ("", sdc.get(told, first), sdc.metadata(told, _uuid(rng), first)),
        ("/GetService", sdc.get_mdib(told, second), sdc.mdib(told, _uuid(rng), second, sequence)),
        (
            "/StateEventService",
            sdc.subscribe(told, third, notify),
            sdc.subscribed(told, _uuid(rng), third, rng.randbytes(8).hex()),
        ),
    )
    stream = Stream(scene.ear, rng, listener.end(at), me.end(at), _SERVICE, at, service="http").connect()
    for path, ask, answer in turns:
        head = {"Content-Type": _SOAP, "Connection": "keep-alive"}
        stream.say(True, http_request("POST", f"/{told.uuid}{path}", host, head, ask), 2 * MILLISECOND)
        stream.say(False, http_response("200 OK", "", _SOAP, answer), stream.path.rtt + 5 * MILLISECOND)
    stream.settle()
    return stream.close()


def onvif(scene: Scene, me: Device) -> Iterator[int]:
    """Answer the recorder's probe for cameras with name, hardware and place (ONVIF scopes)."""
    rng = scene.rng(me, "onvif")
    recorder = scene.site.roles.get("recorder") or scene.site.roles.get("watch")
    at = scene.start + int(rng.random() * 600 * SECOND)
    yield at
    while at < scene.stop and recorder is not None:
        if me.present(at):
            asked, ip = _uuid(rng), wire.dotted(me.end(at).ip)
            base = "onvif://www.onvif.org"
            maker = me.model.fact("onvif")
            scopes = " ".join(
                (
                    f"{base}/type/video_encoder",
                    f"{base}/hardware/{me.model.name.replace(' ', '%20')}",
                    f"{base}/name/{maker}%20{me.model.name.replace(' ', '%20')}",
                    f"{base}/location/{me.stay(at).place.room}",
                    f"{base}/Profile/Streaming",
                )
            )
            answer = sdc.onvif_match(
                _uuid(scene.rng(me, "uuid")), _uuid(rng), asked, scopes, f"http://{ip}/onvif/device_service"
            )
            talk = Datagrams(
                scene.ear, rng, me.end(at), recorder.end(at), 40_000 + rng.randrange(9000), at, sport=_PORT
            )
            talk.say(True, answer)
            talk.end()
        at = calendar.regular(rng, at, 3600)
        yield at
