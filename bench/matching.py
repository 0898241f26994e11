"""Matching against a simulated inventory whose truth follows from the product lists of advisories.

    .venv/bin/python bench/matching.py FOLDER [--part development|test|all] [--seed S ...] [--read N]
                                              [--readable] [--wrong]

FOLDER holds CSAF files. For every product that an advisory names, devices are made: as published, in dirty
spelling, at the ends of the named versions, of unknown version, and near misses. Their truth comes from the
lists by a reader of its own here (plain numbers and signs) and, for texts beyond that, from
``matching_truth.tsv``, made by hand; the engine's readers are not used. Advisories are split: those of
``DEVELOPMENT`` were looked at while the engine was written, the others only after its first measurement.

Printed: precision of "confirmed" and recall of "confirmed or potential" with 95 % intervals (bootstrap over
advisories, which are what is drawn, not devices), by kind of device, for each seed; then with ``--read`` N
verdict sentences drawn at random with the last seed, each with its truth, to be read by a person.

``--readable`` leaves out products whose version text the reader here cannot read and nobody read by hand, and
vulnerabilities that several advisories of the folder name, so that nothing counts whose truth is not known:
for folders of advisories without a part in ``matching_truth.tsv``.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from medwarden.model.vulnerability import (
    Advisory,
    Match,
    MatchState,
    ProductClaim,
    ProductStatus,
    Provenance,
    Vulnerability,
)
from medwarden.risk.matching.engine import Engine
from medwarden.risk.matching.profile import Profile

DEVELOPMENT = frozenset(
    [
        "ICSMA-17-009-01A",
        "ICSMA-17-017-01",
        "ICSMA-17-017-02",
        "ICSMA-17-082-01",
        "ICSMA-17-082-02",
        "ICSMA-17-215-01",
        "ICSMA-17-215-02",
        "ICSMA-17-227-01",
        "ICSMA-17-229-01",
        "ICSMA-17-241-01",
        "ICSMA-17-250-01",
        "ICSMA-17-250-02A",
        "ICSMA-17-255-01",
        "ICSMA-17-292-01",
        "ICSMA-17-318-01",
        "ICSMA-17-332-01",
        "ICSMA-18-025-01",
        "ICSMA-18-037-01",
        "ICSMA-18-037-02",
        "ICSMA-18-058-01",
        "ICSMA-18-058-02",
        "ICSMA-18-086-01",
        "ICSMA-18-107-01",
        "ICSMA-18-156-01",
        "ICSMA-18-226-01",
        "ICSMA-18-228-01",
        "ICSMA-18-233-01",
        "ICSMA-18-235-01",
        "ICSMA-18-240-01",
        "ICSMA-18-277-01",
        "ICSMA-18-277-02",
        "ICSMA-18-310-01",
        "ICSMA-18-312-01",
        "ICSMA-18-340-01",
        "ICSMA-18-347-01",
        "ICSMA-19-022-01",
        "ICSMA-19-029-01",
        "ICSMA-19-029-02",
        "ICSMA-19-080-01",
        "ICSMA-19-113-01",
        "ICSMA-19-120-01",
        "ICSMA-19-164-01",
        "ICSMA-19-178-01",
        "ICSMA-19-190-01",
        "ICSMA-19-192-01",
        "ICSMA-20-049-01",
        "ICSMA-20-170-06",
        "ICSMA-20-254-01",
        "ICSMA-20-317-01",
        "ICSMA-20-343-01",
    ]
)
OTHER_SPELLINGS = {
    "philips": ("Phillips", "PHILIPS", "Philips Healthcare", "Philips Medical Systems"),
    "phillips": ("Philips", "Philips Medical Systems"),
    "ge healthcare": ("GE", "GE Medical Systems", "General Electric", "GE HealthCare"),
    "general electric (ge)": ("GE Healthcare", "General Electric", "GE"),
    "becton, dickinson and company (bd)": ("BD", "Becton Dickinson", "Becton, Dickinson & Co.", "CareFusion"),
    "b. braun": ("B.Braun", "B Braun Medical", "B. Braun Melsungen AG"),
    "b. braun medical": ("B. Braun", "BBraun"),
    "siemens": ("Siemens Healthineers", "SIEMENS AG", "Siemens Healthcare"),
    "medtronic": ("MEDTRONIC", "Medtronic, Inc.", "Medtronic plc"),
    "dräger": ("Draeger", "Drägerwerk AG", "Drager"),
    "smiths medical": ("Smiths-Medical", "Smiths Medical ASD, Inc."),
    "roche diagnostics": ("Roche", "Roche Diagnostics GmbH"),
    "abbott laboratories": ("Abbott", "ABBOTT"),
    "baxter": ("Baxter International", "Baxter Healthcare"),
    "fujifilm": ("FUJIFILM", "Fujifilm Corporation", "Fuji Film"),
    "stryker": ("Stryker Medical", "STRYKER"),
    "carestream": ("Carestream Health",),
    "boston scientific": ("Boston Scientific Corporation",),
}
FILLERS = frozenset(
    [
        "system",
        "systems",
        "software",
        "medical",
        "patient",
        "device",
        "pump",
        "pumps",
        "monitor",
        "monitors",
        "machine",
    ]
)
SIGNS = re.compile(r"(<=|>=|<|>|)\s*v?(\d+(?:\.\d+)*)", re.IGNORECASE)
PLAIN = re.compile(r"(?:(?:<=|>=|<|>|)\s*v?\d+(?:\.\d+)*\s*(?:\||$)\s*)+", re.IGNORECASE)
EVERY = frozenset({"vers:all/*", "*", ""})
ALL_VERSIONS = re.compile(r"all versions?(?:\s*[,:])?\s*", re.IGNORECASE)
UP_TO = re.compile(
    r"v?(\d+(?:\.\d+)*),?\s+(?:and|or)\s+(?:prior|earlier|below|lower|older)(?: versions?)?", re.IGNORECASE
)
BEFORE = re.compile(
    r"(?:versions?\s+)?(?:prior to|before|below|earlier than)\s+(?:version\s+)?v?(\d+(?:\.\d+)*)",
    re.IGNORECASE,
)


def plainly(version: str) -> str:
    """Return a version text in signs and numbers where it says the same in a few fixed words."""
    text = version.strip()
    if ALL_VERSIONS.fullmatch(text):
        return "*"
    text = ALL_VERSIONS.sub("", text, count=1) if ALL_VERSIONS.match(text) else text
    for form, sign in ((UP_TO, "<= "), (BEFORE, "< ")):
        found = form.fullmatch(text)
        if found:
            return sign + found.group(1)
    return re.sub(r"(?<=\d)\s+and\s+(?=[<>])", " ", text)


class Listed(NamedTuple):
    """One product of an advisory with the vulnerabilities it is named for."""

    vendor: str
    product: str
    version: str
    vulnerabilities: frozenset[str]


class Hand(NamedTuple):
    """What a person made of one product and version text: models that are meant, others, versions."""

    models: tuple[str, ...]
    others: tuple[str, ...]
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    every: bool


class Case(NamedTuple):
    """A device, how it was made, and the truth of each vulnerability of its advisory."""

    kind: str
    advisory: str
    profile: Profile
    affected: frozenset[str]
    open: frozenset[str]  # cannot be told: potential is right, confirmed is not


class Outcome(NamedTuple):
    """One device and vulnerability: truth (affected, open, out) and what the engine said."""

    case: Case
    vulnerability: str
    truth: str
    said: MatchState | None
    match: Match | None


def products(branches: list[dict[str, Any]], above: dict[str, str]) -> Iterator[tuple[dict[str, str], str]]:
    """Yield the path and id of every product of a CSAF product tree."""
    for branch in branches:
        path = above | {branch["category"]: branch["name"]}
        if "product" in branch:
            yield path, branch["product"]["product_id"]
        yield from products(branch.get("branches", []), path)


def read(path: Path) -> tuple[Advisory, tuple[Listed, ...]]:
    """Read a CSAF file as an advisory for the engine and as a list for the truth."""
    document = json.loads(path.read_text(encoding="utf-8"))
    identifier = document["document"]["tracking"]["id"]
    title = document["document"]["title"]
    paths = {key: named for named, key in products(document["product_tree"].get("branches", []), {})}
    claims = {
        key: ProductClaim(
            ProductStatus.AFFECTED,
            named.get("vendor", ""),
            named.get("product_name", ""),
            named.get("product_version", named.get("product_version_range", "")),
            product_id=key,
        )
        for key, named in paths.items()
    }
    source = Provenance("csaf", path.name)
    records, named_for = [], defaultdict(set)
    for number, record in enumerate(document.get("vulnerabilities", [])):
        name = record.get("cve") or f"{identifier}#{number}"
        held = [key for key in record.get("product_status", {}).get("known_affected", []) if key in claims]
        records.append(Vulnerability(name, "", "", source, claims=tuple(claims[key] for key in held)))
        for key in held:
            named_for[key].add(name)
    listed = tuple(
        Listed(c.vendor, c.product, c.version, frozenset(named_for[key])) for key, c in claims.items()
    )
    return Advisory(identifier, title, "CISA", source, vulnerabilities=tuple(records)), listed


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a plain version, zeros at the end left out."""
    parts = [int(part) for part in re.findall(r"\d+", version)]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def holds(text: str, version: str) -> bool:
    """Tell whether a plain text of signs and numbers names a plain version."""
    bounds = SIGNS.findall(text)
    mine = numbers(version)
    tests = {
        "": lambda a, b: a == b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
    }  # fmt: skip
    if len(bounds) == 2 and bounds[0][0].startswith(">") and bounds[1][0].startswith("<"):
        return all(tests[sign](mine, numbers(bound)) for sign, bound in bounds)
    return any(tests[sign](mine, numbers(bound)) for sign, bound in bounds)


