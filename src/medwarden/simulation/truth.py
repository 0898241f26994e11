"""What is true of a simulated hospital: labels for the replay bench and everything else as one document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from medwarden.knowledge.taxonomy import category as category_of
from medwarden.simulation import wire
from medwarden.simulation.device import Device
from medwarden.simulation.hospital import Hospital, Site

COLUMNS = ("capture", "mac", "class", "category", "vendor", "model")


def iso(at: int) -> str:
    """Return a time as ISO 8601 with milliseconds, UTC."""
    return (
        datetime.fromtimestamp(at // 10**6 / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def label_rows(hospital: Hospital) -> Iterator[tuple[str, ...]]:
    """Yield the header and one row for every interface of every device that is there at all.

    An address that a stranger took is the device's that had it.
    """
    yield COLUMNS
    told: set[tuple[str, bytes]] = set()
    for site, device in hospital.devices():
        kind = category_of(device.category)
        others = () if device is site.roles.get("router") else device.macs[1:]
        for mac in (device.macs[0], *others):
            if device.arrives < hospital.stop and (site.name, mac) not in told:
                told.add((site.name, mac))
                yield (
                    site.name,
                    wire.mac_text(mac),
                    kind.device_class.value,
                    kind.id,
                    device.model.vendor,
                    device.model.name,
                )


def _device(site: Site, device: Device, hospital: Hospital) -> dict[str, Any]:
    kind = category_of(device.category)
    last = device.stays[-1].place
    return {
        "id": device.key,
        "site": site.name,
        "macs": [wire.mac_text(mac) for mac in device.macs],
        "randomised_mac": bool(device.macs[0][0] & 2),
        "addresses": [
            {
                "since": iso(max(stay.since, hospital.start)),
                "ip": wire.dotted(stay.end.ip),
                "mac": wire.mac_text(stay.end.mac),
                "network": stay.network.name,
                "vlan": stay.network.vlan,
                "subnet": f"{wire.dotted(stay.network.base)}/{stay.network.prefix}",
                "dhcp": stay.dhcp,
                "building": stay.place.building,
                "floor": stay.place.floor,
                "room": stay.place.room,
                "switch": stay.place.switch,
                "port": stay.place.port,
            }
            for stay in device.stays
        ],
        "class": kind.device_class.value,
        "category": kind.id,
        "vendor": device.model.vendor,
        "model": device.model.name,
        "os": device.system.name,
        "os_version": device.system.version,
        "firmware": device.firmware,
        "firmware_changes": [{"at": iso(at), "firmware": version} for at, version in device.firmwares],
        "serial": device.serial,
        "host_name": device.name,
        "ae_title": device.ae_title,
        "managed": device.managed,
        "phi": kind.phi,
        "medical": kind.medical,
        "place": last.text(),
        "wireless": device.wireless,
        "arrives": iso(device.arrives) if device.arrives else None,
        "leaves": iso(device.leaves) if device.leaves < 1 << 62 else None,
    }


def truth_of(
    hospital: Hospital, actions: Iterable[tuple[str, str, int, int, str]], request: object
) -> dict[str, Any]:
    """Return devices, networks, people's actions, incidents and planted patients as plain values."""
    return {
        "request": request,
        "start": iso(hospital.start),
        "stop": iso(hospital.stop),
        "sites": [
            {
                "name": site.name,
                "domain": site.naming.domain,
                "facility": site.naming.facility,
                "networks": [
                    {
                        "name": net.name,
                        "vlan": net.vlan,
                        "subnet": f"{wire.dotted(net.base)}/{net.prefix}",
                        "gateway": wire.dotted(net.gateway),
                    }
                    for net in site.plan.networks.values()
                ],
                "roles": {role: device.key for role, device in site.roles.items()},
            }
            for site in hospital.sites
        ],
        "devices": [_device(site, device, hospital) for site, device in hospital.devices()],
        "patients": [
            {
                "site": site.name,
                "name": patient.name,
                "id": patient.identifier,
                "birth_date": patient.born,
                "sex": patient.sex,
                "account": patient.account,
            }
            for site in hospital.sites
            for patient in site.patients
        ],
        "staff": sorted({name for site in hospital.sites for name in site.staff}),
        "actions": [
            {"device": key, "action": kind, "start": iso(start), "end": iso(end), "remark": remark}
            for key, kind, start, end, remark in sorted(actions, key=lambda action: (action[2], action))
        ],
        "incidents": [incident for site in hospital.sites for incident in site.incidents],
    }
