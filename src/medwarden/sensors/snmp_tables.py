"""What the tables of a switch or wireless controller say of who is attached where.

BRIDGE-MIB (RFC 4188), Q-BRIDGE-MIB (RFC 4363), IF-MIB (RFC 2863), LLDP-MIB (IEEE 802.1AB-2005),
CISCO-CDP-MIB, ENTITY-MIB (RFC 6933), IP-MIB's ipNetToMedia (RFC 1213), AIRESPACE-WIRELESS-MIB (Cisco),
WLSX-USER-MIB and WLSX-WLAN-MIB (Aruba). A port behind which another bridge or many addresses are does not
locate anybody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from medwarden.dissect.octets import ipv4_text, mac_text, printable
from medwarden.sensors.logs.gathering import FactSum, ip_or_none, mac_or_none
from medwarden.sensors.snmp_session import Value

Rows = dict[tuple[int, ...], Value]
Walk = Callable[[str], Rows]

MOST_OF_A_PORT = 16
"""Addresses learnt on one port; behind a port with more of them there is another switch."""

FIELDS = (
    "switch.name", "switch.port", "switch.port_description", "switch.vlan", "wireless.ap", "wireless.ssid",
    "wireless.controller", "arp.ip", "lldp.system_name", "lldp.system_description", "cdp.device_id",
    "cdp.platform", "snmp.sys_name", "snmp.sys_descr", "snmp.sys_location", "snmp.sys_object_id",
    "snmp.entity_descr", "snmp.entity_software", "snmp.entity_serial", "snmp.entity_manufacturer",
    "snmp.entity_model",
)  # fmt: skip
_SYSTEM = {
    "1.3.6.1.2.1.1.1": "snmp.sys_descr",
    "1.3.6.1.2.1.1.5": "snmp.sys_name",
    "1.3.6.1.2.1.1.6": "snmp.sys_location",
}
_IF_DESCR, _IF_NAME, _IF_ALIAS = "1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.31.1.1.1.1", "1.3.6.1.2.1.31.1.1.1.18"
_BASE_PORT = "1.3.6.1.2.1.17.1.4.1.2"
_FDB_PORT, _FDB_STATUS = "1.3.6.1.2.1.17.4.3.1.2", "1.3.6.1.2.1.17.4.3.1.3"
_Q_FDB_PORT, _Q_FDB_STATUS = "1.3.6.1.2.1.17.7.1.2.2.1.2", "1.3.6.1.2.1.17.7.1.2.2.1.3"
_VLAN_FDB = "1.3.6.1.2.1.17.7.1.4.2.1.3"
_LEARNED = 3
_LLDP = "1.0.8802.1.1.2.1.4.1.1"
_LLDP_LOCAL = "1.0.8802.1.1.2.1.3.7.1.3"
_CDP = "1.3.6.1.4.1.9.9.23.1.2.1.1"
_ENTITY = "1.3.6.1.2.1.47.1.1.1.1"
_ENTITY_FIELDS = {
    "2": "snmp.entity_descr",
    "10": "snmp.entity_software",
    "11": "snmp.entity_serial",
    "12": "snmp.entity_manufacturer",
    "13": "snmp.entity_model",
}
_CHASSIS = 3
_ARP = "1.3.6.1.2.1.4.22.1.2"
_AIRESPACE_AP, _AIRESPACE_SSID = "1.3.6.1.4.1.14179.2.1.4.1.4", "1.3.6.1.4.1.14179.2.1.4.1.7"
_AIRESPACE_IP, _AIRESPACE_AP_NAME = "1.3.6.1.4.1.14179.2.1.4.1.2", "1.3.6.1.4.1.14179.2.2.1.1.3"
_ARUBA_SSID, _ARUBA_AP = "1.3.6.1.4.1.14823.2.2.1.5.2.2.1.1.12", "1.3.6.1.4.1.14823.2.2.1.4.1.2.1.10"
_BRIDGE_BITS, _TELEPHONE_BIT = 0b0011_1000, 0b0000_0100  # LLDP: bits from the left, bridge 2, AP 3, router 4
_CDP_BRIDGES, _CDP_PHONE = 0x01 | 0x02 | 0x08, 0x80
_MAC_CHASSIS = 4


class Ports(msgspec.Struct):
    """Names of a switch's interfaces by ifIndex, and which interface each bridge port is."""

    names: dict[int, str]
    descriptions: dict[int, str]
    of_bridge_port: dict[int, int]


