"""What tshark and we both read in captures of real devices must be the same; each difference has its reason.

A sample is compared by default. All captures are with

    MEDWARDEN_ORACLE=all .venv/bin/python -m pytest tests/dissect/test_oracle_network.py

which takes about six minutes of one processor, most of it tshark's.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest
from tests.dissect.oracle import COMPARED, compare, packets, told
from tests.dissect.oracle_differences import DIFFERENCES

LARGEST = 800_000
EVERY = 3  # of the captures of protocols: the whole would take minutes
ALL = os.environ.get("MEDWARDEN_ORACLE") == "all"

pytestmark = [
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed"),
    pytest.mark.timeout(3_600 if ALL else 300),
]


@cache
def captures(folder: Path) -> tuple[Path, ...]:
    """Return the sample: every third capture of a protocol, all of our own stacks, one of some devices."""
    if ALL:
        return tuple(p for p in sorted(folder.rglob("*")) if p.suffix in (".pcap", ".pcapng", ".cap"))
    protocols = [p for p in sorted((folder / "proto").glob("*/*")) if p.stat().st_size <= LARGEST]
    made = [p for p in sorted((folder / "made").glob("*.pcap")) if p.stat().st_size <= LARGEST]
    devices = sorted((folder / "device_aalto").glob("*/Setup-A-1-STA.pcap"))[::6]
    remote = sorted((folder / "attack" / "malcolm_plugins" / "CVE-2021-1675").glob("*.pcap"))
    return (*protocols[::EVERY], *made, *devices, *remote)


def test_every_difference_has_its_reason(shared: Path) -> None:
    agreed: Counter[str] = Counter()
    unexplained: list[str] = []
    sample = captures(shared / "captures")
    with ThreadPoolExecutor(2) as pool:  # tshark is mostly start-up
        for path, seen in zip(sample, pool.map(packets, sample), strict=True):
            ours = told(path)
            for row in COMPARED:
                same, apart = compare(row, ours, seen)
                agreed[row.ours[0]] += same
                unexplained += [f"{path.name}: {row.ours[0]} {side}: {value[:80]}" for side, value in apart]
    assert not unexplained, "\n".join(unexplained)
    least = LEAST_OF_ALL if ALL else LEAST
    too_few = {field: agreed[field] for field, count in least.items() if agreed[field] < count}
    assert not too_few, too_few


def test_every_reason_says_something() -> None:
    """Hold the table to its form: reasons in words, and none that would excuse a whole side of everything."""
    for sides, fields, _pattern, reason in DIFFERENCES:
        assert sides
        assert len(reason) > 10, fields
        assert fields.strip("^.*$"), f"{reason}: excuses every field"


# How many values must agree, so that a comparison of nothing cannot pass.
LEAST = {
    "bacnet.vendor_id": 2, "cdp.platform": 2, "dhcp.host_name": 5, "dhcp.vendor_class": 5, "dns.query": 60,
    "dcerpc.uses": 2, "dnp3.address": 1, "http.host": 10, "http.server": 5, "http.user_agent": 5,
    "lldp.system_name": 1, "mqtt.client_id": 1, "nbns.name": 2, "ntlmssp.computer": 1, "smb.native_os": 1,
    "sip.user_agent": 2, "ssh.identification": 2, "stp.bridge": 1, "tls.sni": 15, "tls.ja4": 15,
    "dhcp.parameter_request_list": 5, "dns.resolved": 50, "tls.cipher": 10, "arp.ip": 20,
}  # fmt: skip
LEAST_OF_ALL = {
    "arp.ip": 800, "bacnet.vendor_id": 10, "cdp.version": 5, "dhcp.address": 200, "dhcp.boot_file": 2,
    "dhcp.parameter_request_list": 350, "dhcpv6.duid": 10, "dns.nxdomain": 100, "dns.query": 2900,
    "dns.resolved": 3500, "http.content_type": 500, "http.host": 450, "http.server": 450, "kerberos.realm": 4,
    "lldp.chassis_id": 8, "modbus.function": 9, "ntp.reference_id": 80, "ntp.version": 240,
    "sip.user_agent": 3, "smb.client_guid": 14, "snmp.sys_name": 2, "ssdp.location": 150,
    "ssh.identification": 15, "tls.certificate_san": 800, "tls.certificate_serial": 230, "tls.cipher": 370,
    "tls.ja4": 300, "tls.sni": 280,
}  # fmt: skip
