"""What tshark and we both read in captures of real devices must be the same; each difference has its reason.

A row of ``COMPARED`` names our fields, tshark's fields for the same, and how tshark's text is brought to
ours. ``DIFFERENCES`` are those that stay, with the reason. JA4 is not compared: this tshark does not have it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from medwarden.dissect.dcerpc import INTERFACES
from medwarden.dissect.mdns import split_service
from medwarden.dissect.observer import Observer
from medwarden.flowcore import CaptureReader, FlowCore, FlowCoreConfig

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

LARGEST = 800_000
EVERY = 3  # of the captures of protocols: the whole would take minutes

Values = dict[str, set[str]]


def as_it_is(text: str) -> str:
    return text


def netbios(text: str) -> str:
    """Return the name in ``CX_0D7560<00> (Workstation/Redirector)``; groups and wildcards have none."""
    name, _, kind = text.partition("<")
    return name.strip() if kind[:2] in ("00", "20") and "(" in kind else ""


def asked(text: str) -> str:
    """Return a question in one form: services without a domain, hosts without ``.local``, in lower case."""
    service, _ = split_service(tuple(label.encode() for label in text.split(".")))
    if service:
        return service
    return text.removesuffix(".local").rstrip(".").lower()


def interface(text: str) -> str:
    return INTERFACES.get(text, text)


def rfb_version(text: str) -> str:
    return ".".join(str(int(part)) for part in text.split("."))


_BEHIND = "bacnet.routed_device"  # of which the vendor id is compared

COMPARED: tuple[tuple[tuple[str, ...], tuple[str, ...], Callable[[str], str]], ...] = (
    (("http.user_agent", "ssdp.user_agent"), ("http.user_agent",), as_it_is),
    (("http.server", "ssdp.server"), ("http.server",), as_it_is),
    (("http.host",), ("http.host",), as_it_is),
    (("tls.sni", "quic.sni", "dtls.sni"), ("tls.handshake.extensions_server_name",), str.lower),
    (("dhcp.host_name",), ("dhcp.option.hostname",), as_it_is),
    (("dhcp.vendor_class",), ("dhcp.option.vendor_class_id",), as_it_is),
    (("dhcp.fqdn",), ("dhcp.fqdn.name",), lambda text: text.rstrip(".")),
    (("ssh.identification",), ("ssh.protocol",), as_it_is),
    (("smb.native_os",), ("smb.native_os",), as_it_is),
    (("smb.native_lanman",), ("smb.native_lanman",), as_it_is),
    (("ntlmssp.computer",), ("ntlmssp.challenge.target_info.nb_computer_name",), as_it_is),
    (("ntlmssp.dns_computer",), ("ntlmssp.challenge.target_info.dns_computer_name",), as_it_is),
    (
        ("ntlmssp.workstation",),
        ("ntlmssp.auth.hostname", "ntlmssp.negotiate.callingworkstation"),
        lambda text: "" if text == "NULL" else text,
    ),
    (("lldp.system_name",), ("lldp.tlv.system.name",), as_it_is),
    (("lldp.system_description",), ("lldp.tlv.system.desc",), as_it_is),
    (("cdp.device_id",), ("cdp.deviceid",), as_it_is),
    (("cdp.platform",), ("cdp.platform",), as_it_is),
    (("enip.product_name",), ("enip.lir.name",), as_it_is),
    (("bacnet.vendor_id", _BEHIND), ("bacapp.vendor_identifier",), as_it_is),
    (
        tuple(f"modbus.{name}" for name in ("vendor_name", "product_code", "revision", "product_name")),
        ("modbus.object_str_value",),
        as_it_is,
    ),
    (("sip.user_agent",), ("sip.User-Agent",), as_it_is),
    (("sip.server",), ("sip.Server",), as_it_is),
    (("mqtt.client_id",), ("mqtt.clientid",), as_it_is),
    (("radius.nas_identifier",), ("radius.NAS_Identifier",), as_it_is),
    (("dcerpc.uses",), ("dcerpc.cn_bind_to_uuid",), interface),
    (("dnp3.address",), ("dnp3.src",), as_it_is),
    (("stp.bridge",), ("stp.bridge.hw",), as_it_is),
    (("stp.root",), ("stp.root.hw",), as_it_is),
    (("sunrpc.machine_name",), ("rpc.auth.machinename",), as_it_is),
    (("rdp.client_name",), ("rdp.client.name",), as_it_is),
    (("syslog.host_name",), ("syslog.hostname",), as_it_is),
    (("browser.host_name",), ("browser.server",), as_it_is),
    (("rfb.version",), ("vnc.server_proto_ver", "vnc.client_proto_ver"), rfb_version),
    (("ntp.stratum",), ("ntp.stratum",), lambda text: "" if text in ("0", "16") else text),
    (("nbns.name",), ("nbns.name",), netbios),
    (
        ("dns.query", "mdns.query", "llmnr.query", "llmnr.host_name", "mdns.host_name", "mdns.service"),
        ("dns.qry.name",),
        asked,
    ),
)

OURS, THEIRS = "only ours", "only tshark's"
DIFFERENCES = (
    (OURS, "mqtt.client_id|ssh.identification|syslog.host_name|tls.sni", ".", "by content, on any port"),
    (OURS, "dns.query", ".", "of mDNS we also count names that a host claims and services it offers"),
    (OURS, "http.server", "UPnP", "descriptions fetched on ports that tshark does not take for HTTP"),
    (OURS, "nbns.name", ".", "tshark shows what kind a name is in answers alone"),
    (
        OURS,
        "smb.native_lanman",
        "Windows Server 2003 R2",
        "tshark does not show the second string of a request",
    ),
    (OURS, "ntlmssp", ".", "tshark gives up on a segment that it has not seen begin"),
    (OURS, "browser.host_name", ".", "of a domain we tell the host that announces it"),
    (THEIRS, "browser.host_name", "WORKGROUP", "the name of a domain is not that of a host"),
    (THEIRS, "http.host", r"^(?:239\.255\.255\.250|\[FF0[25]::C\]):1900$", "the group that SSDP is sent to"),
    (THEIRS, "ntp.stratum", ".", "the stratum a client claims says nothing of a server"),
    (THEIRS, "dcerpc.uses", "^(?:drsuapi|samr|spoolss)$", "inside pipes of SMB, or begun before the capture"),
    (THEIRS, "ntlmssp", ".", "inside pipes of SMB, which is read up to its log-in"),
    (THEIRS, "dns.query", "^<root>$", "the root is asked for by resolvers and says nothing"),
    (
        THEIRS,
        "dns.query",
        r"\.arpa$|^_dns-sd\._udp$",
        "questions for a name of an address, or for all services",
    ),
    (THEIRS, "tls.sni", r"^win-8qso0d3okbi\.hardening\.com$", "TLS inside the packets of RDP over UDP"),
)


@cache
def captures(folder: Path) -> tuple[Path, ...]:
    """Return the sample: every second capture of a protocol, all of our own stacks, one of some devices.

    All captures that are there where MEDWARDEN_ORACLE is ``all``; that takes ten minutes.
    """
    if os.environ.get("MEDWARDEN_ORACLE") == "all":
        return tuple(p for p in sorted(folder.rglob("*")) if p.suffix in (".pcap", ".pcapng", ".cap"))
    protocols = [p for p in sorted((folder / "proto").glob("*/*")) if p.stat().st_size <= LARGEST]
    made = [p for p in sorted((folder / "made").glob("*.pcap")) if p.stat().st_size <= LARGEST]
    devices = sorted((folder / "device_aalto").glob("*/Setup-A-1-STA.pcap"))[::6]
    remote = sorted((folder / "attack" / "malcolm_plugins" / "CVE-2021-1675").glob("*.pcap"))
    return (*protocols[::EVERY], *made, *devices, *remote)


def told(path: Path) -> Values:
    """Return all values by field that the dissectors tell of a capture."""
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
    data, at = path.read_bytes(), 0
    reader = CaptureReader(core, path.name)
    while at < len(data):
        at += reader.feed(data, at, final=True)
    core.take_flows(final=True)
    values: Values = defaultdict(set)
    for segment in core.take_segments():
        for fact in observer.observe(segment):
            name, colon, number = fact.value.partition(" vendor id: ")
            if fact.field != _BEHIND:
                values[fact.field].add(" ".join(fact.value.split()))
            elif colon and name:
                values[_BEHIND].add(number)
    return values


@cache
def known_to_tshark() -> frozenset[str]:
    listed = subprocess.run(["tshark", "-G", "fields"], capture_output=True, text=True, check=True).stdout
    return frozenset(line.split("\t")[2] for line in listed.splitlines() if line.startswith("F"))


def shown(path: Path) -> Values:
    """Return all values by field that tshark shows of a capture."""
    fields = [field for _, theirs, _ in COMPARED for field in theirs if field in known_to_tshark()]
    fields.append("dns.flags.response")
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=a"]
    command += ["-E", "aggregator=\x1f", "-E", "separator=\x1e"]
    output = subprocess.run(
        [*command, *(part for field in fields for part in ("-e", field))],
        capture_output=True, text=True, check=False, timeout=120,
    ).stdout  # fmt: skip
    values: Values = defaultdict(set)
    for line in output.split("\n"):
        texts = line.split("\x1e")
        answers = texts[-1].split("\x1f")[0] in ("1", "True")
        for field, text in zip(fields, texts, strict=False):
            if text and not (answers and field == "dns.qry.name"):  # the question repeated in its answer
                values[field].update(text.split("\x1f"))
    return values


def explained(side: str, field: str, value: str) -> bool:
    return any(
        side == where and re.search(fields, field) and re.search(pattern, value)
        for where, fields, pattern, _ in DIFFERENCES
    )


def test_every_difference_has_its_reason(shared: Path) -> None:
    agreed: Counter[str] = Counter()
    unexplained: list[str] = []
    sample = captures(shared / "captures")
    with ThreadPoolExecutor(2) as pool:  # tshark is mostly start-up
        both = list(zip(sample, pool.map(shown, sample), strict=True))
    for path, theirs_all in both:
        ours_all = told(path)
        for ours, theirs, read in COMPARED:
            mine = set().union(*(ours_all.get(field, set()) for field in ours))
            mine = {asked(value) for value in mine} if read is asked else mine
            texts = {read(text) for field in theirs for text in theirs_all.get(field, ())}
            other = {" ".join(text.split()) for text in texts} - {""}
            agreed[ours[0]] += len(mine & other)
            for side, values in ((OURS, mine - other), (THEIRS, other - mine)):
                unexplained += [
                    f"{path.name}: {ours[0]} {side}: {value[:80]}"
                    for value in sorted(values)
                    if not explained(side, ours[0], value)
                ]
    assert not unexplained, "\n".join(unexplained)
    too_few = {field: agreed[field] for field, least in LEAST.items() if agreed[field] < least}
    assert not too_few, too_few


LEAST = {
    "bacnet.vendor_id": 2, "cdp.platform": 2, "dhcp.host_name": 5, "dhcp.vendor_class": 5, "dns.query": 60,
    "dcerpc.uses": 2, "dnp3.address": 1, "http.host": 10, "http.server": 5, "http.user_agent": 5,
    "lldp.system_name": 1, "mqtt.client_id": 1, "nbns.name": 2, "ntlmssp.computer": 1, "smb.native_os": 1,
    "sip.user_agent": 2, "ssh.identification": 2, "stp.bridge": 1, "tls.sni": 15,
}  # fmt: skip
"""How many values must agree, so that a comparison of nothing cannot pass."""
