"""Run every fuzz target for some seconds each, or the families named: `./dev fuzz --seconds 30`.

Families: dissectors, logs, columns, capture, sanitise, documents. Each target runs in a process of its
own with a bound on its memory, so that one that dies or swells ends itself alone; all are run, whatever one
finds, and the status is 1 where one did.
"""

# ruff: noqa: S603, T201 - a command that prints and starts its neighbours

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE)]

from fuzz_documents import targets  # noqa: E402

from medwarden.dissect.registry import dissectors  # noqa: E402
from medwarden.sensors.logs.registry import parsers  # noqa: E402

FAMILIES = ("dissectors", "logs", "columns", "capture", "sanitise", "documents")
MOST_MEMORY = 4 << 30
"""Bytes of address space of one target; what is beyond is a MemoryError and a finding."""


def commands(families: list[str]) -> Iterator[list[str]]:
    """Yield program and arguments of every target of the families."""
    for family in families:
        match family:
            case "dissectors":
                yield from (["fuzz_dissector.py", d.manifest.name] for d in dissectors())
            case "logs":
                yield from (["fuzz_log.py", p.manifest.name] for p in parsers())
            case "documents":
                yield from (["fuzz_documents.py", name] for name in targets())
            case _:
                yield [f"fuzz_{family}.py"]


def bounded() -> None:
    """Bound the memory of the process that is about to run a target."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


def main() -> int:
    """Read the command line and run; 0 where nothing was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("families", nargs="*", default=FAMILIES, metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--seconds", type=float, default=30.0, help="for each target (default 30)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="another tries other inputs")
    given = parser.parse_args()
    if unknown := sorted(set(given.families) - set(FAMILIES)):
        parser.error(f"there is no family {unknown[0]!r}: {', '.join(FAMILIES)}")
    every = list(commands(list(given.families)))
    print(f"{len(every)} targets for {given.seconds:.0f} s each, seed {given.seed}", flush=True)
    failed = []
    for program, *arguments in every:
        options = ["--seconds", str(given.seconds), "--seed", str(given.seed)]
        done = subprocess.run(
            [sys.executable, str(HERE / program), *arguments, *options], check=False, preexec_fn=bounded
        )
        if done.returncode:
            failed.append(f"{program} {' '.join(arguments)}(status {done.returncode})")
    print(f"{len(every) - len(failed)} of {len(every)} targets found nothing", flush=True)
    for words in failed:
        print(f"found something: {words}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
