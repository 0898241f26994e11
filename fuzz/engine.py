"""Try inputs on a target for some seconds of the processor, in a process of its own, and say what came of it.

A target is a check: any bytes in, an outcome out, or an exception, which is a finding. Inputs that lead to
an outcome not seen before are changed further, and kept in ``found/`` (not committed) for the next stint, so
that many short stints come as far as a long one. What is being tried stands in memory that outlives the
process, for a fault in native code ends it; its input is written to ``crashes/`` like every other finding.
"""

# ruff: noqa: S311, T201 - a command that prints and whose chance guards no secret

from __future__ import annotations

import argparse
import gc
import hashlib
import importlib
import json
import mmap
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from fuzz.ledger import Ledger, Row
from fuzz.sources import Sources

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "fuzz" / "corpus"
CRASHES = ROOT / "fuzz" / "crashes"
FOUND = ROOT / "fuzz" / "found"
LEDGER = ROOT / "fuzz" / "ledger.csv"
SOURCE = ROOT / "src"
HANG_SECONDS = 1.0
"""Of the processor's time for one input: other work on the machine makes no finding."""
SLOWER = 8.0
"""How much longer an input may take where every access of memory is checked."""
MOST_MEMORY = 4 << 30
"""Bytes of address space of one target; what is beyond is a MemoryError and a finding."""
MOST_BEYOND = 120
"""Seconds of the processor that a stint may take beyond what it was given: known inputs are tried first."""
OF_SEEDS = 0.35
"""How many inputs are changed seeds rather than changed inputs that led somewhere new."""
MOST_INPUT = 1 << 21
MOST_POOL = 4096
MOST_OUTCOMES = 1 << 16
MOST_FOUND = 8 << 20

Mutation = Callable[[bytes, Sequence[bytes], random.Random], bytes]


class Finding(Exception):
    """The parser did what none may do."""


class Hang(BaseException):
    """One input took too long; no parser may catch it."""


@dataclass(frozen=True)
class Target:
    """One parser and what it is held to."""

    name: str
    roots: tuple[str, ...]  # the modules the parser begins in
    check: Callable[[bytes, random.Random], Hashable]
    seeds: Callable[[], list[bytes]]
    mutate: Mutation
    make_corpus: Callable[[], int] | None = None


@dataclass(frozen=True)
class Stint:
    """What one stretch of fuzzing came to."""

    seconds: float
    inputs: int
    outcomes: int
    finding: str = ""
    ended: bool = False  # somebody wanted it to end before its time


def committed(folder: str) -> list[bytes]:
    """Return the seeds of one folder of the corpus."""
    return [path.read_bytes() for path in sorted((CORPUS / folder).glob("*")) if path.is_file()]


def sanitized() -> bool:
    """Tell whether the native modules of this tree check every access of memory."""
    built = sorted(SOURCE.rglob("*.so"))
    return bool(built) and all(b"__asan_init" in path.read_bytes() for path in built)