def step(version: str, by: int) -> str | None:
    """Return the next version up or down in the last number, written as before."""
    head, last = re.fullmatch(r"(.*?)(\d+)", version).groups()  # type: ignore[union-attr]
    if int(last) + by < 0:
        return None
    return head + str(int(last) + by).zfill(len(last))


def ends(text: str) -> list[str]:
    """Return versions at and beside the bounds of a plain text."""
    found: list[str] = []
    for _, bound in SIGNS.findall(text):
        found += [v for v in (bound, step(bound, 1), step(bound, -1)) if v is not None]
    return list(dict.fromkeys(found))


def hands(path: Path) -> dict[tuple[str, str, str], Hand]:
    """Read what was made by hand."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))

    def several(cell: str | None) -> tuple[str, ...]:
        return tuple(part.strip() for part in (cell or "").split(";") if part.strip())

    return {
        (row["advisory"], row["product"], row["version"]): Hand(
            several(row["models"]),
            several(row["others"]),
            several(row["inside"]),
            several(row["outside"]),
            row["every"] == "yes",
        )
        for row in rows
    }


class Maker:
    """Makes devices of an advisory, seeded."""

    def __init__(
        self,
        seed: int,
        made: dict[tuple[str, str, str], Hand],
        strangers: list[tuple[str, Listed]],
        *,
        readable: bool = False,
    ) -> None:
        self.random = random.Random(seed)
        self.made = made
        self.strangers = strangers
        self.readable = readable

    def cases(self, advisory: str, listed: tuple[Listed, ...]) -> Iterator[Case]:
        """Yield the devices of an advisory."""
        groups: defaultdict[tuple[str, str], list[Listed]] = defaultdict(list)
        for each in listed:
            if each.vulnerabilities:
                groups[each.vendor, each.product].append(each)
        for (vendor, product), group in groups.items():
            if self.readable and not all(self._is_readable(advisory, each) for each in group):
                continue
            yield from self._of(advisory, vendor, product, group, listed)

    def _is_readable(self, advisory: str, each: Listed) -> bool:
        if (advisory, each.product, each.version) in self.made:
            return True
        text = plainly(each.version)
        return text in EVERY or PLAIN.fullmatch(text) is not None

    def _of(
        self, advisory: str, vendor: str, product: str, group: list[Listed], listed: tuple[Listed, ...]
    ) -> Iterator[Case]:
        for each in group:
            hand = self.made.get((advisory, product, each.version))
            models = hand.models if hand and hand.models else (product,)
            shared = group if not (hand and hand.models) else [each]
            inside, outside = self._versions(each, hand)
            first = inside[0] if inside else ""
            own = models[0]
            yield self._case("exact", advisory, vendor, own, first, shared)
            for _ in range(2):
                model = self._dirty(self.random.choice(models))
                yield self._case("dirty", advisory, self._spelt(vendor), model, first, shared)
            for version in (*inside[:3], *outside[:3]):
                yield self._case("boundary", advisory, vendor, own, version, shared)
            yield self._case("unknown version", advisory, vendor, self.random.choice(models), "", shared)
            for other in self._misses(advisory, product, hand, listed):
                yield Case("near miss", advisory, Profile(vendor, other, first), frozenset(), frozenset())

    def _versions(self, each: Listed, hand: Hand | None) -> tuple[list[str], list[str]]:
        if hand and (hand.inside or hand.outside):
            return list(hand.inside), list(hand.outside)
        text = plainly(each.version)
        if text in EVERY or not PLAIN.fullmatch(text):
            return (
                [f"{self.random.randint(1, 9)}.{self.random.randint(0, 9)}"]
                if self._every(each, hand)
                else []
            ), []
        beside = ends(text)
        return [v for v in beside if holds(text, v)], [v for v in beside if not holds(text, v)]

    def _every(self, each: Listed, hand: Hand | None) -> bool:
        return hand.every if hand else plainly(each.version) in EVERY

    def _case(
        self, kind: str, advisory: str, vendor: str, model: str, version: str, group: list[Listed]
    ) -> Case:
        affected: set[str] = set()
        unclear: set[str] = set()
        for each in group:
            truth = self._truth(advisory, each, version)
            if truth == "affected":
                affected |= each.vulnerabilities
            elif truth == "open":
                unclear |= each.vulnerabilities
        return Case(
            kind,
            advisory,
            Profile(vendor, model, version),
            frozenset(affected),
            frozenset(unclear - affected),
        )

    def _truth(self, advisory: str, each: Listed, version: str) -> str:
        hand = self.made.get((advisory, each.product, each.version))
        if self._every(each, hand):
            return "affected"
        if not version:
            return "open"
        if hand and (hand.inside or hand.outside):
            return "affected" if version in hand.inside else "out" if version in hand.outside else "open"
        text = plainly(each.version)
        if hand is None and PLAIN.fullmatch(text) and re.fullmatch(r"[\d.]+", version):
            return "affected" if holds(text, version) else "out"
        return "open"

    def _spelt(self, vendor: str) -> str:
        others = OTHER_SPELLINGS.get(vendor.strip().lower())
        if others:
            return self.random.choice(others)
        return self.random.choice((vendor.upper(), vendor.lower(), f"{vendor} Inc.", self._misprint(vendor)))

    def _dirty(self, model: str) -> str:
        text = re.sub(r"\s*\([^()]*\)", "", model) if self.random.random() < 0.5 else model
        match self.random.randrange(5):
            case 0:
                return text.upper()
            case 1:
                return text.replace(" ", "-") if "-" not in text else text.replace("-", " ")
            case 2:
                kept = [word for word in text.split() if word.lower() not in FILLERS]
                return " ".join(kept) or text
            case 3:
                return self._misprint(text)
            case _:
                return re.sub(r"(?<=[A-Za-z])(?=\d)", " ", text.lower())

    def _misprint(self, text: str) -> str:
        words = [word for word in text.split() if word.isalpha() and len(word) >= 7]
        if not words:
            return text.lower()
        word = self.random.choice(words)
        at = self.random.randrange(2, len(word) - 2)
        return text.replace(word, word[:at] + word[at + 1] + word[at] + word[at + 2 :], 1)

    def _misses(
        self, advisory: str, product: str, hand: Hand | None, listed: tuple[Listed, ...]
    ) -> Iterator[str]:
        if hand and hand.others:
            yield from hand.others
            return
        if hand and hand.models:
            return
        names = " ".join(each.product.lower() + " " + each.version.lower() for each in listed)
        found = re.findall(r"\d{2,}", re.sub(r"\([^()]*\)", "", product))
        if found:
            number = self.random.choice(found)
            other = str(int(number) + self.random.choice((1, 3, 7, 100))).zfill(len(number))
            if other not in names:
                yield product.replace(number, other, 1)
        words = set(re.findall(r"[a-z]{4,}", names))
        apart = [
            each.product
            for other, each in self.strangers
            if other != advisory and not words & set(re.findall(r"[a-z]{4,}", each.product.lower()))
        ]
        if apart:
            yield self.random.choice(apart)


def judged(cases: list[Case], engine: Engine, names: dict[str, frozenset[str]]) -> Iterator[Outcome]:
    """Yield what the engine says of each device and each vulnerability of its advisory."""
    for case in cases:
        said = {match.vulnerability: match for match in engine.judge(case.profile)}
        for vulnerability in sorted(names[case.advisory]):
            truth = (
                "affected"
                if vulnerability in case.affected
                else "open"
                if vulnerability in case.open
                else "out"
            )
            match = said.get(vulnerability)
            yield Outcome(case, vulnerability, truth, match.state if match else None, match)


def figures(outcomes: list[Outcome]) -> tuple[float, float, int, int]:
    """Return precision of confirmed, recall of confirmed or potential, and what they are of."""
    sure = [o for o in outcomes if o.said is MatchState.CONFIRMED]
    wanted = [o for o in outcomes if o.truth != "out"]
    right = sum(o.truth == "affected" for o in sure)
    found = sum(o.said in (MatchState.CONFIRMED, MatchState.POTENTIAL) for o in wanted)
    return (
        right / len(sure) if sure else 1.0,
        found / len(wanted) if wanted else 1.0,
        len(sure),
        len(wanted),
    )


def by_device(outcomes: list[Outcome]) -> list[Outcome]:
    """Keep one vulnerability of each device and truth: an advisory with 35 of them counts as one."""
    kept: dict[tuple[int, str], Outcome] = {}
    for outcome in outcomes:
        kept.setdefault((id(outcome.case), outcome.truth), outcome)
    return list(kept.values())


def interval(outcomes: list[Outcome], which: int, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of a figure by drawing advisories with replacement."""
    groups: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.case.advisory].append(outcome)
    keys, draw = sorted(groups), random.Random(seed)
    values = sorted(
        figures([o for key in draw.choices(keys, k=len(keys)) for o in groups[key]])[which]
        for _ in range(400)
    )
    return values[10], values[-11]


