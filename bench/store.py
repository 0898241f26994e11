"""Measure the store: bulk upserts, lake appends, and pages over 100,000 devices.

Run as ``python bench/store.py [DEVICES]``; prints medians. Works in a temporary folder.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from medwarden.model.inventory_delta import (
    AddressChange,
    BindingSource,
    ConversationIncrement,
    DeviceChange,
    InterfaceChange,
    InventoryDelta,
    KeyKind,
    LedgerIncrement,
    ServiceIncrement,
)
from medwarden.model.tables import FLOW_LAKE_SCHEMA
from medwarden.store.open import Store, open_store

SECOND = 1_000_000_000
CATEGORIES = [f"category_{n}" for n in range(150)]
VENDORS = [f"Vendor {n}" for n in range(400)]
ADDED = {"tenant", "site", "sensor", "batch"}


def timed(call: Callable[[], object], times: int = 15) -> float:
    """Return the median of ``times`` runs in milliseconds."""
    spans = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        spans.append((time.perf_counter() - start) * 1000)
    return statistics.median(spans)


def show(what: str, value: float, unit: str) -> None:
    print(f"{what:<62}{value:>14,.1f} {unit}")


def make_delta(numbers: range, ts: int) -> InventoryDelta:
    ids = {n: f"d-{n:013d}" for n in numbers}
    macs = {n: ":".join(f"{n:012x}"[i : i + 2] for i in range(0, 12, 2)) for n in numbers}
    ips = {n: f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in numbers}
    return InventoryDelta(
        site="main",
        devices=tuple(
            DeviceChange(i, "main", KeyKind.MAC, True, False, ts, ts + n, ()) for n, i in ids.items()
        ),
        interfaces=tuple(InterfaceChange(i, macs[n], False, False, ts, ts) for n, i in ids.items()),
        addresses=tuple(
            AddressChange(i, macs[n], ips[n], BindingSource.DHCP, True, ts, ts) for n, i in ids.items()
        ),
        ledger=tuple(
            LedgerIncrement(i, "bench", "dhcp", f"dhcp.field_{k}", f"value {k} of {n}", ts, ts, 1)
            for n, i in ids.items()
            for k in range(6)
        ),
        services=tuple(
            ServiceIncrement(i, "tcp", port, None, ts, ts, 1, 1, 100)
            for i in ids.values()
            for port in (80, 104)
        ),
        conversations=tuple(
            ConversationIncrement(
                i, "client", ids[random.choice(numbers)], None, None, "internal", "tcp", port, "dicom",
                ts, ts, 1, 2, 60, 90, True,
            )
            for i in ids.values()
            for port in (53, 104, 443)
        ),
    )  # fmt: skip


def rows_of(delta: InventoryDelta) -> int:
    return sum(
        len(part)
        for part in (
            delta.devices,
            delta.interfaces,
            delta.addresses,
            delta.ledger,
            delta.services,
            delta.conversations,
        )
    )


def measure_upserts(devices: int) -> None:
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta

    for word, ts in (("new rows", SECOND), ("known rows", 2 * SECOND)):
        rates = []
        for start in range(0, devices, 5000):
            delta = make_delta(range(start, min(start + 5000, devices)), ts)
            begin = time.perf_counter()
            with Change("bench", "bench", site="main") as change:
                apply_delta(change, delta)
            rates.append(rows_of(delta) / (time.perf_counter() - begin))
        show(f"upserts, {word}, batches of 5,000 devices", statistics.median(rates), "rows/s")


def measure_conclusions(devices: int) -> None:
    from medwarden.model.device import Device, DeviceClass
    from medwarden.model.risk import Factor, RiskLevel, RiskScore
    from medwarden.store.changes import Change
    from medwarden.store.identities import record_identities
    from medwarden.store.scores import record_scores

    spans = []
    for start in range(0, devices, 5000):
        numbers = range(start, min(start + 5000, devices))
        concluded = [
            Device(
                f"d-{n:013d}",
                "main",
                names=(f"host-{n}",),
                device_class=DeviceClass.IOMT,
                category=random.choice(CATEGORIES),
                vendor=random.choice(VENDORS),
                subnet=f"10.{n >> 16 & 255}.{n >> 8 & 255}.0/24",
                serial=f"SN{n:08d}",
            )
            for n in numbers
        ]
        scores = []
        for device in concluded:
            points = random.randrange(100)
            factor = Factor("bench", "Bench", "exposure", points, float(points), "bench")
            scores.append(RiskScore(device.id, points, RiskLevel.of(points), (factor,), "bench"))
        begin = time.perf_counter()
        with Change("bench", "bench", "v1", site="main") as change:
            record_identities(change, concluded)
            record_scores(change, scores)
        spans.append(len(concluded) / (time.perf_counter() - begin))
    show("identities with search text and scores stored", statistics.median(spans), "devices/s")


def measure_pages(devices: int) -> None:
    from medwarden.store import queries as q

    scope = q.Scope()
    total = q.devices(scope).total
    show("devices in the store", total, "devices")
    for sort in ("-risk", "-last_seen", "name", "ip", "vendor", "-findings"):
        show(f"list, sorted by {sort}, page 1", timed(lambda sort=sort: q.devices(scope, sort=sort)), "ms")
    show("list, sorted by -risk, last page", timed(lambda: q.devices(scope, offset=devices - 50)), "ms")
    filters = {
        "category": q.DeviceFilter(category=("category_7",)),
        "vendor and level": q.DeviceFilter(vendor=("Vendor 3",), level=("high",)),
        "text, a name": q.DeviceFilter(text=f"host-{devices // 2}"),
        "text, part of a MAC address": q.DeviceFilter(text="00:00:00:01:2"),
        "text, an IP address": q.DeviceFilter(text="10.0.39.16"),
        "text, a prefix": q.DeviceFilter(text="10.0.39.0/24"),
        "text, in every row": q.DeviceFilter(text="host"),
        "text, two letters": q.DeviceFilter(text="sn"),
    }
    for name, wanted in filters.items():
        show(f"list, filter {name}", timed(lambda wanted=wanted: q.devices(scope, wanted)), "ms")
    show("facets over all", timed(lambda: q.facets(scope), 5), "ms")
    show("overview", timed(lambda: q.overview(scope, 0), 5), "ms")
    show("traffic matrix by category", timed(lambda: q.matrix(scope), 3), "ms")
    middle = f"d-{devices // 2:013d}"
    show("one device, complete", timed(lambda: q.device(scope, middle)), "ms")
    show("state for the resolver", timed(lambda: q.load_state("main"), 3), "ms")


def measure_lake(store: Store) -> None:
    rows = 100_000
    columns = {}
    for field in FLOW_LAKE_SCHEMA:
        if field.name in ADDED:
            columns[field.name] = pa.array(["default"] * rows)
        elif pa.types.is_string(field.type):
            columns[field.name] = pa.array([f"{field.name}-{random.randrange(5000)}" for _ in range(rows)])
        else:
            columns[field.name] = pa.array([random.randrange(30_000) for _ in range(rows)], field.type)
    table = pa.table(columns)
    spans = []
    for number in range(12):
        begin = time.perf_counter()
        store.lake.append_once("flows", f"bench-{number}", table)
        spans.append(rows / (time.perf_counter() - begin))
    show("flows appended to the lake, batches of 100,000", statistics.median(spans), "rows/s")
    size = sum(path.stat().st_size for path in store.lake.data_files("flows")) / (12 * rows)
    show("flows in the lake (random values)", size, "bytes/row")
    small = table.slice(0, 1000)
    spans = []
    for number in range(60):
        begin = time.perf_counter()
        store.lake.append_once("flows", f"small-{number}", small)
        spans.append((time.perf_counter() - begin) * 1000)
    show("a commit of 1,000 flows", statistics.median(spans), "ms")
    show("slowest commit, with expiry", max(spans), "ms")
    device = [table["client_device"][0].as_py()]
    show(
        "flows of one device out of 1.26 million",
        timed(lambda: store.lake.flows_of_device(device, tenant="default"), 5),
        "ms",
    )


def main() -> None:
    devices = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    random.seed(1)
    with (
        tempfile.TemporaryDirectory(prefix="medwarden-bench-") as folder,
        open_store(Path(folder) / "home", writer=True) as store,
    ):
        measure_upserts(devices)
        measure_conclusions(devices)
        store.analyse()
        measure_pages(devices)
        measure_lake(store)


if __name__ == "__main__":
    main()
