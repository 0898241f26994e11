"""A worm over SMBv1 from a workstation to imaging, wherever SMB 1 still answers."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation.ends import MILLISECOND, SECOND
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene
from medwarden.simulation.talk import Stream
from medwarden.simulation.voices import smb


def _prepare(staging: Staging) -> Play:
    source = staging.rng.choice(staging.any_of("workstation", "laptop"))
    staging.actors = [source]
    old = [d for d in staging.site.devices if d.system.id in ("windows_xp", "windows_7") and d is not source]
    staging.victims = old[:40] or staging.any_of("ultrasound", "ct", "workstation")
    for victim in staging.victims:
        staging.flow(source, victim, 445)

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("smb_worm")
        infected, at = [source], staging.start
        yield at
        while at < staging.end:
            attacker, victim = rng.choice(infected), rng.choice(staging.victims)
            if attacker is not victim:
                stream = Stream(
                    scene.ear, rng, attacker.end(at), victim.end(at), 445, at, service="smb"
                ).connect()
                native = ("Windows 2000 2195", "Windows 2000 5.0")
                challenge = smb.ntlm_challenge(
                    rng, victim.system.build, scene.site.naming.group, victim.name.upper(), ""
                )
                stream.exchange(
                    (
                        (True, smb.negotiate1()),
                        (False, smb.negotiated1(at, rng.randbytes(16))),
                        (True, smb.setup1(smb.ntlm_negotiate("5.0.2195"), *native, 1, 0, first=True)),
                        (
                            False,
                            smb.set_up1(
                                challenge, "Windows 5.1", "Windows 2000 LAN Manager", 1, 2048, more=True
                            ),
                        ),
                    )
                )
                stream.reset()
                if rng.random() < 0.3 and victim not in infected and len(infected) < 8:
                    infected.append(victim)
            at += int(rng.expovariate(1.5) * SECOND) + 5 * MILLISECOND
            yield at

    return play


INCIDENT = Incident("smb_worm", "A worm spreads over SMBv1", False, _prepare)
