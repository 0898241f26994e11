"""Where devices are plugged in and what addresses they get.

Old buildings have one VLAN per floor, which mixes what stands there; the new building has one per class.
With 17 floors, a server network and seven class networks 18 of 25 mix IT and medical devices (72 %).
Every site uses the same part of 10/8.
"""

from __future__ import annotations

from random import Random

from medwarden.simulation.device import Device, Network, Place
from medwarden.simulation.population import PUMP_KINDS, group_of

FLOORS = (("Building A", 6), ("Building B", 6), ("Building C", 5))
NEW_BUILDING = "Building N"
IN_OLD_BUILDINGS = 0.6

SERVER_KINDS = frozenset(
    {
        *(
            "pacs",
            "vna",
            "mwl_ris",
            "lis",
            "infusion_server",
            "domain_controller",
            "ehr_server",
            "interface_engine",
        ),
        *("server", "hypervisor", "storage", "alarm_management", "dicom_router", "nvr"),
    }
)
WIRELESS_MEDICAL = frozenset(
    {
        *PUMP_KINDS,
        "clinical_comm_badge",
        "cgm_poc_glucose",
        "vitals_monitor",
        "smart_bed",
        "telemetry",
        "medical_cart",
    }
    | {
        "xray_mobile",
        "ecg_cart",
        "poc_device",
        "defibrillator",
        "home_ventilator",
        "cpap",
        "smart_scale",
        "rtls",
    }
)
WIRELESS_STAFF = frozenset(
    {"laptop", "tablet", "rugged_handheld", "barcode_scanner", "telehealth_cart", "agv_robot"}
)
GUESTS = frozenset({"smartphone", "streaming", "smart_speaker", "game_console"})
PLANT = frozenset(
    {
        "bms_controller",
        "hvac",
        "plc",
        "elevator",
        "power_meter",
        "fire_panel",
        "ups",
        "parking",
        "med_gas",
        "pneumatic_tube",
    }
)
STATIC = SERVER_KINDS | {"network_switch", "router_firewall", "central_station"} | PLANT
_CLASS_NETS = ("servers", "medical", "medical-wlan", "staff", "things", "plant", "guest", "management")


class Plan:
    """The networks of one site."""

    def __init__(self, rng: Random, expected: int, *, strange: bool = False) -> None:
        floors = sum(count for _, count in FLOORS)
        largest = max(60, int(expected * 0.5))
        self._prefix_wide = 32 - max(8, (largest * 2).bit_length())
        per_floor = max(60, int(expected * IN_OLD_BUILDINGS / floors * 2))
        self._prefix_floor = 32 - max(8, per_floor.bit_length())
        self.router = bytes.fromhex("001b17") + rng.randbytes(2) + bytes((rng.randrange(200),))
        self.networks: dict[str, Network] = {}
        self.gateways: list[bytes] = []
        self._next_base = 10 << 24 | rng.choice((0, 16, 32, 64, 96)) << 16
        self._vlan = rng.choice((10, 100, 200, 300))
        if strange:
            self._next_base = 172 << 24 | (16 + self._vlan % 7) << 16
            self._vlan += 1000
        for building, count in FLOORS:
            for floor in range(count):
                self._add(f"{building} {floor}", self._prefix_floor, rng)
        for name in _CLASS_NETS:
            self._add(
                name,
                self._prefix_wide
                if name in ("staff", "medical-wlan", "things", "guest")
                else self._prefix_floor,
                rng,
            )

    def _add(self, name: str, prefix: int, rng: Random) -> None:
        size = 1 << (32 - prefix)
        self._next_base = (self._next_base + size - 1) & ~(size - 1)
        number = len(self.networks) + 1
        gateway = self.router[:5] + bytes((self.router[5] + number & 0xFF,))
        self.gateways.append(gateway)
        self.networks[name] = Network(number, self._vlan, name, self._next_base, prefix, gateway)
        self._next_base += size
        self._vlan += rng.choice((1, 1, 2, 10))

    def home(self, device: Device, site: str, rng: Random) -> tuple[Place, Network]:
        """Choose place and network for a device."""
        category = device.category
        group = group_of(category)
        if category in SERVER_KINDS:
            return self._place(site, "Building A", 0, "DC1", rng), self.networks["servers"]
        if category in GUESTS:
            building, count = rng.choice(FLOORS)
            return self._place(site, building, rng.randrange(count), "", rng), self.networks["guest"]
        if category in ("network_switch", "router_firewall"):
            building, count = rng.choice(FLOORS)
            return self._place(site, building, rng.randrange(count), "IDF", rng), self.networks["management"]
        if category in WIRELESS_MEDICAL:
            building, count = rng.choice(FLOORS)
            return self._place(site, building, rng.randrange(count), "", rng), self.networks["medical-wlan"]
        if category in WIRELESS_STAFF:
            building, count = rng.choice(FLOORS)
            return self._place(site, building, rng.randrange(count), "", rng), self.networks["staff"]
        if category in PLANT:
            return self._place(site, NEW_BUILDING, 0, "PLANT", rng), self.networks["plant"]
        if rng.random() < IN_OLD_BUILDINGS:
            building, count = rng.choice(FLOORS)
            floor = rng.randrange(count)
            return self._place(site, building, floor, "", rng), self.networks[f"{building} {floor}"]
        name = {"medical": "medical", "it": "staff", "other": "things"}[group]
        return self._place(site, NEW_BUILDING, rng.randrange(5), "", rng), self.networks[name]

    def _place(self, site: str, building: str, floor: int, room: str, rng: Random) -> Place:
        letter = building[-1]
        switch = f"{site}-{letter}{floor}-sw{rng.randrange(1, 4)}"
        port = f"Gi{rng.randrange(1, 5)}/0/{rng.randrange(1, 49)}"
        return Place(
            site, building, floor, room or f"{letter}{floor}{rng.randrange(1, 60):02d}", switch, port
        )

    def random_place(self, site: str, rng: Random) -> tuple[Place, Network]:
        """Choose a floor of an old building, for somebody who moves."""
        building, count = rng.choice(FLOORS)
        floor = rng.randrange(count)
        return self._place(site, building, floor, "", rng), self.networks[f"{building} {floor}"]
