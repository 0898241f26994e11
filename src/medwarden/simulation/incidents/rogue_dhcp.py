"""Rogue DHCP: a small router plugged into a wall answers requests with itself as gateway and resolver."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation import calendar, wire
from medwarden.simulation.ends import MILLISECOND, SECOND
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene
from medwarden.simulation.voices import dhcp


def _prepare(staging: Staging) -> Play:
    rogue = staging.guest(system="embedded_linux", name="OpenWrt")
    near = rogue.stays[0].network
    staging.actors = [rogue]
    staging.victims = [d for d in staging.site.devices if d.stays[0].network is near and d is not rogue][:30]
    if not staging.victims:
        staging.victims = staging.any_of("workstation")[:5]

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("rogue_dhcp")
        at = staging.start
        yield at
        while at < staging.end:
            victim, own = rng.choice(staging.victims), rogue.end(at)
            target, xid = victim.end(at), rng.getrandbits(32)
            out = wire.ethernet(wire.BROADCAST_MAC, target.mac, wire.ETHER_IPV4, target.vlan)
            asked = dhcp.client_message(dhcp.DISCOVER, victim.system, target.mac, xid, victim.name)
            scene.ear.frame(at, out + wire.udp(0, 0xFFFFFFFF, 68, 67, asked, ttl=victim.system.ttl, ident=1))
            given = 192 << 24 | 168 << 16 | 8 << 8 | 100 + rng.randrange(50)
            server = 192 << 24 | 168 << 16 | 8 << 8 | 1
            facts = {"mask": 0xFFFFFF00, "router": server, "dns": server, "ntp": server}
            for number, kind in enumerate((dhcp.OFFER, dhcp.ACK)):
                body = dhcp.server_message(kind, target.mac, xid, given, server, facts, "lan", 43_200)
                packet = wire.udp(server, given, 67, 68, body, ttl=64, ident=rng.getrandbits(16))
                head = wire.ethernet(target.mac, own.mac, wire.ETHER_IPV4, own.vlan)
                scene.ear.frame(at + (30 + 40 * number) * MILLISECOND, head + packet)
            at = calendar.after(rng, at + SECOND, 20)
            yield at

    return play


INCIDENT = Incident("rogue_dhcp", "A second DHCP server answers", False, _prepare)
