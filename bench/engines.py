"""One engine, one capture: packets read and processor seconds spent, start-up left out.

``python bench/engines.py ENGINE CAPTURE`` prints both as JSON. An engine written in Python warms up on the
first packets of the capture, then measures itself and its children; a foreign program is run on those first
packets as well, and what that costs is taken off.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

WARM_UP_PACKETS = 200


class Missing(Exception):
    """An engine that is not installed here, and how to get it."""


def cpu_seconds() -> float:
    """Return the processor time of this process and of the children that ended."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


def head_of(capture: Path, target: Path, packets: int) -> int:
    """Copy the first packets of a little-endian pcap file; return how many there were."""
    taken = 0
    with capture.open("rb") as source, target.open("wb") as out:
        out.write(source.read(24))
        while taken < packets and len(header := source.read(16)) == 16:
            (length,) = struct.unpack_from("<I", header, 8)
            out.write(header + source.read(length))
            taken += 1
    return taken


def run_sensor(capture: Path, head: Path) -> tuple[int, float]:
    """Read into a store as a sensor does: core, dissectors, identities, lake and rows."""
    from medwarden.store.open import open_store

    with (
        tempfile.TemporaryDirectory(prefix="medwarden-bench-") as folder,
        open_store(Path(folder) / "home", writer=True) as store,
    ):
        from medwarden.app.ingest import Ingest
        from medwarden.app.intake import take_in

        ingest = Ingest(store, "bench", kind="capture", name="bench")

        def read(path: Path) -> int:
            state = ingest.writer.begin_input(path.name, str(path), "pcap")
            numbers = count()
            report = take_in(path, ingest.token_key, lambda batch: ingest.commit(state, next(numbers), batch))
            ingest.writer.finish_input(state, report)
            assert report.packets.balanced()
            return report.packets.read

        read(head)
        begin = cpu_seconds()
        packets = read(capture)
        return packets, cpu_seconds() - begin


def run_lake(capture: Path, head: Path) -> tuple[int, float]:
    """Read into the lake: core, dissectors, flows with application, evidence; nobody's identity."""
    import pyarrow as pa

    from medwarden.flowcore import fact_columns
    from medwarden.model.batch import Batch, Fact
    from medwarden.model.inventory_delta import InventoryDelta
    from medwarden.model.tables import EVIDENCE_LAKE_SCHEMA
    from medwarden.store.open import open_store

    scope = {"tenant", "site", "sensor", "batch"}
    fields = [named for named in EVIDENCE_LAKE_SCHEMA if named.name not in scope]

    def evidence(facts: Sequence[Fact]) -> pa.Table:
        columns = {**fact_columns(facts), "device": pa.nulls(len(facts), pa.string())}
        return pa.table([columns[named.name] for named in fields], schema=pa.schema(fields))

    with (
        tempfile.TemporaryDirectory(prefix="medwarden-bench-") as folder,
        open_store(Path(folder) / "home", writer=True) as store,
    ):
        from medwarden.app.intake import take_in
        from medwarden.store.ingest import IngestWriter, Part

        writer = IngestWriter(store, "bench", kind="capture", name="bench")

        def read(path: Path) -> int:
            state = writer.begin_input(path.name, str(path), "pcap")
            numbers = count()

            def commit(batch: Batch) -> None:
                nobody = pa.nulls(batch.flows.num_rows, pa.string())
                flows = batch.flows.append_column("client_device", nobody)
                flows = flows.append_column("server_device", nobody)
                part = Part(state, next(numbers), flows, evidence(batch.facts))
                writer.commit_group([part], InventoryDelta(writer.site))

            report = take_in(path, b"\0" * 32, commit)
            writer.finish_input(state, report)
            return report.packets.read

        read(head)
        begin = cpu_seconds()
        packets = read(capture)
        return packets, cpu_seconds() - begin


def run_stage(capture: Path, head: Path) -> tuple[int, float]:
    """Read to flows with application and facts, and let them go: the sensor without the store."""
    from medwarden.app.intake import take_in

    take_in(head, b"\0" * 32, lambda _batch: None)
    begin = cpu_seconds()
    report = take_in(capture, b"\0" * 32, lambda _batch: None)
    return report.packets.read, cpu_seconds() - begin


def run_reading_all(capture: Path, head: Path) -> tuple[int, float]:
    """Read as ``run_stage`` does, and every payload, also those that equal others."""
    from medwarden.app.intake import seldom_collecting
    from medwarden.app.packet_stage import PacketStage
    from medwarden.sensors.capture_file import read_capture

    def read(path: Path) -> int:
        stage = PacketStage(b"\0" * 32, recall=False)
        with seldom_collecting():
            report = read_capture(path, stage.core, on_batch=stage.drain)
            stage.take(final=True)
        return report.packets.read

    read(head)
    begin = cpu_seconds()
    packets = read(capture)
    return packets, cpu_seconds() - begin


