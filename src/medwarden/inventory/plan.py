"""A hospital's floor plan as a table: which port, access point, station or subnet is in which room."""

from __future__ import annotations

import csv
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from medwarden.model.evidence import clean
from medwarden.model.place import PlanKey, PlanRow

LARGEST = 32 << 20
"""Bytes a plan may have; a hospital's whole cabling is a few MiB."""

MOST_ROWS = 250_000

_PLACES = ("building", "floor", "room", "department")
_SAME = {
    "building": ("building", "gebäude", "haus", "bldg", "bâtiment", "edificio"),
    "floor": ("floor", "level", "storey", "etage", "stockwerk", "ebene", "étage", "piano", "planta"),
    "room": ("room", "room number", "raum", "zimmer", "salle", "pièce", "stanza", "sala"),
    "department": ("department", "ward", "unit name", "abteilung", "station name", "service", "reparto"),
    "mac": ("mac", "mac address", "mac-adresse", "adresse mac"),
    "switch": ("switch", "switch name", "device", "nas"),
    "port": ("port", "switch port", "interface", "switchport"),
    "circuit": ("circuit", "circuit id", "circuit-id", "agent circuit id"),
    "access_point": ("access point", "access_point", "ap", "ap name", "accesspoint", "wlan ap"),
    "station": ("station", "station title", "ae title", "ae_title", "aet", "dicom station"),
    "unit": ("unit", "point of care", "poc", "hl7 unit", "nursing unit"),
    "subnet": ("subnet", "network", "netz", "prefix", "cidr"),
    "vlan": ("vlan", "vlan id"),
    "kind": ("kind", "type"),
    "key": ("key", "value"),
}
_MEANS = {heading: name for name, headings in _SAME.items() for heading in headings}
_MAC = re.compile(r"[0-9a-f]{12}")
UNIT_NAME = re.compile(r"[^\^&,;/]+")
"""The point of care at the head of a place as HL7 writes it (PL, component 1)."""


class PlanProblem(msgspec.Struct, frozen=True):
    """A line of a plan that could not be used, and why. ``line`` counts from 1, the heading included."""

    line: int
    reason: str


class Plan:
    """Rows of a plan, found by their keys. Of several rows with one key the last counts."""

    def __init__(self, rows: Iterable[PlanRow] = ()) -> None:
        self.rows = tuple(rows)
        self._by_key = {(row.kind, _folded(row.kind, row.key)): row for row in self.rows}
        self._subnets = sorted(
            (
                (ipaddress.ip_network(row.key), row)
                for (kind, _), row in self._by_key.items()
                if kind is PlanKey.SUBNET
            ),
            key=lambda pair: -pair[0].prefixlen,
        )

    def find(self, kind: PlanKey, key: str) -> PlanRow | None:
        """Return the row for ``key``; letter case and the spelling of interface names do not matter."""
        return self._by_key.get((kind, _folded(kind, key)))

    def subnet_of(self, address: str) -> PlanRow | None:
        """Return the row of the smallest network that holds ``address``."""
        ip = ipaddress.ip_address(address)
        return next((row for net, row in self._subnets if ip.version == net.version and ip in net), None)

    def by_evidence(self, kind: PlanKey, evidence: str) -> PlanRow | None:
        """Return the row of a kind for what a device was heard with: the key, or what names it."""
        if kind is PlanKey.SUBNET:
            return self.subnet_of(evidence) if _is_address(evidence) else None
        if kind is PlanKey.UNIT:
            named = UNIT_NAME.search(evidence)
            return None if named is None else self.find(kind, named.group())
        return self.find(kind, evidence)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_LONG_NAMES = (
    ("twentyfivegigabitethernet", "twe"),
    ("twentyfivegige", "twe"),
    ("hundredgigabitethernet", "hu"),
    ("hundredgige", "hu"),
    ("fortygigabitethernet", "fo"),
    ("tengigabitethernet", "te"),
    ("tengige", "te"),
    ("gigabitethernet", "gi"),
    ("fastethernet", "fa"),
    ("ethernet", "eth"),
    ("port-channel", "po"),
)


def port_name(port: str) -> str:
    """Return an interface name in the short form that switches print (GigabitEthernet1/0/4 is gi1/0/4)."""
    name = re.sub(r"\s+", "", port).lower()
    for long, short in _LONG_NAMES:
        if name.startswith(long):
            return short + name[len(long) :]
    return name


def _folded(kind: PlanKey, key: str) -> str:
    text = key.strip().lower()
    if kind is PlanKey.SWITCH_PORT:
        switch, _, port = text.partition(" ")
        return f"{switch.partition('.')[0]} {port_name(port)}"
    if kind is PlanKey.SWITCH:
        return text.partition(".")[0]
    if kind is PlanKey.MAC:
        return re.sub(r"[^0-9a-f]", "", text)
    return text