def show(title: str, outcomes: list[Outcome], seed: int) -> None:
    """Print the two figures of some outcomes."""
    precision, recall, sure, wanted = figures(outcomes)
    low, high = interval(outcomes, 0, seed)
    print(f"{title:18} precision of confirmed {precision:.3f} [{low:.3f}, {high:.3f}] of {sure:6}", end="   ")
    low, high = interval(outcomes, 1, seed)
    print(f"recall of confirmed or potential {recall:.3f} [{low:.3f}, {high:.3f}] of {wanted:6}")


def measured(
    files: list[tuple[Advisory, tuple[Listed, ...]]], part: str, seed: int, *, readable: bool
) -> list[Outcome]:
    """Make the devices of a part, judge them, print the figures and return what was said."""
    chosen = [
        (a, listed)
        for a, listed in files
        if part == "all" or (a.id in DEVELOPMENT) is (part == "development")
    ]
    engine = Engine()
    for advisory, _ in chosen:
        engine.add_advisory(advisory)
    strangers = [(advisory.id, each) for advisory, listed in chosen for each in listed]
    truth = hands(Path(__file__).with_name("matching_truth.tsv"))
    maker = Maker(seed, truth, strangers, readable=readable)
    cases = [case for advisory, listed in chosen for case in maker.cases(advisory.id, listed)]
    named = Counter(record.id for advisory, _ in chosen for record in advisory.vulnerabilities)
    names = {
        advisory.id: frozenset(
            record.id for record in advisory.vulnerabilities if not readable or named[record.id] == 1
        )
        for advisory, _ in chosen
    }
    outcomes = list(judged(cases, engine, names))
    print(f"{part} part: {len(chosen)} advisories, {len(cases)} devices, {len(outcomes)} pairs, seed {seed}")
    show("all pairs", outcomes, seed)
    show("one per device", by_device(outcomes), seed)
    for kind in ("exact", "dirty", "boundary", "unknown version", "near miss"):
        show(kind, [o for o in outcomes if o.case.kind == kind], seed)
    near = [o for o in outcomes if o.case.kind == "near miss"]
    called = sum(o.said in (MatchState.CONFIRMED, MatchState.POTENTIAL) for o in near)
    print(f"near misses called potential or confirmed: {called} of {len(near)}")
    return outcomes


