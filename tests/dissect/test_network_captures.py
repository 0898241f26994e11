"""The network dissectors over real captures: every labelled host name, and field by field against tshark."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import dpkt
import pytest

from medwarden.dissect.registry import dissectors
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence, clean
from medwarden.model.segment import Dissector, Segment, Transport

NETWORK = (
    "arp", "ndp", "dhcp", "dhcpv6", "dns", "mdns", "llmnr", "nbns", "browser", "ssdp", "wsd", "lldp", "cdp",
    "ntp", "syslog", "snmp", "eapol",
)  # fmt: skip
ETHERNET, RAW = 1, (101, 12, 14)
IPV4, IPV6, VLAN = 0x0800, 0x86DD, (0x8100, 0x88A8)


@cache
def _table() -> tuple[dict[int, list[Dissector]], dict[int, list[Dissector]]]:
    """Return dissectors by ethertype and by UDP port."""
    ethertypes: dict[int, list[Dissector]] = {}
    ports: dict[int, list[Dissector]] = {}
    for member in dissectors():
        manifest = member.manifest
        if manifest.name not in NETWORK:
            continue
        made = member()
        for ethertype in manifest.ethertypes:
            ethertypes.setdefault(ethertype, []).append(made)
        for port in manifest.ports if Transport.UDP in manifest.transports else ():
            ports.setdefault(port, []).append(made)
    return ethertypes, ports


def _segments(path: Path) -> Iterator[Segment]:
    """Yield frames and datagrams of a capture; fragments and what dpkt cannot read are left out."""
    with path.open("rb") as file:
        reader = dpkt.pcap.UniversalReader(file)
        link = reader.datalink()
        for ts, frame in reader:
            macs: tuple[str | None, str | None] = (None, None)
            vlan = None
            if link == ETHERNET and len(frame) >= 14:
                macs = (frame[6:12].hex(":"), frame[:6].hex(":"))
                ethertype, offset = int.from_bytes(frame[12:14], "big"), 14
                while ethertype in VLAN:
                    vlan = int.from_bytes(frame[offset : offset + 2], "big") & 0xFFF
                    ethertype = int.from_bytes(frame[offset + 2 : offset + 4], "big")
                    offset += 4
                payload = frame[offset:]
                if ethertype < 1536 and payload[:3] == b"\xaa\xaa\x03":
                    payload, ethertype = payload[8:ethertype], int.from_bytes(payload[6:8], "big")
            elif link in RAW and frame:
                ethertype, payload = (IPV4 if frame[0] >> 4 == 4 else IPV6), frame
            else:
                continue
            yield from _unwrapped(int(float(ts) * 1e9), macs, vlan, ethertype, payload)


def _unwrapped(
    ts_ns: int, macs: tuple[str | None, str | None], vlan: int | None, ethertype: int, payload: bytes
) -> Iterator[Segment]:
    if ethertype not in (IPV4, IPV6):
        yield Segment(
            ts_ns, 1, Transport.ETHERNET, *macs, None, None, 0, 0, vlan, True, payload, ethertype=ethertype
        )
        return
    try:
        packet = dpkt.ip.IP(payload) if ethertype == IPV4 else dpkt.ip6.IP6(payload)
    except (dpkt.UnpackError, IndexError):
        return
    if ethertype == IPV4 and (packet.mf or packet.offset):
        return
    ips = (str(ip_address(packet.src)), str(ip_address(packet.dst)))
    if isinstance(packet.data, dpkt.udp.UDP):
        ports = (packet.data.sport, packet.data.dport)
        body = bytes(packet.data.data)
        yield Segment(ts_ns, 1, Transport.UDP, *macs, *ips, *ports, vlan, True, body)
    elif isinstance(packet.data, dpkt.icmp6.ICMP6):
        yield Segment(
            ts_ns, 1, Transport.ETHERNET, *macs, *ips, 0, 0, vlan, True, payload, ethertype=ethertype
        )


def _facts(paths: Iterable[Path], malformed: Counter[str] | None = None) -> list[Evidence]:
    ethertypes, ports = _table()
    facts: list[Evidence] = []
    for path in paths:
        for segment in _segments(path):
            if segment.transport is Transport.ETHERNET:
                members = ethertypes.get(segment.ethertype, [])
            else:
                members = ports.get(segment.dst_port) or ports.get(segment.src_port) or []
            for member in members:
                try:
                    facts.extend(member.feed(segment))
                except MalformedInput:
                    if malformed is not None:
                        malformed[member.manifest.name] += 1
    return facts


def _captures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.pcap*") if path.is_file())


def test_every_labelled_device_says_its_dhcp_names_and_fingerprint(shared: Path) -> None:
    labels = shared / "captures" / "device_labels.tsv"
    judged = 0
    with labels.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            folder = shared / "captures" / row["folder"]
            said = {(f.field, f.value) for f in _facts(_captures(folder)) if f.mac == row["mac"]}
            for column, field in (
                ("dhcp_hostname", "dhcp.host_name"),
                ("dhcp_vendor_class", "dhcp.vendor_class"),
                ("dhcp_opt55", "dhcp.parameter_request_list"),
            ):
                if row[column]:
                    assert (field, row[column]) in said, f"{row['folder']} lacks {field}"
                    judged += 1
    assert judged > 60


def test_sound_captures_hold_nothing_malformed(shared: Path) -> None:
    """One datagram of six bytes to port 53 (EdnetGateway) is broken in fact."""
    malformed: Counter[str] = Counter()
    facts = _facts(_captures(shared / "captures" / "device_aalto"), malformed)
    assert malformed == {"dns": 1}
    assert len(facts) > 10_000


def test_hostile_captures_give_facts_and_raise_nothing_else(shared: Path) -> None:
    facts = _facts(_captures(shared / "captures" / "attack"))
    assert {"arp", "dhcp", "dns", "mdns", "nbns"} <= {fact.source for fact in facts}


def _name(value: str) -> str:
    return value.rstrip(".").lower()


def _netbios(value: str) -> str:
    return value.partition("<")[0].strip()


ORACLE: tuple[tuple[str, str, str, str, Callable[[str], str]], ...] = (
    ("dhcp", "dhcp.host_name", "dhcp.type == 1", "dhcp.option.hostname", str),
    ("dhcp", "dhcp.vendor_class", "dhcp.type == 1", "dhcp.option.vendor_class_id", str),
    ("dhcp", "dhcp.requested_address", "dhcp.type == 1", "dhcp.option.requested_ip_address", str),
    ("dhcp", "dhcp.address", "dhcp.option.dhcp == 5 && dhcp.ip.your != 0.0.0.0", "dhcp.ip.your", str),
    ("dhcpv6", "dhcpv6.fqdn", "dhcpv6.msgtype < 7", "dhcpv6.client_domain", str),
    ("dns", "dns.query", "dns.flags.response == 0 && udp.port == 53", "dns.qry.name", _name),
    (
        "llmnr",
        "llmnr.query",
        "llmnr && dns.flags.response == 0 && dns.qry.type != 255",
        "dns.qry.name",
        _name,
    ),
    ("nbns", "nbns.query", "nbns.flags.response == 0 && nbns.flags.opcode == 0", "nbns.name", _netbios),
    ("ssdp", "ssdp.server", "ssdp", "http.server", str),
    ("ssdp", "ssdp.location", "ssdp", "http.location", str),
    ("lldp", "lldp.system_name", "lldp", "lldp.tlv.system.name", str),
    ("cdp", "cdp.device_id", "cdp", "cdp.deviceid", str),
    ("cdp", "cdp.platform", "cdp", "cdp.platform", str),
    ("cdp", "cdp.port_id", "cdp", "cdp.portid", str),
    ("ntp", "ntp.stratum", "ntp.flags.mode == 4 && ntp.stratum > 0", "ntp.stratum", str),
    ("snmp", "snmp.engine_id", "snmp", "snmp.msgAuthoritativeEngineID", str),
)


# The root, any NetBIOS name, an absent engine and "no address" say nothing of a device.
NO_FACTS = {"<root>", "*", "<MISSING>", "0.0.0.0"}


@pytest.mark.parametrize("row", ORACLE, ids=lambda row: row[1])
def test_tshark_reads_the_same(row: tuple[str, str, str, str, Callable[[str], str]], shared: Path) -> None:
    protocol, field, filter_, column, normalised = row
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    for path in _captures(shared / "captures" / "proto" / protocol):
        command = [
            tshark,
            "-n",
            "-r",
            str(path),
            "-Y",
            filter_,
            "-T",
            "fields",
            "-e",
            column,
            "-E",
            "aggregator=\x1f",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        theirs = {clean(normalised(v)) for line in done.stdout.splitlines() for v in line.split("\x1f") if v}
        theirs -= NO_FACTS
        ours = {fact.value for fact in _facts([path]) if fact.field == field}
        assert ours == theirs, path.name