def read_plan(text: str) -> tuple[tuple[PlanRow, ...], tuple[PlanProblem, ...]]:
    """Read a plan from CSV (comma, semicolon or tab) with a heading line.

    A line names a place (building, floor, room, department: at least one) and what is there: a switch
    and port, an access point, a DICOM station or AE title, a point of care, a circuit id, a subnet, a
    VLAN or a MAC address, each in a column of its own; or ``kind`` and ``key`` as :class:`PlanKey` has
    them. Headings are known in several languages. A line that cannot be used becomes a problem.
    """
    text = text.removeprefix("\ufeff")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows: list[PlanRow] = []
    problems: list[PlanProblem] = []
    reader = csv.reader(text.splitlines(), delimiter=delimiter, strict=False)
    try:
        heading = [_MEANS.get(name.strip().lower(), "") for name in next(reader, [])]
        if problem := _heading_problem(heading):
            return (), (PlanProblem(1, problem),)
        for cells in reader:
            line = reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if len(rows) >= MOST_ROWS:
                problems.append(PlanProblem(line, f"a plan has at most {MOST_ROWS:,} rows; split the file"))
                break
            values = {
                name: clean(cell)[:200]
                for name, cell in zip(heading, cells, strict=False)
                if name and cell.strip()
            }
            _take(values, line, rows, problems)
    except csv.Error as error:
        problems.append(PlanProblem(reader.line_num, f"not a table of text ({error})"))
    return tuple(rows), tuple(problems)


def _heading_problem(heading: list[str]) -> str | None:
    if not any(name in _PLACES for name in heading):
        return "the heading names no building, floor, room or department"
    keys = {name for name in heading if name and name not in _PLACES}
    if not keys - {"port", "kind"}:
        return (
            "the heading names nothing to find a place by: "
            "switch and port, access point, station, unit, circuit, subnet, vlan or mac"
        )
    return None


def _take(values: Mapping[str, str], line: int, rows: list[PlanRow], problems: list[PlanProblem]) -> None:
    place = {name: values[name] for name in _PLACES if name in values}
    if not place:
        problems.append(PlanProblem(line, "it names no building, floor, room or department"))
        return
    found = False
    for kind, key in _keys(values):
        found = True
        if kind is None:
            problems.append(PlanProblem(line, f"{key!r} is no kind of key: {', '.join(PlanKey)}"))
        elif reason := _key_problem(kind, key):
            problems.append(PlanProblem(line, reason))
        else:
            rows.append(PlanRow(kind, _canonical(kind, key), **place, line=line))
    if not found:
        problems.append(PlanProblem(line, "it names nothing that is at this place"))


def _keys(values: Mapping[str, str]) -> Iterator[tuple[PlanKey | None, str]]:
    """Yield what a line says is at its place; None with the word where that is no kind of key."""
    if "kind" in values and "key" in values:
        kind = values["kind"].lower().replace(" ", "_")
        known = next((member for member in PlanKey if member.value == kind), None)
        yield known, values["key" if known else "kind"]
    if "switch" in values:
        if "port" in values:
            yield PlanKey.SWITCH_PORT, f"{values['switch']} {values['port']}"
        else:
            yield PlanKey.SWITCH, values["switch"]
    for name in ("mac", "circuit", "access_point", "station", "unit", "subnet", "vlan"):
        if name in values:
            yield PlanKey(name), values[name]


def _key_problem(kind: PlanKey, key: str) -> str | None:
    if kind is PlanKey.MAC and not _MAC.fullmatch(_folded(kind, key)):
        return f"{key!r} is no MAC address"
    if kind is PlanKey.VLAN and not (key.isascii() and key.isdigit() and 0 < int(key) < 4095):
        return f"{key!r} is no VLAN id (1 to 4094)"
    if kind is PlanKey.SWITCH_PORT and len(key.split()) < 2:
        return f"{key!r} is no switch and port"
    if kind is PlanKey.SUBNET:
        try:
            ipaddress.ip_network(key, strict=False)
        except ValueError:
            return f"{key!r} is no subnet (write 10.20.30.0/24)"
    return None


def _canonical(kind: PlanKey, key: str) -> str:
    if kind is PlanKey.SUBNET:
        return str(ipaddress.ip_network(key, strict=False))
    if kind is PlanKey.VLAN:
        return str(int(key))
    if kind is PlanKey.MAC:
        digits = _folded(kind, key)
        return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
    return key
