"""Evidence that is contradictory, borrowed or thin: the answer climbs to a higher level or is not given."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from medwarden.inventory.labelling import identify
from medwarden.model.device import Conversation, Device, Service
from medwarden.model.statement import Authority, Statement

Heard = Callable[..., Device]

T0 = 1_700_000_000_000_000_000


def talk(role: str, port: int, peer: str = "10.0.0.9", transport: str = "tcp") -> Conversation:
    """Return an answered conversation."""
    return Conversation(
        "d-1", role, None, peer, None, "internal", transport, port, None, T0, T0 + 1, 3, 9, 900, 900, True
    )


def serves(*ports: int) -> tuple[Service, ...]:
    """Return services that answered."""
    return tuple(Service("tcp", port, None, T0, T0 + 1, 2, 3, 900) for port in ports)


def answered(device: Device, level: str) -> str | None:
    """Return what is answered at a level."""
    verdict = device.verdict(level)
    return None if verdict is None else verdict.label


ESPRESSIF, MURATA, LITEON, DIGI = "24:0a:c4", "00:0e:6d", "00:22:5f", "00:40:9d"


@pytest.mark.parametrize("prefix", [ESPRESSIF, MURATA, LITEON, "00:1d:43", "74:da:88", "b0:f1:ec"])
def test_the_maker_of_a_module_is_not_the_maker_of_the_device(heard: Heard, prefix: str) -> None:
    device = identify(heard(macs=(f"{prefix}:00:00:01",)))
    assert answered(device, "category") is None
    assert answered(device, "model") is None


def test_a_serial_server_in_a_pump_is_no_serial_server_and_no_pump(heard: Heard) -> None:
    device = identify(heard(macs=(f"{DIGI}:00:00:01",)))
    assert answered(device, "category") is None


def test_a_module_and_a_medical_name_stay_at_what_is_said(heard: Heard) -> None:
    device = identify(heard(("dhcp.host_name", "ESP_1A2B3C"), macs=(f"{ESPRESSIF}:1a:2b:3c",)))
    assert answered(device, "class") != "IoMT"


def test_a_hub_and_its_child_behind_one_address(heard: Heard) -> None:
    device = identify(
        heard(
            ("upnp.manufacturer", "Belkin International Inc."),
            ("upnp.model_name", "LinkSys WeMo Bridge"),
            ("upnp.manufacturer", "D-Link"),
            ("upnp.model_name", "DCH-S160 Water Sensor"),
        )
    )
    verdict = device.verdict("model")
    assert verdict is None or verdict.label is None or verdict.confidence < 0.9


def test_two_kinds_from_one_address_are_not_answered_as_one(heard: Heard) -> None:
    device = identify(
        heard(
            ("http.title", "HP LaserJet M404n"),
            ("onvif.model", "AXIS M3045-V"),
            ("ssdp.server", "AXIS M3045-V"),
        )
    )
    verdict = device.verdict("category")
    assert verdict is not None
    assert verdict.label is None or verdict.confidence < 0.9


def test_firmware_that_changes_within_a_model_leaves_the_model(heard: Heard) -> None:
    base = (("snmp.sys_descr", "NPort 5110 Ver 2.6"),)
    old, new = identify(heard(*base)), identify(heard(*base, ("snmp.sys_descr", "NPort 5110 Ver 2.10")))
    assert old.model == new.model
    assert old.vendor == new.vendor


def windows_pc(*more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Return what a PC of the domain says."""
    return (
        ("dhcp.vendor_class", "MSFT 5.0"),
        ("ntlmssp.workstation", "PC-0412"),
        ("ntlmssp.os_version", "10.0.19045"),
        ("kerberos.host", "PC-0412"),
        ("http.user_agent", "Microsoft NCSI"),
        *more,
    )


def test_a_pc_that_emulates_a_monitor_is_not_surely_one(heard: Heard) -> None:
    device = identify(heard(*windows_pc(("intellivue.role", "monitor")), macs=("00:14:22:00:00:01",)))
    verdict = device.verdict("category")
    assert verdict is not None
    assert verdict.label != "patient_monitor" or verdict.confidence < 0.9


def test_a_pc_with_a_modality_emulator_has_no_make_of_it(heard: Heard) -> None:
    said = windows_pc(
        ("dicom.implementation_class_uid", "1.2.40.0.13.1.3"),
        ("dicom.implementation_version_name", "dcm4che-5.31.1"),
        ("dicom.role", "echo_scu"),
    )
    device = identify(heard(*said, macs=("00:14:22:00:00:01",)))
    assert answered(device, "category") not in ("ct", "mri", "ultrasound")
    assert device.vendor in (None, "Dell")


def test_a_training_pump_program_on_a_pc_is_no_pump(heard: Heard) -> None:
    device = identify(heard(*windows_pc(("hl7.sending_application", "ALARIS")), macs=("00:14:22:00:00:01",)))
    assert answered(device, "category") != "infusion_pump"


