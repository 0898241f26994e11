"""A data folder with the devices of a large hospital, built once and measured many times.

Devices of a simulated hospital are copied under addresses and names of their own, judged as the worker
judges them, given vulnerabilities and recalls. Every step notes in ``built.json`` that it is done, so that a
run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from identity_throughput import AT_ONCE, SITE, copies, cpu_seconds, delta_of, hospital
from medwarden.model.device import Device
from medwarden.model.recall import Recall
from medwarden.model.vulnerability import Match, MatchState, Provenance
from medwarden.risk.matching.engine import RULES
from medwarden.store.knowledge import Knowledge
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.vulnerabilities import Weight

TENANT = "default"
CORES = 2
VULNERABILITIES = 3000
RECALLS = 20_000
LETTERS = 60
RECORDS = 250_000
ADVISORIES = 5_000
FIRMWARE = 12
"""Versions of firmware that copies of one device are spread over."""
_BUILT = "built.json"
_PATTERNS = "patterns.msgpack"


@contextmanager
def timed(what: str, wanted: float | None = None, *, cores: int = CORES) -> Iterator[None]:
    """Print how long something took by the clock and of processor time, all processes together.

    ``wanted`` are the seconds on two cores that are asked for. On a busy machine the clock tells more of the
    others than of this; processor time, spread over the ``cores`` it can use, is what it would take alone.
    """
    began, worked = time.perf_counter(), cpu_seconds()
    yield
    report(what, time.perf_counter() - began, cpu_seconds() - worked, wanted, cores=cores)


def report(what: str, wall: float, cpu: float, wanted: float | None, *, cores: int = CORES) -> None:
    """Print one figure with its line."""
    line = f"{what:<46}{wall:9.2f} s clock{cpu:9.2f} s CPU, load {os.getloadavg()[0]:4.1f}"
    if wanted is not None:
        line += f"   asked < {wanted:g} s: {judged(wall, cpu / cores, wanted)}"
    print(line, flush=True)


def judged(wall: float, least: float, wanted: float) -> str:
    """Say whether a line was reached: by the clock, or only by processor time on a machine of its own."""
    if wall < wanted:
        return "reached"
    return "not reached by the clock, by CPU on free cores it is" if least < wanted else "NOT REACHED"


class House:
    """The folder and what was built in it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.home = folder / "home"
        self._notes = folder / _BUILT

    @property
    def built(self) -> dict[str, float]:
        """Return the steps that are done, with what they gave."""
        if not self._notes.is_file():
            return {}
        notes: dict[str, float] = json.loads(self._notes.read_text())
        return notes

    def note(self, step: str, value: float) -> None:
        """Note that a step is done."""
        self._notes.write_text(json.dumps({**self.built, step: value}, indent=1) + "\n")

    def patterns(self) -> list[Device]:
        """Return the devices of the simulated hospital, made at the first call."""
        kept = self.folder / _PATTERNS
        if kept.is_file():
            return msgspec.msgpack.decode(kept.read_bytes(), type=list[Device])
        made = hospital(400)
        kept.write_bytes(msgspec.msgpack.encode(made))
        return made

    def build(self, number: int) -> None:
        """Do the steps that are not done yet."""
        patterns = self.patterns()
        with open_store(self.home, writer=True):
            steps: tuple[tuple[str, Callable[[], int]], ...] = (
                ("devices", lambda: fill(patterns, number)),
                ("judged", judge),
                ("recalls", lambda: give_recalls(self.home)),
                ("vulnerabilities", lambda: give_weaknesses(self.home)),
                ("actions", lambda: give_work(self.home)),
                ("records", lambda: give_records(self.home)),
            )
            for name, step in steps:
                if name not in self.built:
                    with timed(f"build: {name}"):
                        value = step()
                    self.note(name, value)


def fill(patterns: list[Device], number: int) -> int:
    """Put copies of devices into the store; return how many."""
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta
    from medwarden.store.models import Device as Row

    house = islice(copies(patterns, number), Row.objects.count(), None)
    while part := list(islice(house, AT_ONCE)):
        with Change("bench", "bench", site=SITE) as change:
            apply_delta(change, delta_of(part))
    return Row.objects.count()


def judge() -> int:
    """Identify and assess what is stale, as the worker does; return how many devices were."""
    from medwarden.app.judge import judge_stale
    from medwarden.store.models import Device as Row

    waiting = Row.objects.filter(stale=True).count()
    with timed(f"first identification and scores of {waiting:,}", 300 * waiting / 100_000):
        return judge_stale(TENANT, SITE)


