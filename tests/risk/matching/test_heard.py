from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.model.scan import ScanSoftware
from medwarden.risk.matching.heard import DISTRIBUTION, FIELDS, KNOWN, OUTSIDE, Report, heard_of


def named(*evidence: tuple[str, str]) -> list[tuple[str, str, str, str]]:
    return [(s.vendor, s.name, s.version, s.doubt) for s in heard_of(evidence).software]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("http.server", "lighttpd/1.4.31", [("lighttpd", "lighttpd", "1.4.31", "")]),
        ("http.server", "Microsoft-IIS/10.0", [("microsoft", "internet_information_services", "10.0", "")]),
        (
            "http.server",
            "Apache/2.4.41 (Ubuntu) OpenSSL/1.1.1f",
            [
                ("apache", "http_server", "2.4.41", DISTRIBUTION),
                ("openssl", "openssl", "1.1.1f", DISTRIBUTION),
            ],
        ),
        ("http.server", "Server/1.0 FancyBox/3", []),
        ("http.user_agent", "Java/1.8.0_202", [("oracle", "jre", "1.8.0_202", "")]),
        ("ssh.identification", "SSH-2.0-OpenSSH_7.4", [("openbsd", "openssh", "7.4", "")]),
        (
            "ssh.identification",
            "SSH-2.0-OpenSSH_8.2p1 Ubuntu-4ubuntu0.5",
            [("openbsd", "openssh", "8.2p1", DISTRIBUTION)],
        ),
        (
            "ssh.identification",
            "SSH-2.0-dropbear_2019.78",
            [("dropbear_ssh_project", "dropbear_ssh", "2019.78", "")],
        ),
        ("ftp.banner", "220 (vsFTPd 3.0.3)", [("vsftpd_project", "vsftpd", "3.0.3", "")]),
        ("dicom.implementation_version_name", "OFFIS_DCMTK_365", [("offis", "dcmtk", "3.6.5", "")]),
        ("dicom.implementation_version_name", "dcm4che-2.0.29", [("dcm4che", "dcm4che", "2.0.29", "")]),
        ("dicom.implementation_version_name", "PYNETDICOM_152", [("pydicom", "pynetdicom", "1.5.2", "")]),
        ("dicom.implementation_version_name", "MODALITY_V1", []),
        ("tds.server_version", "15.0.2000", [("microsoft", "sql_server", "15.0.2000", "")]),
        ("nmap.cpe", "cpe:/a:apache:http_server:2.4.29", [("apache", "http_server", "2.4.29", "")]),
        ("nmap.cpe", "cpe:/o:linux:linux_kernel:4", []),
    ],
)  # fmt: skip
def test_banners_become_components(field: str, value: str, expected: list[tuple[str, str, str, str]]) -> None:
    assert named((field, value)) == expected


def test_names_and_versions_that_are_said_apart_belong_together() -> None:
    found = named(
        ("hl7.software_product", "Connect"),
        ("hl7.software_version", "4.3"),
        ("hl7.software_vendor", "Mirth"),
    )
    assert found == [("Mirth", "Connect", "4.3", "")]
    assert (
        named(("hl7.software_product", "A"), ("hl7.software_product", "B"), ("hl7.software_version", "1"))
        == []
    )


def test_a_scanner_that_was_logged_in_outranks_what_was_read_from_outside() -> None:
    program = ScanSoftware("openssh", "8.0p1", "OpenBSD", "cpe:/a:openbsd:openssh:8.0p1")
    outside = heard_of([], [Report("nessus", False, (program,))]).software
    assert [s.doubt for s in outside] == [OUTSIDE]
    both = heard_of([], [Report("nessus", None, (program,)), Report("qualys", True, (program,))]).software
    assert [(s.field, s.doubt) for s in both] == [("scan:qualys", "")]
    package = ScanSoftware("openssl", "1.1.1k-6.el8_6")
    assert [s.doubt for s in heard_of([], [Report("nessus", True, (package,))]).software] == [DISTRIBUTION]
    assert heard_of([], [Report("somebody", True, (package,))]).software == ()


def test_the_fullest_build_is_taken_and_updates_are_gathered() -> None:
    heard = heard_of(
        [("ntlmssp.os_version", "10.0.17763")],
        [
            Report("nessus", True, (), ("KB5060531",), ("10.0.17763.7434",)),
            Report("qualys", None, (), ("KB1234567",)),
        ],
    )
    assert heard.build == "10.0.17763.7434"
    assert heard.updates == {"KB5060531", "KB1234567"}
    assert heard_of([("ntlmssp.os_version", "6.1.0")]).build == ""


@given(st.lists(st.tuples(st.sampled_from(sorted(FIELDS)), st.text(max_size=80)), max_size=12))
def test_any_evidence_is_read_in_any_order(evidence: list[tuple[str, str]]) -> None:
    heard = heard_of(evidence)
    assert heard == heard_of(reversed(evidence))
    assert all(s.field and (s.name or s.cpe) for s in heard.software)


def test_names_of_programs_are_in_lower_case() -> None:
    assert all(name == name.lower() and all(entry) for name, entry in KNOWN.items())


@pytest.mark.parametrize(
    ("evidence", "build"),
    [
        ([("browser.os_version", "10.0")], "10.0"),
        ([("browser.os_version", "6.1")], "6.1"),
        ([("browser.os_version", "6.1"), ("browser.os_version", "10.0")], ""),
        ([("browser.os_version", "4.9")], ""),
        ([("http.user_agent", "Windows-Update-Agent/10.0.22631.1 Client-Protocol/2.50")], "10.0.22631"),
        ([("http.user_agent", "Windows-Update-Agent/7.6.7601.18 Client-Protocol/1.8")], ""),
        ([("http.user_agent", "Microsoft IPP/10.0 (Windows 10.0)")], "10.0"),
        ([("http.user_agent", "Microsoft-Delivery-Optimization/10.0")], "10.0"),
        ([("http.user_agent", "Mozilla/5.0 (Windows NT 6.1; Win64)")], ""),
        ([("dhcp.parameter_request_list", "1,3,6,15,31,33,43,44,46,47,119,121,249,252")], "10.0"),
        ([("dhcp.parameter_request_list", "1,15,3,6,44,46,47,31,33,121,249,43,252")], ""),
    ],
)
def test_what_a_windows_states_of_its_version(evidence: list[tuple[str, str]], build: str) -> None:
    assert heard_of(evidence).build == build
