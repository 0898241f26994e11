"""Risk at the size of a large hospital: 100,000 devices, 250,000 CVE records, increments, scores, history.

    .venv/bin/python bench/risk.py [--devices N] [--records N] [--seed S] [--processes P] [--scored N]

Records and devices are made up, seeded: makers and products with the skew of NVD (few makers have most
records), version ranges, operating systems by release and build, medical advisories with dirty texts.
Printed: seconds to file the records, to judge every profile (devices alike are judged once), to give every
device its verdicts, and for one new device and one new advisory against all. Profiles are spread over P
processes that share the filed records (fork).

Then ``--scored`` devices of a simulated hospital, copied, are judged into a store, given vulnerabilities, and
all of them are scored anew: once with nothing changed, once with other weights, so that every score is
written; one device, the groups, the bytes that history takes, and a plan. 0 leaves that out.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import random
import resource
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from identity_throughput import SITE, copies, cpu_seconds, delta_of, hospital
from medwarden.model.vulnerability import (
    Advisory,
    Match,
    MatchState,
    ProductClaim,
    ProductStatus,
    Provenance,
    VersionSpan,
    Vulnerability,
)
from medwarden.risk.matching.engine import Engine
from medwarden.risk.matching.profile import Profile
from medwarden.store.open import open_store

TENANT = "default"
SOURCE = Provenance("made up", "bench")
MEDICAL = (
    "Philips", "GE Healthcare", "Siemens Healthineers", "BD", "Baxter", "B. Braun", "Medtronic", "Draeger",
    "Roche", "Abbott", "Stryker", "Fujifilm", "Hillrom", "ICU Medical", "Mindray", "Nihon Kohden",
)  # fmt: skip
OTHERS = (
    "microsoft",
    "linux",
    "google",
    "apple",
    "cisco",
    "hp",
    "oracle",
    "axis",
    "lexmark",
    "dell",
    "schneider_electric",
)
SYSTEMS = (
    ("Windows", "10", "10.0.19045.{}"), ("Windows", "10", "10.0.17763.{}"), ("Windows 7", "", "6.1.7601"),
    ("Windows XP", "", ""), ("VxWorks", "", "6.{}"), ("Linux", "", "4.{}"),
)  # fmt: skip
SYLLABLES = (
    "al",
    "vi",
    "sta",
    "cor",
    "me",
    "da",
    "lo",
    "qui",
    "tor",
    "pul",
    "ra",
    "ven",
    "nex",
    "ti",
    "gen",
    "so",
)

_engine: Engine | None = None


def word(draw: random.Random) -> str:
    """Return a made-up name of a product line."""
    return "".join(draw.choice(SYLLABLES) for _ in range(draw.randint(2, 4)))


class World:
    """Products of makers, from which both records and devices are drawn."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.medical = {
            maker: [f"{word(self.draw).title()} {self.draw.randint(10, 9900)}" for _ in range(250)]
            for maker in MEDICAL
        }
        self.other = {
            maker: [f"{word(self.draw)}_{self.draw.randint(100, 9900)}_firmware" for _ in range(1500)]
            for maker in (*OTHERS, *(word(self.draw) for _ in range(8000)))
        }

    def version(self) -> str:
        """Return a version number."""
        return f"{self.draw.randint(1, 9)}.{self.draw.randint(0, 20)}.{self.draw.randint(0, 20)}"

    def records(self, number: int) -> Iterator[Vulnerability]:
        """Yield records in the form that NVD gives them."""
        makers = list(self.other)
        for at in range(number):
            kind = self.draw.random()
            if kind < 0.05:
                claims = tuple(self._windows() for _ in range(self.draw.randint(1, 6)))
            elif kind < 0.07:
                claims = (self._claim("linux", "linux_kernel", "o", f"4.{self.draw.randint(1, 20)}"),)
            else:
                maker = makers[min(int(self.draw.paretovariate(0.55)) - 1, len(makers) - 1)]
                named = self.draw.sample(self.other[maker], self.draw.randint(1, 3))
                claims = tuple(self._claim(maker, product, "o", self.version()) for product in named)
            yield Vulnerability(f"CVE-20{at % 26:02}-{at:06}", "", "", SOURCE, claims=claims)

    def _windows(self) -> ProductClaim:
        edition, build = self.draw.choice(
            (("22h2", 19045), ("1809", 17763), ("1607", 14393), ("21h2", 22000))
        )
        return self._claim(
            "microsoft", f"windows_10_{edition}", "o", f"10.0.{build}.{self.draw.randint(1, 6000)}"
        )

    @staticmethod
    def _claim(maker: str, product: str, part: str, high: str) -> ProductClaim:
        cpe = f"cpe:2.3:{part}:{maker}:{product}:*:*:*:*:*:*:*:*"
        return ProductClaim(
            ProductStatus.AFFECTED, maker, product, spans=(VersionSpan(high=high),), part=part, cpe=cpe
        )

    def advisories(self, number: int) -> Iterator[Advisory]:
        """Yield advisories of medical makers with a few products each."""
        for at in range(number):
            maker = self.draw.choice(MEDICAL)
            forms = ("<= {}", "< {}", "{} and below", "vers:all/*", "{}", "prior to Version {}")
            claims = tuple(
                ProductClaim(
                    ProductStatus.AFFECTED, maker, product, self.draw.choice(forms).format(self.version())
                )
                for product in self.draw.sample(self.medical[maker], 3)
            )
            record = Vulnerability(f"CVE-2099-{at:06}", "", "", SOURCE, claims=claims)
            yield Advisory(f"MADE-{at:05}", f"{maker} products", "bench", SOURCE, vulnerabilities=(record,))

    def devices(self, number: int) -> Iterator[Profile]:
        """Yield devices: a third medical, the rest computers and things."""
        makers = list(self.other)[:60]
        for _ in range(number):
            if self.draw.random() < 0.35:
                maker = self.draw.choice(MEDICAL)
                model = self.medical[maker][min(int(self.draw.paretovariate(0.8)) - 1, 249)]
                yield Profile(maker, model, self.draw.choice(("", "2.3.1", "4.10.0", "7.0.2")))
            elif self.draw.random() < 0.5:
                name, release, form = self.draw.choice(SYSTEMS)
                version = form.format(self.draw.choice((1, 500, 2000, 4500)))
                yield Profile("Dell", "OptiPlex 7090", "", f"{name} {release}".strip(), version)
            else:
                maker = self.draw.choice(makers)
                at = min(int(self.draw.paretovariate(0.8)) - 1, 1499)
                model = self.other[maker][at].replace("_firmware", "").replace("_", " ")
                yield Profile(maker, model, self.draw.choice(("", "1.2.3", "5.5.5")))


