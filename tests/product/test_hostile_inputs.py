"""Broken, odd and hostile inputs: one sentence each, what was readable kept, no other input disturbed."""

from __future__ import annotations

import ctypes
import gzip
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import zstandard
from tests.flowcore import packets as made
from tests.ports import reserved_port
from tests.product.conftest import WARD, Command, Outcome, medwarden

_PR_CAPBSET_DROP = 24
GIB = 1 << 30
_WARD = gzip.decompress(WARD.read_bytes())


def first(count: int) -> bytes:
    """Return the file header and the first ``count`` packets of the ward."""
    at = 24
    for _ in range(count):
        at += 16 + int.from_bytes(_WARD[at + 8 : at + 12], "little")
    return _WARD[:at]


def record(seconds: int, microseconds: int, body: bytes = bytes(60), length: int | None = None) -> bytes:
    """Return one pcap packet record, whatever it claims."""
    claimed = len(body) if length is None else length
    return struct.pack("<IIII", seconds & 0xFFFFFFFF, microseconds & 0xFFFFFFFF, claimed, claimed) + body


def mixed_link_types() -> bytes:
    """Return a pcapng file whose interfaces are Ethernet, raw IP and one of no known link type."""
    frame = made.udp_frame(b"x")
    return (
        made.section()
        + made.interface(1)
        + made.interface(101)
        + made.interface(60_000)
        + made.enhanced(1_700_000_000_000_000, frame, 0)
        + made.enhanced(1_700_000_000_000_001, frame[14:], 1)
        + made.enhanced(1_700_000_000_000_002, frame, 2)
    )


def bomb() -> bytes:
    """Return gzip data that unpack to a gigabyte of packets: one packed member, again and again."""
    packets = record(1_700_000_000, 0, bytes(65_000)) * 64
    return gzip.compress(first(3)) + gzip.compress(packets) * 256


FIVE = first(5)
CONTENTS: dict[str, tuple[bytes, int, str]] = {
    # name: what is in it, packets read, and what the error must say ('' where there is none)
    "empty.pcap": (b"", 0, "byte 0: an empty file"),
    "cut-in-file-header.pcap": (_WARD[:20], 0, "byte 0: only 20 bytes"),
    "cut-in-packet-header.pcap": (first(6)[: len(FIVE) + 7], 5, f"byte {len(FIVE)}: the file ends inside"),
    "cut-in-packet-body.pcap": (first(6)[: len(FIVE) + 30], 5, f"byte {len(FIVE)}: the file ends inside"),
    "wrong-magic.pcap": (b"\x12\x34\x56\x78" + _WARD[4:2_000], 0, "byte 0: neither a pcap nor a pcapng file"),
    "text.pcap": (b"these are no packets\n" * 20, 0, "byte 0: neither a pcap nor a pcapng file"),
    "huge-length.pcap": (
        FIVE + record(1_700_000_000, 0, bytes(100), 0xFFFFFFFF),
        5,
        f"byte {len(FIVE)}: a packet record claims 4294967295 bytes",
    ),
    "negative-time.pcap": (
        FIVE[:24] + record(-5, -7) + FIVE[24:],
        6,
        "byte 24: a packet whose time cannot be",
    ),
    "absurd-time.pcap": (
        FIVE[:24] + record(1, 1 << 31) + FIVE[24:],
        6,
        "byte 24: a packet whose time cannot be",
    ),
    "far-future.pcap": (FIVE[:24] + record(0xFFFFFFFF, 0) + FIVE[24:], 6, ""),
    "mixed.pcapng": (mixed_link_types(), 3, ""),
    "whole.pcap.gz": (gzip.compress(first(30)), 30, ""),
    "whole.pcap.zst": (zstandard.compress(first(31)), 31, ""),
    "cut.pcap.gz": (gzip.compress(first(500))[:-2_000], -1, "the gzip data end too early"),
    "bomb.pcap.gz": (bomb(), -1, "unpack to more than 500 times their size"),
    "packed.pcap.xz": (b"\xfd7zXZ\x00" + bytes(50), 0, "byte 0: packed with xz"),
    "new\nline.pcap": (
        first(6)[: len(FIVE) + 1],
        5,
        f"new\\nline.pcap, byte {len(FIVE)}: the file ends inside",
    ),
    "steering\x1b[31m.pcap": (FIVE + b"x", 5, "steering\\x1b[31m.pcap, byte"),
    os.fsdecode(b"no-utf8-\xff.pcap"): (FIVE + b"xy", 5, "no-utf8-\\xff.pcap, byte"),
}
NO_FILES: dict[str, str] = {
    "socket.pcap": "a socket, not a capture file",
    "pipe.pcap": "a pipe; write the capture to a file first",
    "device.pcap": "a device, not a capture file",
    "loop.pcap": "Too many levels of symbolic links",
    "dangling.pcap": "no such file",
    "empty-folder": "no capture file was found in it",
    "sparse.pcap": "byte 0: neither a pcap nor a pcapng file",
    "sparse-after-packets.pcap": f"byte {len(FIVE)}: zeroes where a packet record should be",
}


