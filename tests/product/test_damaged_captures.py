"""Every real capture, cut off and with flipped bytes: each packet is accounted for, nothing escapes.

Five cuts at random offsets, one byte in a hundred flipped anywhere, and one in a hundred within packets
only, through the flow core and all dissectors; all follow from the file's name, so that a failure can be
had again.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from medwarden.app.intake import take_in
from medwarden.model.batch import Batch

CUTS = 5
SHARES = 24
KEY = b"k" * 32
LARGEST = 4 << 20
"""Bytes of a capture of which damaged copies are read; of a larger one, its beginning."""


def captures(shared: Path) -> list[Path]:
    found = [p for p in sorted((shared / "captures").rglob("*")) if p.suffix in (".pcap", ".pcapng", ".cap")]
    assert found
    return found


def flipped(data: bytes, choice: random.Random, where: Sequence[int]) -> bytes:
    """Return a copy with one in a hundred of the bytes at ``where`` changed to any other."""
    copy = bytearray(data)
    for _ in range(max(1, len(where) // 100)):
        copy[choice.choice(where)] ^= choice.randrange(1, 256)
    return bytes(copy)


def packet_bytes(data: bytes) -> list[int]:
    """Return where packets lie in a capture, so that flips there leave the records of the file whole.

    libpcap's file format, and pcapng's enhanced packet blocks.
    """
    places: list[int] = []
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        order = "<" if data[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
        at = 0
        while at + 28 <= len(data):
            kind, length = struct.unpack_from(order + "II", data, at)
            if length < 12:
                break
            if kind == 6:
                (captured,) = struct.unpack_from(order + "I", data, at + 20)
                places += range(at + 28, min(at + 28 + captured, len(data)))
            at += length
        return places
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at = 24
    while at + 16 <= len(data):
        (captured,) = struct.unpack_from(order + "I", data, at + 8)
        places += range(at + 16, min(at + 16 + captured, len(data)))
        at += 16 + captured
    return places


def read(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    batches: list[Batch] = []
    report = take_in(path, KEY, batches.append)
    packets = report.packets
    assert packets.read == packets.parsed + packets.rejected + packets.dropped
    assert sum(report.rejected_reasons.values()) == packets.rejected
    assert [name for name in report.malformed if "!" in name] == []  # a dissector's own defect
    told = sum(
        int(out) + int(back)
        for b in batches
        for out, back in zip(
            b.flows.column("packets_out").to_pylist(), b.flows.column("packets_in").to_pylist(), strict=True
        )
    )
    assert told <= packets.parsed


@pytest.mark.parametrize("share", range(SHARES))
def test_every_packet_of_a_damaged_capture_is_accounted_for(share: int, shared: Path, tmp_path: Path) -> None:
    for path in captures(shared)[share::SHARES]:
        choice = random.Random(path.name)
        data = path.read_bytes()[:LARGEST]
        if len(data) < 64:
            continue
        copy = tmp_path / path.name
        for _ in range(CUTS):
            read(data[: choice.randrange(1, len(data))], copy)
        read(flipped(data, choice, range(24, len(data))), copy)
        if places := packet_bytes(data):
            read(flipped(data, choice, places), copy)
        copy.unlink()