def judged(profiles: Sequence[Profile]) -> list[tuple[int, int]]:
    """Judge some profiles; return for each how many verdicts and how many confirmed."""
    assert _engine is not None
    found = []
    for profile in profiles:
        matches = _engine.judge(profile)
        found.append((len(matches), sum(match.state == "confirmed" for match in matches)))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--records", type=int, default=250_000)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--scored", type=int, default=100_000)
    given = parser.parse_args()
    if given.records:
        match(given.devices, given.records, given.seed, given.processes)
    if given.scored:
        score(given.scored)


def match(number: int, of_records: int, seed: int, processes: int) -> None:
    """Measure matching."""
    global _engine
    world = World(seed)
    records, advisories = list(world.records(of_records)), list(world.advisories(2_000))
    devices = list(world.devices(number))
    begun = time.perf_counter()
    gc.disable()
    _engine = Engine()
    for record in records:
        _engine.add_vulnerability(record)
    for advisory in advisories:
        _engine.add_advisory(advisory)
    gc.freeze()
    gc.enable()
    filed = time.perf_counter()
    counts = Counter(devices)
    profiles = list(counts)
    parts = [profiles[start : start + 200] for start in range(0, len(profiles), 200)]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        found = [pair for part in pool.imap(judged, parts) for pair in part]
    done = time.perf_counter()
    pairs = sum(number * counts[profile] for profile, (number, _) in zip(profiles, found, strict=True))
    sure = sum(number * counts[profile] for profile, (_, number) in zip(profiles, found, strict=True))
    print(
        f"{len(devices):,} devices ({len(profiles):,} profiles) x {len(records):,} records,"
        f" {_engine.claims:,} claims"
    )
    print(f"filed in {filed - begun:.1f} s, judged in {done - filed:.1f} s, together {done - begun:.1f} s")
    print(f"{pairs:,} verdicts on devices, {sure:,} of them confirmed")
    increments(_engine, world, profiles)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the first process {peak:,.0f} MiB")


def score(number: int) -> None:
    """Measure scoring out of the store."""
    with (
        tempfile.TemporaryDirectory(prefix="medwarden-bench-") as folder,
        open_store(Path(folder) / "home", writer=True) as store,
    ):
        fill(number)
        measure(store.home, number)


def fill(number: int) -> None:
    """Put copies of the devices of a simulated hospital into the store, judge them, give them weaknesses."""
    from medwarden.app.judge import judge_stale
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta
    from medwarden.store.models import Device

    house = copies(hospital(400), number)
    while part := list(islice(house, 2000)):
        with Change("bench", "bench", site=SITE) as change:
            apply_delta(change, delta_of(part))
    judge_stale(TENANT, SITE)
    give_weaknesses()
    print(f"{Device.objects.count():,} devices in the store", flush=True)


