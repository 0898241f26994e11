"""A made-up hospital for developing and testing pages: plausible devices, evidence, traffic.

As a script it fills the data folder it is given and makes an administrator, whose first password it
writes to standard output; Django must be set up before (see tests/browser/conftest.py).

Nothing here is random from run to run: the same seed gives the same house. Addresses are from private
ranges, MAC prefixes are registered to the named makers.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

from medwarden.app.judge import assess
from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.kernel.ids import stable_id
from medwarden.model.accounting import InputReport, PacketCount
from medwarden.model.device import Ballot, DeviceClass, Verdict
from medwarden.model.inventory_delta import (
    ActivityIncrement,
    AddressChange,
    BindingSource,
    ConversationIncrement,
    DeviceChange,
    InterfaceChange,
    InventoryDelta,
    KeyKind,
    LedgerIncrement,
    ServiceIncrement,
)
from medwarden.store import queries
from medwarden.store.changes import Change
from medwarden.store.identities import record_identities
from medwarden.store.ingest import IngestWriter
from medwarden.store.open import Store, open_store

HOUR = 3600 * NANOSECONDS
SITE = "main"


class Kind(NamedTuple):
    """One model of device, how many of it, where it stands, what it says and whom it talks to."""

    device_class: str
    category: str
    vendor: str
    model: str
    oui: str
    number: int
    net: int
    name: str
    os: str | None
    says: tuple[tuple[str, str, str], ...]
    serves: tuple[tuple[str, int, str], ...]
    talks: tuple[tuple[str, str, int, str], ...]
    model_confidence: float = 0.93


KINDS = (
    Kind(
        "IoMT",
        "infusion_pump",
        "B. Braun",
        "Infusomat Space",
        "00:1e:c0",
        60,
        30,
        "SPACE-{n:04d}",
        None,
        (("dhcp", "dhcp.vendor_class", "BBraun SpaceCom"), ("http", "http.server", "SpaceCom/2.1")),
        (("tcp", 80, "http"), ("tcp", 23, "telnet")),
        (("infusion_server", "tcp", 4001, "tls"),),
    ),
    Kind(
        "IoMT",
        "infusion_pump",
        "BD",
        "Alaris 8015",
        "00:03:b1",
        24,
        30,
        "ALARIS{n:05d}",
        None,
        (("dhcp", "dhcp.host_name", "ALARIS"),),
        (("tcp", 3613, "alaris"),),
        (("infusion_server", "tcp", 3613, "alaris"),),
        0.81,
    ),
    Kind(
        "IoMT",
        "patient_monitor",
        "Philips",
        "IntelliVue MX750",
        "00:09:fb",
        40,
        31,
        "MON-{n:03d}",
        None,
        (
            ("dhcp", "dhcp.vendor_class", "Philips Medical"),
            ("tls", "tls.ja4", "t12d190800_d83cc789557e_7af1ed941c26"),
        ),
        (("udp", 24105, "intellivue"),),
        (("central_station", "udp", 24005, "intellivue"),),
    ),
    Kind(
        "IoMT",
        "central_station",
        "Philips",
        "PIC iX",
        "00:09:fb",
        4,
        31,
        "PICIX-{n}",
        "Windows Server",
        (("ntlmssp", "ntlmssp.workstation", "PICIX"),),
        (("tcp", 445, "smb"), ("tcp", 3389, "rdp")),
        (("interface_engine", "tcp", 6661, "hl7"),),
    ),
    Kind(
        "IoMT",
        "ct",
        "Siemens Healthineers",
        "SOMATOM go.Up",
        "00:1a:6b",
        3,
        40,
        "CT{n}",
        "Windows 7",
        (
            ("dicom", "dicom.ae_title", "CT{n}_SOM"),
            ("dicom", "dicom.modality", "CT"),
            ("dicom", "dicom.implementation_version_name", "SIEMENS_SOMGO_VA20A"),
            ("dicom", "dicom.station_name", "CT{n}"),
            ("ntlmssp", "ntlmssp.workstation", "CT{n}"),
        ),
        (("tcp", 104, "dicom"), ("tcp", 445, "smb"), ("tcp", 3389, "rdp")),
        (("pacs", "tcp", 104, "dicom"), ("mwl_ris", "tcp", 104, "dicom")),
    ),
    Kind(
        "IoMT",
        "mri",
        "GE HealthCare",
        "SIGNA Artist",
        "00:0a:f7",
        2,
        40,
        "MR{n}",
        "Linux",
        (("dicom", "dicom.ae_title", "MR{n}"), ("dicom", "dicom.modality", "MR")),
        (("tcp", 4006, "dicom"),),
        (("pacs", "tcp", 104, "dicom"), ("mwl_ris", "tcp", 104, "dicom")),
    ),
    Kind(
        "IoMT",
        "ultrasound",
        "Philips",
        "EPIQ 7",
        "00:09:fb",
        9,
        41,
        "EPIQ7-{n:02d}",
        "Windows 10",
        (
            ("dicom", "dicom.ae_title", "EPIQ7_{n:02d}"),
            ("dicom", "dicom.modality", "US"),
            ("dhcp", "dhcp.host_name", "EPIQ7-{n:02d}"),
        ),
        (("tcp", 104, "dicom"),),
        (("pacs", "tcp", 104, "dicom"), ("internet:updates.philips.example", "tcp", 443, "tls")),
    ),
    Kind(
        "IoMT",
        "xray_mobile",
        "Carestream",
        "DRX-Revolution",
        "00:60:9f",
        6,
        41,
        "DRX{n}",
        "Windows XP",
        (("dicom", "dicom.ae_title", "DRX{n}"), ("dicom", "dicom.modality", "DX")),
        (("tcp", 445, "smb"), ("tcp", 5104, "dicom")),
        (("pacs", "tcp", 104, "dicom"),),
    ),
    Kind(
        "IoMT",
        "pacs",
        "Sectra",
        "IDS7",
        "00:50:56",
        2,
        10,
        "PACS{n}",
        "Windows Server 2019",
        (("dicom", "dicom.ae_title", "PACS{n}"),),
        (("tcp", 104, "dicom"), ("tcp", 443, "tls")),
        (),
    ),
    Kind(
        "IoMT",
        "mwl_ris",
        "Dedalus",
        "ORBIS RIS",
        "00:50:56",
        1,
        10,
        "RIS1",
        "Windows Server 2016",
        (("dicom", "dicom.ae_title", "RIS_MWL"), ("hl7", "hl7.sending_application", "ORBIS")),
        (("tcp", 104, "dicom"), ("tcp", 2575, "hl7")),
        (("interface_engine", "tcp", 6661, "hl7"),),
    ),
    Kind(
        "IoMT",
        "lis",
        "Clinisys",
        "GLIMS",
        "00:50:56",
        1,
        10,
        "LIS-2",
        "Linux",
        (("hl7", "hl7.sending_application", "GLIMS"),),
        (("tcp", 2575, "hl7"),),
        (("interface_engine", "tcp", 6661, "hl7"),),
    ),
    Kind(
        "IoMT",
        "chem_analyzer",
        "Roche",
        "cobas pro",
        "00:0b:ab",
        5,
        32,
        "COBAS{n}",
        "Windows 10",
        (("hl7", "hl7.sending_application", "COBAS"),),
        (),
        (("lis", "tcp", 2575, "hl7"),),
    ),
    Kind(
        "IoMT",
        "blood_gas",
        "Radiometer",
        "ABL90 FLEX",
        "00:07:7c",
        8,
        32,
        "ABL90-{n:02d}",
        "Windows 7",
        (("dhcp", "dhcp.host_name", "ABL90-{n:02d}"),),
        (("tcp", 21, "ftp"),),
        (("lis", "tcp", 2575, "hl7"),),
    ),
    Kind(
        "IoMT",
        "ventilator",
        "Draeger",
        "Evita V600",
        "00:30:e6",
        12,
        31,
        "EVITA-{n:02d}",
        None,
        (
            ("sdc", "sdc.model_name", "Evita V600"),
            ("ws_discovery", "ws_discovery.types", "dpws:Device mdpws:MedicalDevice"),
        ),
        (("udp", 3702, "ws-discovery"), ("tcp", 6464, "tls")),
        (("device_gateway", "tcp", 6465, "tls"),),
    ),
    Kind(
        "IoMT",
        "device_gateway",
        "Capsule",
        "Neuron 3",
        "00:40:9d",
        3,
        31,
        "NEURON-{n}",
        "Linux",
        (("snmp", "snmp.sys_descr", "Capsule Neuron 3"),),
        (("udp", 161, "snmp"),),
        (("interface_engine", "tcp", 6661, "hl7"),),
    ),
    Kind(
        "IoMT",
        "dispensing_cabinet",
        "Omnicell",
        "XT",
        "00:50:c2",
        7,
        33,
        "OMNI-{n:02d}",
        "Windows 10",
        (("dhcp", "dhcp.host_name", "OMNI-{n:02d}"),),
        (),
        (("server", "tcp", 443, "tls"),),
        0.74,
    ),
    Kind(
        "IoMT",
        "infusion_server",
        "B. Braun",
        "OnlineSuite",
        "00:50:56",
        1,
        10,
        "OLS1",
        "Windows Server 2016",
        (("tls", "tls.certificate_subject", "CN=ols1.example.net"),),
        (("tcp", 4001, "tls"), ("tcp", 3613, "alaris")),
        (),
    ),
    Kind(
        "IT",
        "interface_engine",
        "NextGen",
        "Mirth Connect",
        "00:50:56",
        1,
        10,
        "MIRTH1",
        "Linux",
        (("hl7", "hl7.receiving_application", "MIRTH"),),
        (("tcp", 6661, "hl7"), ("tcp", 8443, "tls")),
        (),
    ),
    Kind(
        "IT",
        "domain_controller",
        "Microsoft",
        "Active Directory",
        "00:50:56",
        2,
        10,
        "DC{n}",
        "Windows Server 2019",
        (("ntlmssp", "ntlmssp.workstation", "DC{n}"),),
        (("udp", 53, "dns"), ("tcp", 88, "kerberos"), ("tcp", 389, "ldap"), ("tcp", 445, "smb")),
        (),
    ),
    Kind(
        "IT",
        "server",
        "VMware",
        "Virtual machine",
        "00:50:56",
        6,
        10,
        "SRV-{n:02d}",
        "Windows Server 2019",
        (),
        (("tcp", 443, "tls"),),
        (),
        0.55,
    ),
    Kind(
        "IT",
        "workstation",
        "Dell",
        "OptiPlex 7090",
        "d8:9e:f3",
        110,
        20,
        "PC-{n:04d}",
        "Windows 10",
        (("dhcp", "dhcp.vendor_class", "MSFT 5.0"), ("dhcp", "dhcp.host_name", "PC-{n:04d}")),
        (),
        (
            ("domain_controller", "tcp", 445, "smb"),
            ("domain_controller", "udp", 53, "dns"),
            ("internet:ehr.example.org", "tcp", 443, "tls"),
        ),
        0.62,
    ),
    Kind(
        "IoT",
        "printer",
        "HP",
        "LaserJet M507",
        "00:1f:29",
        22,
        21,
        "NPI{n:05X}",
        None,
        (("snmp", "snmp.sys_descr", "HP ETHERNET MULTI-ENVIRONMENT"), ("mdns", "mdns.service", "_ipp._tcp")),
        (("tcp", 9100, "jetdirect"), ("udp", 161, "snmp"), ("tcp", 80, "http")),
        (),
    ),
    Kind(
        "IoT",
        "ip_camera",
        "Axis",
        "P3245-LV",
        "ac:cc:8e",
        28,
        22,
        "axis-{n:04x}",
        "Linux",
        (("ssdp", "ssdp.server", "Linux/4.14 UPnP/1.0 Axis/9.80"),),
        (("tcp", 554, "rtsp"), ("tcp", 80, "http")),
        (("nvr", "tcp", 554, "rtsp"),),
    ),
    Kind(
        "IoT",
        "nvr",
        "Milestone",
        "XProtect",
        "00:50:56",
        1,
        22,
        "NVR1",
        "Windows Server 2016",
        (),
        (("tcp", 443, "tls"),),
        (),
        0.7,
    ),
    Kind(
        "IoT",
        "voip_phone",
        "Cisco",
        "8841",
        "00:27:0d",
        32,
        23,
        "SEP{n:06X}",
        None,
        (("cdp", "cdp.platform", "Cisco IP Phone 8841"),),
        (("tcp", 80, "http"),),
        (("server", "tcp", 5061, "tls"),),
    ),
    Kind(
        "OT",
        "bms_controller",
        "Siemens",
        "Desigo PXC",
        "00:a0:03",
        5,
        24,
        "PXC-{n}",
        None,
        (("bacnet", "bacnet.object_name", "PXC-{n}"),),
        (("udp", 47808, "bacnet"),),
        (),
    ),
    Kind(
        "NET",
        "network_switch",
        "Cisco",
        "Catalyst 9300",
        "00:1b:54",
        9,
        1,
        "sw-{n:02d}",
        "IOS XE",
        (
            ("lldp", "lldp.system_description", "Cisco IOS Software, Catalyst L3 Switch"),
            ("lldp", "lldp.system_name", "sw-{n:02d}"),
        ),
        (("tcp", 22, "ssh"), ("udp", 161, "snmp")),
        (),
    ),
)
UNIDENTIFIED = 14


class House(NamedTuple):
    """What :func:`build` returns: the delta, verdicts by device id, and the category of each id."""

    delta: InventoryDelta
    verdicts: dict[str, tuple[Verdict, ...]]
    kinds: dict[str, Kind | None]
    names: dict[str, str]


def _verdict(level: str, label: str | None, confidence: float, field: str, value: str) -> Verdict:
    ballots = (
        ()
        if label is None
        else (Ballot(level, label, round(confidence * 4, 2), f"{level}.{field}", field, value),)
    )
    runner_up = "unknown" if level in ("class", "category") else None
    return Verdict(level, label, confidence, runner_up, round((1 - confidence) / 2, 3), ballots)


def _verdicts(kind: Kind, field: str, value: str, rng: random.Random) -> tuple[Verdict, ...]:
    sure = min(0.995, kind.model_confidence + rng.uniform(0, 0.06))
    return (
        _verdict("class", kind.device_class, min(0.998, sure + 0.05), field, value),
        _verdict("category", kind.category, min(0.99, sure + 0.03), field, value),
        _verdict("vendor", kind.vendor, min(0.99, sure + 0.02), "mac.vendor", kind.oui),
        _verdict("model", kind.model if sure > 0.6 else None, sure, field, value),
        _verdict("os", kind.os, 0.8 if kind.os else 0.0, field, value),
    )


def build(now_ns: int, seed: int = 7, scale: float = 1.0) -> House:
    """Return the hospital as it stands at ``now_ns``; ``scale`` multiplies the number of devices."""
    rng = random.Random(seed)
    rows = _Rows(rng, now_ns)
    for kind in KINDS:
        for n in range(1, max(1, round(kind.number * scale)) + 1):
            rows.device(kind, n)
    for n in range(1, UNIDENTIFIED + 1):
        rows.stranger(n)
    rows.traffic()
    return rows.house()


class _Rows:
    def __init__(self, rng: random.Random, now_ns: int) -> None:
        self.rng = rng
        self.now = now_ns
        self.devices: list[DeviceChange] = []
        self.interfaces: list[InterfaceChange] = []
        self.addresses: list[AddressChange] = []
        self.ledger: list[LedgerIncrement] = []
        self.services: list[ServiceIncrement] = []
        self.conversations: list[ConversationIncrement] = []
        self.activity: list[ActivityIncrement] = []
        self.verdicts: dict[str, tuple[Verdict, ...]] = {}
        self.kinds: dict[str, Kind | None] = {}
        self.names: dict[str, str] = {}
        self.seen: dict[str, tuple[int, int]] = {}
        self.hosts: dict[int, int] = {}

    def _place(self, mac: str, net: int, first: int, last: int, kind: Kind | None) -> str:
        device = stable_id("dev", SITE, mac)
        self.hosts[net] = self.hosts.get(net, 9) + 1
        host = self.hosts[net]
        ip = f"10.{net}.{host // 250}.{host % 250 + 1}"
        self.devices.append(DeviceChange(device, SITE, KeyKind.MAC, True, False, first, last, (net,)))
        self.interfaces.append(InterfaceChange(device, mac, False, False, first, last))
        self.addresses.append(AddressChange(device, mac, ip, BindingSource.ARP, True, first, last))
        self.kinds[device] = kind
        self.seen[device] = (first, last)
        return device

    def _times(self) -> tuple[int, int]:
        first = self.now - int(self.rng.uniform(0.02, 40) * 24) * HOUR - self.rng.randrange(HOUR)
        idle = self.rng.choice((0, 0, 0, 0, 1, 3, 30))
        return first, max(first, self.now - idle * HOUR - self.rng.randrange(HOUR // 4))

    def device(self, kind: Kind, n: int) -> None:
        first, last = self._times()
        mac = f"{kind.oui}:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x}"
        if kind.oui in ("00:50:56", "00:09:fb"):  # several models share the prefix
            number = len(self.devices)
            mac = f"{kind.oui}:{self.rng.randrange(256):02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        device = self._place(mac, kind.net, first, last, kind)
        self.names[device] = kind.name.format(n=n)
        says = [(s, f, v.format(n=n)) for s, f, v in kind.says] or [("dns", "dns.name", self.names[device])]
        for source, field, value in says:
            self.ledger.append(
                LedgerIncrement(
                    device, "span-core", source, field, value, first, last, self.rng.randrange(1, 4000)
                )
            )
        if not any(f == "dhcp.host_name" for _, f, _ in says):
            self.ledger.append(
                LedgerIncrement(
                    device,
                    "span-core",
                    "dhcp",
                    "dhcp.host_name",
                    self.names[device],
                    first,
                    last,
                    self.rng.randrange(1, 90),
                )
            )
        for transport, port, application in kind.serves:
            self.services.append(
                ServiceIncrement(
                    device,
                    transport,
                    port,
                    application,
                    first,
                    last,
                    self.rng.randrange(1, 40),
                    self.rng.randrange(10, 9000),
                    self.rng.randrange(10**4, 10**9),
                )
            )
        self.verdicts[device] = _verdicts(kind, says[0][1], says[0][2], self.rng)

    def stranger(self, n: int) -> None:
        first, last = self._times()
        mac = f"02:{self.rng.randrange(256):02x}:{self.rng.randrange(256):02x}:00:00:{n:02x}"
        device = self._place(mac, 25, first, last, None)
        self.verdicts[device] = (
            _verdict("class", None, 0.31, "mac", mac),
            _verdict("category", None, 0.12, "mac", mac),
        )

    def traffic(self) -> None:
        by_category: dict[str, list[str]] = {}
        for device, kind in self.kinds.items():
            if kind:
                by_category.setdefault(kind.category, []).append(device)
        for device, kind in self.kinds.items():
            first, last = self.seen[device]
            for peer, transport, port, application in kind.talks if kind else ():
                self._talk(device, peer, by_category, transport, port, application, first, last)
            self._hours(device, kind)

    def _talk(
        self,
        device: str,
        peer: str,
        by_category: dict[str, list[str]],
        transport: str,
        port: int,
        application: str,
        first: int,
        last: int,
    ) -> None:
        flows, sent = self.rng.randrange(20, 5000), self.rng.randrange(10**5, 10**9)
        received, packets = sent // self.rng.randrange(2, 30), sent // 700
        if peer.startswith("internet:"):
            self.conversations.append(
                ConversationIncrement(
                    device,
                    "client",
                    None,
                    "198.51.100.7",
                    peer.split(":")[1],
                    "internet",
                    transport,
                    port,
                    application,
                    first,
                    last,
                    flows,
                    packets,
                    sent,
                    received,
                    True,
                )
            )
            return
        other = self.rng.choice(by_category[peer])
        self.conversations.append(
            ConversationIncrement(
                device,
                "client",
                other,
                None,
                None,
                "internal",
                transport,
                port,
                application,
                first,
                last,
                flows,
                packets,
                sent,
                received,
                True,
            )
        )
        self.conversations.append(
            ConversationIncrement(
                other,
                "server",
                device,
                None,
                None,
                "internal",
                transport,
                port,
                application,
                first,
                last,
                flows,
                packets,
                received,
                sent,
                True,
            )
        )

    def _hours(self, device: str, kind: Kind | None) -> None:
        first, last = self.seen[device]
        hour = max(first, self.now - 72 * HOUR) // HOUR * HOUR
        scale = 10**7 if kind and kind.category in ("ct", "mri", "pacs", "ultrasound") else 10**5
        while hour <= last:
            busy = 1.0 if 7 <= (hour // HOUR) % 24 <= 18 else 0.2
            sent = int(scale * busy * self.rng.uniform(0.3, 1.7))
            self.activity.append(
                ActivityIncrement(device, hour, self.rng.randrange(1, 60), sent // 800, sent, sent // 4)
            )
            hour += HOUR

    def house(self) -> House:
        delta = InventoryDelta(
            SITE,
            tuple(self.devices),
            tuple(self.interfaces),
            tuple(self.addresses),
            tuple(self.ledger),
            tuple(self.services),
            tuple(self.conversations),
            tuple(self.activity),
        )
        return House(delta, self.verdicts, self.kinds, self.names)


def fill(store: Store, now_ns: int, scale: float = 1.0, site: str | None = None) -> House:
    """Put the hospital into an open store as sensors, identification and risk would."""
    house = build(now_ns, scale=scale)
    writer = IngestWriter(store, "span-core", site=site, kind="capture", name="SPAN of the core switch")
    report = InputReport("core-2.pcap", "pcapng", PacketCount(184_220, 184_190, 30, 0), bytes=91_000_000)
    report.rejected_reasons = {"IPv4 header longer than the packet": 30}
    report.malformed = {"dicom": 2}
    state = writer.begin_input("made-up", "core-2.pcap", "pcapng")
    writer.commit_batch(state, 0, None, None, house.delta, report)
    writer.finish_input(state, report)
    bad = writer.begin_input("made-up-bad", "ward-7.pcap", "unknown")
    writer.finish_input(
        bad, InputReport("ward-7.pcap", error="ward-7.pcap, byte 0: this is text, not a capture")
    )
    _judge(house, writer.tenant, writer.site)
    return house


def _judge(house: House, tenant: str, site: str) -> None:
    ids = sorted(house.kinds)
    devices = []
    for device in queries.complete_devices(ids):
        kind, verdicts = house.kinds[device.id], house.verdicts[device.id]
        labels = {v.level: v.label for v in verdicts}
        devices.append(
            msgspec.structs.replace(
                device,
                names=(house.names[device.id],) if device.id in house.names else (),
                device_class=DeviceClass(labels.get("class") or "unknown"),
                category=labels.get("category"),
                vendor=labels.get("vendor"),
                model=labels.get("model"),
                os=labels.get("os"),
                managed=kind.category == "workstation" if kind and kind.device_class == "IT" else None,
                phi=True if kind and any("dicom" in t for t in kind.talks) else None,
                subnet=f"10.{device.vlans[0]}.0.0/16",
                verdicts=verdicts,
            )
        )
    with Change("rule:identity", "evidence changed", "made-up", tenant=tenant, site=site) as change:
        record_identities(change, devices)
    assess(tenant, site, ids)


def main(home: Path, scale: float) -> None:
    """Fill ``home`` and print the first password of its administrator."""
    with open_store(home, writer=True) as store:
        from medwarden.web.accounts import ensure_first_user

        password = ensure_first_user()
        fill(store, wall_clock(), scale)
    sys.stdout.write(password or "there is somebody already")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0)