def test_a_gateway_that_speaks_for_twenty_is_none_of_them(heard: Heard) -> None:
    said = [
        (f"hl7.source_{name}", value)
        for number in range(20)
        for name, value in (
            ("equipment", f"PUMP-{number:04d}"),
            ("equipment_namespace", "Alaris PC 8015"),
            ("serial_number", f"1234{number}"),
        )
    ]
    device = identify(heard(("hl7.message_type", "ORU^R01"), *said, macs=("00:50:56:00:00:01",)))
    assert answered(device, "category") != "infusion_pump"
    assert device.model is None
    assert device.serial is None


def test_an_archive_is_not_the_scanner_whose_images_it_sends(heard: Heard) -> None:
    device = identify(
        heard(
            ("dicom.role", "storage_scp"),
            ("dicom.role", "query_scp"),
            ("dicom.source_manufacturer", "SIEMENS"),
            ("dicom.source_model", "SOMATOM Force"),
            ("dicom.source_modality", "CT"),
            services=serves(104),
        )
    )
    assert answered(device, "category") != "ct"
    assert device.model is None


@pytest.mark.parametrize(
    ("uid", "name"),
    [
        ("1.2.40.0.13.1.3", "dcm4che-5.31.1"),
        ("1.2.276.0.7230010.3.0.3.6.7", "OFFIS_DCMTK_367"),
        ("1.2.826.0.1.3680043.9.3811.2.0.2", "PYNETDICOM_202"),
        ("1.2.826.0.1.3680043.8.1057.1.1", "FO-DICOM 5.1.2"),
        ("1.2.826.0.1.3680043.2.1143.107.104.103.115.2.6.3", "GDCM 2.6.3"),
    ],
)
def test_a_toolkit_does_not_name_maker_or_kind(heard: Heard, uid: str, name: str) -> None:
    device = identify(
        heard(("dicom.implementation_class_uid", uid), ("dicom.implementation_version_name", name))
    )
    assert device.vendor is None
    assert answered(device, "model") is None
    assert answered(device, "category") in (None, "dicom_workstation", "dicom_router")


def test_a_toolkit_in_a_makers_device_leaves_the_maker(heard: Heard) -> None:
    device = identify(
        heard(
            ("dicom.manufacturer", "SIEMENS"),
            ("dicom.model", "ACUSON S2000"),
            ("dicom.modality", "US"),
            ("dicom.implementation_class_uid", "1.2.40.0.13.1.3"),
        )
    )
    assert device.vendor == "Siemens Healthineers"
    assert device.category == "ultrasound"


def test_the_agents_of_a_web_proxy_are_its_clients(heard: Heard) -> None:
    agents = [
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36",
        "Dalvik/2.1.0 (Linux; U; Android 13; SM-G991B Build/TP1A)",
        "Roku/DVP-9.10 (519.10E04111A)",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)",
    ]
    device = identify(heard(*(("http.user_agent", agent) for agent in agents), services=serves(3128)))
    for level in ("category", "vendor", "os"):
        verdict = device.verdict(level)
        assert verdict is None or verdict.label is None or verdict.confidence < 0.9, verdict


def test_a_host_with_many_guests_is_no_device_of_one_of_them(heard: Heard) -> None:
    device = identify(heard(macs=("00:50:56:00:00:01", "00:50:56:00:00:02", "00:50:56:00:00:03")))
    assert answered(device, "class") in (None, "IT")
    assert answered(device, "category") in (None, "server", "hypervisor")
    assert answered(device, "model") is None


def test_a_phone_with_a_medical_app_is_a_phone(heard: Heard) -> None:
    device = identify(
        heard(
            ("dhcp.vendor_class", "android-dhcp-13"),
            ("http.user_agent", "Dalvik/2.1.0 (Linux; U; Android 13; SM-G991B Build/TP1A)"),
            ("tls.sni", "carelink.minimed.com"),
            ("dns.query", "api.dexcom.com"),
            macs=("da:a1:19:00:00:01",),
        )
    )
    assert answered(device, "class") != "IoMT"
    assert answered(device, "category") in (None, "smartphone", "tablet")


def test_a_made_up_address_names_no_maker(heard: Heard) -> None:
    device = identify(heard(macs=("02:1a:01:00:00:01",)))
    assert device.vendor is None
    assert device.category is None


def test_laptops_docked_in_turns_are_not_one_model(heard: Heard) -> None:
    said = (
        ("ntlmssp.workstation", "NB-0001"),
        ("ntlmssp.workstation", "NB-0002"),
        ("ntlmssp.workstation", "NB-0003"),
    )
    device = identify(heard(*windows_pc(*said), macs=("00:50:b6:00:00:01",)))
    assert answered(device, "model") is None
    assert answered(device, "class") in (None, "IT")


