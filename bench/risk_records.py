"""Made-up records and devices: 250,000 CVE records and 100,000 profiles through the matching engine.

Seeded: makers and products with the skew of NVD (few makers have most records), version ranges, operating
systems by release and build, medical advisories with dirty texts. Profiles alike are judged once, and spread
over processes that share the filed records (fork).
"""

from __future__ import annotations

import gc
import multiprocessing
import random
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from identity_throughput import cpu_seconds
from medwarden.model.feed import Record
from medwarden.model.vulnerability import (
    Advisory,
    Cvss,
    Exploitation,
    ProductClaim,
    ProductStatus,
    Provenance,
    Remedy,
    VersionSpan,
    Vulnerability,
)
from medwarden.risk.matching.engine import Engine
from medwarden.risk.matching.profile import Profile
from risk_house import report

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


def published(of_records: int, of_advisories: int, seed: int = 5) -> Iterator[tuple[str, Record]]:
    """Yield records as long as published ones, with the feed that brings each: NVD, EPSS and CSAF.

    A thousand numbers of a year are one block of knowledge, as they are in the world.
    """
    world = World(seed)
    vectors = ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CVSS:3.1/AV:A/AC:H/PR:L/UI:N/S:U/C:L/I:L/A:H")
    for at, record in enumerate(world.records(of_records)):
        number = f"CVE-{2000 + at // 10_000}-{at % 10_000:04}"
        words = " ".join(word(world.draw) for _ in range(45))
        scored = Cvss("3.1", world.draw.choice(vectors), 9.8, "nvd")
        yield (
            "nvd",
            msgspec.structs.replace(
                record, id=number, description=words, scores=(scored,), cwes=("CWE-787",),
                references=tuple(f"https://example.org/{number}/{each}" for each in range(3)),
            ),
        )  # fmt: skip
        yield "epss", Exploitation(number, epss=round(world.draw.random() ** 4, 5), sources=(SOURCE,))
    for advisory in world.advisories(of_advisories):
        found = tuple(
            msgspec.structs.replace(
                record, id=f"{record.id}{each}", description=" ".join(word(world.draw) for _ in range(45)),
                remedies=(Remedy("vendor_fix", " ".join(word(world.draw) for _ in range(30))),),
            )
            for record in advisory.vulnerabilities
            for each in range(4)
        )  # fmt: skip
        yield "csaf", msgspec.structs.replace(advisory, vulnerabilities=found)


def judged(profiles: Sequence[Profile]) -> list[tuple[int, int]]:
    """Judge some profiles; return for each how many verdicts and how many confirmed."""
    assert _engine is not None
    found = []
    for profile in profiles:
        matches = _engine.judge(profile)
        found.append((len(matches), sum(match.state == "confirmed" for match in matches)))
    return found


def match(number: int, of_records: int, seed: int, processes: int) -> None:
    """Measure matching."""
    global _engine
    world = World(seed)
    records, advisories = list(world.records(of_records)), list(world.advisories(2_000))
    devices = list(world.devices(number))
    begun, worked = time.perf_counter(), cpu_seconds()
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
    report(
        f"{len(devices):,} x {len(records):,} (filed in {filed - begun:.0f} s)",
        done - begun,
        (cpu_seconds() - worked),
        60 * number / 100_000,
    )
    print(f"{pairs:,} verdicts on devices, {sure:,} of them confirmed")
    increments(_engine, world, profiles)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the first process {peak:,.0f} MiB")


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
        said = "reached" if min(taken) < 1 else "NOT REACHED"
        print(f"{name}: best {min(taken):.3f} s, first {taken[0]:.3f} s   asked < 1 s: {said}")