@pytest.fixture
def hostile(tmp_path: Path) -> list[Path]:
    """Return inputs of every bad kind, with a sound one before and after them."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    for name, (content, _, _) in CONTENTS.items():
        (folder / name).write_bytes(content)
    with socket.socket(socket.AF_UNIX) as listening:
        place = Path.cwd()
        os.chdir(folder)  # the name of a socket has room for 107 bytes
        try:
            listening.bind("socket.pcap")
        finally:
            os.chdir(place)
    os.mkfifo(folder / "pipe.pcap")
    (folder / "device.pcap").symlink_to("/dev/zero")
    (folder / "loop.pcap").symlink_to("loop.pcap")
    (folder / "dangling.pcap").symlink_to("nowhere.pcap")
    (folder / "empty-folder").mkdir()
    (folder / "sparse.pcap").touch()
    os.truncate(folder / "sparse.pcap", 10 * GIB)
    (folder / "sparse-after-packets.pcap").write_bytes(FIVE)
    os.truncate(folder / "sparse-after-packets.pcap", 10 * GIB)
    before, after = tmp_path / "before.pcap", tmp_path / "after.pcap"
    before.write_bytes(first(40))
    after.write_bytes(first(41))
    return [before, *(folder / name for name in (*CONTENTS, *NO_FILES)), after]


def check_inputs(named: list[Path], reports: list[dict[str, Any]], stderr: str) -> None:
    """Compare what was said of each input with what is known of it."""
    assert len(reports) == len(named)
    assert "Traceback" not in stderr
    assert "defect" not in stderr
    said = stderr.splitlines()
    for path, report in zip(named, reports, strict=True):
        packets, error = report["packets"], report["error"]
        assert packets["read"] == packets["parsed"] + packets["rejected"] + packets["dropped"], path
        if path.name in CONTENTS:
            _, read, words = CONTENTS[path.name]
            assert packets["read"] == read or (read < 0 and packets["read"] > 100), (path, packets)
        else:
            words = NO_FILES.get(path.name, "")
        if words:
            assert error is not None, path
            assert words in error
            assert error.isprintable()
            assert said.count(f"medwarden: {error}") == 1, error
        else:
            assert error is None, error
    assert reports[0]["packets"]["parsed"] == 40
    assert reports[-1]["packets"]["parsed"] == 41


def test_assess_says_what_is_wrong_with_each_input(run: Command, hostile: list[Path], tmp_path: Path) -> None:
    outcome = run("assess", *hostile, "--out", tmp_path / "out")
    assert outcome.returncode == 1, outcome.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_bytes())
    check_inputs(hostile, report["inputs"], outcome.stderr)
    by_name = {Path(i["path"]).name: i["packets"] for i in report["inputs"]}
    assert by_name["mixed.pcapng"]["parsed"] == 2, "two of the three link types are known"
    assert by_name["negative-time.pcap"] == {"read": 6, "parsed": 5, "rejected": 1, "dropped": 0}
    assert len(report["devices"]) > 5
    html = (tmp_path / "out" / "report.html").read_text()
    assert "\x1b" not in html


def test_replay_says_the_same_and_doing_it_again_changes_nothing(run: Command, hostile: list[Path]) -> None:
    # To know a capture again, all of it is read: ten gibibytes are for `assess`.
    os.truncate(hostile[-2], 1 << 24)
    outcome = run("replay", *hostile, "--json")
    assert outcome.returncode == 1, outcome.stderr
    told = json.loads(outcome.stdout)
    check_inputs(hostile, told["inputs"], outcome.stderr)
    again = run("replay", *hostile, "--json")
    assert again.returncode == 1
    retold = json.loads(again.stdout)
    check_inputs(hostile, retold["inputs"], again.stderr)
    assert (retold["devices"], retold["new_devices"]) == (told["devices"], 0)
    assert [i["already"] for i in retold["inputs"]] == [i["error"] is None for i in told["inputs"]]


@pytest.mark.parametrize(
    "arguments",
    [
        ("assess", "/nowhere/at/all.pcap", "--out", "OUT"),
        ("assess", "--out", "OUT"),
        ("assess", WARD),
        ("replay", "/nowhere/at\nall.pcap"),
        ("replay",),
    ],
)
def test_wrong_usage_ends_with_status_two(
    run: Command, tmp_path: Path, arguments: tuple[object, ...]
) -> None:
    outcome = run(*(tmp_path / "out" if a == "OUT" else a for a in arguments))
    assert outcome.returncode == 2
    assert "Traceback" not in outcome.stderr
    assert outcome.stderr.strip().splitlines()[-1].startswith(("Error: ", "medwarden: "))
    assert not (tmp_path / "out").exists()


def test_a_folder_is_walked_and_what_is_no_capture_is_counted(run: Command, tmp_path: Path) -> None:
    folder = tmp_path / "captures"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "named-oddly").write_bytes(first(7))
    (folder / "a.pcap").write_bytes(first(3))
    (folder / "notes.txt").write_text("no capture")
    (folder / "around").symlink_to(folder, target_is_directory=True)
    os.mkfifo(folder / "pipe")
    outcome = run("assess", folder, "--out", tmp_path / "out")
    assert outcome.returncode == 0, outcome.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_bytes())
    assert [i["packets"]["parsed"] for i in report["inputs"]] == [3, 7]
    assert "1 files beside them are no captures" in outcome.stderr


def test_a_file_that_grows_is_read_as_far_as_it_goes(run: Command, tmp_path: Path) -> None:
    """Append packets all the while; the end of what is there is the end."""
    growing = tmp_path / "growing.pcap"
    growing.write_bytes(first(1_000))
    ended = threading.Event()

    def grow() -> None:
        with growing.open("ab") as file:
            while not ended.wait(0.02):
                file.write(first(100)[24:])
                file.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        outcome = run("assess", growing, "--out", tmp_path / "out")
    finally:
        ended.set()
        writer.join()
    assert outcome.returncode in (0, 1), outcome.stderr  # 1: the last packet was only half there
    (report,) = json.loads((tmp_path / "out" / "report.json").read_bytes())["inputs"]
    assert report["packets"]["read"] >= 1_000
    assert (report["error"] is not None) == (outcome.returncode == 1)


def without_overrides(*arguments: object) -> Outcome:
    """Run the command with the rights that files and folders give, without root's right to ignore them."""
    return subprocess.run(
        [sys.executable, "-m", "medwarden", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        preexec_fn=give_overrides_up if os.geteuid() == 0 else None,
    )


def give_overrides_up() -> None:
    """Take CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH from what the next program may have (capabilities(7))."""
    for capability in (1, 2):
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "a capability could not be given up")


