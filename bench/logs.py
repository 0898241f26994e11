"""Measure log intake: lines to columns, and lines to the lake, in events per second of processor time.

    .venv/bin/python bench/logs.py [EVENTS [PART OF A TITLE]]

Logs of a made-up network (Zeek's conn.log and dns.log as JSON and as text, Suricata's EVE with flows alone
and with events of all kinds as a sensor of a hospital writes them) are written to a temporary folder; every
client has a few services that it uses all the time. "parser" is file to columns; "lake" is what ``medwarden
replay`` does up to the flush: columns, resolver, evidence, Iceberg and rows of the database, acknowledged. Of
both the best of some runs is printed, for whatever else the machine does only makes them slower; the target
is of JSON.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from medwarden.app.log_intake import setting_of, take_in_log
from medwarden.sensors.log_files import form_of
from medwarden.sensors.logs.registry import parsers
from medwarden.store.open import open_store

RUNS = 3
TARGET = 250_000
"""Events of a JSON log per second of one core, into the lake."""
CLIENTS, SERVERS = 2000, 60
SERVICES = [("ssl", 443), ("dns", 53)]
START = 1_795_341_600.0
ZONES = ("clinic.example.org", "vendor.example.com", "example.net", "cloud.example.com")
NAMES = [f"{host}.{zone}" for host in ("www", "pacs", "update", "ntp", "ris") for zone in ZONES]


def ends(chance: random.Random, number: int) -> dict[str, object]:
    client = int(chance.paretovariate(1.2) * 20) % CLIENTS
    return {
        "ts": round(START + number / 500, 6),
        "uid": f"C{chance.getrandbits(80):020x}",
        "id.orig_h": f"10.{client // 250}.{client % 250}.7",
        "id.orig_p": chance.randrange(1024, 65536),
        "id.resp_h": f"10.200.0.{client % SERVERS}",
    }


def conn(number: int, chance: random.Random) -> dict[str, object]:
    common = ends(chance, number)
    service, port = SERVICES[(int(str(common["id.orig_p"])) + number) % 2]
    return common | {
        "id.resp_p": port, "proto": "udp" if port == 53 else "tcp", "service": service,
        "duration": round(chance.random() * 20, 6), "orig_bytes": chance.randrange(5000),
        "resp_bytes": chance.randrange(50000), "conn_state": chance.choice(["SF", "SF", "S0", "RSTO"]),
        "local_orig": True, "local_resp": True, "missed_bytes": 0,
        "history": chance.choice(["ShADadFf", "Dd", "ShADadfR"]), "orig_pkts": chance.randrange(90),
        "orig_ip_bytes": chance.randrange(9000), "resp_pkts": chance.randrange(90),
        "resp_ip_bytes": chance.randrange(90000),
    }  # fmt: skip


def dns(number: int, chance: random.Random) -> dict[str, object]:
    name = chance.choice(NAMES)
    return ends(chance, number) | {
        "id.resp_p": 53, "proto": "udp", "trans_id": chance.randrange(65536), "rtt": 0.0012, "query": name,
        "qclass": 1, "qclass_name": "C_INTERNET", "qtype": 1, "qtype_name": "A", "rcode": 0,
        "rcode_name": "NOERROR", "AA": False, "TC": False, "RD": True, "RA": True, "Z": 0,
        "answers": [f"10.200.0.{NAMES.index(name)}"], "TTLs": [60.0], "rejected": False,
    }  # fmt: skip


def eve(number: int, chance: random.Random) -> dict[str, object]:
    client = int(chance.paretovariate(1.2) * 20) % CLIENTS
    minute, second = number // 30_000 % 60, number // 500 % 60
    stamp = f"2026-11-22T{10 + number // 1_800_000:02}:{minute:02}:{second:02}.251547+0000"
    return {
        "timestamp": stamp, "flow_id": chance.getrandbits(50), "in_iface": "eth1", "event_type": "flow",
        "src_ip": f"10.{client // 250}.{client % 250}.7", "src_port": chance.randrange(1024, 65536),
        "dest_ip": f"10.200.0.{client % SERVERS}", "dest_port": 443, "proto": "TCP",
        "app_proto": chance.choice(["tls", "http", "smb"]),
        "flow": {"pkts_toserver": 12, "pkts_toclient": 14, "bytes_toserver": 2300, "bytes_toclient": 9800,
                 "start": stamp, "end": stamp, "age": 0, "state": "closed", "reason": "timeout",
                 "alerted": False},
        "tcp": {"tcp_flags": "1b", "tcp_flags_ts": "1b", "tcp_flags_tc": "1b", "syn": True, "fin": True,
                "psh": True, "ack": True, "state": "closed"},
    }  # fmt: skip


def base(number: int, chance: random.Random, kind: str, port: int, proto: str = "TCP") -> dict[str, object]:
    """Return what all events have."""
    flow = eve(number, chance)
    names = (
        "timestamp",
        "flow_id",
        "in_iface",
        "event_type",
        "src_ip",
        "src_port",
        "dest_ip",
        "dest_port",
        "proto",
    )
    return {name: flow[name] for name in names} | {"event_type": kind, "dest_port": port, "proto": proto}


def eve_dns(number: int, chance: random.Random) -> dict[str, object]:
    name, ident = chance.choice(NAMES), chance.randrange(65536)
    event = base(number, chance, "dns", 53, "UDP")
    if number % 2:
        return event | {
            "dns": {"type": "query", "id": ident, "rrname": name, "rrtype": "A", "tx_id": 0, "opcode": 0}
        }
    address = f"10.200.0.{NAMES.index(name)}"
    return event | {"dns": {
        "version": 2, "type": "answer", "id": ident, "flags": "8180", "qr": True, "rd": True, "ra": True,
        "opcode": 0, "rrname": name, "rrtype": "A", "rcode": "NOERROR", "grouped": {"A": [address]},
        "answers": [{"rrname": name, "rrtype": "A", "ttl": 60, "rdata": address}],
    }}  # fmt: skip


def eve_http(number: int, chance: random.Random) -> dict[str, object]:
    return base(number, chance, "http", 80) | {"tx_id": number % 7, "http": {
        "hostname": chance.choice(NAMES), "url": f"/api/v1/status?n={chance.randrange(1 << 30)}",
        "http_user_agent": f"Agent/{number % 3}.0 (X11; Linux x86_64)",
        "http_content_type": "text/html", "http_method": "GET", "protocol": "HTTP/1.1",
        "status": 200, "length": chance.randrange(9000),
    }}  # fmt: skip


def eve_tls(number: int, chance: random.Random) -> dict[str, object]:
    name = chance.choice(NAMES)
    return base(number, chance, "tls", 443) | {"tls": {
        "subject": f"CN={name}", "issuerdn": "C=US, O=Example Trust, CN=R3",
        "serial": "04:A1:7F:22:90:3B",
        "fingerprint": "aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd",
        "sni": name, "version": "TLS 1.2", "notbefore": "2026-01-01T00:00:00",
        "notafter": "2027-01-01T00:00:00", "ja3": {}, "ja3s": {},
    }}  # fmt: skip


def eve_file(number: int, chance: random.Random) -> dict[str, object]:
    return eve_http(number, chance) | {"event_type": "fileinfo", "app_proto": "http", "fileinfo": {
        "filename": "/api/v1/status", "sid": [], "gaps": False, "state": "CLOSED", "stored": False,
        "size": chance.randrange(9000), "tx_id": 1,
    }}  # fmt: skip


def eve_smb(number: int, chance: random.Random) -> dict[str, object]:
    return base(number, chance, "smb", 445) | {"smb": {
        "id": number % 50, "dialect": "3.11", "command": "SMB2_COMMAND_CREATE", "status": "STATUS_SUCCESS",
        "status_code": "0x0", "session_id": chance.getrandbits(40), "tree_id": 5, "filename": "plan.xlsx",
        "disposition": "FILE_OPEN", "access": "normal", "share": f"\\\\files\\ward{chance.randrange(9)}",
    }}  # fmt: skip


def eve_dhcp(number: int, chance: random.Random) -> dict[str, object]:
    client = chance.randrange(CLIENTS)
    return base(number, chance, "dhcp", 67, "UDP") | {"dhcp": {
        "type": "request", "id": chance.getrandbits(32),
        "client_mac": f"00:0c:29:00:{client >> 8:02x}:{client & 255:02x}",
        "assigned_ip": "0.0.0.0", "client_ip": f"10.{client // 250}.{client % 250}.7", "dhcp_type": "request",
        "hostname": f"pump-{client}", "params": ["subnet_mask", "router", "dns_server"],
    }}  # fmt: skip


def eve_alert(number: int, chance: random.Random) -> dict[str, object]:
    return eve(number, chance) | {"event_type": "alert", "alert": {
        "action": "allowed", "gid": 1, "signature_id": 2_013_028 + number % 40, "rev": 7,
        "category": "Not Suspicious", "signature": "ET POLICY curl User-Agent Outbound", "severity": 3,
    }}  # fmt: skip


def eve_snmp(number: int, chance: random.Random) -> dict[str, object]:
    return base(number, chance, "snmp", 161, "UDP") | {"snmp": {
        "version": 2, "community": "public", "pdu_type": "get_request", "vars": ["1.3.6.1.2.1.1.1.0"],
    }}  # fmt: skip


def eve_ssh(number: int, chance: random.Random) -> dict[str, object]:
    return base(number, chance, "ssh", 22) | {"ssh": {
        "client": {"proto_version": "2.0", "software_version": "OpenSSH_9.2p1"},
        "server": {"proto_version": "2.0", "software_version": "OpenSSH_8.4p1"},
    }}  # fmt: skip


MIXTURE = (
    (eve, 36), (eve_dns, 26), (eve_tls, 10), (eve_http, 9), (eve_file, 6), (eve_smb, 4), (eve_snmp, 3),
    (eve_alert, 3), (eve_dhcp, 2), (eve_ssh, 1),
)  # fmt: skip
"""Events of all kinds and how many of a hundred are of each."""


def mixed(number: int, chance: random.Random) -> dict[str, object]:
    event = chance.choices([made for made, _ in MIXTURE], [share for _, share in MIXTURE])[0]
    return event(number, chance)


def as_json(events: Iterator[dict[str, object]]) -> Iterator[str]:
    for event in events:
        yield json.dumps(event, separators=(",", ":"))


def as_text(events: Iterator[dict[str, object]]) -> Iterator[str]:
    names = None
    for event in events:
        event.setdefault("service", "-")
        if names is None:
            names = sorted(event)
            yield "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn"
            yield "\t".join(["#fields", *names])
        yield "\t".join("T" if event[name] is True else str(event[name]) for name in names)


KINDS: dict[str, tuple[str, Callable[[Iterator[dict[str, object]]], Iterator[str]], object]] = {
    "Zeek conn, JSON": ("conn.log", as_json, conn),
    "Zeek dns, JSON": ("dns.log", as_json, dns),
    "Zeek conn, text": ("conn_text.log", as_text, conn),
    "Suricata flow, EVE": ("eve.json", as_json, eve),
    "Suricata mixed, EVE": ("eve_mixed.json", as_json, mixed),
}


def parse(path: Path) -> float:
    """Return the processor time that a file takes from disk to columns."""
    form = form_of(path)
    assert form is not None
    gc.collect()
    start = time.process_time()
    report = take_in_log(path, form, setting_of(b"only for the benchmark"), lambda *_: None)
    assert report.error is None, report.error
    return time.process_time() - start


def replay(path: Path, home: Path) -> float:
    """Return the processor time that a file takes from disk into the lake."""
    with open_store(home, writer=True) as store:
        from medwarden.app.ingest import Ingest
        from medwarden.app.replay import Replay

        feeding = Replay(Ingest(store, "capture", kind="capture"))
        gc.collect()
        start = time.process_time()
        feeding.file(path)
        feeding.flush()
        spent = time.process_time() - start
        assert feeding.reports[0].error is None, feeding.reports[0].error
    return spent


def main() -> None:
    """Print the table."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    parsers()
    print(f"{'log':<22}{'events':>10}{'MB':>7}{'parser, events/s':>19}{'lake, events/s':>17}  target")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, (file, written, event) in KINDS.items():
            if wanted not in title:
                continue
            chance = random.Random(title)
            path = folder / file
            assert callable(event)
            made = (event(number, chance) for number in range(events))
            with path.open("w") as out:
                out.writelines(f"{line}\n" for line in written(made))
            parse(path)
            parsed = events / min(parse(path) for _ in range(RUNS))
            stored = events / min(replay(path, folder / f"home-{file}-{run}") for run in range(RUNS))
            size = path.stat().st_size / 1e6
            verdict = f"{'reached' if stored >= TARGET else 'not reached'}: {TARGET:,}"
            print(
                f"{title:<22}{events:>10,}{size:>7.0f}{parsed:>19,.0f}{stored:>17,.0f}"
                f"  {verdict if written is as_json else ''}",
                flush=True,
            )


if __name__ == "__main__":
    main()
