"""What an activity works with: the site, its names and systems, and the common conversations."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from random import Random

from medwarden.simulation import wire
from medwarden.simulation.device import Device
from medwarden.simulation.ends import DAY, MICROSECOND, MILLISECOND, SECOND, Ear, End
from medwarden.simulation.hospital import Hospital, Site
from medwarden.simulation.systems import SYSTEMS
from medwarden.simulation.talk import Datagrams, Stream
from medwarden.simulation.voices import dns, tls
from medwarden.simulation.voices.der import certificate
from medwarden.simulation.voices.offices import http_request, http_response

Activity = Callable[["Scene", Device], Iterator[int]]
"""Yields when it wants to go on; what it says lies at or after that time."""

_CLOUDS = (13, 20, 34, 52, 104, 142, 151, 172, 185)
_UPSTREAM = ("Google Trust Services", "DigiCert Inc", "Let's Encrypt", "Sectigo Limited")


class Scene:
    """One site as its devices live in it. ``ear`` hears what is said there."""

    def __init__(self, hospital: Hospital, site: Site, ear: Ear, image_scale: float = 0.02) -> None:
        self.hospital = hospital
        self.site = site
        self.ear = ear
        self.image_scale = image_scale
        self.seed = hospital.seed
        self.day = site.day
        self.start, self.stop = hospital.start, hospital.stop
        self.actions: list[tuple[str, str, int, int, str]] = []
        self._certificates: dict[str, bytes] = {}
        self._outside: dict[str, End] = {}
        self._elsewhere: dict[str, End] = {}

    def act(self, who: Device, kind: str, start: int, end: int, remark: str = "") -> None:
        """Note what a person did with a device."""
        self.actions.append((who.key, kind, start, end, remark))

    def rng(self, me: Device, purpose: str) -> Random:
        """Return a source of chance for one activity of one device."""
        return me.rng(self.seed, purpose)

    def chance(self, purpose: str) -> Random:
        """Return a source of chance for the site."""
        return Random(f"{self.seed}/{self.site.name}/{purpose}")  # noqa: S311 - must be repeatable

    def outside(self, host: str) -> End:
        """Return a host of the Internet; its address follows from its name."""
        end = self._outside.get(host)
        if end is None:
            digest = zlib.crc32(host.encode())
            first = _CLOUDS[digest % len(_CLOUDS)]
            second = 16 + (digest >> 8) % 200 if first != 172 else 64 + (digest >> 8) % 150
            if first == 185:
                second = 2 + (digest >> 8) % 180
            ip = first << 24 | second << 16 | (digest >> 16 & 0xFF) << 8 | (1 + (digest >> 4) % 250)
            end = End(b"", ip, SYSTEMS["internet"], distance=(8 + digest % 30) * MILLISECOND, net=0)
            self._outside[host] = end
        return end

    def of_the_group(self, name: str) -> str:
        """Return the full name of a system in a data centre of the group, outside this house."""
        short = "".join(c for c in name.lower() if c.isalnum() or c == "-")
        return f"{short}.{self.site.naming.domain}"

    def elsewhere(self, host: str) -> End:
        """Return a system in a data centre of the group; its private address follows from its name."""
        end = self._elsewhere.get(host)
        if end is None:
            digest = zlib.crc32(host.encode())
            ip = 10 << 24 | 240 << 16 | (digest >> 8 & 0xFF) << 8 | (1 + digest % 250)
            end = End(b"", ip, SYSTEMS["server_2019"], distance=(2 + digest % 6) * MILLISECOND, net=0)
            self._elsewhere[host] = end
        return end

    def certificate(self, host: str, owner: str = "", issuer: str = "") -> bytes:
        """Return the certificate of a host; inner ones are the hospital's, or ``owner``'s own."""
        found = self._certificates.get(host + owner)
        if found is None:
            rng = self.chance(f"certificate/{host}/{owner}")
            since = datetime.fromtimestamp((self.start - rng.randrange(20, 300) * DAY) / 1e9, UTC)
            until = datetime.fromtimestamp((self.start + rng.randrange(30, 700) * DAY) / 1e9, UTC)
            maker = (
                issuer
                or owner
                or (f"{self.site.naming.group} CA" if self.inner(host) else rng.choice(_UPSTREAM))
            )
            subject = [
                ("O", owner or (self.site.naming.group if self.inner(host) else host.split(".")[-2].title())),
                ("CN", host),
            ]
            found = certificate(
                rng, subject, [("O", maker), ("CN", maker)], (since, until), [host] if "." in host else []
            )
            self._certificates[host + owner] = found
        return found

    def inner(self, host: str) -> bool:
        """Tell whether a name is of the hospital's own domain."""
        return host.endswith(self.site.naming.domain) or "." not in host

    def look_up(self, me: Device, host: str, at: int, rng: Random, kind: int = dns.A) -> int:
        """Ask the resolver for a name and return when the answer came."""
        resolver = self.site.server("dns", at)
        if resolver is None or self.site.roles["dns"] is me:
            return at
        talk = Datagrams(self.ear, rng, me.end(at), resolver, 53, at, service="dns")
        ident = rng.getrandbits(16)
        ip = self.address_of(host, at)
        records = [dns.address_record(host, ip, 600)] if ip is not None and kind == dns.A else []
        flags = 0x8180 if records or kind != dns.A else 0x8183
        answer = dns.response(ident, host, kind, records, flags=flags)
        talk.ask(
            dns.question(ident, host, kind),
            answer,
            4 * MILLISECOND if not self.inner(host) else 200 * MICROSECOND,
        )
        talk.note(
            "dns",
            at,
            {
                "trans_id": ident,
                "query": host,
                "qtype_name": dns.TYPES.get(kind, str(kind)),
                "qtype": kind,
                "qclass": 1,
                "rcode": 0 if records or kind != dns.A else 3,
                "answers": [wire.dotted(ip)] if records and ip is not None else [],
                "rtt": (talk.at - at) / 1e9,
            },
        )
        return talk.end() + 50 * MICROSECOND

    def address_of(self, host: str, at: int) -> int | None:
        """Return the address behind a name; None for an inner name nobody has."""
        if not self.inner(host):
            return self.outside(host).ip
        short = host.partition(".")[0].lower()
        for device in self.site.roles.values():
            if device.name.lower() == short:
                return device.end(at).ip
        return self._elsewhere[host].ip if host in self._elsewhere else None

    def first(self, me: Device, rng: Random, usual: int, most_s: float = 20.0) -> int:
        """Return when an activity first happens: ``usual``, but soon after the device joined, where it does.

        What starts with the system (clock, names, log-on, registration, announcements) does not wait for the
        rhythm it keeps later: ``most_s`` is the longest it takes.
        """
        if me.arrives <= self.start:
            return usual
        return me.arrives + int((1 + rng.random() * (most_s - 1)) * SECOND)

    def tls(
        self,
        me: Device,
        far: End,
        host: str,
        at: int,
        rng: Random,
        *,
        port: int = 443,
        library: str = "",
        turns: Sequence[tuple[int, int]] = ((600, 1800),),
        owner: str = "",
        newest: int = 0,
        close: bool = True,
        agent_is_browser: bool = False,
        near: End | None = None,
    ) -> Stream:
        """Hold a TLS conversation: hellos, certificate, ``turns`` of sealed question and answer sizes."""
        near = near or me.end(at)
        name = library or (
            "chrome" if agent_is_browser and me.system.tls.startswith("schannel_1") else me.system.tls
        )
        if not newest:
            newest = tls.TLS13 if not far.net else tls.TLS12
        version, cipher = tls.agreed(name, newest)
        stream = Stream(self.ear, rng, near, far, port, at, service="ssl").connect()
        chain = [self.certificate(host, owner)]
        stream.say(True, tls.client_hello(rng, name, host))
        stream.say(False, tls.server_flight(rng, name, chain, newest), stream.path.rtt + MILLISECOND)
        stream.note(
            "ssl",
            stream.at,
            {
                "version": tls.VERSIONS[version],
                "server_name": host,
                "established": True,
                "resumed": False,
                "cipher_code": cipher,
                "hello": name,
                "subject": host,
                "owner": owner,
                "next_protocol": "",
            },
        )
        stream.say(True, tls.client_finish(rng, version, cipher), stream.path.rtt + MILLISECOND)
        done = tls.server_finish(rng, version)
        if done:
            stream.say(False, done, stream.path.rtt)
        for asked, answered in turns:
            if asked:
                stream.say(True, tls.sealed(rng, version, asked), stream.path.rtt + MILLISECOND)
            if answered:
                stream.say(False, tls.sealed(rng, version, answered), stream.path.rtt + 2 * MILLISECOND)
        stream.settle()
        if close:
            stream.say(True, tls.farewell(rng, version), MILLISECOND)
            stream.close()
        return stream

    def cloud(
        self, me: Device, host: str, at: int, rng: Random, turns: Sequence[tuple[int, int]] = ((700, 2400),)
    ) -> int:
        """Look a host of the Internet up and talk to it over TLS; returns when it ended."""
        at = self.look_up(me, host, at, rng)
        return self.tls(me, self.outside(host), host, at, rng, turns=turns).ended

    def web(
        self,
        me: Device,
        far: End,
        host: str,
        at: int,
        rng: Random,
        *,
        path: str = "/",
        agent: str = "",
        server: str = "",
        body: bytes = b"",
        status: str = "200 OK",
        method: str = "GET",
        sent: bytes = b"",
        port: int = 80,
        kind: str = "text/html",
        near: End | None = None,
        headers: dict[str, str] | None = None,
    ) -> int:
        """Hold one HTTP request and its answer in clear; returns when it ended."""
        stream = Stream(self.ear, rng, near or me.end(at), far, port, at, service="http").connect()
        asked = {"User-Agent": agent or me.system.agent, "Accept": "*/*"} | (headers or {})
        stream.say(True, http_request(method, path, host, asked, sent), 100 * MICROSECOND)
        stream.say(False, http_response(status, server, kind, body), stream.path.rtt + MILLISECOND)
        stream.note(
            "http",
            stream.at,
            {
                "trans_depth": 1,
                "method": method,
                "host": host,
                "uri": path,
                "version": "1.1",
                "user_agent": asked["User-Agent"],
                "request_body_len": len(sent),
                "response_body_len": len(body),
                "status_code": int(status[:3]),
                "status_msg": status[4:],
                "server": server,
            },
        )
        stream.settle()
        return stream.close()

    def datagram(
        self,
        me: Device,
        target: int,
        mac: bytes,
        sport: int,
        dport: int,
        payload: bytes,
        at: int,
        rng: Random,
        ttl: int = 1,
    ) -> None:
        """Send one multicast or broadcast datagram."""
        near = me.end(at)
        head = wire.ethernet(mac, near.mac, wire.ETHER_IPV4, near.vlan)
        packet = wire.udp(near.ip, target, sport, dport, payload, ttl=ttl, ident=rng.getrandbits(16))
        self.ear.frame(at, head + packet)

    def multicast(
        self, me: Device, group: int, port: int, payload: bytes, at: int, rng: Random, ttl: int = 255
    ) -> None:
        """Send to a multicast group from the same port (mDNS) or an own one."""
        mac = bytes.fromhex("01005e") + (group & 0x7FFFFF).to_bytes(3, "big")
        sport = port if port in (5353, 1900) and ttl != 2 else 49_152 + rng.randrange(9000)
        self.datagram(me, group, mac, sport, port, payload, at, rng, ttl)

    def broadcast(self, me: Device, port: int, payload: bytes, at: int, rng: Random, sport: int = 0) -> None:
        """Send to all in the own subnet."""
        stay = me.stay(at)
        self.datagram(
            me,
            stay.network.broadcast,
            wire.BROADCAST_MAC,
            sport or port,
            port,
            payload,
            at,
            rng,
            me.system.ttl,
        )
