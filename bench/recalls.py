"""Every recall against every device: reading, judging, and one more of each.

    .venv/bin/python bench/recalls.py [--devices N] [--recalls N] [--stored]

The recalls are made in the forms that openFDA's have: makers, products and models from a catalogue, and codes
as lists, ranges, versions, days, words. Printed are CPU-seconds (user and system) of the engine alone: taking
all recalls in, judging all devices, then one new device and one new recall in a warm process; and, for known
pairs, how many verdicts come out as made. ``--stored`` also writes everything into a data folder of its own.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from medwarden.model.recall import Recall, RecallClass
from medwarden.model.vulnerability import Provenance
from medwarden.risk.recalls.engine import Engine, RecallState, engine_of
from medwarden.risk.recalls.facts import DeviceFacts, Said
from medwarden.risk.recalls.notice import Notice, of_recalls

MAKERS = 900
MODELS = 9
"""Models of a maker; with the makers above about 8,000 products, as a large hospital and its region have."""

_WORDS = ("Aura", "Vita", "Novo", "Cardio", "Pulmo", "Flow", "Trend", "Sono", "Neo", "Opti", "Max", "Heli")
_KINDS = ("Infusion Pump", "Patient Monitor", "Ventilator", "Ultrasound System", "Analyzer", "X-ray System")
_FILLER = "used by trained staff in hospitals for adults, children and neonates; rated for continuous use. "


def catalogue(rng: random.Random) -> list[tuple[str, str]]:
    """Return maker and model of every product."""
    makers = [f"{rng.choice(_WORDS)}{rng.choice(_WORDS).lower()} {n} Medical" for n in range(MAKERS)]
    return [
        (maker, f"{rng.choice(_WORDS)}{chr(97 + n)} {rng.choice('ABCMPVX')}{rng.randrange(100, 9999)}")
        for maker in makers
        for n in range(MODELS)
    ]


def codes(rng: random.Random) -> tuple[str, range | None]:
    """Return a text as ``code_info`` has it, and the serial numbers that it means where it is by them."""
    low = rng.randrange(10_000, 90_000)
    named = range(low, low + rng.randrange(10, 4000))
    lots = ", ".join(f"{rng.randrange(10, 24)}F{rng.randrange(10**6)}" for _ in range(rng.randrange(2, 60)))
    texts: tuple[tuple[str, range | None], ...] = (
        (f"Serial Numbers: {named[0]} through {named[-1]}", named),
        (f"UDI-DI: 0{rng.randrange(10**12, 10**13)}; Serial numbers {named[0]}-{named[-1]}.", named),
        (f"Lot/Batch Numbers: {lots}", None),
        (f"Software version {rng.randrange(1, 6)}.{rng.randrange(9)} and below", None),
        ("All units manufactured prior to June 2018", None),
        ("All serial numbers", None),
        ("See the letter to customers.", None),
    )
    return rng.choice(texts)


def notices(
    rng: random.Random, products: list[tuple[str, str]], count: int
) -> list[tuple[Notice, range | None]]:
    """Return recalls, with the serial numbers of those that go by them."""
    found = []
    for n in range(count):
        maker, model = rng.choice(products)
        text, named = codes(rng)
        product = f"{maker} {model} {rng.choice(_KINDS)}. {_FILLER * rng.randrange(1, 4)}"
        record = Recall(
            id=f"Z-{n:05d}-2026", title=product[:300], maker=f"{maker}, Inc.", product=product,
            reason="It may stop.", action="", provenance=Provenance("fda_recall", "made"),
            recall_class=rng.choice(list(RecallClass)), status="Open", begun="2026-01-01", codes=text,
        )  # fmt: skip
        found.append((of_recalls([record]), named))
    return found


def devices(rng: random.Random, products: list[tuple[str, str]], count: int) -> list[DeviceFacts]:
    """Return devices, two thirds with a serial number; most are of few models, as in a hospital."""
    found = []
    for n in range(count):
        maker, model = products[min(int(rng.expovariate(1 / 400)), len(products) - 1)]
        serial = (Said(str(rng.randrange(10_000, 99_999)), "serial"),) if rng.random() < 0.67 else ()
        firmware = (
            (Said(f"{rng.randrange(1, 7)}.{rng.randrange(9)}", "firmware"),) if rng.random() < 0.4 else ()
        )
        found.append(
            DeviceFacts(
                f"d{n}",
                f"device {n}",
                maker,
                models=(Said(model, "model"),),
                serials=serial,
                firmware=firmware,
            )
        )
    return found


def measured(what: str, act: Callable[[], object]) -> None:
    """Do something and print what it took."""
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    came = act()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{what:<58} {cpu:8.2f} CPU-s {time.perf_counter() - started:8.2f} s  {came}")


def checked(engine: Engine, made: list[tuple[Notice, range | None]]) -> str:
    """Judge devices at the ends of each range, beside it, without a number; say what was right."""
    right = Counter[str]()
    asked = 0
    for notice, named in made[:4000]:
        if named is None:
            continue
        scope = notice.scopes[0]
        maker, words = scope.maker.removesuffix(", Inc."), scope.product.split()
        model = " ".join(words[len(maker.split()) : len(maker.split()) + 2])
        for serial, wanted in (
            (str(named[0]), RecallState.AFFECTED),
            (str(named[-1]), RecallState.AFFECTED),
            (str(named[-1] + 1), RecallState.NOT_AFFECTED),
            ("", RecallState.UNKNOWN),
        ):
            said = (Said(serial, "serial"),) if serial else ()
            facts = DeviceFacts("x", "", maker, models=(Said(model, "model"),), serials=said)
            verdict = next((m.state for m in engine.judge(facts) if m.notice == notice.id), None)
            asked += 1
            right[str(verdict is wanted)] += 1
    return f"{right['True']} of {asked} as made"


def stored(folder: Path, made: list[Notice], count: int) -> None:
    """Write devices into a data folder and bring their verdicts up to date, twice."""
    from medwarden.app.knowledge import writing
    from medwarden.app.recalls import refresh
    from medwarden.store.knowledge_editions import Brought, Gathering, put_in_use
    from medwarden.store.open import open_store

    rng = random.Random(3)
    products = catalogue(random.Random(1))
    with writing(folder) as knowledge, Gathering(knowledge.folder) as gathering:
        for notice in made:
            scope = notice.scopes[0]
            gathering.add(
                "fda_recall",
                0,
                Recall(
                    id=notice.id, title=notice.title, maker=scope.maker, product=scope.product,
                    reason="", action="", provenance=Provenance("fda_recall", "made", "2026-01-01"),
                    status="Open", begun=notice.begun, codes=scope.codes,
                ),
            )  # fmt: skip
        put_in_use(knowledge, gathering, Brought("fda_recall", seen=len(made), kept=len(made)), whole=False)
    with open_store(folder, writer=True):
        from medwarden.store.bulk import insert_rows
        from medwarden.store.models import Device

        rows = []
        for n, facts in enumerate(devices(rng, products, count)):
            rows.append(
                Device(
                    id=f"d-{n}", tenant_id="default", site_id="main", name=facts.label, vendor=facts.vendor,
                    model=facts.models[0].value, serial=facts.serials[0].value if facts.serials else None,
                    firmware=facts.firmware[0].value if facts.firmware else None, device_class="IoMT",
                    first_seen=1, last_seen=1, added_ns=1, stale=False,
                )
            )  # fmt: skip
        insert_rows(rows)
        measured(f"{count} stored devices: verdicts, cases, findings", lambda: refresh(folder, "default"))
        measured("the same again, nothing changed", lambda: refresh(folder, "default"))


def main() -> None:
    """Make recalls and devices, and print what each step takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--recalls", type=int, default=60_000)
    parser.add_argument("--stored", type=int, default=0, metavar="N", help="also store N devices")
    asked = parser.parse_args()
    rng = random.Random(2)
    products = catalogue(random.Random(1))
    made = notices(rng, products, asked.recalls)
    fleet = devices(rng, products, asked.devices)
    held: list[Engine] = []
    states = Counter[str]()
    print(f"{asked.devices} devices, {asked.recalls} recalls, {len(products)} products")
    measured("take all recalls in", lambda: held.append(engine_of(notice for notice, _ in made)))
    engine = held[0]

    def judge_all() -> str:
        for facts in fleet:
            states.update(match.state.value for match in engine.judge(facts))
        return f"{sum(states.values())} verdicts: {dict(states)}"

    measured("judge all devices", judge_all)
    maker, model = products[7]
    fresh = DeviceFacts("new", "", maker, models=(Said(f"{model} Plus", "model"),))
    measured("one more device", lambda: f"{len(engine.judge(fresh))} verdicts")

    def one_more() -> str:
        small = engine_of([made[0][0]])
        return f"{sum(len(small.judge(facts)) for facts in fleet)} verdicts"

    measured("one more recall, against all devices", one_more)
    print(f"known pairs: {checked(engine, made)}")
    if asked.stored:
        with tempfile.TemporaryDirectory() as folder:
            stored(Path(folder) / "home", [notice for notice, _ in made], asked.stored)


if __name__ == "__main__":
    main()
