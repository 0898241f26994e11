"""Risk at the size of a large hospital: 100,000 devices, 250,000 CVE records, scores, increments, pages.

    .venv/bin/python bench/risk.py [--part PART ...] [--house FOLDER] [--devices N] [--records N]

Parts: ``match`` (records and profiles through the engine, nothing stored), ``build`` (devices of a
simulated hospital, copied, judged into a data folder), ``score`` (all scores anew), ``increments`` (one
device, one advisory, one recall against what is stored, with the scores that they change, in a process that
has read ahead what a worker reads when it starts), ``plan`` (groups, a letter, what to do first) and
``pages`` (the console). Without ``--part`` all of them. ``--house`` keeps the data folder, which is built
where it is missing: a second run starts at once. Every figure has the line that is asked for, and whether it
was reached: by the clock, and where the machine is shared by processor time spread over two cores.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from identity_throughput import SITE
from medwarden.store.open import open_store
from risk_house import TENANT, House, timed

PARTS = ("match", "build", "score", "increments", "plan", "pages")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--house", type=Path, help="a folder to keep what is built in")
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--records", type=int, default=250_000)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    if "match" in given.part:
        from risk_records import match

        match(given.devices, given.records, given.seed, given.processes)
    stored = [part for part in PARTS[2:] if part in given.part]
    if not stored and "build" not in given.part:
        return
    with tempfile.TemporaryDirectory(prefix="medwarden-bench-") as folder:
        house = House(given.house or Path(folder))
        house.build(given.devices)
        with open_store(house.home, writer=True):
            for part in stored:
                print(f"\n{part}", flush=True)
                MEASURES[part](house)


def score(house: House) -> None:
    """Print how long it takes to score all, and what a change of every score takes on disk."""
    from medwarden.app.judge import assess_due
    from medwarden.app.risk_rules import put_in_force
    from medwarden.store.changes import Change
    from medwarden.store.models import Device, FactorSpan, RiskScore
    from medwarden.store.scores import mark_due

    number = Device.objects.count()
    wanted = 60 * number / 100_000
    for words in ("once more", "again, nothing changed"):
        with Change("bench", words, site=SITE) as change:
            mark_due(change)
        with timed(f"{number:,} scores, {words}", wanted):
            assess_due(TENANT, SITE)
    database = house.home / "state.sqlite3"
    rows = RiskScore.objects.count(), FactorSpan.objects.count()
    before = size(database)
    own = house.home / "own.yaml"
    turns = RiskScore.objects.filter(current=False).count() // number + 1
    own.write_text(f"shape: {{saturation: {60 + turns}}}\n")
    put_in_force(house.home, own, actor="bench", reason="bench")
    with timed(f"{number:,} scores by other weights, all written", wanted):
        assess_due(TENANT, SITE)
    print(
        f"history: {RiskScore.objects.count() - rows[0]:,} scores and "
        f"{FactorSpan.objects.count() - rows[1]:,} factor spans more take "
        f"{(size(database) - before) / number:,.0f} bytes a device"
    )


def size(database: Path) -> int:
    """Return how many bytes the database takes with its log written back."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database.stat().st_size


def increments(house: House) -> None:
    """Print how long one device, one advisory and one recall take against everything that is stored."""
    from medwarden.app.judge import assess
    from medwarden.app.read_ahead import read_ahead
    from medwarden.store.models import Device

    with timed("what a worker reads when it starts"):
        read_ahead(house.home)
    first = Device.objects.order_by("pk").values_list("pk", flat=True)[0]
    for turn in ("first in a process", "after it"):
        with timed(f"one device scored, {turn}", 1, cores=1):
            assess(TENANT, SITE, [first])
    from risk_increments import new_advisory, new_device, new_recall

    for act in (new_device, new_advisory, new_recall):
        for turn in ("first in a process", "after it", "and again"):
            with timed(f"{act.__name__.replace('_', ' ')}, {turn}", 1, cores=1):
                act(house)


def plan(house: House) -> None:
    """Print how long groups of devices and a plan take."""
    from medwarden.app.risk import plan_site
    from medwarden.app.risk_clock import note_groups
    from medwarden.model.risk import RiskLevel
    from medwarden.store.queries.scope import Scope

    del house
    from medwarden.app.letters import write
    from risk_house import VULNERABILITIES

    with timed("a letter to a maker written", 1, cores=1):
        write(
            Scope(), "Philips", "IntelliVue MX800", "4.1", [f"CVE-2099-{VULNERABILITIES - 1:04}"],
            actor="bench",
        )  # fmt: skip
    with timed("groups written down"):
        note_groups()
    with timed("plan over the 100 worst devices"):
        plan_site(Scope(), RiskLevel.LOW, most=100)


def pages(house: House) -> None:
    """Print what pages and searches take at the server."""
    from risk_pages import measure

    measure(house)


MEASURES: dict[str, Callable[[House], None]] = {
    "score": score,
    "increments": increments,
    "plan": plan,
    "pages": pages,
}

if __name__ == "__main__":
    main()
