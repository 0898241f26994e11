"""A plausible small hospital of about 70 devices, made of model facts, for the tests of the report."""

from __future__ import annotations

import msgspec
from tests.assessment.construction import END, START, Hospital

from medwarden.model.device import Conversation, Device, DeviceClass

IMAGING, WARD, OFFICE, SERVERS, LAB, PLANT = (f"10.20.{n}.0/24" for n in (30, 40, 50, 10, 60, 70))
WINDOWS = "Microsoft Windows"


def _servers(h: Hospital) -> None:
    h.add(
        "PACS-1",
        DeviceClass.IOMT,
        "pacs",
        SERVERS,
        "Sectra",
        "IDS7 core",
        WINDOWS,
        "Server 2016",
        [("dicom.ae_title", "PACS1"), ("smb.signing", "required")],
        [("dicom", 104), ("tls", 443), ("smb", 445)],
        True,
        True,
    )
    h.add(
        "RIS-1",
        DeviceClass.IOMT,
        "mwl_ris",
        SERVERS,
        "Dedalus",
        None,
        WINDOWS,
        "Server 2019",
        [("dicom.ae_title", "RISMWL")],
        [("dicom", 104)],
        True,
        True,
    )
    h.add(
        "CLOVERLEAF",
        DeviceClass.IT,
        "interface_engine",
        SERVERS,
        "Infor",
        "Cloverleaf",
        "Red Hat Enterprise Linux",
        "8",
        [("hl7.sending_application", "CLOVERLEAF")],
        [("hl7", 2575), ("ssh", 22)],
        True,
        True,
    )
    h.add(
        "LIS-2",
        DeviceClass.IOMT,
        "lis",
        SERVERS,
        "Clinisys",
        None,
        WINDOWS,
        "Server 2012 R2",
        [],
        [("hl7", 2575), ("rdp", 3389)],
        True,
        True,
    )
    h.add(
        "DC-01",
        DeviceClass.IT,
        "domain_controller",
        SERVERS,
        "Dell",
        "PowerEdge R650",
        WINDOWS,
        "Server 2022",
        [("smb.signing", "required")],
        [("smb", 445), ("ldap", 389)],
        True,
    )
    h.add(
        "INFUSION-SRV",
        DeviceClass.IOMT,
        "infusion_server",
        SERVERS,
        "BD",
        "Alaris Systems Manager",
        WINDOWS,
        "Server 2012 R2",
        [],
        [("tls", 443)],
        True,
        None,
    )
    h.add(
        "PIC-IX-3",
        DeviceClass.IOMT,
        "central_station",
        WARD,
        "Philips",
        "IntelliVue PIC iX",
        WINDOWS,
        "10 1607",
        [("hl7.patient_data", "yes"), ("smb.dialect", "NT LM 0.12")],
        [("smb", 445), ("vnc", 5900)],
        False,
        True,
    )


def _imaging(h: Hospital) -> None:
    imaging = [
        ("CT-1", "ct", "Siemens Healthineers", "SOMATOM Definition", "7", "CT_DEF_1", IMAGING),
        ("CT-2", "ct", "Canon Medical", "Aquilion ONE", "10 1809", "CT_AQ_2", IMAGING),
        ("MR-1", "mri", "Siemens Healthineers", "MAGNETOM Skyra", "7", "MR_SKYRA", IMAGING),
        ("XR-ER", "xray_fixed", "Carestream", "DRX-Evolution", "XP", "STORESCU", OFFICE),
        ("US-CARD-1", "ultrasound", "GE HealthCare", "Vivid E95", "10 1607", "VIVID95", OFFICE),
        ("US-OB-2", "ultrasound", "Philips", "EPIQ 7", "7", "EPIQ7_2", OFFICE),
        ("MG-1", "mammography", "Hologic", "Selenia Dimensions", "7", "SELENIA1", IMAGING),
        ("C-ARM-OR3", "c_arm", "Ziehm Imaging", "Vision RFD", "XP", "ANY-SCP", OFFICE),
    ]
    for name, category, vendor, model, version, title, where in imaging:
        facts = [("dicom.ae_title", title), ("dicom.patient_data", "yes"), ("dhcp.host_name", name)]
        if version in ("7", "XP"):
            facts += [
                ("smb.dialect", "NT LM 0.12"),
                ("smb.signing", "disabled"),
                ("llmnr.query", "fileserver"),
            ]
        device = h.add(
            name,
            DeviceClass.IOMT,
            category,
            where,
            vendor,
            model,
            WINDOWS,
            version,
            facts,
            [("dicom", 104), ("smb", 445)],
            False,
            True,
        )
        h.talk(device, h.named["PACS-1"], 104, "dicom", 420, 9_000_000)
        h.talk(device, h.named["RIS-1"], 104, "dicom", 1800, 4_000)
        h.talk(device, h.named["DC-01"], 53, "dns", 300, 90, transport="udp")
        if name == "CT-1":
            h.talk(
                device,
                None,
                443,
                "tls",
                40,
                ip="203.0.113.20",
                name="srs.healthcare.example",
                scope="internet",
            )
            h.talk(device, None, 23, "telnet", 4, ip="10.20.30.250")
        if name == "US-OB-2":
            for i in range(14):
                h.talk(
                    device,
                    None,
                    80,
                    "http",
                    6,
                    ip=f"198.51.100.{i + 1}",
                    name=f"cdn{i}.example.net",
                    scope="internet",
                )


