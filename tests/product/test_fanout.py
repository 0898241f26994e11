"""A sensor of several processes: every packet is one process's, and a kill of any of them is survived."""

from __future__ import annotations

import json
import os
import pwd
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import pytest
from tests.flowcore import packets as made
from tests.product.processes import Running, running
from tests.product.test_live import Wire, ip, wire
from tests.waiting import until

__all__ = ["wire"]

HOSTS = 40


def logs(first: int) -> list[bytes]:
    """Return what hosts with addresses of their own log to each other."""
    return [
        made.ethernet(
            made.ipv4(made.udp(b"<134>Jan  2 03:04:05 host%d app: x" % n, 514, 514), 17, f"10.5.0.{n}"),
            src=f"00:30:e6:00:01:{n:02x}",
        )
        for n in range(first, first + HOSTS)
    ]


def ears(sensor: Running) -> list[int]:
    """Return the processes that hear for a sensor."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            words = (status.parent / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == sensor.process.pid and b"spawn_main" in words:
            found.append(int(status.parent.name))
    return sorted(found)


def inputs(home: Path) -> list[tuple[str, dict[str, int], str | None]]:
    """Return path, accounting and error of every input."""
    with sqlite3.connect(home / "state.sqlite3") as connection:
        rows = connection.execute("select path, report from store_inputledger order by id").fetchall()
    reports = [json.loads(report) for _, report in rows]
    return [(path, r["packets"], r.get("error")) for (path, _), r in zip(rows, reports, strict=True)]


def hosts(home: Path) -> int:
    with sqlite3.connect(home / "state.sqlite3") as connection:
        return int(connection.execute("select count(*) from store_device").fetchone()[0])


def test_two_processes_share_a_wire_and_account_for_every_packet(
    wire: Wire, home: Path, tmp_path: Path
) -> None:
    arguments = ["sensor", "--home", home, "--interface", wire.far, "--processes", "2"]
    with running(arguments, tmp_path, wire.inside) as sensor:
        until(lambda: "listening on" in sensor.printed, "the sensor listens")
        assert len(ears(sensor)) == 2
        wire.send(*logs(1), *logs(1), *logs(1 + HOSTS))
        until(lambda: hosts(home) >= 2 * HOSTS, "every host is known")
        assert sensor.end() == 0
    told = inputs(home)
    assert [path for path, _, _ in told] == [f"{wire.far} (1 of 2)", f"{wire.far} (2 of 2)"]
    assert all(count["parsed"] == count["read"] > 0 and error is None for _, count, error in told)
    assert sum(count["read"] for _, count, _ in told) == 3 * HOSTS


def replaced(home: Path, sensor: Running, parts: int) -> bool:
    return len(inputs(home)) == parts and len(ears(sensor)) == 2


def test_what_a_killed_process_had_taken_is_counted_as_dropped_and_another_goes_on(
    wire: Wire, home: Path, tmp_path: Path
) -> None:
    arguments = ["sensor", "--home", home, "--interface", wire.far, "--processes", "2"]
    with running(arguments, tmp_path, wire.inside) as sensor:
        until(lambda: "listening on" in sensor.printed, "the sensor listens")
        sent = 0
        for turn in range(3):
            for _ in range(5):
                wire.send(*logs(1), *logs(1 + HOSTS))
                sent += 2 * HOSTS
                time.sleep(0.1)  # blocks of the ring become full, and are taken
            for ear in ears(sensor)[: turn + 1]:
                os.kill(ear, signal.SIGKILL)
            wire.send(*logs(1))  # nobody takes them now; who comes next does
            sent += HOSTS
            parts = 2 + (1, 3, 5)[turn]
            until(partial(replaced, home, sensor, parts), "others came")
        wire.send(*logs(1), *logs(1 + HOSTS))  # whoever was killed may have taken all that was said before
        sent += 2 * HOSTS
        until(lambda: hosts(home) >= 2 * HOSTS, "every host is known")
        assert sensor.end() == 1  # what was lost is an error
    told = inputs(home)
    assert all(c["read"] == c["parsed"] + c["rejected"] + c["dropped"] for _, c, _ in told)
    assert sum(count["read"] for _, count, _ in told) == sent
    lost = [(count["dropped"], error) for _, count, error in told if error]
    assert len(lost) == 5 and sum(dropped for dropped, _ in lost) > 0
    assert all(f"; {dropped} packets that it had taken" in error for dropped, error in lost)
    assert all(count["dropped"] == 0 for _, count, error in told if not error)


def test_several_interfaces_a_listener_and_another_user_are_one_sensor(
    wire: Wire, tmp_path_factory: pytest.TempPathFactory
) -> None:
    user = another_user()
    second = "ear1"
    ip("-n", wire.namespace, "link", "add", second, "type", "veth", "peer", "name", "mouth1")
    for name in (second, "mouth1", "lo"):
        ip("-n", wire.namespace, "link", "set", name, "up")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are root's alone
        place = Path(folder)
        place.chmod(0o755)
        home = place / "home"
        home.mkdir(mode=0o700)
        os.chown(home, user.pw_uid, user.pw_gid)
        arguments = ["sensor", "--home", home, "--interface", wire.far, "--interface", second]
        arguments += ["--processes", "2", "--user", user.pw_name, "--syslog", "udp://127.0.0.1:5514"]
        with running(arguments, place, wire.inside) as sensor:
            until(lambda: "listening on" in sensor.printed, "the sensor listens")
            assert len(ears(sensor)) == 4
            for ear in ears(sensor):
                assert Path(f"/proc/{ear}").stat().st_uid in (user.pw_uid, 0)
            os.kill(ears(sensor)[0], signal.SIGKILL)
            until(lambda: len(inputs(home)) == 6 and len(ears(sensor)) == 4, "another took its place")
            wire.send(*logs(1))
            frames = [frame.hex() for frame in logs(1 + HOSTS)]
            subprocess.run([*wire.inside, sys.executable, "-c", SPEAK, *frames], check=True)
            subprocess.run([*wire.inside, sys.executable, "-c", LOG], check=True)
            until(lambda: hosts(home) >= 2 * HOSTS, "every host is known")
            assert sensor.end() == 1  # what was lost is an error
        told = [(path, count) for path, count, _ in inputs(home) if " of 2)" in path]
        assert len(told) == 5
        for name in (wire.far, second):
            assert sum(count["read"] for path, count in told if path.startswith(name)) == HOSTS
        assert {path.stat().st_uid for path in home.rglob("*")} == {user.pw_uid}


SPEAK = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("mouth1", 0))
for frame in sys.argv[1:]:
    s.send(bytes.fromhex(frame))
"""
LOG = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line = b"<134>Jan  2 03:04:05 gateway dhcpd: DHCPACK on 10.9.0.7 to 00:30:e6:00:09:07 (pump) via eth0"
s.sendto(line, ("127.0.0.1", 5514))
"""


def another_user() -> pwd.struct_passwd:
    """Return a user other than root who can run this installation, else root."""
    try:
        subprocess.run([sys.executable, "-c", "import medwarden"], user="nobody", cwd="/", check=True)
    except (OSError, subprocess.CalledProcessError):
        return pwd.getpwuid(0)
    return pwd.getpwnam("nobody")


def test_a_killed_process_is_replaced_and_a_killed_sensor_takes_all_along(
    wire: Wire, home: Path, tmp_path: Path
) -> None:
    arguments = ["sensor", "--home", home, "--interface", wire.far, "--processes", "2"]
    with running(arguments, tmp_path, wire.inside) as sensor:
        until(lambda: "listening on" in sensor.printed, "the sensor listens")
        killed = ears(sensor)[0]
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(inputs(home)) == 3 and len(ears(sensor)) == 2, "another process took its place")
        until(lambda: any(error for *_, error in inputs(home)), "what is lost is told")
        (lost,) = [error for *_, error in inputs(home) if error]
        assert "the process ended (code -9)" in lost and "are lost" in lost
        wire.send(*logs(1))
        until(lambda: hosts(home) >= HOSTS, "every host is known")
        left = ears(sensor)
        sensor.process.send_signal(signal.SIGKILL)
        sensor.process.wait()
        until(lambda: not any(Path(f"/proc/{ear}/fd/0").exists() for ear in left), "they ended with it")
