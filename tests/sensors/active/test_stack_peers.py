"""Every prober against a real peer on loopback: what it says of itself becomes facts of the device."""

from __future__ import annotations

import socket
import ssl
import struct
import sys
import threading
from pathlib import Path

import pytest
from tests.ports import reserved_port
from tests.programs import program, run, serving, started
from tests.waiting import PATIENCE, until

from medwarden.operations.permit import Target
from medwarden.sensors.active.exchange import Limits, Outcome
from medwarden.sensors.active.prober import ProbeResult, ProbeSetting, SnmpUser, probe
from medwarden.sensors.active.registry import probers

from . import peers

SETTING = ProbeSetting(limits=Limits(connect_s=PATIENCE / 2, total_s=PATIENCE))


def asked(name: str, port: int, setting: ProbeSetting = SETTING) -> tuple[ProbeResult, dict[str, set[str]]]:
    prober = probers()[name]
    result = probe(prober, peers.permit(prober, port), Target("main", "127.0.0.1", port), setting)
    facts: dict[str, set[str]] = {}
    for fact in result.facts:
        assert fact.source == f"active:{name}"
        assert fact.ip == "127.0.0.1"
        facts.setdefault(fact.field, set()).add(fact.value)
    return result, facts


@pytest.mark.parametrize("how", ["community", "plain", "sha", "sha-aes", "wrong password", "wrong community"])
def test_snmpd(tmp_path: Path, how: str) -> None:
    snmpd = program("snmpd")
    port = reserved_port()
    (tmp_path / "snmpd.conf").write_text(
        f"agentaddress udp:127.0.0.1:{port}\nrocommunity s3cret 127.0.0.1\n"
        "sysName bench-monitor\nsysLocation ICU bay 3\nsysDescr ACME Monitor 7 software 2.1\n"
        "createUser quiet\ncreateUser nina SHA authpass12 AES privpass12\n"
        "rouser quiet noauth\nrouser nina auth\n"
    )
    settings = {
        "community": ProbeSetting(SETTING.limits, community="s3cret"),
        "wrong community": ProbeSetting(Limits(1, 1), community="public"),
        "plain": ProbeSetting(SETTING.limits, snmp_user=SnmpUser("quiet")),
        "sha": ProbeSetting(SETTING.limits, snmp_user=SnmpUser("nina", "sha", "authpass12")),
        "sha-aes": ProbeSetting(
            SETTING.limits, snmp_user=SnmpUser("nina", "sha", "authpass12", "aes", "privpass12")
        ),
        "wrong password": ProbeSetting(SETTING.limits, snmp_user=SnmpUser("nina", "sha", "other-pass")),
    }
    words = (snmpd, "-f", "-Lo", "-C", "-c", tmp_path / "snmpd.conf", "-p", tmp_path / "pid")
    with started(words, tmp_path, environment={"SNMP_PERSISTENT_DIR": str(tmp_path)}) as agent:
        agent.until_bound(port)
        result, facts = asked("snmp_get", port, settings[how])
    if how == "wrong community":
        assert (result.outcome, facts) == (Outcome.SILENT, {})
        return
    if how == "wrong password":
        assert result.outcome is Outcome.MALFORMED
        assert "snmp.sys_name" not in facts
        return
    assert result.outcome is Outcome.ANSWERED, result.words
    assert facts["snmp.sys_name"] == {"bench-monitor"}
    assert facts["snmp.sys_location"] == {"ICU bay 3"}
    assert facts["snmp.sys_descr"] == {"ACME Monitor 7 software 2.1"}
    assert "s3cret" not in repr(result)
    assert "snmp.community" not in facts


def test_storescp(tmp_path: Path) -> None:
    storescp = program("storescp")
    port = reserved_port()
    with serving([storescp, "-d", "-od", tmp_path, port], tmp_path, port) as peer:
        result, facts = asked("dicom_echo", port)
        assert result.outcome is Outcome.ANSWERED, result.words
        until(lambda: "Association Release" in peer.log.read_text(), "storescp tells of the release")
        text = peer.log.read_text()
    assert "dicom.ae_title" not in facts  # what we called it is no fact
    assert any(value.startswith("OFFIS_DCMTK") for value in facts["dicom.implementation_version_name"])
    assert "MEDWARDEN" in text
    assert "Received Echo Request" in text


def test_a_dicom_server_that_rejects(tmp_path: Path) -> None:
    storescp = program("storescp")
    port = reserved_port()
    with serving([storescp, "--refuse", port], tmp_path, port):
        result, facts = asked("dicom_echo", port)
    assert result.outcome is Outcome.ANSWERED, result.words
    assert facts["dicom.reject_reason"]


