"""What DICOM conversations make of a device."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.inventory.labelling import identify
from medwarden.model.device import Device, DeviceClass

Heard = Callable[..., Device]

CT = (
    ("dicom.role", "storage_scu"),
    ("dicom.modality", "CT"),
    ("dicom.manufacturer", "SIEMENS"),
    ("dicom.model_name", "SOMATOM Force"),
    ("dicom.device_serial_number", "75123"),
    ("dicom.software_versions", "VA50A"),
    ("dicom.station_name", "CTAWP75123"),
)


def test_a_scanner_describes_itself(heard: Heard) -> None:
    device = identify(heard(*CT, ("dicom.role", "worklist_scu")))
    assert (device.device_class, device.category) == (DeviceClass.IOMT, "ct")
    assert (device.vendor, device.model) == ("Siemens Healthineers", "SOMATOM Force")
    assert (device.serial, device.firmware) == ("75123", "VA50A")
    assert "CTAWP75123" in device.names


@pytest.mark.parametrize(
    ("roles", "category"),
    [
        (("storage_scp", "query_scp", "move_scp"), "pacs"),
        (("query_scp",), "pacs"),
        (("storage_scp",), "pacs"),
        (("query_scu", "move_scu", "storage_scp"), "dicom_workstation"),
        (("query_scu", "move_scu"), "dicom_workstation"),
        (("worklist_scp",), "mwl_ris"),
        (("print_scp",), "dicom_printer"),
        (("echo_scu",), None),
        (("worklist_scu",), None),
    ],
)
def test_roles(heard: Heard, roles: tuple[str, ...], category: str | None) -> None:
    device = identify(heard(*(("dicom.role", role) for role in roles)))
    assert device.device_class is DeviceClass.IOMT
    assert device.category == category


def test_an_archive_that_forwards_images_is_no_scanner(heard: Heard) -> None:
    forwarded = (
        ("dicom.modality", "MR"),
        ("dicom.manufacturer", "GE MEDICAL SYSTEMS"),
        ("dicom.model_name", "SIGNA"),
    )
    roles = (("dicom.role", "storage_scp"), ("dicom.role", "query_scp"))
    device = identify(heard(*CT, *forwarded, *roles))
    assert device.category == "pacs"
    assert device.vendor is None
    assert device.model is None
    assert device.serial is None
    assert device.names == ()


def test_an_archive_that_forwards_one_scanner_is_not_that_scanner(heard: Heard) -> None:
    device = identify(heard(*CT, ("dicom.role", "storage_scp"), ("dicom.role", "query_scp")))
    assert device.category == "pacs"
    assert device.model is None


def test_several_makers_without_a_store_are_a_router(heard: Heard) -> None:
    other = (("dicom.modality", "US"), ("dicom.manufacturer", "Philips Medical Systems"))
    assert identify(heard(*CT, *other)).category == "dicom_router"


def test_combined_scanners(heard: Heard) -> None:
    device = identify(
        heard(("dicom.role", "storage_scu"), ("dicom.modality", "CT"), ("dicom.modality", "PT"))
    )
    assert device.category == "pet"


def test_the_uid_of_a_toolkit_names_no_maker(heard: Heard) -> None:
    role = ("dicom.role", "storage_scu")
    toolkit = identify(heard(role, ("dicom.implementation_class_uid", "1.2.276.0.7230010.3.0.3.6.0")))
    maker = identify(heard(role, ("dicom.implementation_class_uid", "1.2.840.113619.6.284")))
    assert toolkit.vendor is None
    assert maker.vendor == "GE HealthCare"


def test_a_proposed_storage_class_hints_at_the_kind(heard: Heard) -> None:
    role = ("dicom.role", "storage_scu")
    one = identify(heard(role, ("dicom.sop_class", "CT Image Storage")))
    assert one.category == "ct"
    verdict = one.verdict("category")
    assert verdict is not None
    assert verdict.confidence < 0.95


def test_being_called_is_not_speaking(heard: Heard) -> None:
    assert identify(heard(("dicom.called_ae_title", "ANYBODY"))).device_class is DeviceClass.UNKNOWN


def test_a_windows_scanner_stays_a_scanner(heard: Heard) -> None:
    device = identify(heard(*CT, ("dhcp.vendor_class", "MSFT 5.0"), ("ntlmssp.os_version", "6.1.7601")))
    assert device.category == "ct"
    assert (device.os, device.os_version) == ("Windows", "7 or Server 2008 R2")


def test_forwarder_of_one_maker_is_not_the_scanner_whose_images_it_sends(heard: Heard) -> None:
    assert identify(heard(*CT)).category == "ct"
    for more in (("dicom.device_serial_number", "75124"), ("dicom.role", "storage_forwarder")):
        device = identify(heard(*CT, more))
        assert device.category == "dicom_router"
        assert (device.model, device.serial) == (None, None)
    # A PET/CT may have a serial number for each of its two machines.
    both = identify(heard(*CT, ("dicom.modality", "PT"), ("dicom.device_serial_number", "75124")))
    assert both.category == "pet"
