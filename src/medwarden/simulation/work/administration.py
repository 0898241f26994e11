"""Administrators and the machines they keep: log lines, remote desktops, the weekly vulnerability scan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from medwarden.simulation import calendar
from medwarden.simulation.device import Device
from medwarden.simulation.ends import MILLISECOND, SECOND
from medwarden.simulation.scene import Scene
from medwarden.simulation.talk import Datagrams, Stream
from medwarden.simulation.voices import offices, tls

_LINES = (
    ("%LINK-3-UPDOWN", "Interface GigabitEthernet1/0/12, changed state to up"),
    ("%LINEPROTO-5-UPDOWN", "Line protocol on Interface GigabitEthernet1/0/12, changed state to up"),
    ("%SYS-5-CONFIG_I", "Configured from console by vty0"),
)
_SCANNED = (21, 22, 23, 80, 443, 445, 3389)
_SCAN_DAY, _SCAN_HOUR = 6, 2


def log_lines(scene: Scene, me: Device) -> Iterator[int]:
    """Send events to the log server (RFC 3164)."""
    rng = scene.rng(me, "syslog")
    server = scene.site.roles.get("watch")
    at = calendar.after(rng, scene.start, 300, scene.day.ward)
    yield at
    while at < scene.stop and server is not None:
        if me.present(at):
            moment = datetime.fromtimestamp(at / 1e9, UTC)
            program, text = rng.choice(_LINES)
            stamp = f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S}"
            talk = Datagrams(scene.ear, rng, me.end(at), server.end(at), 514, at, service="syslog")
            talk.say(True, offices.syslog(me.name or "switch", program, text, stamp, 189))
            talk.end()
        at = calendar.after(rng, at, 400, scene.day.ward)
        yield at


def remote_desktop(scene: Scene, me: Device) -> Iterator[int]:
    """Let an administrator work on a Windows server over RDP: X.224, then TLS."""
    rng = scene.rng(me, "rdp")
    desks = scene.site.of("workstation")
    at = calendar.after(rng, scene.start, 3000, scene.day.office)
    yield at
    while at < scene.stop and desks:
        desk = rng.choice(desks)
        if not desk.present(at):
            at = calendar.after(rng, at, 5000, scene.day.office)
            yield at
            continue
        stream = Stream(scene.ear, rng, desk.end(at), me.end(at), 3389, at, service="rdp").connect()
        stream.say(True, offices.rdp_request("adm"))
        stream.say(False, offices.rdp_confirm(), stream.path.rtt + MILLISECOND)
        library = desk.system.tls
        version, cipher = tls.agreed(library, tls.TLS12)
        owner = scene.site.fqdn(me)
        stream.say(True, tls.client_hello(rng, library, owner), stream.path.rtt)
        stream.say(
            False, tls.server_flight(rng, library, [scene.certificate(owner)], tls.TLS12), 2 * MILLISECOND
        )
        stream.say(True, tls.client_finish(rng, version, cipher), stream.path.rtt)
        stream.say(False, tls.server_finish(rng, version), stream.path.rtt)
        for _ in range(rng.randrange(10, 40)):
            stream.say(True, tls.sealed(rng, version, rng.randrange(40, 200)), 200 * MILLISECOND)
            stream.say(False, tls.sealed(rng, version, rng.randrange(100, 1200)), 20 * MILLISECOND)
        stream.settle()
        at = calendar.after(rng, stream.close(), 5000, scene.day.office)
        yield at


def vulnerability_scan(scene: Scene, me: Device) -> Iterator[int]:
    """Scan the site's wired devices once a week, on Sunday at 2 h: authorised, by the monitoring server."""
    if scene.site.roles.get("watch") is not me:
        return
    rng = scene.rng(me, "scan")
    at = scene.start
    while calendar.weekday(at) != _SCAN_DAY or calendar.hour_of(at) != _SCAN_HOUR:
        at += 600 * SECOND
        if at >= scene.stop:
            return
    yield at
    began = at
    for device in scene.site.devices:
        if at >= scene.stop:
            break
        if device is me or device.wireless or not device.present(at):
            continue
        for port in _SCANNED:
            Stream(scene.ear, rng, me.end(at), device.end(at), port, at).refuse()
            at += 15 * MILLISECOND
        at += int(rng.random() * SECOND)
        yield at
    scene.act(me, "authorised scan", began, at)