def main() -> None:
    """Make the devices, judge them, print figures and sentences."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", choices=("development", "test", "all"), default="development")
    parser.add_argument("--seed", type=int, nargs="+", default=[5])
    parser.add_argument("--read", type=int, default=0, metavar="N", help="print N sentences to be read")
    parser.add_argument("--readable", action="store_true", help="only products whose truth is known")
    parser.add_argument("--wrong", action="store_true", help="also name what was wrong")
    given = parser.parse_args()
    files = [read(path) for path in sorted(given.folder.rglob("*.json"))]
    outcomes: list[Outcome] = []
    for seed in given.seed:
        outcomes = measured(files, given.part, seed, readable=given.readable)
    if given.wrong:
        near = [o for o in outcomes if o.case.kind == "near miss" and o.said is not None]
        for o in by_device([*wrong(outcomes), *near]):
            why = o.match.reason if o.match else "nothing said"
            print(f"  {o.case.kind}: {o.case.advisory} {device_of(o)} truth {o.truth}, said {o.said}: {why}")
    draw = random.Random(given.seed[-1])
    said = [o for o in by_device(outcomes) if o.match is not None]
    for number, o in enumerate(draw.sample(said, min(given.read, len(said))), 1):
        print(f"{number:3}. {device_of(o)}  [truth: {o.truth}; said: {o.said}]")
        print(f"     {o.match.reason if o.match else ''}")


def device_of(outcome: Outcome) -> str:
    """Return the device of an outcome as a person would write it."""
    profile = outcome.case.profile
    return " / ".join(part for part in (profile.vendor, profile.model, profile.firmware) if part)


def wrong(outcomes: list[Outcome]) -> list[Outcome]:
    """Return confirmed ones that are not affected and affected or open ones that were missed."""
    return [
        o
        for o in outcomes
        if (o.said is MatchState.CONFIRMED and o.truth != "affected")
        or (o.truth != "out" and o.said not in (MatchState.CONFIRMED, MatchState.POTENTIAL))
    ]


if __name__ == "__main__":
    main()
