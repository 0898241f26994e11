"""Simulate a hospital and print how fast: devices x hours per second, packets and octets per second.

python bench/simulate.py [--devices 2000] [--hours 0.25] [--logs zeek,eve]
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from medwarden.app.simulate import Request, simulate, start_of  # noqa: E402


def cpu_seconds() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=2000)
    parser.add_argument("--hours", type=float, default=0.25)
    parser.add_argument("--logs", default="")
    asked = parser.parse_args()
    request = Request(
        devices=asked.devices, hours=asked.hours, seed=1, start=start_of("2026-03-02T09:00"),
        logs=tuple(filter(None, asked.logs.split(","))),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), cpu_seconds()
        written = simulate(request, Path(folder))
        wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    largest = max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    figures = {
        "devices": asked.devices,
        "hours": asked.hours,
        "packets": written.packets,
        "octets": written.octets,
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "device_hours_per_s": round(asked.devices * asked.hours / wall, 1),
        "packets_per_s": round(written.packets / wall),
        "packets_per_cpu_s": round(written.packets / cpu),
        "packets_per_device_s": round(written.packets / asked.devices / asked.hours / 3600, 3),
        "largest_process_mib": largest // 1024,
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
