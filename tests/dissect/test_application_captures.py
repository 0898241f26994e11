"""Real captures: what tshark reads in them comes out as facts of the application dissectors."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from medwarden.dissect.observer import Observer
from medwarden.flowcore import CaptureReader, FlowCore, FlowCoreConfig
from medwarden.model.evidence import Evidence, clean

ROOT = Path(__file__).resolve().parents[2]
CAPTURES = Path(os.environ.get("MEDWARDEN_SHARED", ROOT.parent / "shared")) / "captures"

needs_captures = pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"real captures are absent: {CAPTURES}")
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


@cache
def observed(name: str) -> tuple[tuple[Evidence, ...], dict[str, int]]:
    """Return the facts of one capture through the real flow core, and what was malformed."""
    observer = Observer(b"k" * 32)
    interest = observer.core_interest
    core = FlowCore(
        FlowCoreConfig(
            stream_ports=interest.stream_ports,
            stream_starts=interest.stream_starts,
            datagram_ports=interest.datagram_ports,
            ethertypes=interest.ethertypes,
        )
    )
    data = (CAPTURES / name).read_bytes()
    reader = CaptureReader(core, name)
    at = 0
    while at < len(data):
        at += reader.feed(data, at, final=True)
    core.take_flows(final=True)
    facts = [fact for segment in core.take_segments() for fact in observer.observe(segment)]
    return tuple(facts), dict(observer.malformed)


def values(name: str, *fields: str) -> set[tuple[str | None, str]]:
    return {(fact.ip, fact.value) for fact in observed(name)[0] if fact.field in fields}


def tshark(name: str, field: str, only: str) -> set[tuple[str | None, str]]:
    """Return sender and value of every occurrence of ``field``; one of both IP fields is empty."""
    command = ["tshark", "-n", "-r", str(CAPTURES / name), "-Y", f"({field}) && ({only})", "-T", "fields"]
    command += ["-E", "separator=\t", "-E", "aggregator=\x01", "-e", "ip.src", "-e", "ipv6.src", "-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found: set[tuple[str | None, str]] = set()
    for line in done.stdout.splitlines():
        ip4, ip6, listed = line.split("\t")
        found |= {(ip4 or ip6, clean(value)) for value in listed.split("\x01") if clean(value)}
    return found


# capture, field of tshark, restriction, our fields
ORACLE = [
    ("proto/http/nDPI__pcap_ocsp.pcapng", "http.user_agent", "tcp", "http.user_agent"),
    ("proto/http/nDPI__pcap_ocsp.pcapng", "http.server", "tcp", "http.server"),
    ("proto/http/nDPI__pcap_ocsp.pcapng", "http.host", "tcp", "http.host"),
    ("proto/http/nDPI__pcap_ocs.pcap", "http.user_agent", "tcp", "http.user_agent"),
    ("proto/http/PcapPlusPlus__pcap_examples_http-packets2.pcap", "http.server", "tcp", "http.server"),
    ("attack/corelight_log4j/log4j-attack.pcap", "http.user_agent", "tcp", "http.user_agent"),
    ("proto/CH/ja4__pcap_tls-handshake.pcapng", "tls.handshake.extensions_server_name", "tcp", "tls.sni"),
    ("proto/CH/nDPI__pcap_sites.pcapng", "tls.handshake.extensions_server_name", "tcp", "tls.sni"),
    ("proto/CH/nDPI__pcap_webex.pcap", "tls.handshake.extensions_server_name", "tcp", "tls.sni"),
    ("proto/CH/ja4__pcap_tls-handshake.pcapng", "tls.handshake.extensions_server_name", "quic", "quic.sni"),
    ("proto/CH/nDPI__pcap_sites.pcapng", "tls.handshake.extensions_server_name", "quic", "quic.sni"),
    ("proto/ssh/joy__pcaps_kali-password-attack_hydra.pcap", "ssh.protocol", "tcp", "ssh.identification"),
    ("proto/ssh/ja4__pcap_ssh-r.pcap", "ssh.protocol", "tcp", "ssh.identification"),
    ("proto/ssh/nDPI__pcap_ssh.pcap", "ssh.protocol", "tcp", "ssh.identification"),
    ("proto/smbx/nfstream__pcaps_smbv1.pcap", "smb.native_os", "tcp", "smb.native_os"),
    ("proto/smbx/nDPI__pcap_smb_frags.pcap", "smb.native_lanman", "tcp", "smb.native_lanman"),
    ("proto/smbx/nfstream__pcaps_smbv1.pcap", "smb.server", "tcp", "smb.server_name"),
    (
        "attack/malcolm_plugins/zerologon/CVE-2020-1472_exploit_win2016.pcap",
        "ntlmssp.challenge.target_info.dns_computer_name",
        "smb2",
        "ntlmssp.dns_computer",
    ),
    ("proto/mqtt/nDPI__pcap_mqtt.pcap", "mqtt.clientid", "tcp", "mqtt.client_id"),
    ("made/snmp_mqtt_coap_modbus_bacnet.pcap", "mqtt.clientid", "tcp", "mqtt.client_id"),
    ("proto/sip/nfstream__pcaps_sip.pcap", "sip.User-Agent", "udp", "sip.user_agent"),
    ("proto/sip/nfstream__pcaps_sip.pcap", "sip.Server", "udp", "sip.server"),
    ("proto/krb/nDPI__pcap_kerberos-login.pcap", "kerberos.realm", "kerberos.msg_type==12", "kerberos.realm"),
    ("proto/rdp/nDPI__pcap_rdp3.pcap", "rdp.client.name", "tcp", "rdp.client_name"),
    ("device_aalto/HueBridge/Setup-A-2-STA.pcap", "http.user_agent", "tcp", "http.user_agent"),
]  # fmt: skip


@needs_captures
@needs_tshark
@pytest.mark.parametrize(("name", "theirs", "only", "ours"), ORACLE, ids=lambda v: str(v).rpartition("/")[2])
def test_what_tshark_reads_is_told(name: str, theirs: str, only: str, ours: str) -> None:
    expected = tshark(name, theirs, only)
    assert expected, "the oracle finds nothing here: the case proves nothing"
    if ours.endswith("sni"):
        expected = {(ip, value.lower()) for ip, value in expected}
    missing = expected - values(name, ours)
    assert not missing


# Fingerprints of all clients in a capture, as nDPI 5.0 computes them (an implementation independent of ours).
NDPI_JA4 = {
    "nDPI__pcap_webex.pcap": {
        "t10d350400_1f24bcc5f17d_a875e5012fde",
        "t10i020200_f2d8273d9564_18d1e47e0978",
        "t10i350200_1f24bcc5f17d_33a13ba74d1c",
        "t10i440400_e56d601e95ee_282f11336259",
        "t12d200500_6e20beb92e8e_c70a3c84db07",
        "t12d280600_519b4837d290_570a46b37db9",
    },
    "ja4__pcap_tls12.pcap": {"t13d1715h2_5b57614c22b0_3d5424432f57"},
    "nfstream__pcaps_encrypted_sni.pcap": {"t13i1813h2_29a2cd9e9f10_0d6ff543c596"},
    "PcapPlusPlus__PacketExamples_tls_grease.pcap": {"t13d1515h2_8daaf6152771_de4a06bb82e3"},
    "PcapPlusPlus__PacketExamples_tls_zero_size_ext.pcap": {"t12d160700_8cdfa2d4673b_18dd7303c4a5"},
    "ja4__pcap_tls-sni.pcapng": {
        "q13d0310h3_55b375c5d22e_cd85d2d88918",
        "t13d151400_8daaf6152771_de4a06bb82e3",
        "t13d1516h1_8daaf6152771_e5627efa2ab1",
        "t13d1516h2_8daaf6152771_e5627efa2ab1",
        "t13d1517h1_8daaf6152771_6cdcb247c39b",
    },
}


@needs_captures
@pytest.mark.parametrize("name", NDPI_JA4)
def test_fingerprints_agree_with_another_implementation(name: str) -> None:
    told = values(f"proto/CH/{name}", "tls.ja4", "quic.ja4")
    assert {value for _, value in told} == NDPI_JA4[name]


@needs_captures
def test_names_that_real_machines_say() -> None:
    wannacry = "attack/malcolm_plugins/zeek-EternalSafety/wannacry.pcap"
    assert ("192.168.116.143", "TESTDC1") in values(wannacry, "smb.server_name")
    assert ("192.168.116.143", "NT LM 0.12") in values(wannacry, "smb.dialect")
    ping = "attack/malcolm_plugins/CVE-2021-1675/packetcapture_2.pcap"
    assert ("172.16.5.58", "bas-ad-01.lab.local") in values(ping, "ldap.dns_host_name")
    assert ("172.16.5.67", "BAS-WIN7-01") in values(ping, "ldap.host")
    bacnet = "proto/bacnetx/ct-samples__BACnet_bacnet-ip.cap"
    assert ("192.168.0.13", "Simple BACnet Server") in values(bacnet, "bacnet.model_name")
    assert ("192.168.0.13", "Lithonia Lighting") in values(bacnet, "bacnet.vendor_name")
    log_in = "proto/krb/nDPI__pcap_kerberos-login.pcap"
    assert ("10.1.12.2", "xp1") in values(log_in, "kerberos.host")
    rdp = "proto/rdp/nDPI__pcap_rdp_over_tls.pcap"
    assert ("89.31.79.12", "credssp") in values(rdp, "rdp.security")
    assert ("89.31.79.12", "CN=topsalon") in values(rdp, "tls.certificate_subject")


@needs_captures
@needs_tshark
@pytest.mark.parametrize(
    ("name", "field", "only"),
    [
        ("proto/krb/nDPI__pcap_kerberos-login.pcap", "kerberos.CNameString", "kerberos"),
        ("proto/smbx/nfstream__pcaps_kerberos.pcap", "kerberos.CNameString", "kerberos"),
        ("proto/rdp/nDPI__pcap_rdp_over_tls.pcap", "rdp.rt_cookie", "tcp"),
        ("proto/ldap/PcapPlusPlus__PacketExamples_ldap.pcapng", "ldap.name", "ldap"),
        (
            "proto/ftp/PcapPlusPlus__PacketExamples_Ftp.pcap",
            "ftp.request.arg",
            'ftp.request.command == "USER"',
        ),
        ("proto/mqtt/nDPI__pcap_mqtt.pcap", "mqtt.username", "tcp"),
    ],
)
def test_people_who_log_in_stay_unnamed(name: str, field: str, only: str) -> None:
    """User names that tshark shows stand in no fact; machine accounts (they end in $) may."""
    named = {value.lower() for _, value in tshark(name, field, only)}
    people = {value for value in named if "$" not in value and value not in ("host", "null")}
    assert people, "the oracle finds nobody here: the case proves nothing"
    said = [fact.value.lower() for fact in observed(name)[0]]
    assert said
    assert not [value for value in said for person in people if person in value.split("/") or value == person]


@needs_captures
def test_no_capture_finds_a_defect() -> None:
    folders = ("proto", "attack", "made")
    captures = [p for folder in folders for p in sorted((CAPTURES / folder).rglob("*.pcap*"))]
    assert len(captures) > 150
    defects = {
        path.name: kind
        for path in captures
        for kind in observed(str(path.relative_to(CAPTURES)))[1]
        if "defect" in kind
    }
    assert defects == {}