def run_nfstream(capture: Path, head: Path) -> tuple[int, float]:
    """Read with nfstream and its nDPI, one meter, flows taken one by one."""
    try:
        from nfstream import NFStreamer
    except ImportError as error:
        raise Missing("nfstream: pip install nfstream==6.6.0") from error

    def read(path: Path) -> None:
        flows = NFStreamer(
            source=str(path), n_dissections=20, n_meters=1, statistical_analysis=False, decode_tunnels=True
        )
        for _flow in flows:
            pass

    read(head)
    begin = cpu_seconds()
    read(capture)
    return packets_in(capture), cpu_seconds() - begin


def run_dpkt(capture: Path, head: Path) -> tuple[int, float]:
    """Count flows as a script with dpkt would."""
    try:
        import dpkt  # noqa: F401
    except ImportError as error:
        raise Missing("dpkt: pip install dpkt") from error
    import flow_core

    os.environ["BENCH_PACKETS"] = str(flow_core.DPKT_SHARE * packets_in(capture))
    flow_core.run_dpkt(head)
    begin = cpu_seconds()
    packets = flow_core.run_dpkt(capture)["packets"]
    return packets, cpu_seconds() - begin


def run_scapy(capture: Path, head: Path) -> tuple[int, float]:
    """Decode every layer with scapy."""
    try:
        from scapy.all import PcapReader
    except ImportError as error:
        raise Missing("scapy: pip install scapy") from error

    def read(path: Path) -> int:
        with PcapReader(str(path)) as packets:
            return sum(1 for packet in packets if packet.layers())

    read(head)
    begin = cpu_seconds()
    packets = read(capture)
    return packets, cpu_seconds() - begin


def _program(name: str, package: str, *arguments: str) -> Callable[[Path, Path], tuple[int, float]]:
    """Return an engine that is a program; ``{}`` among its arguments stands for the capture."""

    def run(capture: Path, head: Path) -> tuple[int, float]:
        path = shutil.which(name)
        if path is None:
            raise Missing(f"{name}: apt-get install {package}")

        def spent(source: Path) -> float:
            begin = cpu_seconds()
            command = [path, *(str(source) if part == "{}" else part for part in arguments)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return cpu_seconds() - begin

        start_up = spent(head)
        return packets_in(capture), spent(capture) - start_up

    return run


def packets_in(capture: Path) -> int:
    """Count the records of a little-endian pcap file."""
    packets = 0
    size = capture.stat().st_size
    with capture.open("rb") as file:
        at = 24
        while at + 16 <= size:
            file.seek(at + 8)
            at += 16 + int.from_bytes(file.read(4), "little")
            packets += 1
    return packets


_FIELDS = (
    "frame.time_epoch",
    "ip.src",
    "ip.dst",
    "tcp.srcport",
    "tcp.dstport",
    "udp.srcport",
    "_ws.col.Protocol",
)
ENGINES: dict[str, Callable[[Path, Path], tuple[int, float]]] = {
    "medwarden, whole sensor into the lake": run_lake,
    "medwarden, with identities and rows": run_sensor,
    "medwarden, without any store": run_stage,
    "medwarden, without any store, recalling nothing": run_reading_all,
    "nfstream with DPI": run_nfstream,
    "ndpiReader": _program("ndpiReader", "libndpi-bin", "-i", "{}", "-q"),
    "dpkt loop with flow dict": run_dpkt,
    "tshark -T fields": _program(
        "tshark", "tshark", "-n", "-r", "{}", "-T", "fields", *(part for f in _FIELDS for part in ("-e", f))
    ),
    "scapy, all layers": run_scapy,
}
SHARE = {"dpkt loop with flow dict": 10, "tshark -T fields": 20, "scapy, all layers": 150}
"""Of how many packets a slow engine reads one: always the first ones."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("capture", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="medwarden-bench-") as folder:
        head = Path(folder) / "head.pcap"
        head_of(options.capture, head, WARM_UP_PACKETS)
        begin = time.perf_counter()
        try:
            packets, seconds = ENGINES[options.engine](options.capture, head)
        except Missing as missing:
            print(json.dumps({"missing": str(missing)}))
            return
    wall = time.perf_counter() - begin
    print(json.dumps({"packets": packets, "seconds": seconds, "wall": wall}))


if __name__ == "__main__":
    main()