def _ward(h: Hospital) -> None:
    for i in range(1, 13):
        pump = h.add(
            f"ALARIS-{i:03}",
            DeviceClass.IOMT,
            "infusion_pump",
            WARD,
            "BD",
            "Alaris 8015",
            None,
            None,
            [("dhcp.vendor_class", "Alaris PCU"), ("tls.version", "TLS 1.0" if i % 3 == 0 else "TLS 1.2")],
            [("telnet", 23)] if i in (4, 9) else [],
            None,
            None,
            0.9,
        )
        h.talk(pump, h.named["INFUSION-SRV"], 443, "tls", 2000, 700)
        h.talk(pump, h.named["DC-01"], 123, "ntp", 90, 76, transport="udp")
    for i in range(1, 9):
        monitor = h.add(
            f"MX-{i:02}",
            DeviceClass.IOMT,
            "patient_monitor",
            WARD,
            "Philips",
            "IntelliVue MX700",
            None,
            None,
            [("hl7.sending_application", "MX")],
            [],
            None,
            None,
            0.88,
        )
        h.talk(monitor, h.named["PIC-IX-3"], 24105, None, 900, 5_000, transport="udp")
    h.talk(h.named["PIC-IX-3"], h.named["CLOVERLEAF"], 2575, "hl7", 5200, 1_400)


def _laboratory(h: Hospital) -> None:
    for i, (vendor, model) in enumerate(
        (("Roche", "cobas 8000"), ("Sysmex", "XN-1000"), ("Siemens Healthineers", "Atellica")), 1
    ):
        analyser = h.add(
            f"LAB-{i}",
            DeviceClass.IOMT,
            "chem_analyzer" if i != 2 else "hematology",
            LAB,
            vendor,
            model,
            WINDOWS,
            "10 1809",
            [("hl7.patient_data", "yes"), ("ftp.login", "clear-text")]
            if i == 2
            else [("hl7.patient_data", "yes")],
            [("ftp", 21)] if i == 2 else [],
            False,
            True,
        )
        h.talk(analyser, h.named["LIS-2"], 2575, "hl7", 2300, 2_000)


def _gateway(h: Hospital) -> None:
    gateway = h.add(
        "MDG-ICU",
        DeviceClass.IOMT,
        "device_gateway",
        WARD,
        "Capsule",
        "Neuron 3",
        "Linux",
        "3.10",
        [("http.auth_scheme", "basic"), ("snmp.community", "public"), ("snmp.version", "1")],
        [("http", 80), ("snmp", 161), ("ssh", 22)],
        None,
        None,
    )
    h.talk(gateway, h.named["CLOVERLEAF"], 2575, "hl7", 8800, 900)
    h.talk(gateway, None, 443, "tls", 9, ip="192.0.2.44", scope="internet", established=False)