@pytest.mark.parametrize("newest", [True, False])
def test_a_tls_server(tmp_path: Path, newest: bool) -> None:
    openssl = program("openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=pump-7.acme.example",
    ]
    run(openssl, *command, "-keyout", key, "-out", certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if newest:
        context.minimum_version = ssl.TLSVersion.TLSv1_3

    def talk(line: socket.socket, _over: threading.Event) -> None:
        try:
            context.wrap_socket(line, server_side=True)
        except (ssl.SSLError, OSError):
            return  # we break off on purpose

    with peers.tcp_peer(talk) as (port, _):
        result, facts = asked("tls_hello", port)
    assert result.outcome is Outcome.ANSWERED, result.words
    if not newest:
        assert any("pump-7.acme.example" in value for values in facts.values() for value in values), facts


def test_smbd(tmp_path: Path) -> None:
    smbd = program("smbd")
    port, log = reserved_port(), tmp_path / "log"
    folders = "".join(
        f"{name} = {tmp_path}\n"
        for name in (
            "private dir",
            "lock directory",
            "state directory",
            "cache directory",
            "pid directory",
            "ncalrpc dir",
        )
    )
    (tmp_path / "smb.conf").write_text(
        f"[global]\nnetbios name = BENCHNAS\nworkgroup = WARD\nsmb ports = {port}\ninterfaces = 127.0.0.1\n"
        f"bind interfaces only = yes\ndisable spoolss = yes\nload printers = no\nlog file = {log}.smb\n"
        f"security = user\npassdb backend = smbpasswd:{tmp_path}/smbpasswd\n{folders}"
    )
    command = [smbd, "-F", "--no-process-group", "-s", tmp_path / "smb.conf"]
    with serving(command, tmp_path, port):
        result, facts = asked("smb_negotiate", port)
    assert result.outcome is Outcome.ANSWERED, result.words
    assert facts["smb.dialect"]
    assert facts["smb.version"] == {"2"}
    assert "smb.client_guid" not in facts


BACNET = """
import asyncio, sys
from bacpypes3.app import Application
from bacpypes3.argparse import SimpleArgumentParser
async def serve():
    args = SimpleArgumentParser().parse_args([
        "--name", "AHU-3", "--instance", "3077", "--address", f"127.0.0.1/32:{sys.argv[1]}",
        "--vendoridentifier", "999"])
    app = Application.from_args(args)
    device = app.device_object
    device.vendorName, device.modelName = "Acme Air", "Unit 7"
    device.firmwareRevision, device.location = "4.2", "Roof"
    print("up", flush=True)
    await asyncio.Future()
asyncio.run(serve())
"""


def test_bacpypes3(tmp_path: Path) -> None:
    pytest.importorskip("bacpypes3")
    port = reserved_port()
    with started([sys.executable, "-c", BACNET, port], tmp_path) as device:
        device.until_bound(port)
        until(lambda: "up" in device.said, "the device is up", shown=lambda: device.said)
        result, facts = asked("bacnet_whois", port)
    assert result.outcome is Outcome.ANSWERED, result.words
    assert facts["bacnet.device_instance"] == {"3077"}
    assert facts["bacnet.object_name"] == {"AHU-3"}
    assert facts["bacnet.vendor_name"] == {"Acme Air"}
    assert facts["bacnet.model_name"] == {"Unit 7"}
    assert facts["bacnet.firmware_revision"] == {"4.2"}
    assert facts["bacnet.location"] == {"Roof"}


def test_a_web_server(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<html><head><title>Infusion Gateway 5</title></head></html>")
    port = reserved_port()
    command = (sys.executable, "-u", "-m", "http.server", port, "--bind", "127.0.0.1", "-d", tmp_path)
    with serving(command, tmp_path, port) as server:
        _, facts = asked("http_head", port)
        titled = ProbeSetting(SETTING.limits, titles_allowed=True)
        result, more = asked("http_head", port, titled)
        until(lambda: '"HEAD / HTTP/1.1" 200' in server.log.read_text(), "the server tells of a HEAD")
    assert any(value.startswith("SimpleHTTP/") for value in facts["http.server"])
    assert "http.title" not in facts
    assert result.outcome is Outcome.ANSWERED
    assert more["http.title"] == {"Infusion Gateway 5"}


def test_a_device_that_announces_services() -> None:
    """A contract peer (no responder is installed here): answers after RFC 6762 section 6.7."""

    def talk(line: socket.socket, data: bytes, sender: tuple[str, int], _over: threading.Event) -> None:
        name = data[12:-4]
        service = b"\x04_ipp\x04_tcp\x05local\x00"
        record = name + struct.pack(">HHIH", 12, 1, 10, len(service)) + service
        line.sendto(data[:2] + struct.pack(">5H", 0x8400, 1, 1, 0, 0) + data[12:] + record, sender)

    with peers.udp_peer(talk) as (port, heard):
        result, facts = asked("mdns_query", port)
    assert result.outcome is Outcome.ANSWERED, result.words
    assert any("_ipp._tcp" in value for value in facts["mdns.service"])
    assert len(heard) == 1


def test_a_device_that_answers_a_probe() -> None:
    """A contract peer (no responder is installed here): ProbeMatches after WS-Discovery section 5.3."""
    answer = (
        b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
        b'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" '
        b'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
        b'xmlns:p="http://schemas.microsoft.com/windows/2006/08/wdp/print"><s:Header><a:Action>'
        b"http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</a:Action></s:Header><s:Body>"
        b"<d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:0-7</a:Address>"
        b"</a:EndpointReference><d:Types>p:PrintDeviceType</d:Types></d:ProbeMatch></d:ProbeMatches>"
        b"</s:Body></s:Envelope>"
    )
    with peers.udp_peer(peers.datagrams(answer)) as (port, heard):
        result, facts = asked("ws_discovery_probe", port)
    assert result.outcome is Outcome.ANSWERED, result.words
    assert facts["wsd.types"] == {"wprt:PrintDeviceType"}
    assert heard[0].startswith(b"<?xml")
