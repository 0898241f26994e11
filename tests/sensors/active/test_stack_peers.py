"""Every prober against a real peer on loopback: what it says of itself becomes facts of the device."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medwarden.operations.permit import Target
from medwarden.sensors.active.exchange import Limits, Outcome
from medwarden.sensors.active.prober import ProbeResult, ProbeSetting, SnmpUser, probe
from medwarden.sensors.active.registry import probers

from . import peers

SETTING = ProbeSetting(limits=Limits(connect_s=4, total_s=8))


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@contextmanager
def child(*command: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def asked(name: str, port: int, setting: ProbeSetting = SETTING) -> tuple[ProbeResult, dict[str, set[str]]]:
    prober = probers()[name]
    result = probe(prober, peers.permit(prober, port), Target("main", "127.0.0.1", port), setting)
    facts: dict[str, set[str]] = {}
    for fact in result.facts:
        assert fact.source == f"active:{name}"
        assert fact.ip == "127.0.0.1"
        facts.setdefault(fact.field, set()).add(fact.value)
    return result, facts


def listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a TCP port takes connections; a probe of ours never tries twice."""
    for _ in range(100):
        if process.poll() is not None:
            pytest.fail(f"the peer ended: {log.read_text()[-500:]}")
        with socket.socket() as line:
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"the peer does not listen: {log.read_text()[-500:]}")


def bound(port: int) -> None:
    """Wait until somebody holds a UDP port, without sending it anything."""
    for _ in range(200):
        if f":{port:04X} " in Path("/proc/net/udp").read_text():
            return
        time.sleep(0.05)
    pytest.fail("the peer does not listen")


@pytest.mark.parametrize("how", ["community", "plain", "sha", "sha-aes", "wrong password", "wrong community"])
def test_snmpd(tmp_path: Path, how: str) -> None:
    snmpd = tool("snmpd")
    port = free_port(socket.SOCK_DGRAM)
    (tmp_path / "snmpd.conf").write_text(
        f"agentaddress udp:127.0.0.1:{port}\nrocommunity s3cret 127.0.0.1\n"
        "sysName bench-monitor\nsysLocation ICU bay 3\nsysDescr ACME Monitor 7 software 2.1\n"
        "createUser quiet\ncreateUser nina SHA authpass12 AES privpass12\n"
        "rouser quiet noauth\nrouser nina auth\n"
    )
    environment = {"SNMP_PERSISTENT_DIR": str(tmp_path)}
    log = tmp_path / "log"
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
    os.environ.update(environment)
    try:
        with child(
            snmpd, "-f", "-Lo", "-C", "-c", str(tmp_path / "snmpd.conf"), "-p", str(tmp_path / "pid"), log=log
        ):
            bound(port)
            result, facts = asked("snmp_get", port, settings[how])
    finally:
        del os.environ["SNMP_PERSISTENT_DIR"]
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
    storescp = tool("storescp")
    port, log = free_port(), tmp_path / "log"
    with child(storescp, "-d", "-od", str(tmp_path), str(port), log=log) as process:
        listening(port, process, log)
        result, facts = asked("dicom_echo", port)
        assert result.outcome is Outcome.ANSWERED, (result.words, log.read_text()[-800:])
        text = log.read_text()
    assert "dicom.ae_title" not in facts  # what we called it is no fact
    assert any(value.startswith("OFFIS_DCMTK") for value in facts["dicom.implementation_version_name"])
    assert "MEDWARDEN" in text
    assert "Received Echo Request" in text
    assert "Association Release" in text


def test_a_dicom_server_that_rejects(tmp_path: Path) -> None:
    storescp = tool("storescp")
    port, log = free_port(), tmp_path / "log"
    with child(storescp, "--refuse", str(port), log=log) as process:
        listening(port, process, log)
        result, facts = asked("dicom_echo", port)
    assert result.outcome is Outcome.ANSWERED, result.words
    assert facts["dicom.reject_reason"]


@pytest.mark.parametrize("newest", [True, False])
def test_a_tls_server(tmp_path: Path, newest: bool) -> None:
    openssl = tool("openssl")
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
    subprocess.run(
        [openssl, *command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
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
    smbd = tool("smbd")
    port, log = free_port(), tmp_path / "log"
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
    with child(smbd, "-F", "--no-process-group", "-s", str(tmp_path / "smb.conf"), log=log) as process:
        listening(port, process, log)
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
    port, log = free_port(socket.SOCK_DGRAM), tmp_path / "log"
    with child(sys.executable, "-c", BACNET, str(port), log=log):
        bound(port)
        result, facts = asked("bacnet_whois", port)
    assert result.outcome is Outcome.ANSWERED, (result.words, log.read_text()[-800:])
    assert facts["bacnet.device_instance"] == {"3077"}
    assert facts["bacnet.object_name"] == {"AHU-3"}
    assert facts["bacnet.vendor_name"] == {"Acme Air"}
    assert facts["bacnet.model_name"] == {"Unit 7"}
    assert facts["bacnet.firmware_revision"] == {"4.2"}
    assert facts["bacnet.location"] == {"Roof"}


def test_a_web_server(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<html><head><title>Infusion Gateway 5</title></head></html>")
    port, log = free_port(), tmp_path / "log"
    command = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "-d", str(tmp_path))
    with child(*command, log=log) as process:
        listening(port, process, log)
        _, facts = asked("http_head", port)
        titled = ProbeSetting(SETTING.limits, titles_allowed=True)
        result, more = asked("http_head", port, titled)
    assert any(value.startswith("SimpleHTTP/") for value in facts["http.server"])
    assert "http.title" not in facts
    assert result.outcome is Outcome.ANSWERED
    assert more["http.title"] == {"Infusion Gateway 5"}
    assert '"HEAD / HTTP/1.1" 200' in log.read_text()


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
