"""Print what medwarden does per second of processor time, beside its targets and its peers.

Everything is measured in this one run on this machine: each engine in a process of its own, in turn with the
others, on the same capture; the median of the runs counts. Slow engines read the first part of the capture.
An engine that is not installed is said to be missing.

    ./dev bench [--packets 1500000] [--runs 3] [--only PART ...] [--keep FILE] [--write docs/benchmarks.md]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
sys.path[:0] = [str(BENCH), str(ROOT / "src")]

import engines  # noqa: E402
import flow_core  # noqa: E402

NFSTREAM, NDPI = "nfstream with DPI", "ndpiReader"
SENSOR = "medwarden, whole sensor into the lake"
INVENTORY = "medwarden, with identities and rows"
BUSY_PACKETS, STRETCH_NFSTREAM, FIRST_NFSTREAM, NDPI_RATIO = 0.8, 5.0, 3.0, 1.5

_PAGES = ("list,", "facets", "overview", "one device", "traffic matrix")


@dataclass
class Result:
    """The tables of one run."""

    rates: list[tuple[str, str, str, str]] = field(default_factory=list)
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def row(self, what: str, target: str, figure: str, met: bool | None) -> None:
        verdict = "not measured" if met is None else "reached" if met else "not reached"
        self.rows.append((what, target, figure, verdict))
        print(f"{what:<64}{target:<30}{figure:<44}{verdict}", flush=True)


def run_json(*command: str) -> dict[str, object]:
    """Run one of the scripts here and return what it printed as JSON; raises where it fails."""
    done = subprocess.run(
        [sys.executable, *command], check=True, stdout=subprocess.PIPE, text=True, env=environment()
    )
    found: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def environment() -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONPYCACHEPREFIX": str(ROOT / "build" / "bench"),
    }


def measure_engines(result: Result, capture: Path, runs: int, workshop: Path) -> None:
    """Measure the whole sensor and its peers in turn."""
    parts: dict[int, Path] = {1: capture}
    packets = engines.packets_in(capture)
    for share in {*engines.SHARE.values()}:
        parts[share] = workshop / f"part-{share}.pcap"
        engines.head_of(capture, parts[share], packets // share)
    rates: dict[str, list[float]] = {name: [] for name in engines.ENGINES}
    missing: dict[str, str] = {}
    for _ in range(runs):
        for name in engines.ENGINES:
            if name in missing:
                continue
            path = parts[engines.SHARE.get(name, 1)]
            found = run_json(str(BENCH / "engines.py"), name, str(path))
            if "missing" in found:
                missing[name] = str(found["missing"])
            else:
                rates[name].append(float(str(found["packets"])) / float(str(found["seconds"])) / 1e6)
    medians = {name: statistics.median(values) for name, values in rates.items() if values}
    show_engines(result, medians, rates, missing)
    judge_sensor(result, medians)


def show_engines(
    result: Result, medians: dict[str, float], rates: dict[str, list[float]], missing: dict[str, str]
) -> None:
    print(f"\n{'engine':<44}{'M packets per CPU-second':>26}{'x nfstream':>12}{'x ndpiReader':>14}")
    for name in engines.ENGINES:
        if name in missing:
            cells = (f"missing ({missing[name]})", "", "")
        else:
            figure = f"{medians[name]:.4f} ({min(rates[name]):.4f} to {max(rates[name]):.4f})"
            cells = (figure, ratio(medians, name, NFSTREAM), ratio(medians, name, NDPI))
        share = engines.SHARE.get(name, 1)
        shown = name if share == 1 else f"{name}, first 1/{share}"
        result.rates.append((shown, *cells))
        print(f"{shown:<44}{cells[0]:>26}{cells[1]:>12}{cells[2]:>14}", flush=True)
    print()


def ratio(medians: dict[str, float], name: str, other: str) -> str:
    return f"{medians[name] / medians[other]:.2f}" if other in medians else "-"


def judge_sensor(result: Result, medians: dict[str, float]) -> None:
    ours = medians[SENSOR]
    for other, word, bound in (
        (NFSTREAM, "first target", FIRST_NFSTREAM),
        (NFSTREAM, "final target", STRETCH_NFSTREAM),
        (NDPI, "final target", NDPI_RATIO),
    ):
        found = ours / medians[other] if other in medians else None
        result.row(
            f"whole sensor, against {other} ({word})",
            f">= {bound:g} x",
            f"{other} is missing" if found is None else f"{found:.2f} x",
            None if found is None else found >= bound,
        )
    if NFSTREAM in medians:
        found = medians[INVENTORY] / medians[NFSTREAM]
        result.row(
            f"the same with identities and rows, against {NFSTREAM}",
            f">= {FIRST_NFSTREAM:g} x",
            f"{found:.2f} x",
            found >= FIRST_NFSTREAM,
        )
    result.row(
        "whole sensor",
        f">= {BUSY_PACKETS} M packets/CPU-s",
        f"{ours:.3f} M packets/CPU-s",
        ours >= BUSY_PACKETS,
    )


def measure_core(result: Result, capture: Path, runs: int, workshop: Path) -> None:
    """Measure the flow core against a libpcap loop."""
    rates = flow_core.compare(capture, engines.packets_in(capture), runs, workshop)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    base = medians["libpcap loop in C"]
    result.notes.append(f"libpcap loop in C: {base:.2f} M packets per CPU-second")
    for name in ("flow core, flows only", "flow core with hand-off"):
        found = medians[name] / base
        result.row(
            f"{name}, against a libpcap loop",
            ">= 0.6",
            f"{found:.2f} ({medians[name]:.2f} M packets/CPU-s)",
            found >= 0.6,
        )


def measure_bulk(result: Result, runs: int) -> None:
    """Measure few flows of large frames."""
    rates = []
    for _ in range(runs):
        found = run_json(str(BENCH / "bulk.py"))
        rates.append(float(str(found["bytes"])) * 8 / float(str(found["seconds"])) / 1e9)
    figure = statistics.median(rates)
    result.row(
        "bulk imaging, DICOM in 1,400-byte frames, to facts",
        ">= 10 Gbit/s per core",
        f"{figure:.1f} Gbit/s",
        figure >= 10,
    )


def measure_store(result: Result, devices: int) -> None:
    """Measure the store's queries and appends; ``bench/store.py`` says each of them."""
    done = subprocess.run(
        [sys.executable, str(BENCH / "store.py"), str(devices)],
        check=True, stdout=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    found = {
        match[1].strip(): float(match[2].replace(",", ""))
        for match in re.finditer(r"^(.{62})\s*([\d,.]+) ", done.stdout, re.MULTILINE)
    }
    result.notes.append("store, as bench/store.py prints it:\n\n```\n" + done.stdout.rstrip() + "\n```")
    pages = {what: ms for what, ms in found.items() if what.startswith(_PAGES)}
    searches = {what: ms for what, ms in found.items() if what.startswith("list, filter text")}
    for word, measured, bound in (("page query", pages, 200), ("search", searches, 100)):
        slowest = max(measured, key=measured.__getitem__)
        within = sum(ms < bound for ms in measured.values())
        result.row(
            f"slowest {word} at {devices:,} devices",
            f"< {bound} ms",
            f"{measured[slowest]:,.0f} ms ({slowest}); {within} of {len(measured)} within",
            within == len(measured),
        )
    rows = found["flows appended to the lake, batches of 100,000"]
    result.row("flows appended to the lake", ">= 250,000 rows/s", f"{rows:,.0f} rows/s", rows >= 250_000)


def measure_live(result: Result, seconds: float) -> None:
    """Measure live capture at 100,000 packets/s."""
    what = f"live capture over veth for {seconds:.0f} s"
    if os.geteuid() != 0:
        result.row(what, "100,000 packets/s, exact", "needs root", None)
        return
    done = subprocess.run(
        [sys.executable, str(BENCH / "live.py"), "--seconds", str(seconds)],
        check=False, stdout=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    found = dict(re.findall(r"^(\w+)\s+([\d,.]+)", done.stdout, re.MULTILINE))
    rate = float(found["sent"].replace(",", "")) / seconds
    exact = "exact" if done.returncode == 0 else "not exact"
    result.row(
        what,
        "100,000 packets/s, exact",
        f"{rate:,.0f} packets/s, {exact}, dropped {found['dropped']}, CPU {float(found['processor']):.1f} s",
        done.returncode == 0 and rate > 99_000,
    )


def measure_new_devices(result: Result, devices: int) -> None:
    """Measure from a new device's first packet to its row and category."""
    found = run_json(str(BENCH / "end_to_end.py"), "--devices", str(devices))
    if "missing" in found:
        result.row("first packet of a new device to its row", "< 10 s p99", str(found["missing"]), None)
        return
    for kind, what, bound in (("row", "its row", 10.0), ("category", "its category", 60.0)):
        seconds = found[kind]
        assert isinstance(seconds, list)
        complete = len(seconds) == devices
        result.row(
            f"first packet of a new device to {what}, {devices} devices",
            f"< {bound:.0f} s",
            f"median {statistics.median(seconds):.1f} s, slowest {seconds[-1]:.1f} s, "
            f"{len(seconds)} of {devices}",
            complete and seconds[-1] < bound,
        )


def machine() -> str:
    """Describe the machine without naming it."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    gibibytes = int(memory[1]) / 2**20 if memory else 0
    load = os.getloadavg()[1]
    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {gibibytes:.0f} GiB, "
        f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}; "
        f"load average over five minutes {load:.1f}"
    )


def table(head: tuple[str, ...], rows: list[tuple[str, str, str, str]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write(target: Path, result: Result, runs: int, capture: str) -> None:
    """Put the tables of this run into the page, and leave what stands around them."""
    measured = "\n\n".join(
        (
            f"Machine: {machine()}. Capture: {capture}. Median of {runs} runs (least and most in brackets).",
            table(("engine", "M packets per CPU-second", "x nfstream", "x ndpiReader"), result.rates),
            table(("what", "target", "measured", ""), result.rows),
            *result.notes,
        )
    )
    begin, end = "<!-- measured -->", "<!-- end of measured -->"
    page = target.read_text() if target.exists() else f"# Benchmarks\n\n{begin}\n{end}\n"
    before, _, rest = page.partition(begin)
    target.write_text(f"{before}{begin}\n\n{measured}\n\n{end}{rest.partition(end)[2]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--packets", type=int, default=1_500_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--devices", type=int, default=100_000, help="devices in the store")
    parser.add_argument("--seconds", type=float, default=60.0, help="of live capture")
    parser.add_argument("--keep", type=Path, help="make the capture here, or use the one that is")
    parser.add_argument("--only", nargs="+", help="of: engines core bulk store live new")
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    options = parser.parse_args()
    result = Result()
    with tempfile.TemporaryDirectory(prefix="medwarden-bench-") as folder:
        workshop = Path(folder)
        capture = options.keep or workshop / "merged.pcap"
        if not capture.exists():
            flow_core.make_capture(capture, options.packets)
        packets, size = engines.packets_in(capture), capture.stat().st_size
        described = f"{packets:,} packets, mean {(size - 24) / packets - 16:.0f} bytes"
        print(f"{machine()}\n{described}", flush=True)
        parts: dict[str, Callable[[], None]] = {
            "engines": lambda: measure_engines(result, capture, options.runs, workshop),
            "core": lambda: measure_core(result, capture, options.runs, workshop),
            "bulk": lambda: measure_bulk(result, options.runs),
            "store": lambda: measure_store(result, options.devices),
            "live": lambda: measure_live(result, options.seconds),
            "new": lambda: measure_new_devices(result, 20),
        }
        for name in options.only or parts:
            parts[name]()
    if options.write:
        write(options.write, result, options.runs, described)


if __name__ == "__main__":
    main()
