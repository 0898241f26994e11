"""Say how deep a target's inputs get: lines of its code they run, and how many end at the first checks.

    .venv/bin/python fuzz/depth.py                         every target, the shallowest first
    .venv/bin/python fuzz/depth.py doc-gmp_stream logs     some families or targets
    .venv/bin/python fuzz/depth.py dicom --missed          also the lines that nothing ran

Each input is run alone with its lines counted, in those Python files of the parser (``sources.py``) that any
input gets into: its seeds, what earlier stints kept, and fresh mutations of both. An input is shallow where
it runs fewer than half of the lines that the median seed runs. Native code has no lines here; its targets
are measured as far as they are Python.
"""

# ruff: noqa: S311, T201 - a command that prints and whose chance guards no secret

from __future__ import annotations

import argparse
import dis
import inspect
import random
import signal
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from fuzz.engine import SOURCE, Hang, Target, chosen_of, read_found  # noqa: E402
from fuzz.run import FAMILIES, chosen  # noqa: E402
from fuzz.sources import Sources  # noqa: E402

if TYPE_CHECKING:
    from _typeshed import TraceFunction

MOST_KEPT = 400
"""Inputs of earlier stints that are run again, taken by chance."""
LONGEST_SECONDS = 20.0
"""Of the processor, for one input with its lines counted."""

Line = tuple[str, int]


@dataclass(frozen=True)
class Depth:
    """How far one target's inputs get: sets of lines, and how many lines each input ran."""

    every: frozenset[Line]
    by_seeds: frozenset[Line]
    by_all: frozenset[Line]
    seed_lines: tuple[int, ...]
    fresh_lines: tuple[int, ...]

    @property
    def shallow(self) -> float:
        """Return the share of mutated inputs that run fewer than half of the median seed's lines."""
        half = statistics.median(self.seed_lines) / 2
        return sum(lines < half for lines in self.fresh_lines) / max(len(self.fresh_lines), 1)

    @property
    def missed(self) -> list[Line]:
        """Return the lines that no input ran."""
        return sorted(self.every - self.by_all)


def lines_of(file: Path) -> Iterator[Line]:
    """Yield the lines within functions of a file: those outside of any run when it is imported."""
    waiting: list[tuple[CodeType, bool]] = [(compile(file.read_bytes(), str(file), "exec"), False)]
    while waiting:
        code, within = waiting.pop()
        if within:
            found = {line for _, line in dis.findlinestarts(code)} - {code.co_firstlineno}
            yield from ((str(file), line) for line in found)
        waiting += [
            (inner, within or bool(inner.co_flags & inspect.CO_NEWLOCALS))  # without it: the body of a class
            for inner in code.co_consts
            if isinstance(inner, CodeType)
        ]


class Counter:
    """Counts lines of some files while an input is run."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = {str(file) for file in files}
        self.ran: set[Line] = set()

    def run(self, target: Target, data: bytes, chance: random.Random) -> set[Line]:
        """Return the lines that one input runs; what it ends with does not matter here."""
        self.ran = set()
        signal.setitimer(signal.ITIMER_PROF, LONGEST_SECONDS)
        sys.settrace(self._called)
        try:
            target.check(data, chance)
        except (Exception, Hang):  # noqa: BLE001 - a finding is the affair of the fuzzer, told by run.py
            self.ran.add(("ended by a finding", 0))
        finally:
            sys.settrace(None)
            signal.setitimer(signal.ITIMER_PROF, 0)
        return self.ran

    def _called(self, frame: FrameType, event: str, _: object) -> TraceFunction | None:
        del event
        return self._line if frame.f_code.co_filename in self._files else None

    def _line(self, frame: FrameType, event: str, _: object) -> TraceFunction:
        if event == "line":
            self.ran.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line


def measure(target: Target, fresh: int, seed: int) -> Depth:
    """Run the seeds of a target, what it kept, and ``fresh`` mutations."""
    files = [file for file in Sources(SOURCE).files(target.roots) if file.suffix == ".py"]
    counter, chance = Counter(files), random.Random(f"{target.name}{seed}")
    seeds = target.seeds() or [b""]
    target.check(seeds[0], chance)  # what is loaded once is not counted
    kept = read_found(target.name)
    kept = chance.sample(kept, min(len(kept), MOST_KEPT))
    by_seeds = [counter.run(target, data, chance) for data in seeds]
    by_kept = [counter.run(target, data, chance) for data in kept]
    pool = [*seeds, *kept]
    by_fresh = [
        counter.run(target, target.mutate(chosen_of(seeds, pool, chance), pool, chance), chance)
        for _ in range(fresh)
    ]
    by_all = frozenset().union(*by_seeds, *by_kept, *by_fresh)
    entered = {file for file, _ in by_all}
    return Depth(
        frozenset(line for file in files if str(file) in entered for line in lines_of(file)),
        frozenset().union(*by_seeds),
        by_all,
        tuple(map(len, by_seeds)),
        tuple(map(len, by_fresh)),
    )


def row(target: Target, depth: Depth) -> str:
    """Return one line of the table."""
    every = max(len(depth.every), 1)
    return (
        f"{target.name:32} {len(depth.seed_lines):5} {100 * len(depth.by_seeds) / every:7.0f} %"
        f" {100 * len(depth.by_all & depth.every) / every:7.0f} % {len(depth.every):7}"
        f" {100 * depth.shallow:8.0f} %"
    )


def ranges(lines: Sequence[Line]) -> Iterator[str]:
    """Yield ``file:from-to`` for lines of one file that stand beside each other."""
    start: Line | None = None
    for line, after in zip(lines, [*lines[1:], ("", 0)], strict=True):
        start = start or line
        if after[0] != line[0] or after[1] > line[1] + 2:
            yield f"{Path(start[0]).relative_to(SOURCE)}:{start[1]}-{line[1]}"
            start = None


def main() -> int:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(FAMILIES)}, or one's name")
    parser.add_argument("--fresh", type=int, default=300, help="mutated inputs of each (default 300)")
    parser.add_argument("--seed", type=int, default=1, help="another tries other inputs")
    parser.add_argument("--missed", action="store_true", help="also name the lines that nothing ran")
    given = parser.parse_args()
    try:
        targets = chosen(given.targets or FAMILIES)
    except KeyError as error:
        parser.error(f"there is no family or target {error}; fuzz/run.py --status prints all")
    signal.signal(signal.SIGPROF, _hung)
    print(f"{'target':32} {'seeds':>5} {'by them':>9} {'by all':>9} {'lines':>7} {'shallow':>10}", flush=True)
    for target in targets:
        depth = measure(target, given.fresh, given.seed)
        print(row(target, depth), flush=True)
        if given.missed:
            print("".join(f"    {where}\n" for where in ranges(depth.missed)), end="")
    return 0


def _hung(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    raise Hang("one input took too long")


if __name__ == "__main__":
    sys.exit(main())