def test_a_print_server_is_not_the_printer_it_queues_for(heard: Heard) -> None:
    device = identify(
        heard(
            ("http.user_agent", "Microsoft IPP/10.0 (Windows 10.0)"),
            ("ntlmssp.os_version", "10.0.17763"),
            ("smb.share", "\\\\PRINT01\\print$"),
            conversations=(talk("client", 9100), talk("client", 631)),
            services=serves(445, 3389),
        )
    )
    assert answered(device, "category") not in ("printer", "label_printer")


def test_a_request_list_that_families_share_names_no_model(heard: Heard) -> None:
    device = identify(heard(("dhcp.parameter_request_list", "1,3,6,12,15,28,42")))
    assert answered(device, "category") is None
    assert answered(device, "vendor") is None
    assert answered(device, "model") is None


def test_a_scanner_that_imitates_clients_is_none_of_them(heard: Heard) -> None:
    device = identify(
        heard(
            (
                "http.user_agent",
                "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)",
            ),
            ("dicom.called_ae_title", "ANY-SCP"),
            ("dicom.role", "echo_scu"),
            ("snmp.role", "manager"),
            ("modbus.role", "client"),
            ("bacnet.role", "client"),
            ("rtsp.user_agent", "nmap"),
            conversations=tuple(
                talk("client", port) for port in (21, 22, 80, 104, 443, 502, 554, 2575, 9100, 11112)
            ),
        )
    )
    assert answered(device, "class") != "IoMT"
    assert answered(device, "category") not in ("ct", "plc", "ip_camera", "printer", "pacs", "bms_controller")


def test_a_wrong_row_of_a_book_does_not_overrule_what_is_declared(heard: Heard) -> None:
    row = Statement(Authority.BOOK, "category", "infusion_pump", "CMMS", T0)
    device = heard(("dhcp.host_name", "DCS-935L"), macs=("b0:c5:54:00:00:01",))
    judged = identify(msgspec.structs.replace(device, statements=(row,)))
    assert judged.category == "ip_camera"


def test_a_wrong_row_against_an_address_opens_the_level(heard: Heard) -> None:
    row = Statement(Authority.BOOK, "vendor", "B. Braun", "CMMS", T0)
    device = heard(macs=("00:a0:aa:00:00:01",))
    judged = identify(msgspec.structs.replace(device, statements=(row,)))
    verdict = judged.verdict("vendor")
    assert verdict is not None
    assert verdict.confidence < 0.9


def test_a_person_who_looked_outranks_everything(heard: Heard) -> None:
    said = Statement(Authority.PERSON, "category", "kiosk", "anna", T0)
    device = heard(("dhcp.host_name", "DCS-935L"), macs=("b0:c5:54:00:00:01",))
    assert identify(msgspec.structs.replace(device, statements=(said,))).category == "kiosk"


def test_a_port_alone_is_no_kind(heard: Heard) -> None:
    for port in (80, 443, 8080, 5000, 22, 23, 3389):
        device = identify(heard(services=serves(port)))
        assert answered(device, "category") is None, port
        assert answered(device, "vendor") is None, port


def test_a_client_of_an_archive_is_not_an_archive(heard: Heard) -> None:
    device = identify(heard(("dicom.role", "query_scu"), conversations=(talk("client", 104),)))
    assert answered(device, "category") != "pacs"


def test_a_router_that_forwards_is_not_what_lies_behind_it(heard: Heard) -> None:
    device = identify(
        heard(
            ("http.user_agent", "Roku/DVP-9.10 (519.10E04111A)"),
            ("dhcp.vendor_class", "android-dhcp-13"),
            ("dhcp.vendor_class", "MSFT 5.0"),
            macs=("00:1b:17:00:00:01",),
        )
    )
    verdict = device.verdict("os")
    assert verdict is None or verdict.label is None or verdict.confidence < 0.9


def test_a_name_chosen_by_people_is_no_declaration(heard: Heard) -> None:
    device = identify(heard(("dhcp.host_name", "philips"), macs=(f"{ESPRESSIF}:00:00:01",)))
    assert answered(device, "class") != "IoMT"
    assert answered(device, "model") is None


def test_a_workstation_that_views_cameras_is_no_camera(heard: Heard) -> None:
    device = identify(heard(*windows_pc(), conversations=(talk("client", 554), talk("client", 80))))
    assert answered(device, "category") != "ip_camera"


def test_a_look_up_of_a_makers_domain_does_not_make_the_device_his(heard: Heard) -> None:
    device = identify(
        heard(*windows_pc(("dns.query", "www.gehealthcare.com"), ("tls.sni", "www.philips.com")))
    )
    assert device.vendor not in ("GE HealthCare", "Philips")


def test_nothing_but_an_address_is_answered_by_nothing(heard: Heard) -> None:
    device = identify(heard(("arp.ip", "10.0.0.1")))
    for level in ("class", "category", "vendor", "model", "os"):
        assert answered(device, level) is None
