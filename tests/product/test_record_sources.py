"""A sensor without a mirror port: syslog, flow exports and followed logs alone make an inventory."""

from __future__ import annotations

import json
import re
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from tests.product.conftest import medwarden
from tests.product.processes import running
from tests.waiting import until

NETFLOW5_HEADER = struct.Struct("!HHIIIIBBH")
NETFLOW5_RECORD = struct.Struct("!4s4s4sHHIIIIHHxBBBHHBBxx")


def netflow5(sequence: int, client: str, server: str, port: int) -> bytes:
    """Return one export packet of NetFlow 5 with one flow (Cisco, NetFlow Services Solutions Guide)."""
    moment = int(time.time())
    header = NETFLOW5_HEADER.pack(5, 1, 60_000, moment, 0, sequence, 0, 0, 0)
    addresses = (socket.inet_aton(client), socket.inet_aton(server), bytes(4))
    record = NETFLOW5_RECORD.pack(
        *addresses, 1, 2, 12, 3400, 40_000, 50_000, 51_000, port, 27, 6, 0, 0, 0, 24, 24
    )
    return header + record


def devices(home: Path) -> list[dict[str, object]]:
    said = medwarden("devices", "--json", home=home)
    assert said.returncode == 0, said.stderr
    return [json.loads(line) for line in said.stdout.splitlines()]


def sensors(home: Path) -> list[dict[str, object]]:
    """Return the sensors with their accounting, as the API shows them."""
    program = (
        "import sys, json, msgspec; from pathlib import Path; from medwarden.store.open import open_store\n"
        "with open_store(Path(sys.argv[1]), writer=False):\n"
        "    from medwarden.store import queries\n"
        "    print(json.dumps(msgspec.to_builtins(queries.sensors(queries.Scope()))))"
    )
    said = subprocess.run([sys.executable, "-c", program, str(home)], capture_output=True, check=True)
    rows: list[dict[str, object]] = json.loads(said.stdout)
    return rows


def test_a_hospital_without_a_mirror_port_still_knows_its_devices(tmp_path: Path) -> None:
    home, log = tmp_path / "home", tmp_path / "conn.log"
    record = {
        "_path": "dhcp",
        "ts": time.time() - 600,
        "uids": ["C1"],
        "msg_types": ["REQUEST", "ACK"],
        "mac": "00:09:fb:11:22:33",
        "assigned_addr": "10.9.0.7",
        "host_name": "MX800-7",
    }
    log.write_text(json.dumps(record) + "\n")
    arguments = ["sensor", "--home", home, "--follow", log]
    arguments += ["--syslog", "udp://127.0.0.1:0", "--netflow", "127.0.0.1:0"]
    with running(arguments, tmp_path) as sensor, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        until(lambda: "listening on" in sensor.printed, "the sensor listens")
        ports = {
            kind: int(port)
            for kind, port in re.findall(r"(netflow|udp)://127\.0\.0\.1:(\d+)", sensor.printed)
        }
        now = time.strftime("%b %e %H:%M:%S", time.gmtime())
        line = f"<30>{now} gw dnsmasq-dhcp[7]: DHCPACK(eth0) 10.9.0.8 00:80:92:aa:bb:cc LABEL-PRINTER"
        out.sendto(line.encode(), ("127.0.0.1", ports["udp"]))
        out.sendto(netflow5(0, "10.9.0.7", "10.9.0.99", 104), ("127.0.0.1", ports["netflow"]))
        out.sendto(netflow5(5, "10.9.0.7", "10.9.0.99", 104), ("127.0.0.1", ports["netflow"]))
        out.sendto(b"\x00\x05garbage", ("127.0.0.1", ports["netflow"]))
        with log.open("a") as grown:
            grown.write(
                json.dumps({**record, "mac": "00:09:fb:11:22:44", "assigned_addr": "10.9.0.9"}) + "\n"
            )
        until(lambda: len(devices(home)) >= 4, "devices of all sources are known")
        assert sensor.end() == 0
    inputs = {row["kind"]: row for row in sensors(home)}
    flows = inputs["netflow"]
    assert flows["records"] == {"read": 3, "parsed": 2, "rejected": 1, "dropped": 0}
    assert flows["missing"] == 4  # by the sequence numbers of the exporter
    assert medwarden("worker", "--once", home=home).returncode == 0
    known = {mac: device for device in devices(home) for mac in device["macs"]}  # type: ignore[attr-defined]
    monitor, printer = known["00:09:fb:11:22:33"], known["00:80:92:aa:bb:cc"]
    assert monitor["ips"] == ["10.9.0.7"] and monitor["names"] == ["MX800-7"]
    assert printer["names"] == ["LABEL-PRINTER"]
    assert known["00:09:fb:11:22:44"]["ips"] == ["10.9.0.9"]
    assert monitor["peers_count"] == 1  # by the flow export, which knows no MAC address
    shown = json.loads(medwarden("coverage", "--json", home=home).stdout)
    assert {h["sensor"].split("-")[0] for h in shown["heard"]} >= {"logs", "syslog"}
    (zeek,) = [gap for gap in shown["limits"] if "Zeek" in gap["topic"]]
    assert "cannot tell" in zeek["detail"] and zeek["remedy"].startswith("Bring in")