def _office(h: Hospital) -> None:
    workstations = []
    for i in range(1, 15):
        where = OFFICE if i > 3 else WARD
        pc = h.add(
            f"PC-{1000 + i}",
            DeviceClass.IT,
            "workstation",
            where,
            "HP" if i % 2 else "Dell",
            None,
            WINDOWS,
            "11 23H2" if i % 4 else "10 22H2",
            [("smb.dialect", "SMB 3.1.1"), ("smb.signing", "required"), ("tls.version", "TLS 1.3")],
            [],
            True,
        )
        workstations.append(pc)
        h.talk(pc, h.named["DC-01"], 445, "smb", 300)
        h.talk(pc, h.named["DC-01"], 53, "dns", 2000, 120, transport="udp")
        h.talk(pc, None, 443, "tls", 900, ip=f"203.0.113.{i}", name="intranet.example.org", scope="internet")
        if i % 3 == 0:
            h.talk(pc, h.named["PACS-1"], 443, "tls", 120, 2_000_000)
    h.talk(workstations[0], workstations[1], 3389, "rdp", 3)


def _printers(h: Hospital) -> None:
    for i in range(1, 5):
        printer = h.add(
            f"NPI4C5D{i:02X}",
            DeviceClass.IOT,
            "printer",
            OFFICE,
            "HP",
            "LaserJet M506",
            None,
            None,
            [("snmp.community", "public"), ("snmp.version", "2c"), ("dhcp.host_name", f"NPI4C5D{i:02X}")],
            [("http", 80), ("ipp", 631), ("snmp", 161)],
            False,
        )
        h.talk(h.named[f"PC-{1001 + i}"], printer, 631, "ipp", 60)


def _plant(h: Hospital) -> None:
    for i in range(1, 5):
        camera = h.add(
            f"CAM-{i}",
            DeviceClass.IOT,
            "ip_camera",
            PLANT if i < 3 else OFFICE,
            "Hikvision",
            "DS-2CD2",
            "Linux",
            None,
            [("http.login_form", "form")],
            [("http", 80), ("rtsp", 554)],
            False,
        )
        h.talk(
            camera,
            None,
            80,
            "http",
            300,
            2_000,
            ip="198.51.100.90",
            name="hik-connect.example.com",
            scope="internet",
        )
    plant = h.add(
        "BMS-ROOF",
        DeviceClass.OT,
        "bms_controller",
        PLANT,
        "Tridium",
        "JACE 8000",
        "QNX",
        None,
        [("http.auth_scheme", "basic")],
        [("bacnet", 47808), ("http", 80), ("telnet", 23)],
        False,
    )
    h.talk(h.named["PC-1006"], plant, 80, "http", 30)
    outside = h.devices[plant]
    inbound = Conversation(
        plant,
        "server",
        None,
        "198.51.100.77",
        None,
        "internet",
        "tcp",
        80,
        "http",
        START,
        END,
        61,
        700,
        9000,
        9000,
        True,
    )
    h.devices[plant] = msgspec.structs.replace(outside, conversations=(*outside.conversations, inbound))


def _infrastructure(h: Hospital) -> None:
    for name, model, subnet in (
        ("SW-CORE-1", "Catalyst 9500", SERVERS),
        ("SW-RAD-1", "Catalyst 9300", IMAGING),
        ("AP-W3-7", "9120AXI", WARD),
    ):
        kind = "wifi_ap" if name.startswith("AP") else "network_switch"
        h.add(
            name,
            DeviceClass.NET,
            kind,
            subnet,
            "Cisco",
            model,
            "IOS XE",
            "17.9",
            [("snmp.version", "2c"), ("snmp.community", "set")],
            [("ssh", 22)],
            True,
        )
    for i in range(5):
        h.add("", DeviceClass.UNKNOWN, None, (OFFICE, WARD, PLANT)[i % 3], None if i else "Espressif")
    h.add("", DeviceClass.IOMT, "unknown_medical", WARD, None, None, confidence=0.5)


def build_hospital() -> list[Device]:
    """Return the devices of a hospital with the usual troubles."""
    h = Hospital()
    for part in (
        _servers,
        _imaging,
        _ward,
        _laboratory,
        _gateway,
        _office,
        _printers,
        _plant,
        _infrastructure,
    ):
        part(h)
    return list(h.devices.values())
