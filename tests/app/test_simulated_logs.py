"""The logs of a simulated hospital agree with its packets, and other programs can read them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medwarden.app.simulate import Request, simulate, start_of
from medwarden.kernel.errors import ConfigurationError


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hospital")
    start = start_of("2026-03-02T09:00")
    simulate(
        Request(
            devices=80, hours=0.3, seed=4, start=start, logs=("zeek", "eve", "netflow", "dhcp"), split=False
        ),
        folder,
    )
    return folder


def rows(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text().splitlines():
        row = json.loads(line)
        assert isinstance(row, dict)
        yield row


def test_zeek_knows_every_connection_by_its_identifier(hospital: Path) -> None:
    folder = hospital / "logs" / "site-1" / "zeek"
    connections = {row["uid"]: row for row in rows(folder / "conn.log")}
    assert len(connections) > 300
    assert {row["conn_state"] for row in connections.values()} >= {"SF", "S1"}
    for name in ("dns.log", "ssl.log", "http.log"):
        for row in rows(folder / name):
            assert connections[row["uid"]]["id.orig_h"] == row["id.orig_h"]
    for row in connections.values():
        assert row["orig_ip_bytes"] >= 28 * row["orig_pkts"]


def test_suricata_tells_the_same_flows_as_zeek(hospital: Path) -> None:
    folder = hospital / "logs" / "site-1"
    flows = [row for row in rows(folder / "suricata" / "eve.json") if row["event_type"] == "flow"]
    assert len(flows) == len(list(rows(folder / "zeek" / "conn.log")))
    kinds = {row["event_type"] for row in rows(folder / "suricata" / "eve.json")}
    assert kinds >= {"dns", "tls", "dhcp", "http", "flow"}


def test_the_dhcp_server_logs_the_leases_of_the_packets(hospital: Path) -> None:
    lines = (hospital / "logs" / "site-1" / "dhcp" / "dhcpd.log").read_text().splitlines()
    known = {m for d in json.loads((hospital / "truth.json").read_text())["devices"] for m in d["macs"]}
    acknowledged = [re.search(r"DHCPACK on \S+ to (\S+)", line) for line in lines]
    macs = {match[1] for match in acknowledged if match is not None}
    assert macs and macs <= known


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_the_exported_flows(hospital: Path) -> None:
    capture = hospital / "logs" / "site-1" / "netflow" / "netflow9.pcap"
    ran = subprocess.run(
        [
            "tshark",
            "-r",
            capture,
            "-T",
            "fields",
            "-e",
            "cflow.version",
            "-e",
            "cflow.count",
            "-e",
            "_ws.malformed",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    datagrams = [line.split("\t") for line in ran.stdout.splitlines()]
    assert {fields[0] for fields in datagrams} == {"9"}
    assert sum(int(fields[1]) for fields in datagrams) > 500
    assert all(not fields[2] for fields in datagrams)


def test_a_log_that_there_is_not_is_refused(tmp_path: Path) -> None:
    request = Request(devices=20, hours=0.1, seed=1, start=start_of("2026-03-02T09:00"), logs=("bro",))
    with pytest.raises(ConfigurationError, match="bro"):
        simulate(request, tmp_path)
