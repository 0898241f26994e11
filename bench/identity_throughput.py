"""How long it takes to label a house from scratch out of the store, and one device whose evidence changed.

Devices of a simulated hospital are copied under other addresses until there are as many as asked for, put
into a store, and judged as the worker judges them: evidence read, identified, stored, risk assessed.
Usage: ``.venv/bin/python bench/identity_throughput.py [--devices 100000] [--json]``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from medwarden.app.simulate import Request, simulate, start_of
from medwarden.app.study import study
from medwarden.model.device import Conversation, Device
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
from medwarden.store.open import open_store

SITE = "main"
SENSOR = "bench"
AT_ONCE = 2000
INCREMENTS = 50
_NAMES = frozenset(
    {
        "browser.host_name", "browser.name", "dhcp.host_name", "mdns.host_name", "nbns.name",
        "ntlmssp.workstation", "snmp.sys_name",
    }
)  # fmt: skip
"""Fields with the name of a device, told apart by the number of its copy."""


def hospital(devices: int) -> list[Device]:
    """Return the devices of a simulated hospital with their evidence."""
    with tempfile.TemporaryDirectory() as folder:
        request = Request(devices=devices, hours=0.5, seed=301, start=start_of("2026-03-02T09:00"))
        return list(study(simulate(request, Path(folder)).captures).devices)


def copies(patterns: list[Device], count: int) -> Iterator[Device]:
    """Yield so many devices, each with an id, addresses and, where its pattern has any, names of its own."""
    for number in range(count):
        pattern = patterns[number % len(patterns)]
        tail = f"{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        yield msgspec.structs.replace(
            pattern,
            id=f"d-{number:013d}",
            macs=tuple(f"{mac[:9]}{tail}" for mac in pattern.macs[:1]),
            ips=(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",),
            ledger=tuple(
                msgspec.structs.replace(entry, value=f"{entry.value}{number // len(patterns):03d}")
                if entry.field in _NAMES
                else entry
                for entry in pattern.ledger
            ),
        )


def delta_of(devices: list[Device]) -> InventoryDelta:
    """Return what brings devices into a store."""
    return InventoryDelta(
        site=SITE,
        devices=tuple(
            DeviceChange(d.id, SITE, KeyKind.MAC, True, False, d.first_seen, d.last_seen, ()) for d in devices
        ),
        interfaces=tuple(
            InterfaceChange(d.id, mac, False, False, d.first_seen, d.last_seen)
            for d in devices
            for mac in d.macs
        ),
        addresses=tuple(
            AddressChange(
                d.id, d.macs[0] if d.macs else None, ip, BindingSource.DHCP, True, d.first_seen, d.last_seen
            )
            for d in devices
            for ip in d.ips
        ),
        ledger=tuple(
            LedgerIncrement(
                d.id, SENSOR, e.source, e.field, e.value, e.first_seen, e.last_seen, e.count
            )
            for d in devices
            for e in d.ledger
        ),
        services=tuple(
            ServiceIncrement(d.id, *msgspec.structs.astuple(service))
            for d in devices
            for service in d.services
        ),
        conversations=tuple(
            ConversationIncrement(**{**msgspec.structs.asdict(talk), **_elsewhere(d, talk)})
            for d in devices
            for talk in d.conversations
        ),
    )  # fmt: skip


def _elsewhere(device: Device, talk: Conversation) -> dict[str, str | None]:
    """Return what a copied conversation has instead: its own device, and a peer that is none of ours."""
    return {"device": device.id, "peer_device": None, "peer_ip": talk.peer_ip or "10.255.0.1"}


def cpu_seconds() -> float:
    """Return the processor time of this process and its ended children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def measure(devices: int, patterns: list[Device]) -> dict[str, object]:
    """Return the figures for so many devices, judged from scratch and one at a time."""
    from medwarden.app.judge import judge_stale
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta
    from medwarden.store.models import Device as Row

    house = copies(patterns, devices)
    pieces = 0
    while part := list(islice(house, AT_ONCE)):
        with Change("bench", "bench", site=SITE) as change:
            apply_delta(change, delta_of(part))
        pieces += sum(len(d.ledger) + len(d.services) + len(d.conversations) for d in part)
    tenant = Row.objects.values_list("tenant_id", flat=True)[0]
    load = os.getloadavg()[0]
    began, worked = time.perf_counter(), cpu_seconds()
    judged = judge_stale(tenant, SITE)
    wall, cpu = time.perf_counter() - began, cpu_seconds() - worked
    spans, works = [], []
    for number in range(INCREMENTS + 1):
        device = f"d-{number * (devices // (INCREMENTS + 1)):013d}"
        news = LedgerIncrement(device, SENSOR, "http", "http.title", f"news {number}", 1, 2 * 10**18, 1)
        with Change("bench", "bench", site=SITE) as change:
            apply_delta(change, InventoryDelta(site=SITE, ledger=(news,)))
        Row.objects.filter(pk=device).update(stale=True)
        start, worked = time.perf_counter(), cpu_seconds()
        judge_stale(tenant, SITE)
        spans.append((time.perf_counter() - start) * 1000)
        works.append((cpu_seconds() - worked) * 1000)
    first = spans.pop(0)  # reads the surroundings of all devices, which are kept from then on
    works.pop(0)
    answered = Row.objects.exclude(category=None).count()
    return {
        "devices": judged,
        "pieces_of_evidence_each": round(pieces / devices, 1),
        "category_answered": answered,
        "seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "ms_of_cpu_per_device": round(cpu / judged * 1000, 2),
        "devices_per_second": round(judged / wall),
        "first_increment_ms": round(first, 1),
        "increment_ms_median": round(statistics.median(spans), 1),
        "increment_ms_slowest": round(max(spans), 1),
        "increment_ms_of_cpu": round(statistics.median(works), 1),
        "load_before": round(load, 1),
        "load_after": round(os.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--devices", type=int, default=100_000)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    patterns = hospital(400)
    with (
        tempfile.TemporaryDirectory(prefix="medwarden-bench-") as folder,
        open_store(Path(folder) / "home", writer=True),
    ):
        figures = measure(chosen.devices, patterns)
    if chosen.json:
        sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    else:
        sys.stdout.writelines(f"{name:<28}{value!s:>12}\n" for name, value in figures.items())


if __name__ == "__main__":
    main()
