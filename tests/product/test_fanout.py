"""A sensor of several processes: every packet is one process's, and a kill of any of them is survived."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from pathlib import Path

from tests.flowcore import packets as made
from tests.product.processes import Running, running, until
from tests.product.test_live import Wire, wire

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
        assert "the process ended (code -9)" in lost and "is lost" in lost
        wire.send(*logs(1))
        until(lambda: hosts(home) >= HOSTS, "every host is known")
        left = ears(sensor)
        sensor.process.send_signal(signal.SIGKILL)
        sensor.process.wait()
        until(lambda: not any(Path(f"/proc/{ear}/fd/0").exists() for ear in left), "they ended with it")
