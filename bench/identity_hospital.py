"""How far devices of simulated hospitals that nobody trained on are identified: docs/benchmarks-hospital.md.

A hospital of unfamiliar models, names and addresses (``medwarden simulate --unfamiliar``; what is held out
stands in ``simulation/unfamiliar.py``) is simulated for 48 hours with devices that join while it lasts, and
seen through its packets, through Zeek's logs alone, and through NetFlow and DHCP logs alone. Seeds from 400
on are never trained on. A device is found by a MAC address it held, else by an IP address.

Usage: ``.venv/bin/python bench/identity_hospital.py [--seeds 401,402] [--devices N] [--hours T] [--write]``;
``--keep FOLDER`` keeps what was simulated and takes it again, ``--open FILE`` lists what stayed open or late.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import isinf, sqrt
from pathlib import Path
from typing import Any

import msgspec

from medwarden.app.simulate import Request, simulate, start_of
from medwarden.app.study import study
from medwarden.app.train import exported_devices
from medwarden.inventory.joined import Gathered, in_company
from medwarden.inventory.labelling import identify
from medwarden.inventory.score import (
    LEVELS,
    Case,
    Truth,
    category_after,
    given_label,
    seconds_to_category,
    true_label,
)
from medwarden.inventory.score_figures import JOINT, Sampling, joint_figures, level_figures

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks-hospital.md"
FIRST_SEED = 400
TARGETS = {"coverage": 0.95, "precision": 0.97, "seconds": 60.0}
MIDNIGHT = "2026-03-02T00:00"
_BEGIN, _END = "<!-- measured -->", "<!-- /measured -->"

View = tuple[str, Callable[[Path], Gathered]]


def _packets(folder: Path) -> Gathered:
    return _studied(folder / "site-1", "*.pcap*")


def _zeek(folder: Path) -> Gathered:
    return _studied(folder / "logs" / "site-1" / "zeek", "*.log")


def _studied(folder: Path, names: str) -> Gathered:
    found = study(sorted(folder.glob(names)))
    return Gathered(found.devices, found.company)


def _flows(folder: Path) -> Gathered:
    logs = folder / "logs" / "site-1"
    leases = [logs / "dhcp" / "DhcpSrvLog.log"]
    return in_company(exported_devices(logs / "netflow" / "netflow9.pcap", leases), identify)


VIEWS: tuple[View, ...] = (
    ("packets of a mirror port", _packets),
    ("Zeek logs alone", _zeek),
    ("NetFlow 9 and DHCP log alone", _flows),
)


def hospital(folder: Path, seed: int, devices: int, hours: float) -> Path:
    """Return the folder of a simulated hospital, made where it is not there yet."""
    if not (folder / "truth.json").exists():
        request = Request(
            devices=devices,
            hours=hours,
            seed=seed,
            start=start_of(MIDNIGHT),
            logs=("zeek", "netflow", "dhcp"),
            image_scale=0.003,
            unfamiliar=True,
            joining=0.2,
        )
        simulate(request, folder)
    return folder


def cases_of(name: str, seed: int, known: Gathered, truths: Iterable[dict[str, Any]]) -> list[Case]:
    """Return a case for every device of the truth that was there at all."""
    by_mac = {mac: device for device in known.devices for mac in device.macs}
    by_ip = {ip: device for device in known.devices for ip in device.ips}
    cases = []
    for truth in truths:
        held = [address["ip"] for address in truth["addresses"]]
        device = next((by_mac[mac] for mac in truth["macs"] if mac in by_mac), None)
        device = device or next((by_ip[ip] for ip in held if ip in by_ip), None)
        labels = {level: str(truth[level] or "") for level in LEVELS}
        cases.append(Case(name, Truth(name, f"{seed}/{truth['macs'][0]}", labels), device, known.company))
    return cases


_IS_A = {
    **dict.fromkeys(("syringe_pump", "pca_pump", "enteral_pump"), "infusion_pump"),  # 21 CFR 880.5725
    "label_printer": "printer",
    "laptop": "workstation",
    "ultrasound_handheld": "ultrasound",
    "telemetry": "patient_monitor",
    **dict.fromkeys(("domain_controller", "ehr_server", "interface_engine"), "server"),
}
"""Categories that are a kind of another one of the same class: to be called so is right, if not fully."""


def in_general(cases: Iterable[Case]) -> list[Case]:
    """Return the cases with the general kind for truth where it was answered: printer for label printer."""
    found = []
    for case in cases:
        true = case.truth.labels["category"]
        if given_label(case, "category")[0] == _IS_A.get(true, true) != true:
            labels = case.truth.labels | {"category": _IS_A[true]}
            case = Case(
                case.path, Truth(case.truth.capture, case.truth.mac, labels), case.device, case.company
            )
        found.append(case)
    return found


class Joined(msgspec.Struct, frozen=True):
    """A device that was switched on for the first time, and when it was rightly told what it is.

    ``in_time`` is whether the category told 60 s after its first packet was right, ``seconds`` from when on
    it was (silences count), infinite where it is open or wrong in the end. A general kind is right.
    """

    category: str
    vendor: str
    in_time: bool
    seconds: float


def joiners(cases: Sequence[Case], truths: Sequence[dict[str, Any]]) -> list[Joined]:
    """Return what became of the devices that joined while the hospital was watched."""
    found = []
    for case, truth in zip(cases, truths, strict=True):
        if truth["arrives"] is None or case.device is None:
            continue
        true = case.truth.labels["category"]
        right = {true, _IS_A.get(true, true)}
        told = category_after(case.device, case.company, TARGETS["seconds"])
        seconds = seconds_to_category(case.device, case.company, right, silences=True)
        after = float("inf") if seconds is None else seconds
        found.append(Joined(true, case.truth.labels["vendor"], told in right, after))
    return found


def share_interval(count: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, 1927)."""
    z, share = 1.959964, count / total
    middle, spread = (
        share + z * z / (2 * total),
        z * sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2),
    )
    whole = 1 + z * z / total
    return (middle - spread) / whole, (middle + spread) / whole