def give_weaknesses() -> None:
    """Store profiles and verdicts as matching would: twelve vulnerabilities for every second kind."""
    from medwarden.store.changes import Change
    from medwarden.store.models import Device
    from medwarden.store.vulnerabilities import (
        Weight,
        profiles_in_use,
        profiles_of,
        record_members,
        record_verdicts,
        record_weights,
    )

    draw = random.Random(7)
    ids = list(Device.objects.values_list("pk", flat=True))
    vectors = ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CVSS:3.1/AV:A/AC:H/PR:L/UI:N/S:U/C:L/I:L/A:H")
    with Change("bench", "bench", site=SITE) as change:
        record_members(change, profiles_of(TENANT, ids), "bench")
        judged = {
            profile: [
                Match("", f"CVE-2099-{at:04}", "", MatchState.CONFIRMED, "made up")
                for at in draw.sample(range(3000), 12)
            ]
            for number, profile in enumerate(sorted(profiles_in_use(TENANT)))
            if number % 2
        }
        record_verdicts(change, judged, edition=1, rules="bench", cause="bench")
        weights = []
        for at in range(3000):
            vector: dict[str, object] = {
                "version": "3.1",
                "vector": draw.choice(vectors),
                "score": 9.8,
                "by": "",
            }
            likely = draw.random() ** 4
            weights.append(
                Weight(
                    f"CVE-2099-{at:04}",
                    9.8,
                    draw.random() < 0.03,
                    draw.random() < 0.1,
                    likely,
                    vectors=[vector],
                )
            )
        record_weights(change, weights)


def measure(home: Path, number: int) -> None:
    """Print how long it takes to score all, one, groups, and what a change of every score takes on disk."""
    from medwarden.app.judge import assess, assess_due
    from medwarden.app.risk import plan_site
    from medwarden.app.risk_clock import note_groups
    from medwarden.app.risk_rules import put_in_force
    from medwarden.model.risk import RiskLevel
    from medwarden.store.changes import Change
    from medwarden.store.models import Device, FactorSpan, RiskScore
    from medwarden.store.queries.scope import Scope
    from medwarden.store.scores import mark_due

    for words in ("with new vulnerabilities", "again, nothing changed"):
        with Change("bench", words, site=SITE) as change:
            mark_due(change)
        with timed(f"all scored {words}"):
            assess_due(TENANT, SITE)
    database = home / "state.sqlite3"
    rows = RiskScore.objects.count(), FactorSpan.objects.count()
    before = size(database)
    own = home / "own.yaml"
    own.write_text("shape: {saturation: 60}\n")
    put_in_force(home, own, actor="bench", reason="bench")
    with timed("all scored by other weights"):
        assess_due(TENANT, SITE)
    print(
        f"history: {RiskScore.objects.count() - rows[0]:,} scores and "
        f"{FactorSpan.objects.count() - rows[1]:,} factor spans more take "
        f"{(size(database) - before) / number:,.0f} bytes a device"
    )
    first = Device.objects.order_by("pk").values_list("pk", flat=True)[0]
    for _ in range(3):
        with timed("one device scored"):
            assess(TENANT, SITE, [first])
    with timed("groups written down"):
        note_groups()
    with timed("plan over the 100 worst devices"):
        plan_site(Scope(), RiskLevel.LOW, most=100)


def size(database: Path) -> int:
    """Return how many bytes the database takes with its log written back."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database.stat().st_size


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something took: by the clock, and of processor time with all processes."""
    began, worked = time.perf_counter(), cpu_seconds()
    yield
    wall, cpu = time.perf_counter() - began, cpu_seconds() - worked
    print(f"{what:<36}{wall:8.2f} s{cpu:8.2f} s of processor time, load {os.getloadavg()[0]:.1f}", flush=True)


def increments(engine: Engine, world: World, profiles: Sequence[Profile]) -> None:
    """Print the time for one new device, and for one new advisory against every profile."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(5):
        fresh = Profile(
            "Philips", world.medical["Philips"][3], world.version(), "Windows 10", "10.0.19045.100"
        )
        start = time.perf_counter()
        engine.judge(fresh)
        times["new device"].append(time.perf_counter() - start)
        start = time.perf_counter()
        small = Engine()
        for advisory in world.advisories(1):
            small.add_advisory(advisory)
        hit = sum(bool(small.judge(profile)) for profile in profiles)
        times[f"new advisory ({hit} profiles)"].append(time.perf_counter() - start)
    for name, taken in times.items():
        print(f"{name}: best {min(taken):.3f} s, first {taken[0]:.3f} s")


if __name__ == "__main__":
    main()