def _text(value: Value | None) -> str:
    return printable(value) if isinstance(value, bytes) else ""


def _number(value: Value | None) -> int:
    return value if isinstance(value, int) else 0


def _mac(arcs: Iterable[int]) -> str | None:
    arcs = tuple(arcs)
    return mac_text(bytes(arcs)) if len(arcs) == 6 and all(0 <= arc < 256 for arc in arcs) else None


def _address(arcs: tuple[int, ...]) -> str | None:
    return ipv4_text(bytes(arcs)) if len(arcs) == 4 and all(0 <= arc < 256 for arc in arcs) else None


class SwitchReading:
    """Turns one agent's tables into facts; ``walk`` returns the rows of a column by their index."""

    def __init__(self, walk: Walk, address: str, now_ns: int, facts: FactSum) -> None:
        self._walk = walk
        self._address = ip_or_none(address)
        self._now = now_ns
        self._facts = facts
        self.name = address
        self.uplinks: set[int] = set()
        self.located = 0

    def read(self) -> None:
        """Read everything the agent has; what it lacks gives nothing."""
        self._system()
        ports = self._ports()
        self._neighbours(ports)
        self._bridge(ports)
        self._arp()
        self._wireless()

    def _say(self, mac: str | None, ip: str | None, field: str, value: str, vlan: int | None = None) -> None:
        self._facts.add(self._now, mac, ip, field, value, vlan)

    def _system(self) -> None:
        for column, field in _SYSTEM.items():
            value = _text(self._walk(column).get((0,)))
            self._say(None, self._address, field, value)
            if field == "snmp.sys_name" and value:
                self.name = value
        classes = self._walk(f"{_ENTITY}.5")
        chassis = sorted(index for index, kind in classes.items() if kind == _CHASSIS)
        if not chassis:
            return
        for column, field in _ENTITY_FIELDS.items():
            self._say(None, self._address, field, _text(self._walk(f"{_ENTITY}.{column}").get(chassis[0])))

    def _ports(self) -> Ports:
        described = {index[0]: _text(value) for index, value in self._walk(_IF_DESCR).items() if index}
        named = {index[0]: _text(value) for index, value in self._walk(_IF_NAME).items() if index}
        aliases = {index[0]: _text(value) for index, value in self._walk(_IF_ALIAS).items() if index}
        bridge = {index[0]: _number(value) for index, value in self._walk(_BASE_PORT).items() if index}
        names = described | {index: name for index, name in named.items() if name}
        return Ports(names, aliases, bridge)

    def _neighbours(self, ports: Ports) -> None:
        """Take LLDP and CDP neighbours: bridges among them make their port an uplink."""
        local = {index[-1]: _text(value) for index, value in self._walk(_LLDP_LOCAL).items() if index}
        by_name = {name: index for index, name in ports.names.items()}
        columns = {column: self._walk(f"{_LLDP}.{column}") for column in ("4", "5", "9", "10", "12")}
        for index, chassis in columns["5"].items():
            if len(index) < 3:
                continue
            number = index[-2]
            interface = by_name.get(local.get(number, ""), ports.of_bridge_port.get(number, number))
            capable = columns["12"].get(index)
            bits = capable[0] if isinstance(capable, bytes) and capable else 0
            if bits & _BRIDGE_BITS and not bits & _TELEPHONE_BIT:
                self.uplinks.add(interface)
            mac = mac_text(chassis) if isinstance(chassis, bytes) else None
            if mac is None or columns["4"].get(index) != _MAC_CHASSIS:
                continue
            self._say(mac, None, "lldp.system_name", _text(columns["9"].get(index)))
            self._say(mac, None, "lldp.system_description", _text(columns["10"].get(index)))
        names, platforms = self._walk(f"{_CDP}.6"), self._walk(f"{_CDP}.8")
        capabilities, addresses = self._walk(f"{_CDP}.9"), self._walk(f"{_CDP}.4")
        for index, capability in capabilities.items():
            bits = int.from_bytes(capability, "big") if isinstance(capability, bytes) else capability
            if index and bits & _CDP_BRIDGES and not bits & _CDP_PHONE:
                self.uplinks.add(index[0])
        for index, address in addresses.items():
            ip = ipv4_text(address) if isinstance(address, bytes) else None
            if ip is not None:
                self._say(None, ip, "cdp.device_id", _text(names.get(index)))
                self._say(None, ip, "cdp.platform", _text(platforms.get(index)))

    def _bridge(self, ports: Ports) -> None:
        """Take which MAC address was learnt on which port, and locate those that hang there alone."""
        vlans = {_number(value): index[-1] for index, value in self._walk(_VLAN_FDB).items() if index}
        learned: dict[tuple[str, int | None], int] = {}
        statuses = self._walk(_Q_FDB_STATUS)
        for index, port in self._walk(_Q_FDB_PORT).items():
            mac = _mac(index[1:])
            if mac is not None and statuses.get(index, _LEARNED) == _LEARNED and _number(port):
                learned[mac, vlans.get(index[0], index[0])] = _number(port)
        if not learned:
            statuses = self._walk(_FDB_STATUS)
            for index, port in self._walk(_FDB_PORT).items():
                mac = _mac(index)
                if mac is not None and statuses.get(index, _LEARNED) == _LEARNED and _number(port):
                    learned[mac, None] = _number(port)
        crowd = Counter(port for _, port in {(mac, port) for (mac, _), port in learned.items()})
        for (mac, vlan), port in learned.items():
            interface = ports.of_bridge_port.get(port, port)
            if crowd[port] > MOST_OF_A_PORT:
                self.uplinks.add(interface)
            if interface in self.uplinks:
                continue
            self.located += 1
            self._say(mac, None, "switch.name", self.name)
            self._say(mac, None, "switch.port", ports.names.get(interface, str(port)))
            self._say(mac, None, "switch.port_description", ports.descriptions.get(interface, ""))
            if vlan is not None and 0 < vlan < 4095:
                self._say(mac, None, "switch.vlan", str(vlan))

    def _arp(self) -> None:
        for index, value in self._walk(_ARP).items():
            ip = _address(index[1:])
            mac = mac_text(value) if isinstance(value, bytes) else None
            if ip is not None and mac is not None:
                self._say(mac, ip, "arp.ip", ip)

    def _wireless(self) -> None:
        """Take who is associated with which access point and network."""
        points = {index: _text(value) for index, value in self._walk(_AIRESPACE_AP_NAME).items()}
        networks, addresses = self._walk(_AIRESPACE_SSID), self._walk(_AIRESPACE_IP)
        for index, point in self._walk(_AIRESPACE_AP).items():
            mac = _mac(index)
            if mac is None:
                continue
            radio = tuple(point) if isinstance(point, bytes) else ()
            name = points.get(radio, "") or (mac_text(bytes(radio)) or "" if len(radio) == 6 else "")
            raw = addresses.get(index)
            ip = ipv4_text(raw) if isinstance(raw, bytes) else None
            self._associated(mac, ip, name, _text(networks.get(index)))
        located = {index[:6]: _text(value) for index, value in self._walk(_ARUBA_AP).items()}
        held = {index[:6]: _address(index[6:]) for index in self._walk(_ARUBA_AP)} if located else {}
        for index, network in self._walk(_ARUBA_SSID).items():
            mac = _mac(index)
            if mac is not None:
                self._associated(mac, held.get(index), located.get(index, ""), _text(network))

    def _associated(self, mac: str, ip: str | None, point: str, network: str) -> None:
        self.located += 1
        self._say(mac, ip, "wireless.ap", mac_or_none(point) or point)
        self._say(mac, ip, "wireless.ssid", network)
        self._say(mac, ip, "wireless.controller", self.name)
