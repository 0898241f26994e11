"""Run fuzz targets: each for some seconds, or those that are due, and keep in the ledger what was done.

    ./dev fuzz --seconds 30                     every target in turn
    ./dev fuzz logs dicom --seconds 600         some families or targets
    ./dev fuzz --due 600 --total 3600           for an hour what has fewer than 600 clean seconds, least first
    ./dev fuzz --status                         what is clean for how long, and what is due

Seconds are the processor's but for ``--total``, which is the clock's. Each target runs in a process of its
own with a bound on its memory; all are run, whatever one finds, and the status is 1 where the code as it is
has a finding. When code changes meanwhile, a run of what is due starts itself anew and goes on with that.
"""

# ruff: noqa: S606, T201 - a command that prints and starts itself anew

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BEGAN = time.time()
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from fuzz.engine import LEDGER, SOURCE, Target, apart, recorded, sanitized, told  # noqa: E402
from fuzz.ledger import Ledger, Row  # noqa: E402
from fuzz.sources import Code, Sources  # noqa: E402

FAMILIES = {
    "dissectors": "fuzz_dissector",
    "logs": "fuzz_log",
    "columns": "fuzz_columns",
    "capture": "fuzz_capture",
    "sanitise": "fuzz_sanitise",
    "model": "fuzz_model",
    "documents": "fuzz_documents",
}
SLICE_SECONDS = 60.0
"""Of the processor, that one target gets of a run of what is due before the next one's turn."""


@dataclass(frozen=True)
class Standing:
    """One target, its code as it is, and what the ledger has of that."""

    target: Target
    code: Code
    changed: bool
    plain: Row | None
    checked: Row | None

    @property
    def clean_s(self) -> float:
        """Return for how long this code has been clean in the build this tree has."""
        row = self.checked if sanitized() else self.plain
        return row.clean_s if row else 0.0

    @property
    def findings(self) -> int:
        """Return how many findings this code has, in either build."""
        return sum(row.findings for row in (self.plain, self.checked) if row)


def family(name: str) -> list[Target]:
    """Return the targets of one family."""
    targets: dict[str, Target] = importlib.import_module(f"fuzz.{FAMILIES[name]}").targets()
    return list(targets.values())


def chosen(words: Iterable[str]) -> list[Target]:
    """Return the targets of families and names, in the order named. Raises KeyError for what is neither."""
    found: dict[str, Target] = {}
    for word in words:
        if word in FAMILIES:
            found |= {target.name: target for target in family(word)}
        else:
            named = (target for name in FAMILIES for target in family(name) if target.name == word)
            target = next(named, None)
            if target is None:
                raise KeyError(word)
            found[word] = target
    return list(found.values())


def standings(targets: Sequence[Target], codes: Mapping[str, Code], rows: Sequence[Row]) -> list[Standing]:
    """Return how far each target is."""
    held = {row.key: row for row in rows}
    known = {row.target for row in rows}
    found = []
    for target in targets:
        code = codes[target.name]
        plain, checked = (held.get((target.name, code.digest, build)) for build in (False, True))
        changed = plain is None and checked is None and target.name in known
        found.append(Standing(target, code, changed, plain, checked))
    return found


