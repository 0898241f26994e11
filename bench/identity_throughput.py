"""How long it takes to label a house from scratch out of the store, and one device whose evidence changed.

    .venv/bin/python bench/identity_throughput.py [--devices N] [--increments N] [--home FOLDER] [--json]

Devices of a simulated hospital are copied under other addresses until there are as many as asked for, put
into a store, and judged as the worker judges them: evidence read, identified, stored, risk assessed. Then a
process that is started anew hears something new of one device after the other, and of a thousand at once;
what only the first device in a process costs is told apart. ``--home`` takes a data folder of a site
``main`` that was labelled already (``bench/risk.py --part build`` makes one; it is written to) and leaves out
the labelling from scratch. Lines are asked for in clock time on a quiet machine; processor time is what it
would take there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
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
CORES = 2
BATCH = 1000
SCRATCH_S = 300
"""What labelling of 100,000 devices from scratch may take on two cores."""
INCREMENT_MS = 50
"""What one device of which something new was heard may take."""
_P95 = 0.95
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


Figures = dict[str, object]
"""Measured values by what they are called."""


def from_scratch(home: Path, devices: int, patterns: list[Device]) -> Figures:
    """Fill a store with so many devices and judge them; return what that took, both processes together."""
    with open_store(home, writer=True):
        from medwarden.app.judge import judge_stale
        from medwarden.store.changes import Change
        from medwarden.store.delta import apply_delta
        from medwarden.store.models import DEFAULT_TENANT
        from medwarden.store.models import Device as Row

        house = copies(patterns, devices)
        pieces = 0
        while part := list(islice(house, AT_ONCE)):
            with Change("bench", "bench", site=SITE) as change:
                apply_delta(change, delta_of(part))
            pieces += sum(len(d.ledger) + len(d.services) + len(d.conversations) for d in part)
        load = os.getloadavg()[0]
        began, worked = time.perf_counter(), cpu_seconds()
        judged = judge_stale(DEFAULT_TENANT, SITE)
        wall, cpu = time.perf_counter() - began, cpu_seconds() - worked
        return {
            "devices": judged,
            "pieces of evidence each": round(pieces / devices, 1),
            "category answered": Row.objects.exclude(category=None).count(),
            "from scratch, s by the clock": round(wall, 1),
            "from scratch, s of CPU": round(cpu, 1),
            "from scratch, s of CPU on each of two cores": round(cpu / CORES, 1),
            "from scratch, ms of CPU each": round(cpu / judged * 1000, 2),
            "from scratch, asked": f"{SCRATCH_S * judged / 100_000:.0f} s",
            "load before and after": f"{load:.1f}, {os.getloadavg()[0]:.1f}",
        }


def one_by_one(home: Path, increments: int) -> Figures:
    """Hear of devices of a store one after the other, as a worker does that was started just now.

    Each is heard, identified in the company it keeps, stored, matched and scored.
    """
    figures: Figures = {}

    def first(what: str, act: Callable[[], object]) -> None:
        worked = time.process_time()
        act()
        figures[f"first in a process: {what}, ms of CPU"] = round((time.process_time() - worked) * 1000)

    with open_store(home, writer=True):
        first("imports", _imports)
        first("rules and model", lambda: _rules_and_model(home))
        from medwarden.app.surroundings import surroundings_with
        from medwarden.operations.in_use import clinical_protocols
        from medwarden.store.models import DEFAULT_TENANT
        from medwarden.store.models import Device as Row

        first("dissectors", clinical_protocols)
        first("who is around whom", lambda: surroundings_with(DEFAULT_TENANT, SITE, []))
        ids = list(Row.objects.filter(site_id=SITE, retired_at=None).values_list("pk", flat=True))
        figures["devices around"] = len(ids)
        many = random.Random(11).sample(ids, min(BATCH, len(ids)))
        first("the first device", lambda: _news(many[:1]))
        load = os.getloadavg()[0]
        _news(many)  # whatever the folder was made with is settled
        worked = time.process_time()
        _news(many)
        cpu = time.process_time() - worked
        figures[f"of {len(many)} at once, ms of CPU each"] = round(cpu / len(many) * 1000, 2)
        chosen = many[:increments]
        figures |= _each("increment", chosen, "http.title")
        figures |= _each("increment with another firmware", chosen, "snmp.entity_firmware")
        figures["increment, asked"] = f"{INCREMENT_MS} ms"
        figures["load before and after the increments"] = f"{load:.1f}, {os.getloadavg()[0]:.1f}"
    return figures


def _each(what: str, devices: Sequence[str], field: str) -> Figures:
    """Hear something new of one device after the other; return how long each took."""
    works, spans = [], []
    for device in devices:
        began, worked = time.perf_counter(), time.process_time()
        _news([device], field)
        works.append((time.process_time() - worked) * 1000)
        spans.append((time.perf_counter() - began) * 1000)
    return _spread(f"{what}, ms of CPU", works) | _spread(f"{what}, ms by the clock", spans)


def _imports() -> None:
    import medwarden.app.judge  # noqa: F401 - timed


def _rules_and_model(home: Path) -> None:
    from medwarden.app.fingerprints import load_own
    from medwarden.app.models import load_model
    from medwarden.inventory.labelling import labelling_version

    load_own(home)
    load_model(home)
    labelling_version()


def _news(devices: Sequence[str], field: str = "http.title") -> None:
    """Hear something new of devices under an evidence field, and say what they are now."""
    from medwarden.app.judge import judge_stale
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta
    from medwarden.store.models import DEFAULT_TENANT

    now = time.time_ns()
    heard = tuple(
        LedgerIncrement(device, SENSOR, field.partition(".")[0], field, f"9.{now}", now, now, 1)
        for device in devices
    )
    with Change("bench", "bench", site=SITE) as change:
        apply_delta(change, InventoryDelta(site=SITE, ledger=heard))
    judged = judge_stale(DEFAULT_TENANT, SITE)
    if judged < len(devices):
        raise SystemExit(f"{judged} devices were judged, not the {len(devices)} that were heard")


def _spread(what: str, values: Sequence[float]) -> Figures:
    ordered = sorted(values)
    return {
        f"{what}, median": round(statistics.median(ordered), 1),
        f"{what}, p95": round(ordered[int(_P95 * (len(ordered) - 1))], 1),
        f"{what}, slowest": round(ordered[-1], 1),
    }


def _alone(measure: Callable[..., Figures], *arguments: object) -> Figures:
    """Measure in a process of its own, so that nothing is at hand that another measurement read."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(measure, *arguments).result()


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--devices", type=int, default=100_000)
    options.add_argument("--increments", type=int, default=300)
    options.add_argument("--home", type=Path, help="a data folder that was labelled already; written to")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="medwarden-bench-") as folder:
        home = None if chosen.home is None else chosen.home.resolve()
        figures: Figures = {}
        if home is None:
            home = Path(folder) / "home"
            figures |= _alone(from_scratch, home, chosen.devices, hospital(400))
        figures |= _alone(one_by_one, home, chosen.increments)
    if chosen.json:
        sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    else:
        sys.stdout.writelines(f"{name:<60}{value!s:>14}\n" for name, value in figures.items())


if __name__ == "__main__":
    main()
