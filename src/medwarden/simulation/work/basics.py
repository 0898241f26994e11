"""What every device does to be on a network: ARP, DHCP, IPv6 neighbour noise, names and time."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from random import Random

from medwarden.simulation import calendar, wire
from medwarden.simulation.device import Device
from medwarden.simulation.ends import HOUR, MILLISECOND, SECOND, End
from medwarden.simulation.scene import Scene
from medwarden.simulation.talk import Datagrams
from medwarden.simulation.voices import arp, dhcp, ntp

LEASE_S = 8 * 3600


def presence(scene: Scene, me: Device) -> Iterator[int]:
    """Arrive, take an address at every stay, keep it, and ask for the gateway now and then."""
    rng = scene.rng(me, "presence")
    at = max(scene.start + int(rng.random() ** 2 * 300 * SECOND), me.arrives)
    yield at
    seen = -1
    quiet = 600 if me.category not in ("server", "domain_controller") else 300
    renew = at + int(rng.random() * LEASE_S / 2 * SECOND)
    while at < scene.stop and at < me.leaves:
        stay = me.stay(at)
        index = me.stays.index(stay)
        if index != seen:
            seen = index
            if stay.dhcp and (index or me.arrives > scene.start or rng.random() < 0.5):
                at = lease(scene, me, at, whole=True)
            elif stay.dhcp:
                at = lease(scene, me, at, whole=False)
            announce(scene, me, at)
            renew = at + LEASE_S // 2 * SECOND
        elif stay.dhcp and at >= renew:
            at = lease(scene, me, at, whole=False)
            renew = at + LEASE_S // 2 * SECOND
        ask_gateway(scene, me, at)
        following = me.stays[index + 1].since if index + 1 < len(me.stays) else scene.stop
        wake = calendar.after(rng, at, quiet)
        at = following + int(rng.random() * 3 * SECOND) if at < following < wake else wake
        yield at


def announce(scene: Scene, me: Device, at: int) -> None:
    """Probe for the own address and announce it, and join IPv6 where the system does."""
    end = me.end(at)
    scene.ear.frame(at, arp.request(end.mac, end.ip, end.ip, end.vlan))
    if me.system.id.startswith(
        (
            "windows_1",
            "windows_7",
            "server_2",
            "ubuntu",
            "debian",
            "rhel",
            "ios",
            "ipados",
            "android",
            "macos",
        )
    ):
        source, target = wire.link_local(end.mac), bytes.fromhex("ff020000000000000000000000000002")
        head = wire.ethernet(bytes.fromhex("333300000002"), end.mac, wire.ETHER_IPV6, end.vlan)
        solicitation = struct.pack(">BBHI", 133, 0, 0, 0) + b"\x01\x01" + end.mac
        scene.ear.frame(at + 5 * MILLISECOND, head + wire.icmp6(source, target, solicitation))


def ask_gateway(scene: Scene, me: Device, at: int) -> None:
    """Ask who the gateway is, and hear it."""
    stay = me.stay(at)
    end, gateway = stay.end, stay.network.gateway
    scene.ear.frame(at, arp.request(end.mac, end.ip, gateway, end.vlan))
    scene.ear.frame(at + 300_000, arp.reply(end.gateway, gateway, end.mac, end.ip, end.vlan))


def lease(scene: Scene, me: Device, at: int, *, whole: bool) -> int:
    """Take or renew an address from the site's DHCP server; returns when it was settled."""
    server = scene.site.roles.get("dhcp")
    if server is None or server is me:
        return at
    rng = scene.rng(me, f"lease/{at}")
    stay = me.stay(at)
    end, gateway = stay.end, stay.network.gateway
    giver, xid, own_class = server.end(at).ip, rng.getrandbits(32), vendor_class(me)
    out = wire.ethernet(wire.BROADCAST_MAC, end.mac, wire.ETHER_IPV4, end.vlan)
    back = wire.ethernet(end.mac, end.gateway, wire.ETHER_IPV4, end.vlan)
    facts = {
        "mask": stay.network.mask,
        "router": gateway,
        "dns": scene.site.roles["dns"].end(at).ip,
        "ntp": giver,
    }

    def asked(kind: int, moment: int, **more: int) -> None:
        body = dhcp.client_message(kind, me.system, end.mac, xid, me.name, vendor_class=own_class, **more)
        packet = wire.udp(0, 0xFFFFFFFF, 68, 67, body, ttl=me.system.ttl, ident=rng.getrandbits(16))
        scene.ear.frame(moment, out + packet)

    def answered(kind: int, moment: int) -> None:
        domain = scene.site.naming.domain
        body = dhcp.server_message(kind, end.mac, xid, end.ip, giver, facts, domain, LEASE_S, relay=gateway)
        packet = wire.udp(gateway, end.ip, 67, 68, body, ttl=255, ident=rng.getrandbits(16))
        scene.ear.frame(moment, back + packet)

    began = at
    if whole:
        asked(dhcp.DISCOVER, at)
        at += 20 * MILLISECOND + rng.randrange(30 * MILLISECOND)
        answered(dhcp.OFFER, at)
        at += 10 * MILLISECOND
    asked(dhcp.REQUEST, at, wanted=end.ip, server=giver if whole else 0)
    at += 10 * MILLISECOND
    answered(dhcp.ACK, at)
    if scene.ear.sessions:
        _lease_session(scene, me, server.end(at), began, at, whole=whole)
    return at + 5 * MILLISECOND


