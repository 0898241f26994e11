"""A DNS tunnel from a gateway: long random labels under one domain, with TXT answers."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation.ends import MILLISECOND, SECOND
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene
from medwarden.simulation.talk import Datagrams
from medwarden.simulation.voices import dns

_DOMAIN = "cdn-telemetry-relay.com"


def _prepare(staging: Staging) -> Play:
    source = staging.rng.choice(
        staging.any_of("device_gateway", "serial_server", "medical_cart", "workstation")
    )
    staging.actors = [source]
    staging.facts["domain"] = _DOMAIN
    staging.flow(source, staging.role("dns"), 53, "udp")

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("dns_tunnel")
        resolver = scene.site.roles["dns"]
        at = staging.start
        yield at
        while at < staging.end:
            name = f"{rng.randbytes(20).hex()}.{rng.randbytes(20).hex()}.{_DOMAIN}"
            ident = rng.getrandbits(16)
            text = rng.randbytes(60).hex().encode()
            record = (name, dns.TXT, 1, 1, bytes((len(text),)) + text)
            talk = Datagrams(scene.ear, rng, source.end(at), resolver.end(at), 53, at, service="dns")
            talk.ask(
                dns.question(ident, name, dns.TXT),
                dns.response(ident, name, dns.TXT, [record]),
                20 * MILLISECOND,
            )
            talk.note(
                "dns",
                at,
                {
                    "trans_id": ident,
                    "query": name,
                    "qtype_name": "TXT",
                    "qtype": 16,
                    "qclass": 1,
                    "rcode": 0,
                    "answers": [text.decode()],
                    "rtt": 0.02,
                },
            )
            at = talk.end() + int(rng.expovariate(0.7) * SECOND)
            yield at

    return play


INCIDENT = Incident("dns_tunnel", "A gateway tunnels data through DNS", False, _prepare)
