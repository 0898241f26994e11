"""A simulated hospital on disk: the same request gives the same bytes, and every packet can be read."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from medwarden.app.score import score_captures
from medwarden.app.simulate import Request, simulate, start_of
from medwarden.kernel.errors import ConfigurationError, ResourceError

START = start_of("2026-03-02T08:50")


def request(**more: object) -> Request:
    values: dict[str, object] = {"devices": 60, "hours": 0.3, "seed": 5, "start": START} | more
    return Request(**values)  # type: ignore[arg-type]


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_the_same_request_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        simulate(request(seed=seed), tmp_path / name)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_captures_are_split_by_the_hour_and_packed_as_asked(tmp_path: Path) -> None:
    written = simulate(request(packing=".zst"), tmp_path)
    assert [path.name for path in written.captures] == ["2026-03-02T08.pcap.zst", "2026-03-02T09.pcap.zst"]


@pytest.mark.parametrize("packing", ["", ".gz"])
def test_every_packet_is_parsed_and_nothing_is_malformed(tmp_path: Path, packing: str) -> None:
    simulate(request(devices=120, packing=packing, split=False), tmp_path)
    scored = score_captures([tmp_path / "site-1"], tmp_path / "labels.tsv")
    assert sum(report.packets.rejected for report in scored.inputs) == 0
    assert [report.malformed for report in scored.inputs if report.malformed] == []
    levels = scored.figures["levels"]
    assert isinstance(levels, dict)
    assert levels["class"]["n"] == len((tmp_path / "labels.tsv").read_text().splitlines()) - 1
    assert levels["class"]["correct"] >= 0.9 * levels["class"]["answered"]


def test_the_truth_names_devices_places_actions_and_planted_patients(tmp_path: Path) -> None:
    simulate(request(), tmp_path)
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert len(truth["devices"]) == 60
    assert {device["category"] for device in truth["devices"]} > {"pacs", "workstation", "ip_camera"}
    assert all(device["addresses"][0]["room"] for device in truth["devices"])
    assert truth["patients"][0]["id"].startswith("MRN")
    assert {action["action"] for action in truth["actions"]}
    labels = (tmp_path / "labels.tsv").read_text().splitlines()
    assert labels[0].split("\t") == ["capture", "mac", "class", "category", "vendor", "model"]
    known = {mac for device in truth["devices"] for mac in device["macs"]}
    assert {row.split("\t")[1] for row in labels[1:]} <= known


def test_what_cannot_be_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="at least 12"):
        simulate(request(devices=3), tmp_path)
    with pytest.raises(ConfigurationError, match="packed"):
        simulate(request(packing=".rar"), tmp_path)
    with pytest.raises(ConfigurationError, match="no time"):
        start_of("tomorrow")
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError):
        simulate(request(), tmp_path / "file")


def test_a_large_site_is_simulated_in_processes_and_still_in_order_and_repeatable(tmp_path: Path) -> None:
    for name in ("a", "b"):
        simulate(request(devices=1250, hours=0.05, split=False), tmp_path / name)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    octets = (tmp_path / "a" / "site-1" / "capture.pcap").read_bytes()
    at, before = 24, 0
    while at < len(octets):
        seconds, rest, size, _ = struct.unpack_from("<IIII", octets, at)
        assert seconds * 10**9 + rest >= before
        before, at = seconds * 10**9 + rest, at + 16 + size
    assert before > START


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_finds_nothing_malformed_lost_or_with_a_wrong_checksum(tmp_path: Path) -> None:
    written = simulate(request(devices=80, split=False, incidents=("smb_worm", "cfind_scraping")), tmp_path)
    wrong = (
        "_ws.malformed || ip.checksum.status==0 || tcp.checksum.status==0 || udp.checksum.status==0"
        " || tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment"
    )
    checks = [f"{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
    options = [part for check in checks for part in ("-o", check)]
    ran = subprocess.run(
        ["tshark", "-r", written.captures[0], "-Y", wrong, *options],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == ""
