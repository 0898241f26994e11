"""What vulnerability scanners should leave alone, and why; written in the form of each scanner.

Only three things exclude: the do-not-probe registry, a life-critical kind of device, and a medical device
that works on a patient or may do so. Forms follow the makers' manuals: ``nessusd.rules`` and the exclusion
import of Tenable, the excluded hosts of Qualys, ``excluded_targets`` of the InsightVM console's API v3,
``exclude_hosts`` of a GVM target, ``--excludefile`` of nmap.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from medwarden.kernel.printable import neutral_text
from medwarden.knowledge.taxonomy import criticality, medical, name_of
from medwarden.model.device import Device, DeviceClass
from medwarden.operations.in_use import LIFE_CRITICAL, SURE, InUse, Use
from medwarden.operations.interlock import EntryKind, ProtectedEntry, Registry, Request, registered
from medwarden.operations.permit import Action, ActionKind, target

SCAN = Action(ActionKind.PROBE, "vulnerability_scan")
_LONGEST = 160


class Exclusion(msgspec.Struct, frozen=True):
    """One address or subnet that a scanner should leave alone; ``device`` is empty for a mere subnet."""

    address: str
    device: str
    label: str
    reasons: tuple[str, ...]


def exclusions(
    devices: Iterable[tuple[Device, InUse | None]], registry: Registry, now_ns: int
) -> tuple[Exclusion, ...]:
    """Return what to leave alone of devices (complete) with their use, and of the registry, by address."""
    found: dict[str, Exclusion] = {}
    for device, use in devices:
        for ip in device.ips:
            reasons = _reasons(device, ip, use, registry, now_ns)
            if reasons:
                held = found.get(ip)
                kept = tuple(dict.fromkeys((*(held.reasons if held else ()), *reasons)))
                found[ip] = Exclusion(ip, device.id, device.label, kept)
    for entry in registry.entries:
        if entry.kind in (EntryKind.IP, EntryKind.SUBNET) and _in_force(entry, now_ns):
            found.setdefault(
                entry.value, Exclusion(entry.value, "", "", (f"on the do-not-probe list: {entry.reason}",))
            )
    return tuple(sorted(found.values(), key=lambda each: _order(each.address)))


def _in_force(entry: ProtectedEntry, now_ns: int) -> bool:
    return entry.until_ns is None or now_ns < entry.until_ns


def _order(address: str) -> tuple[int, int, int]:
    network = ipaddress.ip_network(address, strict=False)
    return network.version, int(network.network_address), network.prefixlen


def _reasons(device: Device, ip: str, use: InUse | None, registry: Registry, now_ns: int) -> tuple[str, ...]:
    found = []
    refusal = registered(Request(SCAN, target(device.site, ip), (device,)), registry, now_ns)
    if refusal is not None:
        found.append(refusal.reason)
    category = device.category
    if category is not None and criticality(category) >= LIFE_CRITICAL and medical(category):
        found.append(f"life-critical: {name_of(category)}")
    if use is not None and (medical(category) or device.device_class is DeviceClass.IOMT):
        if use.state is Use.YES:
            found.append(f"in use on a patient: {use.reason}")
        elif use.state is Use.UNKNOWN and _surely_medical(device):
            found.append(f"may be in use on a patient: {use.reason}")
    return tuple(found)


def _surely_medical(device: Device) -> bool:
    verdict = device.verdict("class")
    return verdict is None or verdict.confidence >= SURE


def _comment(each: Exclusion) -> str:
    """Return label and reasons in one line that is safe in a comment."""
    said = "; ".join(part for part in (each.label, *each.reasons) if part)
    short = " ".join(said.split())[:_LONGEST]
    return "".join(c for c in short if c.isprintable())


def _nessus(found: Sequence[Exclusion]) -> str:
    lines = ["# nessusd.rules: medwarden protects these devices. Keep them above any accept line."]
    for each in found:
        lines += [f"# {_comment(each)}", f"reject {each.address}"]
    return "\n".join([*lines, "default accept", ""])


def _tenable(found: Sequence[Exclusion]) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("id", "name", "description", "members", "creation_date", "last_modification_date"))
    for each in found:
        name = neutral_text(f"medwarden {each.address}")
        writer.writerow(("", name, neutral_text(_comment(each)), _range(each.address), "", ""))
    return table.getvalue()


def _range(address: str) -> str:
    """Return an address as it is, and a subnet as its first and last address."""
    if "/" not in address:
        return address
    network = ipaddress.ip_network(address, strict=False)
    return f"{network[0]}-{network[-1]}"


def _qualys(found: Sequence[Exclusion]) -> str:
    """Return addresses and ranges one per line: the field "ips" of excluded hosts takes no comment."""
    return "".join(f"{_range(each.address)}\n" for each in found)


def _rapid7(found: Sequence[Exclusion]) -> str:
    return json.dumps([each.address for each in found], indent=1) + "\n"


def _openvas(found: Sequence[Exclusion]) -> str:
    return ",".join(_range(each.address) for each in found) + "\n"


def _nmap(found: Sequence[Exclusion]) -> str:
    return "".join(f"# {_comment(each)}\n{each.address}\n" for each in found)


def _reasons_csv(found: Sequence[Exclusion]) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("address", "device", "name", "reason"))
    for each in found:
        writer.writerow(
            (each.address, each.device, neutral_text(each.label), neutral_text("; ".join(each.reasons)))
        )
    return table.getvalue()


FORMS: Mapping[str, tuple[str, str, Callable[[Sequence[Exclusion]], str]]] = MappingProxyType(
    {
        "nessus": ("nessusd.rules", "rules of a Nessus scanner", _nessus),
        "tenable": ("tenable-exclusions.csv", "exclusion import of Tenable", _tenable),
        "qualys": ("qualys-excluded-ips.txt", "excluded hosts of Qualys", _qualys),
        "rapid7": ("rapid7-excluded-targets.json", "excluded targets of an InsightVM site", _rapid7),
        "openvas": ("openvas-exclude-hosts.txt", "exclude_hosts of an OpenVAS target", _openvas),
        "nmap": ("nmap-exclude.txt", "--excludefile of nmap", _nmap),
        "reasons": ("scan-exclusions.csv", "a table with all reasons", _reasons_csv),
    }
)
"""Scanners by name: the file's name, what it is, and how it is written."""


def written(form: str, found: Sequence[Exclusion]) -> str:
    """Return a list of exclusions in the form of a scanner of :data:`FORMS`."""
    return FORMS[form][2](found)
