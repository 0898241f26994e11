"""What contradicts an identity, and the many things that do not."""

from __future__ import annotations

import pytest

from medwarden.inventory.labelling import identify
from medwarden.inventory.spoofing import _WITHOUT_DESKTOP, TYPE, Spoof, contradicted, spoofing_finding
from medwarden.knowledge.taxonomy import categories
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry
from medwarden.model.finding import Severity

MINUTE = 60 * 1_000_000_000
START = 1_700_000_000 * 1_000_000_000
Heard = tuple[str, str, int, int]  # field, value, first and last minute

PUMP: tuple[Heard, ...] = (
    ("dhcp.parameter_request_list", "1,3,6", 0, 100),
    ("tcp.stack", "64:5840:1460:M", 0, 118),
    ("hl7.equipment_serial", "4711-0815", 0, 118),
)
WINDOWS: tuple[Heard, ...] = (
    ("dhcp.parameter_request_list", "1,3,6,15,31,33,43,44,46,47,119,121,249,252", 120, 300),
    ("dhcp.vendor_class", "MSFT 5.0", 120, 300),
    ("dhcp.host_name", "DESKTOP-7K2QF0A", 120, 300),
    ("tcp.stack", "128:64240:1460:M,N,W8,N,N,S", 121, 300),
    ("ntlmssp.os_version", "10.0.19045", 125, 300),
    ("ntlmssp.workstation", "DESKTOP-7K2QF0A", 125, 300),
    ("http.user_agent", "Microsoft NCSI", 126, 300),
)
PUMP_MAC = "00:13:38:30:38:59"  # Fresenius
PC_MAC = "d4:be:d9:10:fc:79"  # Dell


def device(*heard: Heard, mac: str = PUMP_MAC, ips: tuple[str, ...] = ("10.0.19.11",)) -> Device:
    ledger = tuple(
        LedgerEntry(f.partition(".")[0], f, v, "s", START + a * MINUTE, START + b * MINUTE, 3)
        for f, v, a, b in heard
    )
    return identify(
        Device(
            id="d1",
            site="main",
            macs=(mac,) if mac else (),
            ips=ips,
            first_seen=START,
            last_seen=START + 300 * MINUTE,
            ledger=ledger,
        )
    )


def judged(*heard: Heard, mac: str = PUMP_MAC) -> Spoof | None:
    return contradicted(device(*heard, mac=mac))


def test_windows_under_the_address_of_a_pump() -> None:
    spoof = judged(*PUMP, *WINDOWS)
    assert spoof is not None and spoof.at_ns == START + 120 * MINUTE and spoof.weight >= 4
    found = spoofing_finding(device(*PUMP, *WINDOWS), spoof)
    assert (found.type, found.severity) == (TYPE, Severity.HIGH)
    shown = {(e.field, e.value) for e in found.evidence}
    assert {("dhcp.parameter_request_list", "1,3,6"), ("dhcp.vendor_class", "MSFT 5.0")} <= shown
    assert "IoMT" in found.detail and found.first_seen == spoof.at_ns


def test_the_same_computer_under_its_own_address_is_nothing() -> None:
    assert judged(*WINDOWS, mac=PC_MAC) is None


def test_a_pump_alone_is_nothing() -> None:
    assert judged(*PUMP) is None


@pytest.mark.parametrize(
    ("what", "later"),
    [
        (
            "a firmware update",
            (
                ("dhcp.parameter_request_list", "1,3,6,12,15,28", 120, 300),
                ("tcp.stack", "64:29200:1460:M", 120, 300),
                ("sdc.firmware_version", "5.1", 121, 300),
            ),
        ),
        ("a new name", (("dhcp.host_name", "pump-ward-3", 120, 300),)),
        (
            "a network boot",
            (
                ("dhcp.vendor_class", "PXEClient:Arch:00007:UNDI:003016", 120, 121),
                ("dhcp.machine_uuid", "4c4c4544-0043-4b10-8052-b7c04f4e3932", 120, 121),
            ),
        ),
        (
            "a boot loader that asks in its own way by turns",
            (("dhcp.parameter_request_list", "1,3,12,15", 90, 91),),
        ),
        ("another address from DHCP", (("arp.ip", "10.0.19.77", 120, 300),)),
        ("a roaming pump", (("radius.access_point", "00:11:22:33:44:55", 120, 300),)),
    ],
)
def test_what_hospitals_see_every_week_is_no_spoofing(what: str, later: tuple[Heard, ...]) -> None:
    assert judged(*PUMP, *later) is None, what


def test_a_computer_with_two_systems_is_no_spoofing() -> None:
    linux: tuple[Heard, ...] = (
        ("dhcp.parameter_request_list", "1,2,6,12,15,26,28,121,3,33,40,41,42,119,249,252,17", 400, 500),
        ("dhcp.host_name", "ubuntu-desk", 400, 500),
        ("ssh.identification", "SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.6", 401, 500),
        ("http.user_agent", "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:109.0) Gecko/20100101", 402, 500),
        ("tcp.stack", "64:64240:1460:M,S,T,N,W7", 402, 500),
    )
    early = tuple((f, v, a - 120, b) for f, v, a, b in WINDOWS)
    assert judged(*early, *linux, mac=PC_MAC) is None


def test_a_forwarder_several_interfaces_and_a_bare_address_are_left_alone() -> None:
    suspect = device(*PUMP, *WINDOWS)
    assert contradicted(suspect) is not None
    assert contradicted(suspect, gateway=True) is None
    assert contradicted(suspect, identities=2) is None
    assert judged(*PUMP, *WINDOWS, mac="") is None


def test_what_was_closed_by_a_person_is_the_device_from_then_on() -> None:
    suspect = device(*PUMP, *WINDOWS)
    assert contradicted(suspect, settled_ns=START + 301 * MINUTE) is None


def test_a_modality_that_shows_its_windows_late_is_no_spoofing() -> None:
    ct: tuple[Heard, ...] = (
        ("dicom.implementation_class_uid", "1.3.12.2.1107.5.9.20020101", 0, 300),
        ("dicom.modality", "CT", 0, 300),
        ("tcp.stack", "128:8192:1460:M,N,W8,N,N,S", 0, 300),
        ("ntlmssp.os_version", "10.0.17763", 200, 300),
        ("http.user_agent", "Microsoft NCSI", 210, 300),
        ("nbns.name", "CT-2", 210, 300),
    )
    assert judged(*ct, mac="00:0b:a3:5f:b6:64") is None


def test_a_pump_known_by_its_page_runs_no_windows() -> None:
    page: tuple[Heard, ...] = (("http.title", "Plum 360 CE", 5, 5), ("http.server", "mini_httpd/1.19", 5, 5))
    spoof = judged(*page, *WINDOWS, mac="00:25:ca:50:4a:ad")
    assert spoof is not None
    assert any("infusion_pump" in each.said for each in spoof.contradictions)


def test_the_kinds_without_a_desktop_are_of_the_taxonomy() -> None:
    assert categories().keys() >= _WITHOUT_DESKTOP
