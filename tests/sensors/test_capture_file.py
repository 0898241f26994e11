"""Capture files from disk: every kind of file ends in one sentence, and nothing readable is lost."""

from __future__ import annotations

import gzip
import os
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard
from tests.waiting import PATIENCE, until

from medwarden.flowcore import FlowCore, FlowCoreConfig
from medwarden.model.accounting import InputReport
from medwarden.sensors import capture_file
from medwarden.sensors.capture_file import read_capture, sniff

HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)
SECTION = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)


def record(number: int, size: int = 100) -> bytes:
    udp = struct.pack("!HHHH", 20_000 + number % 1000, 5000, 8 + size, 0) + bytes(size)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\n\0\0\1", b"\n\0\0\2")
    frame = b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\x00" + ip + udp
    return struct.pack("<IIII", 1_700_000_000 + number, 0, len(frame), len(frame)) + frame


def capture(packets: int, size: int = 100) -> bytes:
    return HEADER + b"".join(record(number, size) for number in range(packets))


def read(path: Path) -> tuple[InputReport, int]:
    """Read a file; returns the report and how many hand-offs there were."""
    core = FlowCore()
    handed: list[int] = []
    report = read_capture(path, core, on_batch=lambda full: handed.append(len(full.take_segments())))
    assert report.packets.balanced()
    assert report.path == str(path)
    return report, sum(handed)


