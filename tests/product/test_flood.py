"""Hostile networks: floods of interfaces, of names and of flows leave a product that still works."""

from __future__ import annotations

import random
import struct
from pathlib import Path

from tests.flowcore import packets as made
from tests.product.conftest import WARD, Command, lines

from medwarden.inventory.flood import MOST_HEARD_ONCE
from medwarden.inventory.identity import MOST_VALUES


def arp(mac: bytes, ip: bytes) -> bytes:
    """Return a gratuitous ARP announcement (RFC 826)."""
    said = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + ip + bytes(6) + ip
    return b"\xff" * 6 + mac + b"\x08\x06" + said


def test_a_flood_of_interfaces_is_cut_off_and_said(run: Command, tmp_path: Path) -> None:
    chance = random.Random(3)
    flood = tmp_path / "flood.pcap"
    frames = [arp(b"\x02" + chance.randbytes(5), b"\x0a" + chance.randbytes(3)) for _ in range(25_000)]
    flood.write_bytes(made.pcap((made.START + at * 1_000_000, frame) for at, frame in enumerate(frames)))
    outcome = run("assess", flood, WARD, "--out", tmp_path / "out")
    assert outcome.returncode == 0, outcome.stderr
    assert "a flood of interfaces that were heard only once" in outcome.stderr
    assert "packets read = " in outcome.stderr
    devices = int(outcome.stderr.partition(" devices, ")[0].rpartition("\n")[2])
    assert MOST_HEARD_ONCE + 15 < devices < MOST_HEARD_ONCE + 40, (
        "the ward's devices are there, the rest is cut"
    )


def test_one_device_with_endless_names_and_flows_stays_one_device(run: Command, tmp_path: Path) -> None:
    """Let one client show 20,000 host names, odd ones among them, and open 64,000 connections."""
    capture = tmp_path / "busy.pcap"
    frames = []
    for number in range(20_000):
        odd = ("=cmd|' /C calc'!A0", "a\x00b", "x" * 400, "\x1b[2J", "\u202eevil", "<script>")[number % 6]
        line = f"<134>1 2026-01-02T03:04:05Z host{number}{odd} app - - - x".encode()
        frames.append(made.udp_frame(line, dst=514))
    frames += [made.tcp_frame(b"", src=1_024 + number, dst=443, flags=made.SYN) for number in range(64_000)]
    capture.write_bytes(made.pcap((made.START + at * 10_000, frame) for at, frame in enumerate(frames)))
    outcome = run("replay", capture)
    assert outcome.returncode == 0, outcome.stderr
    devices = lines(run("devices", "--json"))
    (busy,) = (device for device in devices if made.CLIENT_MAC in device["macs"])
    for field in {attribute["field"] for attribute in busy["attributes"]}:
        values = [a["value"] for a in busy["attributes"] if a["field"] == field]
        assert len(values) <= MOST_VALUES, field
        assert all(value.isprintable() and len(value) <= 512 for value in values), field
    assert len(devices) <= 2
    assert busy["peers_count"] <= 2
