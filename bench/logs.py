"""Measure log intake: lines to columns, and lines to the lake, in events per second of processor time.

    .venv/bin/python bench/logs.py [EVENTS [PART OF A TITLE]]

Logs of a made-up network (Zeek's conn.log and dns.log as JSON and as text, Suricata's EVE) are written to a
temporary folder; every client has a few services that it uses all the time. "parser" is file to columns;
"lake" is what ``medwarden replay`` does up to the flush: columns, resolver, evidence, Iceberg and rows of the
database. The median of three runs is printed.
"""

from __future__ import annotations

import gc
import json
import random
import statistics
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
    print(f"{'log':<22}{'events':>10}{'MB':>7}{'parser, events/s':>19}{'lake, events/s':>17}")
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
            parsed = statistics.median(parse(path) for _ in range(RUNS))
            stored = statistics.median(replay(path, folder / f"home-{file}-{run}") for run in range(RUNS))
            size = path.stat().st_size / 1e6
            print(f"{title:<22}{events:>10,}{size:>7.0f}{events / parsed:>19,.0f}{events / stored:>17,.0f}")


if __name__ == "__main__":
    main()
