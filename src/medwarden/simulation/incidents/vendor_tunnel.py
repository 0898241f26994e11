"""Vendor tunnel outside its window: a modality holds a VPN to its maker through the working day."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation import calendar
from medwarden.simulation.ends import MILLISECOND
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene
from medwarden.simulation.talk import Stream

_HOST = "vpn.remote-service.example.com"


def _prepare(staging: Staging) -> Play:
    source = staging.rng.choice(
        staging.any_of("ct", "mri", "angiography", "xray_fixed", "ultrasound", "chem_analyzer")
    )
    staging.actors = [source]
    staging.facts |= {"host": _HOST, "allowed_window": "22:00-04:00"}

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("vendor_tunnel")
        far = scene.outside(_HOST)
        at = scene.look_up(source, _HOST, staging.start, rng)
        yield at
        stream = Stream(scene.ear, rng, source.end(at), far, 1194, at).connect()
        key = rng.randbytes(8)
        hello = b"\x00\x0e\x38" + key + bytes(5)
        stream.say(True, hello)
        stream.say(
            False, b"\x00\x1a\x40" + rng.randbytes(8) + b"\1\0\0\0\0" + key + b"\0\0\0\0", stream.path.rtt
        )
        while at < staging.end:
            at = calendar.after(rng, stream.at, 4)
            yield at
            stream.leap(at)
            size = rng.randrange(80, 1200)
            stream.say(True, (size + 1).to_bytes(2, "big") + b"\x30" + rng.randbytes(size))
            size = rng.randrange(80, 400)
            stream.say(False, (size + 1).to_bytes(2, "big") + b"\x30" + rng.randbytes(size), 20 * MILLISECOND)
            stream.settle()
        stream.close()

    return play


INCIDENT = Incident("vendor_tunnel", "A vendor tunnel is open outside its window", False, _prepare)