def give_weaknesses(home: Path) -> int:
    """Store profiles and verdicts as matching would: twelve vulnerabilities for every second kind.

    Devices of one model are spread over versions of firmware, as they are in a hospital. Returns how many
    verdicts on devices there are.
    """
    from medwarden.store.changes import Change
    from medwarden.store.models import Device as Row
    from medwarden.store.models import ProfileMember, VulnerabilityVerdict
    from medwarden.store.vulnerabilities import (
        profiles_in_use,
        profiles_of,
        record_members,
        record_verdicts,
        record_weights,
    )

    draw = random.Random(7)
    with Knowledge(home) as knowledge:
        edition = knowledge.newest
    ids = list(Row.objects.order_by("pk").values_list("pk", flat=True))
    spread_firmware()
    with Change("bench", "bench", site=SITE) as change:
        record_members(change, profiles_of(TENANT, ids), "bench")
        kinds: dict[str, list[Match]] = {
            profile: [
                Match("", f"CVE-2099-{at:04}", "", MatchState.CONFIRMED, "made up")
                for at in draw.sample(range(VULNERABILITIES), 12)
            ]
            if number % 2
            else []
            for number, profile in enumerate(sorted(profiles_in_use(TENANT)))
        }
        record_verdicts(change, kinds, edition=edition, rules=RULES, cause="bench")
        record_weights(change, weights(draw))
    vulnerable = VulnerabilityVerdict.objects.filter(until_ns=None).values("profile")
    return 12 * ProfileMember.objects.filter(until_ns=None, profile__in=vulnerable).count()


def spread_firmware() -> None:
    """Give the devices whose maker is known a version of firmware, several to each model."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE store_device SET firmware = '4.' || (CAST(substr(id, 3) AS INTEGER) / 400 %% %s)"
            " WHERE vendor IS NOT NULL",
            [FIRMWARE],
        )


def weights(draw: random.Random) -> Iterator[Weight]:
    """Yield how much the made-up vulnerabilities matter: few are exploited, most are unlikely to be."""
    from medwarden.store.vulnerabilities import Weight

    vectors = ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CVSS:3.1/AV:A/AC:H/PR:L/UI:N/S:U/C:L/I:L/A:H")
    for at in range(VULNERABILITIES):
        vector = {"version": "3.1", "vector": draw.choice(vectors), "score": 9.8, "by": ""}
        yield Weight(
            f"CVE-2099-{at:04}",
            score=9.8,
            exploited=draw.random() < 0.03,
            exploits=draw.random() < 0.1,
            epss=draw.random() ** 4,
            vectors=[dict(vector)],
        )


def give_recalls(home: Path) -> int:
    """Put recalls into knowledge, some of them of what stands here, and judge every device by them."""
    from medwarden.app.knowledge import writing
    from medwarden.app.recalls import refresh
    from medwarden.store.knowledge_editions import Brought, Gathering, put_in_use
    from medwarden.store.models import Device as Row
    from medwarden.store.models import RecallVerdict
    from recalls import catalogue, notices

    draw = random.Random(2)
    known = set(Row.objects.values_list("vendor", "model"))
    here = sorted((vendor, model) for vendor, model in known if vendor and model)
    products = [*catalogue(random.Random(1)), *here]
    made = [notice for notice, _ in notices(draw, products, RECALLS)]
    with writing(home) as knowledge, Gathering(knowledge.folder) as gathering:
        for notice in made:
            scope = notice.scopes[0]
            gathering.add(
                "fda_recall",
                0,
                Recall(
                    id=notice.id, title=notice.title, maker=scope.maker, product=scope.product,
                    reason="It may stop.", action="", codes=scope.codes, status="Open", begun=notice.begun,
                    provenance=Provenance("fda_recall", "made", "2026-01-01"),
                ),
            )  # fmt: skip
        put_in_use(knowledge, gathering, Brought("fda_recall", seen=len(made), kept=len(made)), whole=False)
    refresh(home, TENANT)
    return RecallVerdict.objects.filter(until_ns=None).count()


def give_work(home: Path) -> int:
    """Bring the queue of actions up to date and write letters to makers; return how many actions stand."""
    from medwarden.app.letters import write
    from medwarden.app.work import refresh
    from medwarden.store.models import WorkAction
    from medwarden.store.queries.scope import Scope

    refresh(home, TENANT)
    for number in range(LETTERS):
        write(
            Scope(), "Philips", "IntelliVue MX800", f"4.{number % FIRMWARE}", [f"CVE-2099-{number:04}"],
            actor="bench",
        )  # fmt: skip
    return WorkAction.objects.count()


def give_records(home: Path) -> int:
    """Put 250,000 vulnerabilities into knowledge with how likely each is used, and 5,000 advisories.

    Devices count as judged by them: what they would come to is measured by ``--part match``. Returns how many
    records there are.
    """
    from medwarden.app.knowledge import writing
    from medwarden.store.changes import Change
    from medwarden.store.knowledge_editions import Brought, Gathering, put_in_use
    from medwarden.store.vulnerabilities import note_judged, profiles_in_use
    from risk_records import published

    kept: Counter[str] = Counter()
    with writing(home) as knowledge, Gathering(knowledge.folder) as gathering:
        for feed, record in published(RECORDS, ADVISORIES):
            gathering.add(feed, 0, record)
            kept[feed] += 1
        for feed, number in kept.items():
            put_in_use(knowledge, gathering, Brought(feed, seen=number, kept=number), whole=False)
        edition = knowledge.newest
    with Change("bench", "bench", site=SITE) as change:
        note_judged(change, profiles_in_use(TENANT), edition=edition, rules=RULES)
    return kept["nvd"]
