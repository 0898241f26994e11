"""Camera botnet: cameras look for telnet on the Internet and report to a controller."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation import calendar
from medwarden.simulation.ends import SECOND
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene
from medwarden.simulation.talk import Stream

_HOST = "cnc.bigbotpein.example.com"


def _prepare(staging: Staging) -> Play:
    cameras = staging.any_of("ip_camera")
    staging.actors = cameras[: max(1, len(cameras) // 4)]
    staging.facts["controller"] = _HOST

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("camera_botnet")
        at, far = staging.start, scene.outside(_HOST)
        yield at
        links = [Stream(scene.ear, rng, camera.end(at), far, 23, at).connect() for camera in staging.actors]
        while at < staging.end:
            for link, camera in zip(links, staging.actors, strict=True):
                link.leap(at)
                link.say(True, b"\0\0")
                link.say(False, b"\0\0", link.path.rtt)
                link.settle()
                for _ in range(6):
                    victim = scene.outside(f"host{rng.randrange(10**6)}.example.com")
                    port = rng.choice((23, 23, 2323))
                    Stream(
                        scene.ear, rng, camera.end(at), victim, port, at + rng.randrange(20 * SECOND)
                    ).unanswered(1)
            at = calendar.regular(rng, at + 20 * SECOND, 10)
            yield at

    return play


INCIDENT = Incident("camera_botnet", "Cameras join a botnet", False, _prepare)