def _lease_session(scene: Scene, me: Device, giver: End, began: int, at: int, *, whole: bool) -> None:
    """Hand in what a log says of a lease."""
    stay = me.stay(at)
    end, name = stay.end, me.name
    talk = Datagrams(
        scene.ear, scene.rng(me, f"lease log/{at}"), end, giver, 67, began, sport=68, service="dhcp"
    )
    count = 2 if whole else 1
    talk.packets, talk.octets, talk.payload = [count, count], [328 * count] * 2, [300 * count] * 2
    talk.history, talk.ended = "Dd", at
    fields = {
        "mac": wire.mac_text(end.mac),
        "host_name": name,
        "domain": scene.site.naming.domain,
        "requested_addr": wire.dotted(end.ip),
        "assigned_addr": wire.dotted(end.ip),
        "lease_time": float(LEASE_S),
        "server_addr": wire.dotted(giver.ip),
        "client_addr": wire.dotted(end.ip),
        "vendor_class": vendor_class(me) or me.system.dhcp_class,
        "options_order": ",".join(map(str, me.system.dhcp_asks)),
        "msg_types": ["DISCOVER", "OFFER", "REQUEST", "ACK"] if whole else ["REQUEST", "ACK"],
        "gateway": wire.dotted(stay.network.gateway),
    }
    talk.note("dhcp", at, fields)
    talk.end()


def vendor_class(me: Device) -> str | None:
    """Return the class a device names in DHCP where its model has one of its own."""
    known = me.model.facts.get("class")
    return str(known) if known is not None else None


def clock(scene: Scene, me: Device) -> Iterator[int]:
    """Ask the time of the site's server, or of the Internet's where the device is nobody's."""
    rng = scene.rng(me, "clock")
    every = rng.choice((1024, 2048, 3600, 3600)) if not me.system.joins else 7200
    at = scene.first(me, rng, scene.start + int(rng.random() * every * SECOND))
    yield at
    while at < scene.stop:
        if me.present(at):
            ask_time(scene, me, at, rng)
        at = calendar.regular(rng, at, every)
        yield at


def ask_time(scene: Scene, me: Device, at: int, rng: Random) -> None:
    """Ask the time once."""
    version = 3 if me.system.chatter.startswith("windows") else 4
    server, moment = scene.site.server("dns", at), at
    if me.category in ("smartphone", "streaming", "smart_speaker", "game_console") or server is None:
        host = "time.apple.com" if me.model.vendor == "Apple" else "time.google.com"
        moment, server = scene.look_up(me, host, at, rng), scene.outside(host)
    if server.ip != me.end(at).ip:
        talk = Datagrams(scene.ear, rng, me.end(at), server, 123, moment, sport=123, service="ntp")
        talk.ask(ntp.ask(moment, version), ntp.answer(moment, moment + 2 * MILLISECOND, version))
        talk.end()


def neighbours_of_servers(scene: Scene, me: Device) -> Iterator[int]:
    """Let a server show itself in its own network: it looks for others there and registers its name."""
    rng = scene.rng(me, "neighbours")
    others = [d for d in scene.site.devices if d is not me and d.stays[0].network is me.stays[0].network][:12]
    at = scene.start + int(rng.random() * 120 * SECOND)
    yield at
    while at < scene.stop and others:
        other = rng.choice(others)
        end = me.end(at)
        scene.ear.frame(at, arp.request(end.mac, end.ip, other.end(at).ip, end.vlan))
        scene.ear.frame(
            at + 200_000, arp.reply(other.end(at).mac, other.end(at).ip, end.mac, end.ip, end.vlan)
        )
        at = calendar.after(rng, at, HOUR // SECOND / 6)
        yield at
