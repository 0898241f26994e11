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
