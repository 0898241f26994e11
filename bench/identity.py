"""How well the trained model tells the 27 device types of IoT Sentinel's captures apart.

Fixed splits and seed, no MAC, serial number, IP address or UUID in what is learnt from; the variant is
chosen on a validation part inside each training part, and each capture is scored once by a model that had
not seen it. Usage: ``.venv/bin/python bench/identity.py [--captures FOLDER] [--json] [--write]``;
``--write`` puts the tables into docs/benchmarks-identity.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path

import msgspec
import numpy as np

from medwarden.app.study import study
from medwarden.inventory.labelling import identify
from medwarden.inventory.labels.calibration import calibration_error
from medwarden.inventory.labels.example import Example, example_of
from medwarden.inventory.labels.model import LabelModel
from medwarden.inventory.labels.open_set import auroc, beyond_usual, usual_openness
from medwarden.inventory.labels.tokens import NAME_FIELDS
from medwarden.inventory.labels.training import Settings, train
from medwarden.inventory.labels.validation import macro_f1
from medwarden.inventory.labels.views import heard_until
from medwarden.inventory.score import comparable
from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.device import Device

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks-identity.md"
SEED = 7
FOLDS = 5
RESAMPLES = 1000
LEVELS = ("class", "category", "vendor", "model")
VARIANTS = [
    Settings(lengths=(1.0, stack, behaviour), ridge=0.05, strangers=0.0)
    for stack, behaviour in ((0.25, 0.25), (0.5, 0.25), (0.5, 0.5), (1.0, 1.0))
]
"""How much stack and behaviour count beside what a device says. No type is withheld from calibration: but for
the open set, each type of the test part was trained on."""


class Case(msgspec.Struct, frozen=True, eq=False):
    """One capture of one device. ``unit`` is the device, ``kind`` its type, ``site`` the set-up."""

    name: str
    unit: str
    kind: str
    site: str
    labels: dict[str, str]
    device: Device


class Answer(msgspec.Struct, frozen=True):
    """What the model said of a case it had not seen; ``openness`` is that of its category."""

    truth: str
    given: str
    confidence: float
    openness: float


View = Callable[[Device], Device]


def whole(device: Device) -> Device:
    """Return the device as it is."""
    return device


def nameless(device: Device) -> Device:
    """Return the device without the fields in which it is called by a name."""
    return msgspec.structs.replace(
        device, ledger=tuple(entry for entry in device.ledger if entry.field not in NAME_FIELDS)
    )


def first(seconds: int) -> View:
    """Return a view of what was heard in the first seconds."""
    return lambda device: heard_until(device, device.first_seen + seconds * NANOSECONDS)


def read_cases(folder: Path) -> list[Case]:
    """Return one case for each capture that ``labels.tsv`` beside the folder names."""
    cases = []
    with (folder / "labels.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        if not row["capture"].startswith("device_aalto/"):
            continue
        unit = row["capture"].partition("/")[2]
        labels = {level: row[level] for level in LEVELS}
        for path in sorted((folder / row["capture"]).glob("*.pcap")):
            device = next((d for d in study([path]).devices if row["mac"] in d.macs), None)
            if device is None:
                raise SystemExit(f"{path}: no device {row['mac']}")
            cases.append(Case(f"{unit}/{path.name}", unit, kind_of(unit), path.name[6], labels, device))
    return cases


def kind_of(unit: str) -> str:
    """Return the type of a device: two units of one type differ in a last digit."""
    return re.sub(r"(?<=Cam)[12]$|(?<=Switch)2$", "", unit)


@cache
def example(case: Case, view: View) -> Example:
    """Return a case as an example of its type."""
    said = {"category": case.labels["category"], "vendor": case.labels["vendor"], "model": case.kind}
    return example_of(view(case.device), said, group=case.name)


def answers(
    training: Sequence[Example], cases: Sequence[Case], view: View, settings: Settings
) -> list[Answer]:
    """Train and return what the model says of cases."""
    return said_by(train(training, seed=SEED, settings=settings), cases, view)


def said_by(model: LabelModel, cases: Sequence[Case], view: View) -> list[Answer]:
    """Return what a model says of cases."""
    found = []
    for case in cases:
        asked = example(case, view)
        said = {o.level: o for o in model.opinions_of(asked.entries, asked.behaviour)}
        found.append(
            Answer(case.kind, said["model"].label, said["model"].confidence, said["category"].openness)
            if said
            else Answer(case.kind, "", 0.0, 1.0)
        )
    return found


def choose(training: Sequence[Case], view: View, trained_on: Sequence[View]) -> Settings:
    """Return the variant that is right most often inside the training part.

    Judged are a quarter of it, and the captures of each set-up by a model of the others; of equals the
    one that trusts the stack least is taken.
    """
    rng = np.random.default_rng(SEED)
    quarter = set(rng.permutation(len(training))[: len(training) // 4].tolist())
    splits = [quarter]
    for site in sorted({case.site for case in training}):
        held = {n for n, case in enumerate(training) if case.site == site}
        if len(training) - len(held) > len(training) // 4:
            splits.append(held)
    right = [0] * len(VARIANTS)
    for held in splits:
        rest = [case for n, case in enumerate(training) if n not in held]
        known = {case.kind for case in rest}
        learnt = [example(case, each) for case in rest for each in trained_on]
        asked = [case for n, case in enumerate(training) if n in held and case.kind in known]
        for number, variant in enumerate(VARIANTS):
            said = answers(learnt, asked, view, msgspec.structs.replace(variant, folds=2))
            right[number] += sum(answer.truth == answer.given for answer in said)
    return VARIANTS[right.index(max(right))]


def tested(
    training: Sequence[Case], test: Sequence[Case], view: View, trained_on: Sequence[View]
) -> tuple[list[Answer], Settings]:
    """Choose a variant on the training part, train on all of it, and score the test part once."""
    variant = choose(training, view, trained_on)
    learnt = [example(case, each) for case in training for each in trained_on]
    return answers(learnt, test, view, variant), variant


def parts(cases: Sequence[Case]) -> list[list[int]]:
    """Return the captures of each fold, every type spread evenly."""
    rng = np.random.default_rng(SEED)
    folds: list[list[int]] = [[] for _ in range(FOLDS)]
    by_kind: dict[str, list[int]] = defaultdict(list)
    for number, case in enumerate(cases):
        by_kind[case.kind].append(number)
    turn = 0
    for kind in sorted(by_kind):
        for number in rng.permutation(by_kind[kind]).tolist():
            folds[turn % FOLDS].append(number)
            turn += 1
    return folds


def capture_disjoint(
    cases: Sequence[Case], view: View, trained_on: Sequence[View]
) -> tuple[list[Answer], list[Settings]]:
    """Score every capture by a model trained on captures of four other fifths."""
    found: list[Answer] = []
    variants = []
    for fold in parts(cases):
        inside = set(fold)
        training = [case for number, case in enumerate(cases) if number not in inside]
        said, variant = tested(training, [cases[number] for number in fold], view, trained_on)
        found += said
        variants.append(variant)
    return found, variants


def device_disjoint(cases: Sequence[Case]) -> list[Answer]:
    """Score each device of a type with two units by a model that saw the other one only.

    The variant is chosen the same way inside the training part: on units of the other such types, each left
    out in turn. Of equals the one that trusts the stack least is taken.
    """
    units: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        units[case.kind].add(case.unit)
    twins = sorted(unit for names in units.values() if len(names) == 2 for unit in names)
    kind = {case.unit: case.kind for case in cases}
    right: dict[str, list[int]] = {unit: [0] * len(VARIANTS) for unit in twins}
    for first_out, second_out in combinations(twins, 2):
        if kind[first_out] == kind[second_out]:
            continue
        training = [example(c, whole) for c in cases if c.unit not in (first_out, second_out)]
        for number, variant in enumerate(VARIANTS):
            model = train(training, seed=SEED, settings=msgspec.structs.replace(variant, folds=2))
            for judged, tested_later in ((first_out, second_out), (second_out, first_out)):
                said = said_by(model, [case for case in cases if case.unit == judged], whole)
                right[tested_later][number] += sum(answer.truth == answer.given for answer in said)
    found: list[Answer] = []
    for unit in twins:
        variant = VARIANTS[right[unit].index(max(right[unit]))]
        training = [example(case, whole) for case in cases if case.unit != unit]
        found += answers(training, [case for case in cases if case.unit == unit], whole, variant)
    return found


def site_disjoint(cases: Sequence[Case], learnt: str, asked: str) -> list[Answer]:
    """Score the captures of one set-up by a model trained on another; types that are in both."""
    training = [case for case in cases if case.site == learnt]
    known = {case.kind for case in training}
    return tested(training, [c for c in cases if c.site == asked and c.kind in known], whole, (whole,))[0]


def open_set(cases: Sequence[Case]) -> tuple[dict[str, list[float]], list[float]]:
    """Return openness of captures of withheld types, by type, and of captures of types that were not.

    Counted is what is beyond the usual openness of known types, measured inside each training part on a
    quarter that its model did not see.
    """
    rng = np.random.default_rng(SEED)
    kinds = rng.permutation(sorted({case.kind for case in cases})).tolist()
    strange: dict[str, list[float]] = defaultdict(list)
    known: list[float] = []
    for number, fold in enumerate(parts(cases)):
        withheld, inside = set(kinds[number::FOLDS]), set(fold)
        training = [c for n, c in enumerate(cases) if n not in inside and c.kind not in withheld]
        test = [c for n, c in enumerate(cases) if n in inside or c.kind in withheld]
        said, variant = tested(training, test, whole, (whole,))
        usual = usual_inside(training, variant)
        for case, answer in zip(test, said, strict=True):
            opened = beyond_usual(answer.openness, usual)
            (strange[case.kind] if case.kind in withheld else known).append(opened)
    return strange, known


def usual_inside(training: Sequence[Case], variant: Settings) -> float:
    """Return the usual openness of known types: of a quarter of the training part, by a model of the rest."""
    rng = np.random.default_rng(SEED)
    held = set(rng.permutation(len(training))[: len(training) // 4].tolist())
    rest = [case for n, case in enumerate(training) if n not in held]
    known = {case.kind for case in rest}
    asked = [case for n, case in enumerate(training) if n in held and case.kind in known]
    learnt = [example(case, whole) for case in rest]
    return usual_openness([answer.openness for answer in answers(learnt, asked, whole, variant)])


def interval(count: int, figure: Callable[[Sequence[int]], float]) -> tuple[float, float]:
    """Return the 95 % interval of a figure by bootstrap over cases."""
    rng = np.random.default_rng(SEED)
    drawn = [figure(rng.integers(0, count, count).tolist()) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def figures(said: Sequence[Answer]) -> dict[str, object]:
    """Return accuracy, macro-F1 and calibration error with intervals."""

    def accuracy(chosen: Sequence[int]) -> float:
        return sum(said[n].truth == said[n].given for n in chosen) / len(chosen)

    def f1(chosen: Sequence[int]) -> float:
        return macro_f1([(said[n].truth, said[n].given) for n in chosen]) or 0.0

    def ece(chosen: Sequence[int]) -> float:
        return calibration_error([(said[n].confidence, said[n].truth == said[n].given) for n in chosen])

    everything = range(len(said))
    return {
        "n": len(said),
        **{
            name: [round(value, 4) for value in (figure(everything), *interval(len(said), figure))]
            for name, figure in (("accuracy", accuracy), ("macro_f1", f1))
        },
        "ece": round(ece(everything), 4),
    }


def as_shipped(cases: Sequence[Case]) -> dict[str, list[float]]:
    """Return coverage and accuracy of the product as it comes, which never saw these captures."""
    found = {}
    judged = [(case, identify(case.device)) for case in cases]
    for level in LEVELS:
        given = [(c, d, v.label) for c, d in judged if (v := d.verdict(level)) is not None and v.label]
        right = [
            comparable(level, label, device.vendor)
            == comparable(level, case.labels[level], case.labels["vendor"])
            for case, device, label in given
        ]
        found[level] = [round(len(given) / len(cases), 4), round(sum(right) / max(1, len(right)), 4)]
    return found


def measure(cases: Sequence[Case]) -> dict[str, object]:
    """Return all figures of the page."""
    rows: dict[str, object] = {}
    said, variants = capture_disjoint(cases, whole, (whole,))
    rows["captures never seen"] = figures(said)
    mistakes: dict[str, int] = defaultdict(int)
    for answer in said:
        if answer.truth != answer.given:
            mistakes[f"{answer.truth} called {answer.given}"] += 1
    rows["the same without names"] = figures(capture_disjoint(cases, nameless, (nameless,))[0])
    for seconds in (5, 45):
        views = (whole, first(5), first(45))
        rows[f"first {seconds} s of a capture"] = figures(capture_disjoint(cases, first(seconds), views)[0])
    rows["devices never seen (types with two units)"] = figures(device_disjoint(cases))
    rows["set-up C, trained on set-up A"] = figures(site_disjoint(cases, "A", "C"))
    rows["set-up A, trained on set-up C"] = figures(site_disjoint(cases, "C", "A"))
    strange, known = open_set(cases)
    by_type = {kind: auroc(values, known) or 0.0 for kind, values in sorted(strange.items())}
    pooled = auroc([value for values in strange.values() for value in values], known) or 0.0
    return {
        "seed": SEED,
        "captures": len(cases),
        "types": len({case.kind for case in cases}),
        "rows": rows,
        "mistakes": dict(sorted(mistakes.items(), key=lambda pair: (-pair[1], pair[0]))),
        "variants": [f"lengths {v.lengths}, ridge {v.ridge:g}" for v in variants],
        "open_set": {
            "auroc": round(pooled, 4),
            "mean_over_types": round(sum(by_type.values()) / len(by_type), 4),
            "by_type": {kind: round(area, 4) for kind, area in by_type.items()},
        },
        "as_shipped": as_shipped(cases),
    }


def table(measured: dict[str, object]) -> str:
    """Return what was measured as Markdown."""
    lines = ["| judged on | n | accuracy | macro-F1 | ECE |", "| --- | --- | --- | --- | --- |"]
    rows = measured["rows"]
    assert isinstance(rows, dict)
    for name, row in rows.items():
        cells = [f"{v[0]:.3f} ({v[1]:.3f} to {v[2]:.3f})" for v in (row["accuracy"], row["macro_f1"])]
        lines.append(f"| {name} | {row['n']} | {' | '.join(cells)} | {row['ece']:.3f} |")
    opened, shipped = measured["open_set"], measured["as_shipped"]
    assert isinstance(opened, dict)
    assert isinstance(shipped, dict)
    lines += [
        "",
        f"Open set, each type withheld once: AUROC {opened['auroc']:.3f} over all captures, "
        f"{opened['mean_over_types']:.3f} as the mean over types; least: "
        + ", ".join(
            f"{kind} {area:.3f}"
            for kind, area in sorted(opened["by_type"].items(), key=lambda pair: (pair[1], pair[0]))[:4]
        )
        + f". There are {measured['captures']} captures of {measured['types']} types.",
        "",
        "| as shipped, trained on none of this | answered | of these right |",
        "| --- | --- | --- |",
        *(f"| {level} | {answered:.1%} | {right:.1%} |" for level, (answered, right) in shipped.items()),
    ]
    return "\n".join(lines) + "\n"


def put(text: str, page: str) -> str:
    """Return the page with ``text`` between its marks."""
    begin, end = "<!-- measured -->", "<!-- /measured -->"
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n\n{text}\n{end}{rest.partition(end)[2]}"


def main() -> None:
    """Measure, print, and write where that is asked for."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--captures", type=Path, default=ROOT.parent / "shared" / "captures")
    options.add_argument("--json", action="store_true")
    options.add_argument("--write", action="store_true")
    chosen = options.parse_args()
    measured = measure(read_cases(chosen.captures))
    sys.stdout.write(json.dumps(measured, indent=1) + "\n" if chosen.json else table(measured))
    if chosen.write:
        PAGE.write_text(put(table(measured), PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