def line(name: str, cases: Sequence[Case], joined: Sequence[Joined], sampling: Sampling) -> list[str]:
    """Return one line of the table."""
    seen = [case for case in cases if case.device is not None]
    joint, strict = joint_figures(in_general(seen), sampling), joint_figures(seen, sampling)
    cells = [name, f"{len(seen)} of {len(cases)}", _share(joint.coverage, joint.intervals.get("coverage"))]
    cells.append(_share(joint.precision, joint.intervals.get("precision")))
    cells.append(_share(strict.precision, strict.intervals.get("precision")))
    for level in LEVELS:
        figures = level_figures(level, seen, Sampling(0))
        cells.append(f"{_percent(figures.coverage)} ({_percent(figures.accuracy)})")
    ece = level_figures("category", seen, Sampling(0)).ece
    cells.append("-" if ece is None else f"{ece:.3f}")
    cells.append(_of_joiners(joined))
    return cells


def _of_joiners(joined: Sequence[Joined]) -> str:
    if not joined:
        return "-"
    ranked = sorted(each.seconds for each in joined)
    p95 = ranked[min(len(ranked) - 1, int(0.95 * len(ranked)))]
    in_time = sum(each.in_time for each in joined)
    low, high = share_interval(in_time, len(joined))
    told = "never" if isinf(p95) else f"{p95:.0f} s"
    share = f"{in_time / len(joined):.1%} ({low:.1%} to {high:.1%})"
    return f"{in_time} of {len(joined)} right at 60 s, {share}; p95 {told}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _share(value: float | None, bounds: tuple[float, float] | None) -> str:
    return _percent(value) + ("" if bounds is None else f" ({bounds[0]:.1%} to {bounds[1]:.1%})")


HEADING = ("seen through", "visible", "class+category+vendor answered", "of these right", "right to the last kind", *LEVELS, "ECE category", "devices that join")  # fmt: skip  # noqa: E501


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as a table of Markdown."""
    lines = [HEADING, ["---"] * len(HEADING), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def still_open(cases: Iterable[Case]) -> list[str]:
    """Return what stayed open or was wrong, by category and level, most frequent first."""
    found: Counter[str] = Counter()
    for case in cases:
        if case.device is None:
            continue
        for level in JOINT:
            truth, (given, _) = true_label(case, level), given_label(case, level)
            if truth is not None and given != truth:
                kind = "open" if given is None else f"called {given}"
                found[f"{case.truth.labels['category']} ({case.truth.labels['vendor']}): {level} {kind}"] += 1
    return [f"{count:4} {what}" for what, count in found.most_common()]


def late_ones(joined: Iterable[Joined]) -> list[str]:
    """Return the devices that joined and were not rightly told within the time, the latest first."""
    late = sorted((j for j in joined if not j.in_time), key=lambda j: (-j.seconds, j.category, j.vendor))
    return [
        f"{'never' if isinf(j.seconds) else f'{j.seconds:.0f} s':>8} {j.category} ({j.vendor})" for j in late
    ]


def main() -> None:
    """Simulate, measure, print, and write where that is asked for."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seeds", default="401,402,403")
    options.add_argument("--devices", type=int, default=150)
    options.add_argument("--hours", type=float, default=48.0)
    options.add_argument("--keep", type=Path)
    options.add_argument("--open", type=Path, help="write what stayed open, by source")
    options.add_argument("--write", action="store_true")
    chosen = options.parse_args()
    seeds = [int(text) for text in chosen.seeds.split(",")]
    if min(seeds) < FIRST_SEED:
        raise SystemExit(f"seeds below {FIRST_SEED} may have been trained on")
    cases: dict[str, list[Case]] = {name: [] for name, _ in VIEWS}
    joined: dict[str, list[Joined]] = {name: [] for name, _ in VIEWS}
    with tempfile.TemporaryDirectory(prefix="medwarden-hospital-") as scratch:
        for seed in seeds:
            folder = hospital((chosen.keep or Path(scratch)) / str(seed), seed, chosen.devices, chosen.hours)
            truths = json.loads((folder / "truth.json").read_text())["devices"]
            for name, view in VIEWS:
                own = cases_of(name, seed, view(folder), truths)
                cases[name] += own
                joined[name] += joiners(own, truths)
    rows = [line(name, cases[name], joined[name], Sampling()) for name, _ in VIEWS]
    said = (
        f"Hospitals: {len(seeds)} of {chosen.devices} devices over {chosen.hours:g} hours "
        f"(seeds {chosen.seeds}). "
        "In brackets: 95 % intervals by bootstrap over devices for the first three, the share of right "
        f"answers for the levels.\n\n{table(rows)}\n"
    )
    sys.stdout.write(said)
    if chosen.open is not None:
        chosen.open.write_text(
            "\n".join(
                "\n".join((f"## {name}", *still_open(cases[name]), "# late", *late_ones(joined[name])))
                for name, _ in VIEWS
            )
            + "\n"
        )
    if chosen.write:
        page = PAGE.read_text()
        head, rest = page.split(_BEGIN)[0], page.split(_END)[1]
        PAGE.write_text(f"{head}{_BEGIN}\n\n{said}\n{_END}{rest}")


if __name__ == "__main__":
    main()
