"""MAC clone: somebody unplugs a device and takes its hardware and IP address with a computer of his own."""

from __future__ import annotations

from collections.abc import Iterator

from medwarden.simulation import wire
from medwarden.simulation.ends import SECOND
from medwarden.simulation.hospital import Play
from medwarden.simulation.incidents.staging import Incident, Staging
from medwarden.simulation.scene import Scene


def _prepare(staging: Staging) -> Play:
    victim = staging.any_of("infusion_pump", "patient_monitor", "ip_camera", "printer")[0]
    stranger = staging.guest(system="windows_10", name="DESKTOP-7K2QF0A")
    stay = victim.stay(staging.start)
    stranger.macs[0] = victim.macs[0]
    stranger.stays.clear()
    stranger.settle(staging.hospital.start, stay.place, stay.network, stay.end.ip, dhcp=True)
    stranger.arrives = staging.start
    stranger.leaves = staging.end
    victim.leaves = staging.start - 30 * SECOND
    staging.actors, staging.victims = [stranger], [victim]
    staging.facts["cloned_mac"] = wire.mac_text(victim.macs[0])
    server = staging.role("files")
    staging.flow(stranger, server, 445)

    def play(scene: Scene) -> Iterator[int]:
        del scene
        yield staging.start

    return play


INCIDENT = Incident("mac_clone", "A stranger takes the hardware address of a device", False, _prepare)
