"""What each source alone yields of the same hospital: the table of docs/sources.md.

A hospital is simulated once and seen through its packets, through the logs of other sensors, and through
flow exports and DHCP logs alone. Devices are found by MAC address, or by an address they held where a
source knows no MAC. Usage: ``.venv/bin/python bench/sources.py [--devices N] [--hours T] [--seed S]``;
``--write`` puts the table into docs/sources.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import dpkt

from medwarden.app.study import study
from medwarden.inventory.book import Book
from medwarden.inventory.identity import Resolver
from medwarden.inventory.joined import joined_devices
from medwarden.inventory.labelling import identify
from medwarden.inventory.score import LEVELS, Case, Truth
from medwarden.inventory.score_figures import score
from medwarden.model.batch import Batch
from medwarden.model.device import Device
from medwarden.model.log_source import LogSetting, Tells
from medwarden.sensors.flow_choice import flow_parser
from medwarden.sensors.logs.registry import parsers
from medwarden.sensors.reception import Reception

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "sources.md"
SETTING = LogSetting(b"b" * 32)


def from_exports(capture: Path, more: Sequence[Path] = ()) -> tuple[Device, ...]:
    """Return the devices that the flow exports in a capture show, with what ``more`` files tell."""
    reception = Reception(flow_parser, SETTING)
    with capture.open("rb") as file:
        for moment, frame in dpkt.pcap.Reader(file):
            packet = dpkt.ethernet.Ethernet(frame)
            reception.receive("10.0.0.1", bytes(packet.data.data.data), int(float(moment) * 1e9))
    resolver, book = Resolver("default"), Book("default")

    def take(batch: Batch) -> None:
        resolver.counted_evidence(((f.evidence, f.last_ns, f.count) for f in batch.facts), "netflow")
        resolver.flows(batch.flows)
        book.apply(resolver.delta())

    for path in more:
        for batch in batches_of(path):
            take(batch)
    take(reception.take(final=True))
    return joined_devices(book, identify).devices


def batches_of(path: Path) -> Iterable[Batch]:
    """Return the batches of one log."""
    from medwarden.app.log_intake import take_in_log
    from medwarden.sensors.log_files import form_of

    form = form_of(path)
    if form is None:
        raise SystemExit(f"{path}: not recognised")
    kept: list[Batch] = []
    take_in_log(path, form, SETTING, lambda batch, _: kept.append(batch))
    return kept


def row(name: str, devices: Sequence[Device], truths: Sequence[dict[str, Any]]) -> list[str]:
    """Return one line of the table."""
    by_mac = {mac: device for device in devices for mac in device.macs}
    by_ip = {ip: device for device in devices for ip in device.ips}
    cases, found = [], []
    for truth in truths:
        held = [address["ip"] for address in truth["addresses"]]
        device = next((by_mac[m] for m in truth["macs"] if m in by_mac), None)
        device = device or next((by_ip[ip] for ip in held if ip in by_ip), None)
        labels = {level: str(truth[level] or "") for level in LEVELS}
        cases.append(Case(name, Truth(name, truth["macs"][0], labels), device))
        if device is not None:
            found.append(device)
    levels: Any = score(cases)["levels"]
    cells = [name, f"{len(found) / len(truths):.0%}"]
    for level in LEVELS:
        accuracy = levels[level]["accuracy"]
        cells.append(f"{levels[level]['coverage']:.0%} ({'-' if accuracy is None else f'{accuracy:.1%}'})")
    holds: list[Callable[[Device], bool]] = [
        lambda d: bool(d.macs),
        lambda d: bool(d.names),
        lambda d: bool(d.conversations),
        lambda d: d.os is not None,
        lambda d: d.place is not None,
    ]
    return [*cells, *(f"{sum(map(each, found)) / len(truths):.0%}" for each in holds)]


def measure(folder: Path) -> tuple[list[list[str]], int]:
    """Return the table of a simulated hospital and how many devices it has."""
    truths = json.loads((folder / "truth.json").read_text())["devices"]
    logs = folder / "logs" / "site-1"
    zeek = sorted((logs / "zeek").glob("*.log"))
    eve, dhcp = [logs / "suricata" / "eve.json"], [logs / "dhcp" / "dhcpd.log"]
    exports = logs / "netflow" / "netflow9.pcap"
    seen: list[tuple[str, Callable[[], Sequence[Device]]]] = [
        ("packets of a mirror port", lambda: study(sorted((folder / "site-1").glob("*.pcap"))).devices),
        ("Zeek, JSON", lambda: study(zeek).devices),
        ("Suricata, EVE", lambda: study(eve).devices),
        ("NetFlow 9 and DHCP log", lambda: from_exports(exports, dhcp)),
        ("NetFlow 9", lambda: from_exports(exports)),
        ("DHCP log", lambda: study(dhcp).devices),
    ]
    return [row(name, devices(), truths) for name, devices in seen], len(truths)


HEADING = ["source alone", "found", *LEVELS, "MAC", "name", "peers", "OS", "place"]


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table of Markdown."""
    lines = [HEADING, ["---"] * len(HEADING), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Simulate, measure, print, and write where that is asked for."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--devices", type=int, default=600)
    options.add_argument("--hours", type=float, default=4.0)
    options.add_argument("--seed", type=int, default=460)
    options.add_argument("--write", action="store_true")
    chosen = options.parse_args()
    from click.testing import CliRunner

    from medwarden.cli.main import cli

    with tempfile.TemporaryDirectory(prefix="medwarden-sources-") as folder:
        arguments = ["simulate", folder, "--devices", str(chosen.devices), "--hours", str(chosen.hours)]
        arguments += ["--seed", str(chosen.seed), "--unfamiliar", "--logs", "zeek,eve,netflow,dhcp"]
        made = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        if made.exit_code:
            raise SystemExit(made.output)
        rows, devices = measure(Path(folder))
    said = (
        f"A simulated hospital of {devices} devices over {chosen.hours:g} hours (seed {chosen.seed}), seen "
        f"through one source at a time. In brackets: how many of the answers are right.\n\n{table(rows)}\n"
    )
    sys.stdout.write(said)
    if chosen.write:
        PAGE.write_text(put("told", told(), put("measured", said, PAGE.read_text())))


def put(mark: str, text: str, page: str) -> str:
    """Return the page with ``text`` between the marks of that name."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n\n{text}\n{end}{rest.partition(end)[2]}"


def told() -> str:
    """Return which questions of the coverage map each log source answers, as its manifest says."""
    lines = [["source", "form", "says", "cannot say"], ["---"] * 4]
    for member in parsers():
        manifest = member.manifest
        says = [tell.value for tell in Tells if tell in manifest.tells]
        not_said = [tell.value for tell in Tells if tell not in manifest.tells]
        lines.append([manifest.title, manifest.framing.value, ", ".join(says), ", ".join(not_said)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    main()
