"""Replaying captures: everything accounted for, twice changes nothing, a kill loses and doubles nothing."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.product.conftest import WARD, Command, lines, medwarden

Rows = dict[str, list[tuple[object, ...]]]
Held = tuple[Rows, tuple[int, int]]


def rows(home: Path) -> Rows:
    """Return what the inventory holds, without the counters that say an input was seen again."""
    # Tokens of staff names are keyed by the folder's own secret and differ between folders.
    queries = {
        "device": "select id, first_seen, last_seen, device_class, category, vendor, model, risk_score"
        " from store_device",
        "evidence": "select device_id, sensor, source, field, value, first_seen, last_seen, count"
        " from store_evidenceentry where field != 'dicom.operator'",
        "conversation": "select device_id, role, peer_device, peer_ip, transport, port, flows, packets,"
        " bytes_sent, bytes_received from store_conversation",
        "service": "select device_id, transport, port, flows, bytes from store_service",
        "finding": "select id, state, severity from store_finding",
    }
    connection = sqlite3.connect(home / "state.sqlite3")
    try:
        return {name: sorted(connection.execute(query), key=repr) for name, query in queries.items()}
    finally:
        connection.close()


def lake_rows(home: Path) -> tuple[int, int]:
    """Return how many flows and facts the lake holds, as the product itself counts them."""
    script = (
        "import sys; from pathlib import Path; from medwarden.store.open import open_store\n"
        "with open_store(Path(sys.argv[1]), writer=False) as s:\n"
        "    print(s.lake.count('flows', tenant='default'), s.lake.count('evidence', tenant='default'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(home)], capture_output=True, text=True, check=True
    )
    flows, facts = done.stdout.split()
    return int(flows), int(facts)


def test_every_packet_of_the_ward_is_accounted_for(run: Command) -> None:
    outcome = run("replay", WARD, "--json")
    assert outcome.returncode == 0, outcome.stderr
    (report,) = json.loads(outcome.stdout)["inputs"]
    packets = report["packets"]
    assert packets["read"] > 3000
    assert packets["read"] == packets["parsed"] + packets["rejected"] + packets["dropped"]
    assert report["error"] is None
    assert report["malformed"] == {}


def test_replaying_twice_changes_nothing_but_the_counter(run: Command, home: Path) -> None:
    assert run("replay", WARD).returncode == 0
    before, lake = rows(home), lake_rows(home)
    again = run("replay", WARD, "--json")
    assert again.returncode == 0
    (report,) = json.loads(again.stdout)["inputs"]
    assert report["already"] is True
    assert rows(home) == before
    assert lake_rows(home) == lake
    connection = sqlite3.connect(home / "state.sqlite3")
    (seen,) = connection.execute("select times_seen from store_inputledger").fetchone()
    connection.close()
    assert seen == 2


def test_the_same_content_under_another_name_is_the_same_input(
    run: Command, tmp_path: Path, home: Path
) -> None:
    assert run("replay", WARD).returncode == 0
    before = rows(home)
    other = tmp_path / "renamed.cap"
    other.write_bytes(WARD.read_bytes())
    assert run("replay", other).returncode == 0
    assert rows(home) == before


def ledger(home: Path) -> tuple[int, int]:
    """Return how many inputs are entered, and how many batches of them are acknowledged."""
    connection = sqlite3.connect(f"file:{home / 'state.sqlite3'}?mode=ro", uri=True, timeout=30)
    try:
        query = "select count(*), coalesce(sum(next_batch), 0) from store_inputledger"
        inputs, batches = connection.execute(query).fetchone()
        return int(inputs), int(batches)
    finally:
        connection.close()


def in_lake(home: Path, table: str) -> bool:
    return any((home / "lake" / table).rglob("*.parquet"))


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "input entered": lambda home: ledger(home)[0] > 0,
    "flows written": lambda home: in_lake(home, "flows"),
    "facts written": lambda home: in_lake(home, "evidence"),
    "acknowledged": lambda home: ledger(home)[1] > 0,
}


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two captures that overlap."""
    folder = tmp_path_factory.mktemp("captures")
    whole = gzip.decompress(WARD.read_bytes())
    (folder / "ward.pcap").write_bytes(whole)
    (folder / "half.pcap").write_bytes(first_packets(whole, 1500))
    return folder