def _hung(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    raise Hang("one input took too long")


def keep_crash(name: str, data: bytes) -> Path:
    """Write the input of a finding; return where."""
    CRASHES.mkdir(exist_ok=True)
    path = CRASHES / f"{name}-{hashlib.blake2b(data, digest_size=8).hexdigest()}.bin"
    path.write_bytes(data)
    return path


class Trial:
    """The inputs of one target: those that are known, those that are tried, and what they led to."""

    def __init__(self, target: Target, seed: int, held: mmap.mmap | None = None) -> None:
        self.target = target
        self.chance = random.Random(f"{target.name}{seed}")
        self.tried = 0
        self.outcomes: set[Hashable] = set()
        self.finding = ""
        self._held = held
        self._hang_s = HANG_SECONDS * (SLOWER if sanitized() else 1)
        self._seeds = target.seeds() or [b""]
        self._found = read_found(target.name)

    def run(self, seconds: float, stopped: Callable[[], bool] = lambda: False) -> Stint:
        """Try inputs for ``seconds`` of the processor, or until there is a finding or ``stopped``."""
        signal.signal(signal.SIGPROF, _hung)
        pool, found = [*self._seeds, *self._found], list[bytes]()
        first = len(pool)
        _warm(self.target, pool[0], self.chance)
        gc.collect()
        gc.freeze()  # what was imported is not looked through again and again
        start = time.process_time()
        spent = 0.0
        ended = False
        while (spent < seconds or self.tried < first) and not (ended := stopped()):
            fresh = self.tried >= first
            data = self._fresh(pool) if fresh else pool[self.tried]
            came = self._try(data)
            spent = time.process_time() - start
            if self.finding:
                break
            if came not in self.outcomes and len(self.outcomes) < MOST_OUTCOMES:
                self.outcomes.add(came)
                if fresh and len(pool) < MOST_POOL:
                    pool.append(data)
                    found.append(data)
        write_found(self.target.name, [*self._found, *found])
        return Stint(spent, self.tried, len(self.outcomes), self.finding, ended)

    def _fresh(self, pool: Sequence[bytes]) -> bytes:
        return self.target.mutate(chosen_of(self._seeds, pool, self.chance), pool, self.chance)

    def _try(self, data: bytes) -> Hashable:
        """Check one input against the clock; what escapes is written down as the finding."""
        if self._held is not None:
            self._held[: len(data) + 4] = len(data).to_bytes(4, "big") + data  # at most MOST_INPUT
        self.tried += 1
        try:
            signal.setitimer(signal.ITIMER_PROF, self._hang_s, self._hang_s)
            came = self.target.check(data, self.chance)
            signal.setitimer(signal.ITIMER_PROF, 0)
        except (Exception, Hang) as error:  # noqa: BLE001 - whatever escapes is the finding
            signal.setitimer(signal.ITIMER_PROF, 0)
            path = keep_crash(self.target.name, data)
            print(f"FINDING in {self.target.name}, input kept as {path}")
            traceback.print_exception(error)
            self.finding = f"{type(error).__name__}: {error}"[:300]
            return None
        return came


def chosen_of(seeds: Sequence[bytes], pool: Sequence[bytes], chance: random.Random) -> bytes:
    """Return an input to change: a seed, which is whole, or of the pool mostly the shorter of two.

    Most of what is kept ended in a new way at one of the first checks: of it alone hardly anything would get
    behind them. Short ones take less time.
    """
    if chance.random() < OF_SEEDS:
        return chance.choice(seeds)
    one, other = chance.choice(pool), chance.choice(pool)
    return one if len(one) < len(other) or chance.random() < 0.2 else other


def _warm(target: Target, data: bytes, chance: random.Random) -> None:
    """Let libraries be loaded, which is no hang; what is found here is found again."""
    try:
        target.check(data, chance)
    except Exception as error:  # noqa: BLE001 - tried again at once, and kept there
        print(f"{target.name}: {type(error).__name__} with its first seed")


def read_found(name: str) -> list[bytes]:
    """Return what earlier stints kept, each after its length in four octets."""
    path, found, at = FOUND / f"{name}.bin", list[bytes](), 0
    data = path.read_bytes() if path.exists() else b""
    while at + 4 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def write_found(name: str, inputs: Sequence[bytes]) -> None:
    """Keep inputs for the next stint, the last of them where they are many."""
    kept, size = list[bytes](), 0
    for data in reversed(inputs[-MOST_POOL // 2 :]):
        size += len(data) + 4
        if size > MOST_FOUND:
            break
        kept.append(len(data).to_bytes(4, "big") + data)
    FOUND.mkdir(exist_ok=True)
    fresh = FOUND / f"{name}.{os.getpid()}"
    fresh.write_bytes(b"".join(reversed(kept)))
    fresh.replace(FOUND / f"{name}.bin")


def apart(target: Target, seconds: float, seed: int) -> Stint:
    """Fuzz a target in a child process; a child that dies has found something.

    An interrupt ends the stint early and what was done until then counts.
    """
    held = mmap.mmap(-1, MOST_INPUT + 4)
    out, into = os.pipe()
    sys.stdout.flush()
    # An interrupt that comes before either side is ready for it waits until it is.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    child = os.fork()
    if child == 0:
        os.close(out)
        os._exit(_in_child(target, seconds, seed, held, into))
    os.close(into)
    handlers = {
        number: signal.signal(number, lambda *_: os.kill(child, signal.SIGTERM)) for number in _ENDING
    }
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    with os.fdopen(out, "rb") as pipe:
        said = pipe.read()
    _, status, spent = os.wait4(child, 0)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    if said:
        return Stint(**json.loads(said))
    data = held[4 : 4 + int.from_bytes(held[:4], "big")]
    words = f"its process ended with status {os.waitstatus_to_exitcode(status)}"
    print(f"FINDING in {target.name}, {words}, input kept as {keep_crash(target.name, data)}")
    return Stint(spent.ru_utime + spent.ru_stime, 0, 0, words)


_ENDING = (signal.SIGINT, signal.SIGTERM)


def _in_child(target: Target, seconds: float, seed: int, held: mmap.mmap, into: int) -> int:
    """Run the trial and send what it came to; the process ends with what this returns."""
    ended: list[int] = []
    for number in _ENDING:
        signal.signal(number, lambda got, _: ended.append(got))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    try:
        if not sanitized():
            resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        most = int(seconds) + MOST_BEYOND
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))  # for what hangs where no signal is heard
        stint = Trial(target, seed, held).run(seconds, lambda: bool(ended))
        os.write(into, json.dumps(asdict(stint)).encode())
    except BaseException:  # noqa: BLE001 - nothing may go on in the child as if it were the parent
        traceback.print_exc()
        return 3
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def recorded(target: Target, stint: Stint, digest: str, ledger: Ledger | None) -> Row:
    """Enter a stint and return what the ledger says of this code now; without a ledger the stint alone."""
    row = Row(
        target.name,
        digest,
        sanitized(),
        stint.seconds,
        stint.inputs,
        stint.outcomes,
        int(bool(stint.finding)),
        datetime.now(tz=UTC).date(),
    )
    return row if ledger is None else ledger.add(row)


def told(target: Target, stint: Stint, row: Row) -> str:
    """Return one line on a stint and on what its code has behind it."""
    rate = stint.inputs / stint.seconds if stint.seconds else 0.0
    ends = f"FOUND {stint.finding}" if stint.finding else "no finding"
    return (
        f"{target.name}: {stint.inputs} inputs in {stint.seconds:.0f} s ({rate:.0f}/s), "
        f"{stint.outcomes} outcomes, {ends}; {row.clean_s:.0f} s clean"
    )


def _with_atheris(target: Target, seconds: float, seed: int) -> None:
    """Let atheris drive; it ends the process by itself."""
    atheris = importlib.import_module("atheris")
    atheris.instrument_all()
    trial = Trial(target, seed)

    def one(data: bytes) -> None:
        trial._try(data)
        if trial.finding:
            raise Finding(trial.finding)

    folder = FOUND / f"{target.name}-atheris"
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(target.seeds()):
        (folder / f"seed{number}").write_bytes(data)
    signal.signal(signal.SIGPROF, _hung)
    atheris.Setup([sys.argv[0], f"-max_total_time={int(seconds)}", str(folder)], one)
    atheris.Fuzz()


def command(targets: Mapping[str, Target], words: str) -> int:
    """Read the command line of one family; 0 without a finding, 1 with one, 2 for a name that is none."""
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", help="the target; may be left out where there is one alone")
    parser.add_argument("--all", action="store_true", help="every target in turn")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="of the processor, per target (default 60)"
    )
    parser.add_argument("--seed", type=int, default=int(time.time()), help="another seed tries other inputs")
    parser.add_argument("--replay", type=Path, help="run one kept input")
    parser.add_argument("--make-corpus", action="store_true", help="write the seeds anew")
    parser.add_argument("--atheris", action="store_true", help="let atheris guide by coverage")
    parser.add_argument("--ledger", type=Path, help="where to enter what was done; without it nowhere")
    given = parser.parse_args()
    every = given.all or len(targets) == 1
    chosen = [target for name, target in targets.items() if every or name == given.name]
    if not chosen:
        print(f"There is no target {given.name!r}; there are: {', '.join(targets)}", file=sys.stderr)
        return 2
    status = 0
    for target in chosen:
        if given.make_corpus:
            count = target.make_corpus() if target.make_corpus else 0
            print(f"{target.name}: {count} seeds")
        elif given.replay is not None:
            signal.signal(signal.SIGPROF, _hung)
            trial = Trial(target, given.seed)
            print(trial._try(given.replay.read_bytes()))
            status |= bool(trial.finding)
        elif given.atheris:
            _with_atheris(target, given.seconds, given.seed)
        else:
            digest = Sources(SOURCE).code(target.roots).digest
            stint = apart(target, given.seconds, given.seed)
            ledger = Ledger(given.ledger) if given.ledger else None
            print(told(target, stint, recorded(target, stint, digest, ledger)), flush=True)
            status |= bool(stint.finding)
    return status
