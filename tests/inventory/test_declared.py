"""What devices say of themselves in so many words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.inventory.declared import carries_patient_data, names_of, subnet_of
from medwarden.inventory.labelling import identify
from medwarden.model.device import Device

Heard = Callable[..., Device]


def test_makers_models_and_serials(heard: Heard) -> None:
    device = identify(
        heard(
            ("sdc.manufacturer", "Drägerwerk AG & Co. KGaA"),
            ("sdc.model_name", "Dräger Atlan A350"),
            ("sdc.firmware_version", "1.02"),
            ("sdc.serial_number", "ASNK-0012"),
        )
    )
    assert (device.vendor, device.firmware, device.serial) == ("Draeger", "1.02", "ASNK-0012")
    assert device.category == "anesthesia_machine"


def test_a_firewalls_conclusion_gives_way_to_the_devices_own_word(heard: Heard) -> None:
    concluded = (
        ("panos.device_vendor", "BD"),
        ("panos.device_model", "8015"),
        ("fortigate.host_name", "pump-17"),
    )
    device = identify(heard(*concluded))
    assert (device.vendor, device.model, names_of(device)) == ("BD", "8015", ("pump-17",))
    assert identify(heard(*concluded, ("sdc.model_name", "Perfusor Space"))).model == "Perfusor Space"


@pytest.mark.parametrize("left", ["To be filled by O.E.M.", "unknown", " ", "Default string", "None"])
def test_what_nobody_filled_in_says_nothing(heard: Heard, left: str) -> None:
    device = identify(
        heard(("upnp.manufacturer", left), ("upnp.serial_number", left), ("upnp.model_name", left))
    )
    assert (device.vendor, device.serial, device.model) == (None, None, None)


def test_contradicting_serials_are_no_serial(heard: Heard) -> None:
    assert identify(heard(("upnp.serial_number", "A1"), ("snmp.entity_serial", "B2"))).serial is None


def test_names(heard: Heard) -> None:
    device = heard(
        ("mdns.host_name", "printer-3.local"),
        ("dhcp.host_name", "PRINTER-3"),
        ("dns.name", "printer-3.example.org"),
        ("kerberos.host", "PC7$"),
        ("dns.name", "10.0.0.5"),
        ("dicom.ae_title", "STORE1"),
    )
    assert names_of(device) == ("PC7", "printer-3.example.org", "STORE1")


def test_patient_data(heard: Heard) -> None:
    assert carries_patient_data(heard(("dicom.patient_data", "yes"))) is True
    assert carries_patient_data(heard(("dicom.role", "storage_scu"))) is None


@pytest.mark.parametrize(
    ("ips", "mask", "subnet"),
    [
        (("10.0.4.7",), None, "10.0.4.0/24"),
        (("10.0.4.7",), "255.255.252.0", "10.0.4.0/22"),
        (("fe80::1", "10.0.4.7"), None, "10.0.4.0/24"),
        (("fd00::7",), None, "fd00::/64"),
        (("10.0.4.7",), "1.2.3.4", "10.0.4.0/24"),
        (("fe80::1",), None, None),
        ((), None, None),
    ],
)
def test_subnets(heard: Heard, ips: tuple[str, ...], mask: str | None, subnet: str | None) -> None:
    pairs = [] if mask is None else [("dhcp.subnet_mask", mask)]
    assert subnet_of(heard(*pairs, ips=ips)) == subnet


@pytest.mark.parametrize(
    ("facts", "category", "vendor", "model", "serial"),
    [
        (
            [("bacnet.vendor_id", "18"), ("bacnet.model_name", "VLC-1188"), ("bacnet.serial_number", "A7")],
            *("bms_controller", "Alerton", "VLC-1188", "A7"),
        ),
        ([("bacnet.vendor_id", "984"), ("bacnet.model_name", "KDSC")], "elevator", "Kone", "KDSC", None),
        (
            [("knx.role", "server"), ("knx.manufacturer_id", "197"), ("knx.serial_number", "00c501020304")],
            *("bms_controller", "Weinzierl", None, "00c501020304"),
        ),
        (
            [("fox.role", "station"), ("fox.host_id", "Qnx-NPM6E-0000-1234-5678"), ("fox.os_name", "QNX")],
            *("bms_controller", "Tridium", "NPM6E", None),
        ),
        (
            [
                ("enip.vendor_id", "1"),
                ("enip.product_name", "1756-EN2T/D"),
                ("enip.serial_number", "00a1b2c3"),
            ],
            *("plc", "Rockwell Automation", "1756-EN2T/D", "00a1b2c3"),
        ),
        (
            [("s7.order_number", "6ES7 315-2EH14-0AB0"), ("s7.serial_number", "S C-X4U421302009")],
            *("plc", "Siemens", "6ES7 315-2EH14-0AB0", "S C-X4U421302009"),
        ),
        (
            [("sccp.role", "telephone"), ("sccp.model", "7975"), ("sccp.device_name", "SEP0004F2AABBCC")],
            *("voip_phone", "Cisco", "7975", None),
        ),
        (
            [
                ("onvif.manufacturer", "AXIS"),
                ("onvif.model", "P3245-LVE"),
                ("onvif.serial_number", "ACCC8E010203"),
            ],
            *(None, "Axis", "P3245-LVE", "ACCC8E010203"),
        ),
        (
            [("sadp.model", "DS-2CD2143G0-I"), ("sadp.serial_number", "DS-2CD2143G0-I20190101AAWRC1")],
            *("ip_camera", "Hikvision", "DS-2CD2143G0-I", "DS-2CD2143G0-I20190101AAWRC1"),
        ),
        (
            [("ipp.model", "HP LaserJet MFP E62665"), ("ipp.serial_number", "CNB1234567")],
            *("printer", "HP", "LaserJet MFP E62665", "CNB1234567"),
        ),
        (
            [
                ("zebra.product_name", "ZT410-203dpi"),
                ("zebra.language", "ZPL"),
                ("zebra.serial_number", "18J17"),
            ],
            *("label_printer", "Zebra", "ZT410", "18J17"),
        ),
        (
            [("ubnt.model", "UAP-AC-Pro-Gen2"), ("ubnt.platform", "U7PG2"), ("ubnt.host_name", "ap-3")],
            *("wifi_ap", "Ubiquiti", "UAP-AC-Pro-Gen2", None),
        ),
        (
            [("mndp.platform", "MikroTik"), ("mndp.board", "CCR1009-7G-1C")],
            *("router_firewall", "MikroTik", "CCR1009-7G-1C", None),
        ),
        ([("stp.bridge", "00:1e:f6:73:59:81")], "network_switch", None, None, None),
        (
            [("dnp3.role", "outstation"), ("dnp3.manufacturer", "ACME Power"), ("dnp3.product", "RTU-560")],
            *(None, "ACME Power", "RTU-560", None),
        ),
        (
            [
                ("dcerpc.offers", "drsuapi"),
                ("dcerpc.offers", "netlogon"),
                ("ntlmssp.os_version", "10.0.17763"),
            ],
            *("domain_controller", None, None, None),
        ),
        ([("mdns.txt.dt", "266"), ("mdns.txt.vp", "4447+8194")], "smart_plug", None, None, None),
    ],
)
def test_building_and_it_devices_by_what_they_declare(
    heard: Heard,
    facts: list[tuple[str, str]],
    category: str | None,
    vendor: str | None,
    model: str | None,
    serial: str | None,
) -> None:
    device = identify(heard(*facts))
    assert (device.category, device.vendor, device.model, device.serial) == (category, vendor, model, serial)
    assert device.device_class != "unknown"


def test_what_stands_behind_a_router_is_not_the_router(heard: Heard) -> None:
    device = identify(
        heard(
            ("bacnet.role", "router"),
            ("bacnet.vendor_id", "24"),
            ("bacnet.routed_device", "3:6c vendor id: 2"),
            ("bacnet.routed_device", "3:6c model name: Tracer VV551"),
        )
    )
    assert (device.vendor, device.model, device.category) == ("Automated Logic", None, "bms_controller")
