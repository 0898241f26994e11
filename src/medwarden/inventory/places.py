"""Where a device is: what its network, its data and the hospital's plan say, the most exact first.

A device is attached to the switch port or access point that was last reported for it: by polling of
switches (BRIDGE-MIB, Q-BRIDGE-MIB), by RADIUS (RFC 2865 NAS-Identifier, NAS-Port-Id,
Called-Station-Id) or by the relay's DHCP option 82 (RFC 3046). The plan says which room that is. Where
the plan knows nothing of it, what devices say of their own place stands in their words; SDC devices say
building, floor and room apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from medwarden.inventory.plan import UNIT_NAME, Plan
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry
from medwarden.model.place import Place, PlaceBasis, PlanKey, PlanRow

_NOBODYS = Plan()
SWITCH = ("switch.name", "radius.nas")
"""Fields that name the switch a device is attached to."""

_PORT = ("switch.port", "radius.nas_port_id")
_ACCESS_POINT = ("wireless.ap", "radius.access_point")
_SSID = ("wireless.ssid", "radius.ssid")
_CIRCUIT = ("dhcp.relay_agent_circuit_id",)
_STATION = ("dicom.station_name", "dicom.ae_title")
_UNIT = ("hl7.location", "sdc.location", "intellivue.bed_label", "carescape.unit")
_STATED = {"building": "sdc.building", "floor": "sdc.floor", "room": "sdc.room"}
_SAID = (
    "sdc.location",
    "snmp.sys_location",
    "bacnet.location",
    "cdp.location",
    "onvif.location",
    "ipp.printer_location",
    "intellivue.bed_label",
    "bbraun_bcc.bed",
    "carescape.unit",
    "hl7.location",
    "dicom.performed_location",
    "inventory.location",
)
_EMPTY = frozenset(
    {"", "unknown", "none", "n/a", "null", "location", "default", "sitting on the dock of the bay"}
)
_HEX = re.compile(r"(?:0x)?[0-9a-f]{8,}", re.IGNORECASE)


def place_of(device: Device, plan: Plan | None = None) -> Place | None:
    """Return where ``device`` is, each part with what says so; None where nothing does."""
    plan = plan or _NOBODYS
    finder = _Finder(device.ledger)
    switch, port = finder.attached()
    access_point = finder.latest(_ACCESS_POINT)
    ssid = finder.latest(_SSID)
    if port is not None and access_point is not None:  # one of them is a memory: the later one counts
        if access_point.last_seen > port.last_seen:
            switch = port = None
        else:
            access_point = ssid = None
    basis = [
        PlaceBasis(part, entry.value, entry.field, entry.value)
        for part, entry in (
            ("switch", switch),
            ("port", port),
            ("access_point", access_point),
            ("ssid", ssid),
        )
        if entry is not None
    ]
    parts: dict[str, str] = {b.part: b.value for b in basis}
    for row, field, evidence in _planned(device, finder, plan, switch, port, access_point):
        for part in ("building", "floor", "room", "department"):
            value = getattr(row, part)
            if value is not None and part not in parts and _agrees(parts, row):
                parts[part] = value
                basis.append(PlaceBasis(part, value, field, evidence, row.kind))
    own = {part: entry for part, field in _STATED.items() if (entry := finder.latest((field,)))}
    if all(parts.get(part, entry.value) == entry.value for part, entry in own.items()):
        for part, entry in own.items():
            if part not in parts:
                parts[part] = entry.value
                basis.append(PlaceBasis(part, entry.value, entry.field, entry.value))
    said = finder.first(_SAID)
    if said is not None:
        parts["said"] = said.value
        basis.append(PlaceBasis("said", said.value, said.field, said.value))
    return Place(**parts, basis=tuple(basis)) if parts else None


def _agrees(parts: dict[str, str], row: PlanRow) -> bool:
    """Tell whether a coarser row may complete a finer one: it names no other building or floor."""
    return all(
        part not in parts or getattr(row, part) is None or parts[part] == getattr(row, part)
        for part in ("building", "floor")
    )


def _planned(
    device: Device,
    finder: _Finder,
    plan: Plan,
    switch: LedgerEntry | None,
    port: LedgerEntry | None,
    access_point: LedgerEntry | None,
) -> Iterable[tuple[PlanRow, str, str]]:
    """Yield the rows of the plan that hold for the device, the most exact first."""
    if not plan.rows:
        return
    asked: list[tuple[PlanKey, str, str, str]] = [(PlanKey.MAC, mac, "mac", mac) for mac in device.macs]
    if switch is not None and port is not None:
        key = f"{switch.value} {port.value}"
        asked.append((PlanKey.SWITCH_PORT, key, port.field, key))
    asked += [(PlanKey.CIRCUIT, e.value, e.field, e.value) for e in finder.all(_CIRCUIT)]
    if access_point is not None:
        asked.append((PlanKey.ACCESS_POINT, access_point.value, access_point.field, access_point.value))
    asked += [(PlanKey.STATION, e.value, e.field, e.value) for e in finder.all(_STATION)]
    for entry in finder.all(_UNIT):
        if found := UNIT_NAME.search(entry.value):
            asked.append((PlanKey.UNIT, found.group(), entry.field, entry.value))
    if switch is not None:
        asked.append((PlanKey.SWITCH, switch.value, switch.field, switch.value))
    for kind, key, field, evidence in asked:
        row = plan.find(kind, key)
        if row is not None:
            yield row, field, evidence
    for ip in device.ips:
        row = plan.subnet_of(ip)
        if row is not None:
            yield row, "ip", ip
    for vlan in device.vlans:
        row = plan.find(PlanKey.VLAN, str(vlan))
        if row is not None:
            yield row, "vlan", str(vlan)


class _Finder:
    """The facts of a device by field."""

    def __init__(self, ledger: Iterable[LedgerEntry]) -> None:
        self._by_field: dict[str, list[LedgerEntry]] = {}
        for entry in ledger:
            if entry.value.strip().lower() not in _EMPTY:
                self._by_field.setdefault(entry.field, []).append(entry)

    def latest(self, fields: Iterable[str]) -> LedgerEntry | None:
        """Return the fact heard last of any of the fields."""
        return max(self.all(fields), key=_recency, default=None)

    def first(self, fields: Iterable[str]) -> LedgerEntry | None:
        """Return the fact heard last of the first field that has one."""
        for field in fields:
            if found := self._by_field.get(field):
                return max(found, key=_recency)
        return None

    def all(self, fields: Iterable[str]) -> list[LedgerEntry]:
        """Return all facts of the fields, in their order and the one heard last first."""
        return [
            e for field in fields for e in sorted(self._by_field.get(field, ()), key=_recency, reverse=True)
        ]

    def attached(self) -> tuple[LedgerEntry | None, LedgerEntry | None]:
        """Return the switch and the port that were reported together last.

        A port that somebody polled or that RADIUS named counts only with its switch, for every switch has
        a port of that name; what a relay writes as circuit id in clear words stands for itself.
        """
        for switch_field, port_field in (
            ("switch.name", "switch.port"),
            ("radius.nas", "radius.nas_port_id"),
        ):
            port = self.first([port_field])
            if port is None:
                continue
            at = [e for e in self._by_field.get(switch_field, ()) if e.source == port.source]
            if at:
                return max(at, key=_recency), port
        circuits = [e for e in self.all(_CIRCUIT) if not _HEX.fullmatch(e.value)]
        return self.latest(SWITCH), circuits[0] if circuits else None


def _recency(entry: LedgerEntry) -> tuple[int, int, str]:
    return entry.last_seen, entry.count, entry.value