def test_what_may_not_be_read_is_named(tmp_path: Path) -> None:
    captures = tmp_path / "captures"
    for name in ("open", "shut"):
        (captures / name).mkdir(parents=True)
        (captures / name / "a.pcap").write_bytes(first(9))
    (captures / "open" / "private").write_bytes(first(9))
    (captures / "open" / "private").chmod(0)
    (captures / "shut").chmod(0)
    outcome = without_overrides("assess", captures, "--out", tmp_path / "out")
    (captures / "shut").chmod(0o700)
    assert outcome.returncode == 1, outcome.stderr
    reports = json.loads((tmp_path / "out" / "report.json").read_bytes())["inputs"]
    errors = {Path(r["path"]).name: r["error"] for r in reports}
    assert errors["a.pcap"] is None
    assert set(errors) == {"a.pcap", "private", "shut"}
    for name in ("private", "shut"):
        assert "not readable by this user" in errors[name]


@pytest.mark.parametrize("mode", [0o555, 0], ids=["read-only", "shut"])
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path, mode: int) -> None:
    capture, folder = tmp_path / "a.pcap", tmp_path / "folder"
    capture.write_bytes(first(9))
    folder.mkdir()
    folder.chmod(mode)
    for arguments in (
        ("assess", capture, "--out", folder),
        ("replay", capture, "--home", folder),
        ("up", "--home", folder, "--port", reserved_port()),
    ):
        outcome = without_overrides(*arguments)
        assert outcome.returncode == 1, outcome.stderr
        assert len(outcome.stderr.splitlines()) == 1, outcome.stderr
        assert str(folder) in outcome.stderr
    folder.chmod(0o700)
    assert list(folder.iterdir()) == []


def test_out_that_is_a_file_is_named(run: Command, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    outcome = run("assess", WARD, "--out", tmp_path / "out" / "deeper")
    assert outcome.returncode == 1
    assert "name another folder with --out" in outcome.stderr
    home = medwarden("replay", WARD, home=tmp_path / "out")
    assert home.returncode == 2
    assert "is not a folder" in home.stderr
