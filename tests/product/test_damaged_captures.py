"""Every real capture and flow log, cut off and with flipped bytes: all is accounted for, nothing escapes.

Five cuts at random offsets, one byte in a hundred flipped anywhere, and one in a hundred within packets
only, through the flow core and all dissectors; all follow from the file's name, so that a failure can be
had again. The process may not grow by what it reads.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from medwarden.app.intake import take_in
from medwarden.app.log_intake import setting_of, take_in_log
from medwarden.model.accounting import InputReport
from medwarden.model.batch import Batch
from medwarden.sensors.log_files import form_of

CUTS = 5
SHARES = 24
KEY = b"k" * 32
LARGEST_LOG = 1 << 20
LARGEST = 4 << 20
"""Bytes of a capture of which damaged copies are read; of a larger one, its beginning."""

GROWTH = 384 << 20
"""Resident bytes by which the process may grow over one share; what libraries load at first use is in it."""


def resident() -> int:
    """Return the resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def said_once(error: str | None, path: Path) -> None:
    """Hold what is said of a damaged file to one printable sentence that names it and the place."""
    if error is not None:
        assert error.isprintable()
        assert error.startswith(f"{path}, byte "), error


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
    said_once(report.error, path)
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
    before = resident()
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
    assert resident() - before < GROWTH


def test_every_record_of_a_damaged_log_is_accounted_for(shared: Path, tmp_path: Path) -> None:
    before = resident()
    for path in sorted((shared / "captures" / "flows").iterdir()):
        form = form_of(path)
        assert form is not None
        choice = random.Random(path.name)
        data = path.read_bytes()[:LARGEST_LOG]
        cuts = [data[: choice.randrange(1, len(data))] for _ in range(CUTS)]
        copy = tmp_path / path.name
        for damaged in (*cuts, flipped(data, choice, range(len(data)))):
            copy.write_bytes(damaged)
            flows: list[int] = []

            def keep(batch: Batch, _report: InputReport, rows: list[int] = flows) -> None:
                rows.append(batch.flows.num_rows)

            report = take_in_log(copy, form, setting_of(KEY), keep)
            records = report.records
            assert records.read == records.parsed + records.rejected + records.dropped
            assert sum(report.rejected_reasons.values()) == records.rejected + records.dropped
            assert sum(flows) <= records.parsed
            assert (report.error is not None) == (records.rejected > 0)
            said_once(report.error, copy)
    assert resident() - before < GROWTH