def next_due(every: Sequence[Standing], due_s: float, passed_over: set[str]) -> Standing | None:
    """Return whose turn it is: least clean seconds in slices, then what changed, then what is native."""
    waiting = [
        one
        for one in every
        if one.clean_s < due_s and not one.findings and one.target.name not in passed_over
    ]
    return min(
        waiting,
        key=lambda one: (one.clean_s // SLICE_SECONDS, not one.changed, -one.code.native),
        default=None,
    )


def status(every: Sequence[Standing], due_s: float) -> str:
    """Return a table of what is clean for how long, and a line on what is due."""
    lines = [
        f"{'target':32} {'digest':16} {'clean s':>8} {'inputs':>10} {'outcomes':>8} {'sanitizer s':>11}  last"
    ]
    for one in every:
        row, checked = one.plain, one.checked
        plain = f"{row.clean_s:8.0f} {row.inputs:10} {row.outcomes:8}" if row else f"{0:8} {0:10} {0:8}"
        last = row.last.isoformat() if row else "never"
        lines.append(
            f"{one.target.name:32} {one.code.digest} {plain} {checked.clean_s if checked else 0:11.0f}  "
            f"{last}{'  FINDING' if one.findings else ''}"
        )
    due = [one for one in every if (one.plain.clean_s if one.plain else 0.0) < due_s]
    missing = sum(due_s - (one.plain.clean_s if one.plain else 0.0) for one in due)
    lines.append(
        f"{len(every) - len(due)} of {len(every)} targets have {due_s:.0f} s clean; "
        f"{len(due)} are due and need {missing:.0f} s of the processor"
    )
    return "\n".join(lines)


class Run:
    """One run over targets with a ledger."""

    def __init__(self, targets: Sequence[Target], ledger: Ledger, seed: int) -> None:
        sources = Sources(SOURCE)
        self._targets = targets
        self._codes = {target.name: sources.code(target.roots) for target in targets}
        self._ledger = ledger
        self._seed = seed
        self._ended = False
        self._passed_over: set[str] = set()

    def stand(self) -> list[Standing]:
        """Return how far every target is now."""
        return standings(self._targets, self._codes, self._ledger.rows())

    def one(self, target: Target, seconds: float) -> None:
        """Fuzz one target and enter what came of it, unless what runs is not the code as it stands."""
        code = self._codes[target.name]
        if code.newer(BEGAN) or code.unbuilt():
            words = (
                "its native code is newer than what is built" if code.unbuilt() else "its code has changed"
            )
            print(f"{target.name}: passed over, {words}", flush=True)
            self._passed_over.add(target.name)
            return
        self._seed += 1
        stint = apart(target, seconds, self._seed)
        self._ended = stint.ended
        row = recorded(target, stint, code.digest, self._ledger)
        print(told(target, stint, row), flush=True)

    def each(self, seconds: float) -> None:
        """Give every target its seconds."""
        for target in self._targets:
            if not self._ended:
                self.one(target, seconds)

    def due(self, due_s: float, until: float) -> bool:
        """Give slices to what is due until the clock says ``until``; True where code changed meanwhile."""
        while not self._ended and time.time() < until:
            turn = next_due(self.stand(), due_s, self._passed_over)
            if turn is None:
                break
            if turn.code.newer(BEGAN):
                return True
            left = max(until - time.time(), 1.0)
            self.one(turn.target, min(SLICE_SECONDS, due_s - turn.clean_s, left))
        return False


def main() -> int:
    """Read the command line and run; 0 where nothing was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(FAMILIES)}, or one's name")
    parser.add_argument("--seconds", type=float, default=30.0, help="for each target (default 30)")
    parser.add_argument(
        "--due", type=float, metavar="SECONDS", help="bring what is due to so many clean seconds"
    )
    parser.add_argument("--total", type=float, default=3600.0, help="of a run of what is due (default 3600)")
    parser.add_argument("--status", action="store_true", help="print what is clean and what is due (600 s)")
    parser.add_argument("--forget", action="store_true", help="drop the rows of code that is no longer there")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="another tries other inputs")
    parser.add_argument("--ledger", type=Path, default=LEDGER, help="where to enter what was done")
    given = parser.parse_args()
    try:
        targets = chosen(given.targets or FAMILIES)
    except KeyError as error:
        parser.error(f"there is no family or target {error}; --status prints all")
    run = Run(targets, Ledger(given.ledger), given.seed)
    if given.forget:
        sources = Sources(SOURCE)
        keys = [(target.name, sources.code(target.roots).digest) for target in chosen(FAMILIES)]
        print(f"{Ledger(given.ledger).keep(keys)} rows dropped")
    elif given.status:
        print(status(run.stand(), given.due or 600.0))
    elif given.due is not None:
        until = time.time() + given.total
        if run.due(given.due, until):
            again = [
                "--due",
                str(given.due),
                "--total",
                str(until - time.time()),
                "--ledger",
                str(given.ledger),
            ]
            print("the code has changed: starting anew", flush=True)
            os.execv(sys.executable, [sys.executable, __file__, *given.targets, *again])
    else:
        run.each(given.seconds)
    if found := [one.target.name for one in run.stand() if one.findings]:
        print(f"findings in code as it is: {', '.join(found)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