def test_a_plain_capture(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(capture(5000))
    report, handed = read(path)
    assert (report.error, report.format, report.packets.read, report.packets.parsed) == (
        None,
        "pcap",
        5000,
        5000,
    )
    assert (report.bytes, handed) == (path.stat().st_size, 5000)
    assert (report.first_ns, report.last_ns) == (1_700_000_000 * 10**9, 1_700_004_999 * 10**9)


def packed(data: bytes, packer: str) -> bytes:
    if packer == "gzip":
        return gzip.compress(data)
    if packer == "gzip members":
        half = len(data) // 2
        return gzip.compress(data[:half]) + gzip.compress(data[half:]) + bytes(100)
    if packer == "zstd":
        return zstandard.compress(data)
    half = len(data) // 2
    skippable = struct.pack("<II", 0x184D2A50, 5) + b"skip!"
    return zstandard.compress(data[:half]) + skippable + zstandard.compress(data[half:])


@pytest.mark.parametrize("packer", ["gzip", "gzip members", "zstd", "zstd frames"])
def test_packed_captures(tmp_path: Path, packer: str) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(packed(capture(20_000), packer))
    assert sniff(path) == "pcap"
    report, handed = read(path)
    assert (report.error, report.packets.parsed, handed) == (None, 20_000, 20_000)
    assert report.bytes == path.stat().st_size


@pytest.mark.parametrize("packer", ["gzip", "zstd"])
def test_packed_data_that_end_too_early_or_are_damaged(tmp_path: Path, packer: str) -> None:
    data = packed(capture(20_000, 1000) + os.urandom(50_000), packer)
    path = tmp_path / "x.pcap"
    path.write_bytes(data[: len(data) // 2])
    report, _ = read(path)
    assert report.error == f"{path}, byte {len(data) // 2}: the {packer} data end too early"
    assert report.packets.parsed > 0
    damaged = bytearray(data)
    damaged[len(damaged) // 2 : len(damaged) // 2 + 40] = b"\xff" * 40
    path.write_bytes(damaged)
    report, _ = read(path)
    assert report.error is not None
    assert report.error.startswith(f"{path}, byte ")
    assert report.packets.parsed > 0


@pytest.mark.parametrize("packer", ["gzip", "zstd"])
def test_a_bomb_is_defused(tmp_path: Path, packer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_file, "RATIO_FREE", 1 << 20)
    path = tmp_path / "bomb.pcap"
    frame = struct.pack("<IIII", 1, 0, 65_536, 65_536) + bytes(65_536)
    path.write_bytes(packed(HEADER + frame * 500, packer))
    report, _ = read(path)
    assert report.error is not None
    assert f"{packer} data that unpack to more than 500 times their size" in report.error
    assert 0 < report.packets.read < 500


@pytest.mark.parametrize(
    ("magic", "packer"), [(b"BZh9", "bzip2"), (b"\xfd7zXZ\x00", "xz"), (b"PK\x03\x04", "zip")]
)
def test_other_packers_are_named(tmp_path: Path, magic: bytes, packer: str) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(magic + bytes(100))
    report, _ = read(path)
    assert report.error == f"{path}, byte 0: packed with {packer}; unpack it first, or use gzip or zstd"


def test_sniffing_goes_by_content(tmp_path: Path) -> None:
    contents = {
        "a.txt": (capture(1), "pcap"),
        "b.pcap": (b"time,source\n", None),
        "c": (SECTION, "pcapng"),
        "d.gz": (gzip.compress(SECTION), "pcapng"),
        "e.gz": (gzip.compress(b"log line\n"), None),
        "f.gz": (b"\x1f\x8b\x08 damaged", None),
        "g": (struct.pack(">I", 0xA1B23C4D) + bytes(20), "pcap"),
        "h": (b"\xd4\xc3", None),
        "i": (b"", None),
        "j.xz": (b"\xfd7zXZ\x00", None),
    }
    for name, (data, expected) in contents.items():
        (tmp_path / name).write_bytes(data)
        assert sniff(tmp_path / name) == expected, name
    assert sniff(tmp_path) is None
    assert sniff(tmp_path / "absent") is None


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    expected = {
        tmp_path: "a directory, and no capture file was found in it",
        tmp_path / "pipe": "a pipe; write the capture to a file first",
        tmp_path / "socket": "a socket, not a capture file",
        Path("/dev/zero"): "a device, not a capture file",
        tmp_path / "absent": "no such file",
        tmp_path / "dangling": "no such file",
        tmp_path / "loop": "cannot be read: Too many levels of symbolic links",
    }
    for path, words in expected.items():
        report, _ = read(path)
        assert report.error == f"{path}: {words}"
        assert report.packets.read == 0
    listener.close()


def test_an_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.pcap"
    path.write_bytes(capture(1))
    path.chmod(0)
    tmp_path.chmod(0o755)
    if os.geteuid() != 0:
        report, _ = read(path)
        assert report.error is not None and "not readable by this user" in report.error
        return
    child = os.fork()
    if child == 0:  # root reads everything, so ask as somebody else
        code = 1
        try:
            os.chmod(path.parent.parent, 0o755)
            os.seteuid(65_534)
            report, _ = read(path)
            code = 0 if report.error and "not readable by this user" in report.error else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_empty_text_and_truncated_files_keep_what_was_readable(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(b"")
    assert read(path)[0].error == f"{path}, byte 0: an empty file"
    path.write_bytes(b"a text, not a capture\n" * 1000)
    assert read(path)[0].error == (
        f"{path}, byte 0: neither a pcap nor a pcapng file: it begins with 0x61207465"
    )
    whole = capture(3000)
    path.write_bytes(whole[:-10])
    report, handed = read(path)
    assert (report.packets.parsed, handed) == (2999, 2999)
    assert report.error == (
        f"{path}, byte {len(whole) - len(record(0))}: the file ends inside a packet record, "
        f"of which {len(record(0)) - 10} bytes are there"
    )


def test_damage_in_the_middle_names_the_byte_and_keeps_what_was_before(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    good = capture(3000)
    path.write_bytes(good + struct.pack("<IIII", 1, 0, 0xFFFF_FFF0, 1) + capture(3000)[24:])
    report, handed = read(path)
    assert report.error == (
        f"{path}, byte {len(good)}: a packet record claims 4294967280 bytes, more than any packet has"
    )
    assert (report.packets.parsed, handed) == (3000, 3000)


def test_impossible_times_are_told_and_cost_only_their_packets(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    wrong = record(0)[:4] + struct.pack("<I", 0xFFFF_FFFF) + record(0)[8:]
    path.write_bytes(HEADER + record(0) + wrong + record(1))
    report, _ = read(path)
    assert report.error == f"{path}, byte {24 + len(record(0))}: a packet whose time cannot be"
    assert (report.packets.parsed, report.packets.rejected) == (2, 1)
    assert report.rejected_reasons == {"bad_time": 1}


def test_a_sparse_file_of_ten_gigabytes_ends_at_once(tmp_path: Path) -> None:
    path = tmp_path / "sparse.pcap"
    path.write_bytes(capture(10))
    os.truncate(path, 10 << 30)
    report, handed = read(path)
    assert (report.packets.parsed, handed) == (10, 10)
    assert report.error is not None
    assert report.error.startswith(f"{path}, byte {len(capture(10))}: zeroes where a packet record should be")
    assert report.bytes < 1 << 24


def test_a_record_longer_than_the_buffer(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    big = 4_000_000
    path.write_bytes(
        SECTION + struct.pack("<II", 0x0BAD, big + 12) + bytes(big) + struct.pack("<I", big + 12) + SECTION
    )
    report, _ = read(path)
    assert (report.error, report.format, report.bytes) == (None, "pcapng", big + 12 + 2 * len(SECTION))


def test_one_core_may_read_several_files_and_each_report_is_its_own(tmp_path: Path) -> None:
    core = FlowCore()
    reports = []
    for number in (1, 2):
        path = tmp_path / f"{number}.pcap"
        broken = struct.pack("<IIII", 1_700_000_000, 0, 3, 3) + b"abc"
        path.write_bytes(capture(number * 10) + broken * number)
        reports.append(read_capture(path, core, on_batch=lambda full: None))
    assert [r.packets.parsed for r in reports] == [10, 20]
    assert [r.rejected_reasons for r in reports] == [{"truncated_ethernet": 1}, {"truncated_ethernet": 2}]


def test_hand_offs_are_taken_as_they_come_not_all_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(capture(4000))
    core = FlowCore(FlowCoreConfig(handoff_bytes=10_000))
    sizes: list[int] = []
    read_capture(path, core, on_batch=lambda full: sizes.append(len(full.take_segments())))
    assert sum(sizes) == 4000
    assert max(sizes) < 100


def follow(path: Path, seen: list[int]) -> InputReport:
    """Follow a file; what was parsed at each batch is in ``seen``."""
    return read_capture(path, FlowCore(), on_batch=lambda full: seen.append(full.parsed), follow=True)


def wait_for(condition: threading.Event, seen: object) -> None:
    assert condition.wait(PATIENCE), seen


def test_a_file_that_grows_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "growing.pcap"
    whole = capture(30)
    path.write_bytes(whole[:10])
    stop = threading.Event()
    arrived = threading.Event()
    core = FlowCore()

    def on_batch(full: FlowCore) -> None:
        full.take_segments()
        if full.parsed == 30:
            arrived.set()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(read_capture, path, core, on_batch=on_batch, follow=True, stop=stop)
        with path.open("ab") as out:
            for at in range(10, len(whole), 700):
                out.write(whole[at : at + 700])
                out.flush()
                time.sleep(0.01)
        wait_for(arrived, core.parsed)
        stop.set()
        report = running.result(timeout=PATIENCE)
    assert (report.error, report.packets.parsed) == (None, 30)


@pytest.mark.parametrize("change", ["delete", "cut"])
def test_following_ends_when_the_file_is_deleted_and_tells_when_it_was_cut(
    tmp_path: Path, change: str
) -> None:
    path = tmp_path / change
    path.write_bytes(capture(5))
    seen: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(follow, path, seen)
        until(lambda: 5 in seen, "the file is read as far as it goes")
        if change == "delete":
            path.unlink()
        else:
            os.truncate(path, 50)
        report = running.result(timeout=PATIENCE)
    assert report.packets.parsed == 5
    assert seen[-1] == 5
    expected = (
        None if change == "delete" else f"{path}, byte 50: the file was cut to 50 bytes while it was read"
    )
    assert report.error == expected


def test_without_follow_a_growing_file_is_read_to_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(capture(7))
    assert read(path)[0].packets.parsed == 7
