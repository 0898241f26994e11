"""A network card is replaced: the same device with another MAC address, sometimes another address."""

from __future__ import annotations

from medwarden.simulation.incidents.staging import Incident, Staging


def _prepare(staging: Staging) -> None:
    device = staging.any_of("ultrasound", "ct", "xray_fixed", "printer", "workstation")[0]
    stay = device.stays[0]
    mac = staging.rng.choice(device.model.prefixes) + staging.rng.randbytes(3)
    device.macs.append(mac)
    device.settle(staging.start, stay.place, stay.network, stay.end.ip, dhcp=stay.dhcp, mac=mac)
    staging.actors = [device]
    staging.facts["new_mac"] = mac.hex(":")


INCIDENT = Incident("replaced_network_card", "A network card is replaced", True, _prepare)
