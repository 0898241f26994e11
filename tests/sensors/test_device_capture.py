"""Capture of one device in a network of its own: what the kernel lets through, limits, ring, times, tags."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.flowcore import packets as made
from tests.waiting import PATIENCE

from medwarden.app.intake import take_in
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.sensors.capture_rewrite import pieces
from medwarden.sensors.device_capture import CaptureLimits, DeviceCapture

WIRE = """
import json, socket, subprocess, sys, threading, time
from collections.abc import Mapping
from pathlib import Path
from medwarden.sensors.device_capture import CaptureLimits, DeviceCapture
from tests.flowcore import packets as made
ip = lambda *words: subprocess.run(["ip", *words], check=True)
ip("link", "add", "near", "type", "veth", "peer", "name", "far")
for name in ("near", "far"):
    ip("link", "set", name, "up")
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("far", 0))
folder = Path(sys.argv[1])
limits = CaptureLimits(**json.loads(sys.argv[2]))
capture = DeviceCapture("near", (made.CLIENT_MAC,), ("10.9.9.9",), folder, limits, comment="for a test")
done = []
thread = threading.Thread(target=lambda: done.append(capture.run(look_every_s=0.1)))
thread.start()
size = int(sys.argv[3])
began = time.time_ns()
for number in range(int(sys.argv[4])):
    out.send(made.udp_frame(b"%06d" % number + bytes(size)))
    other = made.udp_frame(b"another", client="10.7.7.7")
    out.send(other.replace(made.mac(made.CLIENT_MAC), bytes(5) + b"x"))
    if number % 64 == 63:
        time.sleep(0.01)
out.send(made.ethernet(made.ipv4(made.udp(b"tagged"), 17), tags=[(0x8100, 7)]))
out.send(made.udp_frame(b"by address", client="10.9.9.9").replace(made.mac(made.CLIENT_MAC), bytes(5) + b"y"))
if limits.seconds > 5:
    deadline = time.monotonic() + 120
    while not done and capture.captured.packets < int(sys.argv[4]) + 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    capture.stop()
thread.join()
c = done[0]
print(json.dumps([c.packets, c.dropped, c.files, c.ended_by, c.error, began]))
"""


def wire(
    folder: Path, limits: Mapping[str, float], size: int, count: int
) -> tuple[int, int, list[str], str, str, int]:
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid() != 0:
        pytest.skip("needs root and unshare for a network namespace")
    done = subprocess.run(
        [unshare, "-n", sys.executable, "-c", WIRE, str(folder), json.dumps(limits), str(size), str(count)],
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr.decode()
    packets, dropped, files, ended_by, error, began = json.loads(done.stdout)
    return packets, dropped, files, ended_by, error, began


def test_only_the_device_is_recorded_with_its_times_and_tags(tmp_path: Path) -> None:
    packets, dropped, files, ended_by, error, began = wire(tmp_path / "c", {"seconds": 200}, 10, 100)
    assert (packets, dropped, ended_by, error) == (102, 0, "stopped", "")
    assert files == ["00000.pcapng"]
    path = tmp_path / "c" / files[0]
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700
    recorded = [p.data for p in pieces(path) if p.linktype >= 0]
    assert [data[42:48] for data in recorded[:100]] == [b"%06d" % n for n in range(100)]
    assert recorded[100] == made.ethernet(made.ipv4(made.udp(b"tagged"), 17), tags=[(0x8100, 7)])
    assert recorded[101].endswith(b"by address")
    report = take_in(path, b"k" * 32, lambda _batch: None)
    assert (report.packets.read, report.packets.parsed) == (102, 102)
    assert report.first_ns is not None
    assert 0 <= report.first_ns - began < PATIENCE * 1_000_000_000
    text = path.read_bytes()
    assert b"for a test" in text
    assert b"near" in text


def test_the_ring_turns_and_keeps_the_newest(tmp_path: Path) -> None:
    limits = {"seconds": 200, "megabytes": 1, "files": 4}
    packets, _, files, ended_by, _, _ = wire(tmp_path / "c", limits, 1_400, 1_500)
    assert (packets, ended_by) == (1_502, "stopped")
    assert len(files) == 4
    assert files[0] != "00000.pcapng"
    there = sorted(p.name for p in (tmp_path / "c").iterdir())
    assert there == files
    assert sum((tmp_path / "c" / name).stat().st_size for name in files) <= 1 << 20
    last = [p.data for p in pieces(tmp_path / "c" / files[-1]) if p.linktype >= 0]
    assert last[-1].endswith(b"by address")


@pytest.mark.parametrize(
    ("limits", "ended_by"), [({"seconds": 0.5}, "time"), ({"seconds": 200, "packets": 7}, "packets")]
)
def test_limits_end_it(tmp_path: Path, limits: dict[str, float], ended_by: str) -> None:
    packets, _, _, ended, error, _ = wire(tmp_path / "c", limits, 10, 20)
    assert (ended, error) == (ended_by, "")
    if "packets" in limits:
        assert packets == 7


def test_what_cannot_be_captured(tmp_path: Path) -> None:
    mac = (made.CLIENT_MAC,)
    with pytest.raises(ResourceError, match="cannot be captured"):
        DeviceCapture("nosuchif0", mac, (), tmp_path / "a", CaptureLimits())
    with pytest.raises(ConfigurationError, match="1 or more"):
        DeviceCapture("lo", mac, (), tmp_path / "b", CaptureLimits(seconds=0))
    with pytest.raises(ConfigurationError, match="no address"):
        DeviceCapture("lo", (), (), tmp_path / "c", CaptureLimits())
    with pytest.raises(ResourceError, match="not enough free space"):
        DeviceCapture("lo", mac, (), tmp_path / "d", CaptureLimits(megabytes=1 << 40))
