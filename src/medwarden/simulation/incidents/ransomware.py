"""Ransomware on a share of the archive: read, written back, renamed, file after file."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation.ends import SECOND
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene
from medwarden.simulation.work import office


def _prepare(staging: Staging) -> Play:
    source = staging.rng.choice(staging.any_of("workstation", "laptop"))
    target = staging.site.roles.get("files") or staging.role("pacs")
    staging.actors, staging.victims = [source], [target]
    staging.flow(source, target, 445)

    def play(scene: Scene) -> Iterator[int]:
        rng = scene.chance("ransomware")
        at, number = staging.start, 0
        yield at
        while at < staging.end:
            names = [f"studies\\{rng.randrange(10**8):08d}.dcm" for _ in range(8)]
            number += len(names)
            reads = tuple((name, rng.randrange(900, 5000)) for name in names)
            writes = (
                *((f"{name}.locked", size) for name, size in reads),
                ("studies\\HOW_TO_RECOVER.txt", 900),
            )
            at = office.files(scene, source, target, at, rng, "images$", reads, writes, user="svc_images")
            at += int((2 + rng.random() * 8) * SECOND)
            yield at

    return play


INCIDENT = Incident("ransomware", "Files of a share are encrypted", False, _prepare)
