"""Traps for identification: evidence that is true and points to the wrong device."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.inventory.labelling import identify
from medwarden.model.device import Conversation, Device, DeviceClass, Service

Heard = Callable[..., Device]

DIGI = "00:40:9d:12:34:56"
LANTRONIX = "00:20:4a:12:34:56"
DELL = "b0:83:fe:12:34:56"
HP = "9c:8e:99:12:34:56"
INTEL = "8c:8d:28:12:34:56"
HIKVISION = "44:19:b6:12:34:56"
AXIS = "00:40:8c:12:34:56"
ZEBRA = "00:07:4d:12:34:56"
SAMSUNG = "00:07:ab:12:34:56"
SIEMENS = "08:00:06:12:34:56"
DATEX = "00:40:97:12:34:56"
VMWARE = "00:50:56:12:34:56"
MADE_UP = "da:a1:19:12:34:56"


def _service(port: int, transport: str = "tcp") -> Service:
    return Service(transport, port, None, 0, 1, 1, 1, 1)


def _called(port: int, transport: str = "tcp") -> Conversation:
    return Conversation(
        "d-1", "client", "d-2", None, None, "internal", transport, port, None, 0, 1, 1, 1, 1, 1, True
    )


def _answers(device: Device) -> tuple[str, str | None, str | None]:
    judged = identify(device)
    return judged.device_class.value, judged.category, judged.vendor


@pytest.mark.parametrize("mac", [DIGI, LANTRONIX])
def test_a_pump_with_a_bought_network_module_is_no_device_server(heard: Heard, mac: str) -> None:
    assert _answers(heard(macs=(mac,))) == ("unknown", None, None)
    pump = heard(("http.title", "Medfusion 4000"), macs=(mac,))
    assert _answers(pump) == ("IoMT", "syringe_pump", "ICU Medical")


def test_a_device_server_still_says_that_it_is_one(heard: Heard) -> None:
    server = heard(("lantronix.role", "device server"), macs=(LANTRONIX,))
    assert _answers(server) == ("IoMT", "serial_server", "Lantronix")


@pytest.mark.parametrize("mac", [DELL, HP])
def test_the_computer_in_a_scanner_is_not_its_maker(heard: Heard, mac: str) -> None:
    calls = (_called(104),)
    scanner = identify(heard(("dicom.role", "storage_scu"), macs=(mac,), conversations=calls))
    assert scanner.device_class is DeviceClass.IOMT
    assert scanner.vendor is None
    named = identify(
        heard(
            ("dicom.role", "storage_scu"),
            ("dicom.manufacturer", "SIEMENS"),
            ("dicom.modality", "CT"),
            macs=(mac,),
        )
    )
    assert (named.category, named.vendor) == ("ct", "Siemens Healthineers")
    verdict = named.verdict("vendor")
    assert verdict is not None
    assert verdict.confidence > 0.95


def test_a_scanner_seen_by_flows_alone_is_no_office_computer(heard: Heard) -> None:
    device = heard(macs=(DELL,), conversations=(_called(104), _called(445), _called(88)))
    assert _answers(device) == ("IoMT", None, None)


def test_a_windows_console_of_a_medical_maker_stays_medical(heard: Heard) -> None:
    monitor = heard(("dhcp.vendor_class", "MSFT 5.0"), macs=(DATEX,))
    assert _answers(monitor) == ("IoMT", None, "GE HealthCare")


def test_a_workstation_with_a_toolkit_is_no_archive_and_names_no_maker(heard: Heard) -> None:
    viewer = heard(
        ("dicom.role", "query_scu"),
        ("dicom.implementation_class_uid", "1.2.276.0.7230010.3.0.3.6.4"),
        ("dicom.implementation_version_name", "OFFIS_DCMTK_364"),
        macs=(DELL,),
    )
    assert _answers(viewer) == ("IoMT", "dicom_workstation", None)


def test_an_emulator_beside_office_work_is_not_called_a_monitor(heard: Heard) -> None:
    """A computer that collects from monitors, or answers on their port, is not one of them."""
    collector = heard(("intellivue.role", "client"), ("dhcp.vendor_class", "MSFT 5.0"), macs=(DELL,))
    assert identify(collector).category is None
    listening = heard(
        ("kerberos.role", "client"),
        ("dns.query", "teams.microsoft.com"),
        macs=(DELL,),
        services=(_service(24105, "udp"),),
    )
    assert identify(listening).category is None


def test_an_archive_of_five_makers_is_none_of_them(heard: Heard) -> None:
    makers = ("SIEMENS", "GE MEDICAL SYSTEMS", "Philips", "FUJIFILM", "Agfa")
    archive = heard(
        ("dicom.role", "storage_scp"),
        ("dicom.role", "query_scp"),
        *(("dicom.manufacturer", maker) for maker in makers),
        ("dicom.modality", "CT"),
        ("dicom.model_name", "SOMATOM Force"),
    )
    judged = identify(archive)
    assert (judged.category, judged.vendor, judged.model) == ("pacs", None, None)


def test_a_gateway_that_speaks_for_twenty_is_none_of_them(heard: Heard) -> None:
    monitors = [("hl7.source_id", f"MON-{number}") for number in range(20)]
    gateway = heard(
        ("hl7.role", "gateway"),
        ("hl7.source_model", "BeneVision N17"),
        ("hl7.source_kind", "MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS"),
        *monitors,
    )
    judged = identify(gateway)
    assert (judged.category, judged.vendor, judged.model) == ("device_gateway", None, None)


def test_a_station_of_pumps_is_not_the_syringe_pump_in_its_upper_slot(heard: Heard) -> None:
    station = heard(
        ("bbraun_bcc.role", "station"),
        ("bbraun_bcc.pump_model", "Perfusor Space"),
        ("bbraun_bcc.pump_model", "Infusomat Space"),
    )
    assert _answers(station) == ("IoMT", "infusion_pump", "B. Braun")


def test_an_interface_engine_is_not_the_record_system_it_forwards(heard: Heard) -> None:
    names = (("hl7.sending_application", "EPICADT"), ("hl7.message_type", "ADT^A01"))
    assert identify(heard(*names)).vendor == "Epic"
    engine = identify(heard(*names, ("hl7.sending_application", "CLOVERLEAF")))
    assert (engine.category, engine.vendor) == ("interface_engine", "Infor")


def test_several_applications_of_one_system_are_its_own(heard: Heard) -> None:
    system = identify(heard(("hl7.sending_application", "EPICADT"), ("hl7.sending_application", "EPIC")))
    assert (system.category, system.vendor) == ("ehr_server", "Epic")


def test_a_hub_and_its_child_with_one_address_stay_open(heard: Heard) -> None:
    """A recorder that hands out the addresses of its cameras says both: neither kind is certain."""
    both = heard(("wsd.types", "NetworkVideoTransmitter"), ("mdns.service", "_ipps._tcp"), macs=(MADE_UP,))
    judged = identify(both)
    assert judged.device_class is DeviceClass.IOT
    verdict = judged.verdict("category")
    assert verdict is not None
    assert verdict.label is None or verdict.confidence < 0.8
    assert verdict.runner_up is not None


def test_new_firmware_of_a_model_changes_neither_kind_nor_model(heard: Heard) -> None:
    old = identify(heard(("intellivue.role", "monitor"), ("intellivue.model_name", "M8004A")))
    new = identify(
        heard(
            ("intellivue.role", "monitor"),
            ("intellivue.model_name", "M8004A"),
            ("intellivue.software_version", "J.10.52"),
            ("intellivue.software_version", "L.01.07"),
        )
    )
    assert (old.category, old.vendor, old.model) == ("patient_monitor", "Philips", "IntelliVue MP50")
    assert (new.category, new.vendor, new.model) == (old.category, old.vendor, old.model)
    assert new.firmware is None


def test_an_order_number_is_read_without_contradicting_its_name(heard: Heard) -> None:
    verdict = identify(heard(("intellivue.model_name", "865350"))).verdict("model")
    assert verdict is not None
    assert (verdict.label, verdict.runner_up) == ("IntelliVue MX40", None)
    assert verdict.confidence > 0.98


def test_telemetry_is_not_called_a_bedside_monitor(heard: Heard) -> None:
    device = heard(("intellivue.role", "monitor"), ("intellivue.model_name", "865350"))
    assert _answers(device) == ("IoMT", "telemetry", "Philips")
    thin = heard(services=(_service(24105, "udp"),))
    assert _answers(thin) == ("IoMT", None, "Philips")


def test_the_console_in_an_x_ray_room_is_not_its_model(heard: Heard) -> None:
    room = identify(
        heard(
            ("dicom.role", "storage_scu"),
            ("dicom.manufacturer", "SIEMENS"),
            ("dicom.modality", "DX"),
            ("dicom.model_name", "Fluorospot Compact FD"),
        )
    )
    assert (room.vendor, room.model) == ("Siemens Healthineers", None)


@pytest.mark.parametrize(
    ("modality", "model", "category"),
    [
        ("XA", None, None),
        ("XA", "Azurion 7 M20", "angiography"),
        ("XA", "OEC Elite", "c_arm"),
        ("DX", None, None),
        ("DX", "DRX-Revolution", "xray_mobile"),
        ("DX", "RADspeed Pro", "xray_fixed"),
        ("RF", "OEC 9900 Elite", "c_arm"),
        ("CT", None, "ct"),
    ],
)
def test_a_modality_of_several_kinds_needs_a_model(
    heard: Heard, modality: str, model: str | None, category: str | None
) -> None:
    said = [("dicom.role", "storage_scu"), ("dicom.modality", modality)]
    if model is not None:
        said.append(("dicom.model_name", model))
    assert _answers(heard(*said))[:2] == ("IoMT", category)


@pytest.mark.parametrize(
    ("pairs", "mac", "answers"),
    [
        ((("dhcp.vendor_class", "android-dhcp-11"),), SAMSUNG, ("IT", None, "Samsung")),
        ((("dhcp.vendor_class", "android-dhcp-12"),), MADE_UP, ("IT", None, None)),
        ((("dhcp.host_name", "android-0123456789abcdef"),), ZEBRA, ("IT", "rugged_handheld", "Zebra")),
        ((("dhcp.vendor_class", "udhcp 1.22.1"),), MADE_UP, ("unknown", None, None)),
    ],
)
def test_android_is_no_kind_of_device(
    heard: Heard, pairs: tuple[tuple[str, str], ...], mac: str, answers: tuple[str, str | None, str | None]
) -> None:
    assert _answers(heard(*pairs, macs=(mac,))) == answers


@pytest.mark.parametrize(
    ("mac", "port", "answers"),
    [
        (ZEBRA, 9100, ("IoT", "label_printer", "Zebra")),
        (HP, 9100, ("IoT", "printer", "HP")),
        (MADE_UP, 9100, ("IoT", None, None)),
        (HIKVISION, 443, ("IoT", None, "Hikvision")),
        (AXIS, 443, ("IoT", "ip_camera", "Axis")),
        (MADE_UP, 502, ("OT", None, None)),
    ],
)
def test_ports_and_prefixes_alone(
    heard: Heard, mac: str, port: int, answers: tuple[str, str | None, str | None]
) -> None:
    assert _answers(heard(macs=(mac,), services=(_service(port),))) == answers


def test_building_ports_name_the_class_only(heard: Heard) -> None:
    assert _answers(heard(services=(_service(47808, "udp"),))) == ("OT", None, None)


def test_a_prefix_shared_by_sister_companies_names_none(heard: Heard) -> None:
    assert identify(heard(macs=(SIEMENS,))).vendor is None
    medical = heard(("dicom.role", "storage_scu"), ("dicom.manufacturer", "SIEMENS"), macs=(SIEMENS,))
    assert identify(medical).vendor == "Siemens Healthineers"
    plant = heard(("bacnet.model_name", "PXC36"), ("bacnet.vendor_id", "7"), macs=(SIEMENS,))
    assert _answers(plant) == ("OT", "bms_controller", "Siemens")


def test_a_virtual_machine_of_unknown_task_stays_open(heard: Heard) -> None:
    assert _answers(heard(macs=(VMWARE,))) == ("unknown", None, None)
    archive = heard(("dicom.role", "storage_scp"), ("dicom.role", "query_scp"), macs=(VMWARE,))
    assert _answers(archive) == ("IoMT", "pacs", None)


def test_a_telephone_exchange_is_no_telephone(heard: Heard) -> None:
    exchange = heard(("sip.server", "Asterisk PBX 18.9.0"), services=(_service(5060, "udp"),))
    assert _answers(exchange)[:2] == ("IT", "server")


def test_names_of_rooms_are_not_product_names(heard: Heard) -> None:
    """US-0002 is an ultrasound machine at a site, PCAPB4002 a pump in a bed; neither is a product."""
    assert _answers(heard(("kerberos.host", "SITE-US-0002"))) == ("unknown", None, None)
    assert _answers(heard(("dhcp.host_name", "PCAPB4002"))) == ("unknown", None, None)


def test_a_notebook_needs_more_than_an_intel_adapter(heard: Heard) -> None:
    assert identify(heard(("dhcp.vendor_class", "MSFT 5.0"), macs=(INTEL,))).category is None


def test_a_class_that_is_surer_than_the_category_wins(heard: Heard) -> None:
    device = identify(
        heard(
            ("sdc.role", "provider"),
            ("dhcp.host_name", "PC-0417"),
        )
    )
    assert (device.device_class, device.category) == (DeviceClass.IOMT, None)