@pytest.fixture(scope="module")
def undisturbed(captures: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Held:
    """Return what a folder holds into which the captures were replayed without anything coming between."""
    home = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("undisturbed") / "home"))
    assert medwarden("replay", captures, home=home).returncode == 0
    return rows(home), lake_rows(home)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_in_the_middle_loses_and_doubles_nothing(
    captures: Path, undisturbed: Held, prepared: Path, tmp_path: Path, moment: str
) -> None:
    """Kill a replay when it has come so far, replay again, and compare with the one left alone."""
    for attempt in range(5):  # where this test is slower than the replay it has to try again
        home = Path(shutil.copytree(prepared, tmp_path / f"home-{attempt}"))
        if killed_when(MOMENTS[moment], captures, home):
            break
    else:
        pytest.fail(f"the replay was over before it could be killed: {moment}")
    again = medwarden("replay", captures, home=home)
    assert again.returncode == 0, again.stderr
    held, in_the_lake = undisturbed
    assert rows(home) == held
    assert lake_rows(home) == in_the_lake
    doctor = medwarden("doctor", "--json", home=home)
    assert doctor.returncode == 0, doctor.stdout


def killed_when(reached: Callable[[Path], bool], captures: Path, home: Path) -> bool:
    """Replay and kill the process as soon as ``reached``; tell whether it was still running then."""
    process = subprocess.Popen(
        [sys.executable, "-m", "medwarden", "replay", str(captures)],
        env={**os.environ, "MEDWARDEN_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not reached(home):
        time.sleep(0.005)
    process.kill()
    return process.wait() == -signal.SIGKILL


def first_packets(capture: bytes, count: int) -> bytes:
    """Return a pcap with the first packets of another."""
    at = 24
    for _ in range(count):
        at += 16 + int.from_bytes(capture[at + 8 : at + 12], "little")
    return capture[:at]


def test_the_inventory_obeys_the_contract(ward_home: Path) -> None:
    devices = lines(medwarden("devices", "--json", home=ward_home))
    assert len(devices) >= 24
    keys = {
        "id", "macs", "ips", "names", "class", "category", "vendor", "model", "os", "os_version", "firmware",
        "serial", "confidence", "managed", "location", "subnet", "first_seen", "last_seen", "risk", "phi",
        "protocols", "services", "peers_count", "attributes",
    }  # fmt: skip
    for device in devices:
        assert keys <= set(device)
        assert set(device["confidence"]) >= {"class", "category", "vendor", "model"}
        assert device["class"] in {"IoMT", "IoT", "OT", "IT", "NET", "unknown"}
        assert 0 <= device["risk"]["score"] <= 100
        for level in ("category", "vendor", "model"):
            assert (device[level] is None) == (device["confidence"][level] is None)
        for attribute in device["attributes"]:
            assert {"field", "value", "confidence", "evidence"} <= set(attribute)
            for fact in attribute["evidence"]:
                assert {"source", "field", "value", "sensor", "first_seen", "last_seen", "count"} <= set(fact)


def test_the_ward_is_known_for_what_it_is(ward_home: Path) -> None:
    by_mac = {mac: d for d in lines(medwarden("devices", "--json", home=ward_home)) for mac in d["macs"]}
    expected = {
        "00:01:e3:44:02:21": ("IoMT", "ct", "Siemens Healthineers", "SOMATOM go.Top"),
        "00:09:fb:31:70:23": ("IoMT", "mri", "Philips", "Ingenia"),
        "00:1b:9c:55:03:22": ("IoMT", "ultrasound", "GE HealthCare", "LOGIQE10"),
        "00:14:22:7e:10:10": ("IoMT", "pacs", None, None),
        "00:14:22:7e:10:11": ("IoMT", "mwl_ris", None, None),
        "00:30:e6:20:41:33": ("IoMT", "ventilator", "Draeger", "Evita V600"),
        "00:1e:bd:5c:11:02": ("NET", "network_switch", "Cisco", None),
        "00:40:8c:d1:20:72": ("IoT", "ip_camera", "Axis", "P3245-LVE"),
    }
    for mac, (kind, category, vendor, model) in expected.items():
        device = by_mac[mac]
        assert (device["class"], device["category"]) == (kind, category), device["names"]
        if vendor:
            assert device["vendor"] == vendor
        if model:
            assert device["model"] == model
    titles = {a["value"] for a in by_mac["00:01:e3:44:02:21"]["attributes"] if a["field"] == "dicom.ae_title"}
    assert titles == {"CT_SOMATOM"}
