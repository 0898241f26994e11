"""Printers, phones, cameras, switches and what else is connected in a house."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from medwarden.simulation import calendar, wire
from medwarden.simulation.device import Device
from medwarden.simulation.ends import MILLISECOND, SECOND
from medwarden.simulation.scene import Scene
from medwarden.simulation.talk import Datagrams, Stream
from medwarden.simulation.voices import dns, names, neighbours, offices, snmp

_MDNS = "224.0.0.251"


def _stranger(scene: Scene, rng: Random, kinds: tuple[str, ...], at: int) -> Device | None:
    found = [device for kind in kinds for device in scene.site.of(kind) if device.present(at)]
    return rng.choice(found) if found else None


def snmp_polled(scene: Scene, me: Device) -> Iterator[int]:
    """Be asked by the management server what one is (system group)."""
    rng = scene.rng(me, "snmp")
    server = scene.site.roles.get("watch")
    at = scene.start + int(rng.random() * 900 * SECOND)
    yield at
    while at < scene.stop and server is not None:
        if me.present(at):
            talk = Datagrams(scene.ear, rng, server.end(at), me.end(at), 161, at, service="snmp")
            keys = (snmp.SYS_DESCR, snmp.SYS_OBJECT_ID, snmp.SYS_UPTIME, snmp.SYS_NAME, snmp.SYS_LOCATION)
            values = (
                me.model.fact("descr"),
                me.model.fact("oid", "1.3.6.1.4.1.8072.3.2.10"),
                (at - scene.start) // 10_000_000 + 8_640_000,
                me.name,
                me.stay(at).place.text(),
            )
            request = rng.getrandbits(30)
            talk.ask(
                snmp.message(snmp.GET, request, [(key, None) for key in keys]),
                snmp.message(snmp.RESPONSE, request, list(zip(keys, values, strict=True))),
            )
            own = me.model.facts.get("ups")
            if own:
                pair = [("1.3.6.1.2.1.33.1.1.1.0", str(own[0])), ("1.3.6.1.2.1.33.1.1.2.0", str(own[1]))]
                asked: list[tuple[str, snmp.Value]] = [(key, None) for key, _ in pair]
                told: list[tuple[str, snmp.Value]] = [(key, value) for key, value in pair]
                talk.at += 10 * MILLISECOND
                talk.ask(
                    snmp.message(snmp.GET, request + 1, asked), snmp.message(snmp.RESPONSE, request + 1, told)
                )
            talk.note("snmp", at, {"version": "2c", "community": "public", "display_string": str(values[0])})
            talk.end()
        at = calendar.regular(rng, at, 1800)
        yield at


def web_page(scene: Scene, me: Device) -> Iterator[int]:
    """Have the own web page opened by somebody now and then."""
    rng = scene.rng(me, "page")
    at = calendar.after(rng, scene.start, 1500, scene.day.ward)
    yield at
    while at < scene.stop:
        guest = _stranger(scene, rng, ("workstation", "server"), at)
        if me.present(at) and guest is not None:
            title = me.model.fact("title", me.model.name)
            ip = wire.dotted(me.end(at).ip)
            scene.web(
                guest,
                me.end(at),
                ip,
                at,
                rng,
                server=me.model.fact("server"),
                body=offices.html(title),
                agent=guest.system.agent,
            )
        at = calendar.after(rng, at, 9000, scene.day.ward)
        yield at


def printer(scene: Scene, me: Device) -> Iterator[int]:
    """Print: jobs over port 9100 from the desks, announcements over multicast DNS, questions over IPP."""
    rng = scene.rng(me, "printer")
    at = scene.first(me, rng, calendar.after(rng, scene.start, 400, scene.day.ward))
    yield at
    shown = False
    model = me.model.fact("print", me.model.name)
    while at < scene.stop:
        if me.present(at):
            far = me.end(at)
            if (not shown or rng.random() < 0.05) and me.category == "printer":
                text = (
                    "txtvers=1",
                    f"ty={model}",
                    f"usb_MFG={me.model.vendor}",
                    f"usb_MDL={me.model.name}",
                    f"product=({model})",
                    "pdl=application/postscript",
                )
                answers, additional = dns.service_records(
                    f"{model} [{far.mac.hex()[6:].upper()}]",
                    "_ipp._tcp",
                    me.name or far.mac.hex(),
                    631,
                    text,
                    far.ip,
                )
                scene.multicast(me, wire.address(_MDNS), 5353, dns.announcement(answers, additional), at, rng)
                shown = True
            guest = _stranger(scene, rng, ("workstation", "workstation", "medical_cart", "lis", "server"), at)
            if guest is not None:
                _print_job(scene, me, guest, model, at, rng)
        at = calendar.after(rng, at, 900, scene.day.ward)
        yield at


def _print_job(scene: Scene, me: Device, guest: Device, model: str, at: int, rng: Random) -> None:
    far = me.end(at)
    if me.category == "label_printer":
        stream = Stream(scene.ear, rng, guest.end(at), far, 9100, at).connect()
        stream.say(True, offices.zpl_label(f"{rng.randrange(10**9):09d}"))
    elif rng.random() < 0.3:
        stream = Stream(scene.ear, rng, guest.end(at), far, 631, at, service="http").connect()
        ip = wire.dotted(far.ip)
        body = offices.ipp_get_attributes(f"ipp://{ip}/ipp/print", 7)
        head = {"Content-Type": "application/ipp", "User-Agent": "Microsoft IPP/10.0 (Windows 10.0)"}
        stream.say(True, offices.http_request("POST", "/ipp/print", f"{ip}:631", head, body))
        stream.say(
            False,
            offices.http_response(
                "200 OK", me.model.fact("server"), "application/ipp", offices.ipp_attributes(model, 7)
            ),
            5 * MILLISECOND,
        )
    else:
        stream = Stream(scene.ear, rng, guest.end(at), far, 9100, at).connect()
        if rng.random() < 0.4:
            ask, told = offices.pjl_info(model)
            stream.say(True, ask)
            stream.say(False, told, 4 * MILLISECOND)
        stream.say(True, offices.pjl_job("report", rng.randrange(600, 6000), rng), 4 * MILLISECOND)
    stream.settle()
    stream.close()


def phone(scene: Scene, me: Device) -> Iterator[int]:
    """Register with the call server over SIP, every half hour again, and tell the switch by LLDP."""
    rng = scene.rng(me, "sip")
    server = scene.site.roles.get("calls")
    number, user = rng.randrange(100, 900), f"{4000 + me.number % 5000}"
    at = scene.first(me, rng, scene.start + int(rng.random() * 900 * SECOND))
    yield at
    while at < scene.stop and server is not None:
        if me.present(at):
            talk = Datagrams(scene.ear, rng, me.end(at), server.end(at), 5060, at, sport=5060, service="sip")
            number += 1
            ask = offices.sip_register(
                rng,
                user,
                wire.dotted(me.end(at).ip),
                wire.dotted(server.end(at).ip),
                me.model.fact("sip", me.model.name),
                number,
            )
            talk.ask(ask, offices.sip_reply(ask, "200 OK", "Asterisk PBX 16.28.0"))
            agent_of = me.model.fact("sip", me.model.name)
            talk.note("sip", at, {"method": "REGISTER", "user_agent": agent_of, "status_code": 200})
            talk.end()
        at = calendar.regular(rng, at, 1800)
        yield at


def lldp(scene: Scene, me: Device) -> Iterator[int]:
    """Tell the neighbour on the cable who one is."""
    rng = scene.rng(me, "lldp")
    at = scene.first(me, rng, scene.start + int(rng.random() * 120 * SECOND), 3)
    yield at
    platform, descr = me.model.fact("platform"), me.model.fact("descr", me.model.name)
    while at < scene.stop:
        if me.present(at):
            end = me.end(at)
            if platform:
                scene.ear.frame(
                    at,
                    neighbours.cdp(
                        end.mac,
                        me.name,
                        descr if "Version" in descr else me.firmware,
                        platform,
                        "Port 1" if me.category == "voip_phone" else "GigabitEthernet1/0/48",
                        0x490 if me.category == "voip_phone" else 0x28,
                        end.ip,
                    ),
                )
            if me.category == "voip_phone" or not platform:
                inventory = (
                    {
                        "maker": me.model.vendor,
                        "model": me.model.name,
                        "software": me.firmware,
                        "serial": me.serial,
                    }
                    if me.category == "voip_phone"
                    else None
                )
                capability = (
                    0x24 if me.category == "voip_phone" else 0x04 if me.category == "network_switch" else 0x08
                )
                scene.ear.frame(
                    at + MILLISECOND,
                    neighbours.lldp(end.mac, me.name, descr, "1", capability, end.ip, inventory),
                )
        at = calendar.regular(rng, at, 300)
        yield at


def camera(scene: Scene, me: Device) -> Iterator[int]:
    """Be watched by the recorder over RTSP; keep the stream alive."""
    rng = scene.rng(me, "camera")
    recorder = scene.site.roles.get("recorder") or scene.site.roles.get("files")
    if recorder is None:
        return
    at = scene.first(me, rng, scene.start + int(rng.random() * 60 * SECOND), 40)
    yield at
    end = me.end(at)
    url = f"rtsp://{wire.dotted(end.ip)}:554/" + {
        "Axis": "axis-media/media.amp",
        "Hikvision": "Streaming/Channels/101",
    }.get(me.model.vendor, "cam/realmonitor?channel=1&subtype=0")
    server = {"Axis": "GStreamer RTSP server", "Dahua": "Rtsp Server/3.0"}.get(me.model.vendor, "Rtsp Server")
    stream = Stream(scene.ear, rng, recorder.end(at), end, 554, at, service="rtsp").connect()
    sdp = f"v=0\r\no=- 1 1 IN IP4 {wire.dotted(end.ip)}\r\ns=Media Presentation\r\nt=0 0\r\n"
    sdp += "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    number = 1
    for method, body in (("OPTIONS", ""), ("DESCRIBE", sdp), ("SETUP", ""), ("PLAY", "")):
        stream.say(True, offices.rtsp(method, url, number, "Lavf57.83.100"), MILLISECOND)
        extra = (
            "Session: 1234567;timeout=60\r\n"
            if method in ("SETUP", "PLAY")
            else "Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n"
            if method == "OPTIONS"
            else ""
        )
        stream.say(False, offices.rtsp_reply(number, server, extra, body), stream.path.rtt + 3 * MILLISECOND)
        number += 1
    sequence, pulse = rng.getrandbits(15), 0
    while at < min(scene.stop, me.leaves):
        at = calendar.regular(rng, max(at, stream.at), 5)
        yield at
        stream.leap(at)
        for _ in range(3):
            sequence = sequence + 1 & 0xFFFF
            stream.say(False, offices.interleaved(rng, sequence, at // 11_111, rng.randrange(200, 900)))
        pulse += 1
        if pulse % 8:
            stream.settle()
            continue
        stream.say(True, offices.rtsp("GET_PARAMETER", url, number, "Lavf57.83.100"))
        stream.say(
            False, offices.rtsp_reply(number, server, "Session: 1234567\r\n"), stream.path.rtt + MILLISECOND
        )
        stream.settle()
        number += 1
    stream.end()


def upnp(scene: Scene, me: Device) -> Iterator[int]:
    """Announce a media device or bridge over SSDP and multicast DNS."""
    rng = scene.rng(me, "upnp")
    uuid = f"2f402f80-da50-11e1-9b23-{me.macs[0].hex()}"
    at = scene.first(me, rng, scene.start + int(rng.random() * 400 * SECOND))
    yield at
    while at < scene.stop:
        if me.present(at):
            end = me.end(at)
            if me.model.fact("cast"):
                text = (
                    f"id={rng.randbytes(16).hex()}",
                    f"md={me.model.fact('cast')}",
                    f"fn={me.stay(at).place.room}",
                    "ve=05",
                )
                answers, additional = dns.service_records(
                    f"{me.model.fact('cast')}-{uuid[-12:]}", "_googlecast._tcp", uuid, 8009, text, end.ip
                )
                scene.multicast(me, wire.address(_MDNS), 5353, dns.announcement(answers, additional), at, rng)
            else:
                server = me.model.fact("ssdp") or (
                    "SHP, UPnP/1.0, Samsung UPnP SDK/1.0"
                    if me.model.vendor == "Samsung"
                    else "Linux/3.10 UPnP/1.0 Device/1.0"
                )
                scene.multicast(
                    me,
                    wire.address("239.255.255.250"),
                    1900,
                    names.ssdp_notify(wire.dotted(end.ip), server, "upnp:rootdevice", uuid),
                    at,
                    rng,
                    ttl=4,
                )
            if rng.random() < 0.2 and me.model.fact("upnp"):
                guest = _stranger(scene, rng, ("workstation", "laptop"), at)
                if guest is not None:
                    facts = {
                        "deviceType": "urn:schemas-upnp-org:device:MediaRenderer:1",
                        "friendlyName": me.model.fact("upnp"),
                        "manufacturer": me.model.vendor,
                        "modelName": me.model.name,
                    }
                    scene.web(
                        guest,
                        end,
                        wire.dotted(end.ip),
                        at + SECOND,
                        rng,
                        path="/description.xml",
                        body=names.upnp_description(facts, uuid),
                        kind="text/xml",
                    )
        at = calendar.regular(rng, at, 900)
        yield at


def agent(scene: Scene, me: Device) -> Iterator[int]:
    """Report to a server of the site over HTTP with the program's own user agent."""
    rng = scene.rng(me, "agent")
    server = scene.site.roles.get("engine") or scene.site.roles.get("files")
    at = scene.first(me, rng, calendar.after(rng, scene.start, 600, scene.day.ward), 45)
    yield at
    while at < scene.stop and server is not None:
        if me.present(at):
            host = scene.site.fqdn(server)
            at = scene.look_up(me, host, at, rng)
            scene.web(
                me,
                server.end(at),
                host,
                at,
                rng,
                path="/api/status",
                agent=me.model.fact("agent"),
                method="POST",
                sent=b'{"state":"ready"}',
                body=b"{}",
                kind="application/json",
            )
        at = calendar.after(rng, at, 1200, scene.day.ward)
        yield at


def management(scene: Scene, me: Device) -> Iterator[int]:
    """Be logged on to by an administrator over SSH."""
    rng = scene.rng(me, "ssh")
    at = calendar.after(rng, scene.start, 4000, scene.day.office)
    yield at
    while at < scene.stop:
        guest = scene.site.roles.get("watch")
        if me.present(at) and guest is not None and guest is not me and me.system.ssh:
            stream = Stream(scene.ear, rng, guest.end(at), me.end(at), 22, at, service="ssh").connect()
            stream.say(True, b"SSH-2.0-PuTTY_Release_0.76\r\n")
            stream.say(False, me.system.ssh.encode() + b"\r\n", stream.path.rtt + MILLISECOND)
            stream.exchange(
                (
                    (True, offices.ssh_init(rng)),
                    (False, offices.ssh_init(rng)),
                    (True, rng.randbytes(48)),
                    (False, rng.randbytes(200)),
                )
            )
            stream.note(
                "ssh",
                at,
                {
                    "version": 2,
                    "client": "SSH-2.0-PuTTY_Release_0.76",
                    "server": me.system.ssh,
                    "auth_success": True,
                },
            )
            stream.settle()
            stream.close()
        at = calendar.after(rng, at, 7200, scene.day.office)
        yield at
