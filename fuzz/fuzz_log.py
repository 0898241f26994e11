"""Fuzz one log parser by name: any bytes in, flows and facts or rejected records out, however they are cut.

    .venv/bin/python fuzz/fuzz_log.py zeek --seconds 60
    .venv/bin/python fuzz/fuzz_log.py --all --seconds 5
    .venv/bin/python fuzz/fuzz_log.py zeek --replay fuzz/crashes/log-zeek-0123456789abcdef.bin
    .venv/bin/python fuzz/fuzz_log.py --all --make-corpus     (seeds anew from tests/sensors/logs/cases)

Seeds are the files of ``fuzz/corpus/log-<name>/``: a stream of lines, a document, or datagrams, each after
its length in four octets.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Hashable, Sequence
from functools import cache, partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

import msgspec  # noqa: E402
from fuzz.engine import CORPUS, Finding, Target, command, committed  # noqa: E402
from fuzz.words import word  # noqa: E402

from fuzz import fuzz_dissector  # noqa: E402
from medwarden.model.batch import Batch  # noqa: E402
from medwarden.model.evidence import MAX_VALUE  # noqa: E402
from medwarden.model.log_source import Framing, LogParser, LogSetting  # noqa: E402
from medwarden.sensors.logs.gathering import BATCH_SCHEMA  # noqa: E402
from medwarden.sensors.logs.lines import LineFramer  # noqa: E402
from medwarden.sensors.logs.registry import HEAD, parsers  # noqa: E402

CASES = ROOT / "tests" / "sensors" / "logs" / "cases"
MAX_INPUT = 1 << 16
MOST_PIECES = 512
CUT = 0.5
"""How many inputs of lines are read a second time, cut otherwise; the rest is for more inputs."""
SETTING = LogSetting(b"only for the fuzzer.............", now_ns=1_700_000_000_000_000_000)

# Looking the annotations of a struct up takes a third of the time of small inputs, and they never change.
msgspec.structs.fields = cache(msgspec.structs.fields)

Outcome = tuple[tuple[str, ...], int, frozenset[str]]


def datagrams(data: bytes) -> list[bytes]:
    """Read datagrams, each after its length; any bytes are some."""
    found: list[bytes] = []
    at = 0
    while at + 4 <= len(data) and len(found) < 64:
        length = int.from_bytes(data[at : at + 4], "big") % MAX_INPUT
        found.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def run(form: type[LogParser], data: bytes, cuts: Sequence[int]) -> tuple[LogParser, Batch]:
    """Feed one input, lines cut at offsets that rise, and return what came of it."""
    parser = form("fuzz", SETTING)
    if form.manifest.framing is Framing.LINES:
        framer, start = LineFramer(), 0
        for end in (*cuts, len(data)):
            for block in framer.push(data[start:end]):
                parser.feed(block.lines, block.offset)
            start = end
        for block in framer.finish():
            parser.feed(block.lines, block.offset)
    else:
        at = 0
        for piece in datagrams(data) if form.manifest.framing is Framing.DATAGRAMS else [data]:
            parser.feed(piece, at)
            at += len(piece)
    return parser, parser.take(final=True)


def cuts_of(length: int, chance: random.Random) -> Sequence[int]:
    """Return where to cut lines: in a few places, or now and then after every octet, or every few."""
    step = chance.choice((*(0,) * 12, 1, 2, 7, 100))
    if step:
        return range(step, length, max(step, length // MOST_PIECES))
    return sorted(chance.randrange(length + 1) for _ in range(chance.choice((1, 2, 4, 8))))


def outcome(parser: LogParser, batch: Batch) -> Outcome:
    """Hold what came out to the rules; raises Finding."""
    tally = parser.tally
    if (
        not tally.count.balanced()
        or sum(tally.reasons.values()) != tally.count.rejected + tally.count.dropped
    ):
        raise Finding(f"the count does not balance: {tally}")
    if (tally.fault is None) != (tally.count.rejected == 0):
        raise Finding(f"rejected and fault disagree: {tally}")
    if batch.flows.column_names != BATCH_SCHEMA.names:
        raise Finding("the flows have other columns")
    batch.flows.validate(full=True)
    told = set()
    for fact in batch.facts:
        evidence = fact.evidence
        if evidence.field not in parser.manifest.fields:
            raise Finding(f"{evidence.field} is not in the manifest")
        if not evidence.value or len(evidence.value) > MAX_VALUE or not evidence.value.isprintable():
            raise Finding(f"{evidence.field} has the value {evidence.value!r}")
        if not (evidence.mac or evidence.ip):
            raise Finding(f"{evidence.field} is nobody's")
        told.add(evidence.field)
    return tuple(sorted(told)), batch.flows.num_rows, frozenset(tally.reasons)


def check(form: type[LogParser], data: bytes, chance: random.Random) -> Outcome:
    """Hold one input to all rules; raises Finding or whatever escaped the parser."""
    if form.recognises(data[:HEAD]) not in (True, False):
        raise Finding("recognises() answered neither yes nor no")
    whole = run(form, data, ())
    first = outcome(*whole)
    if form.manifest.framing is Framing.LINES and chance.random() < CUT:
        cut = run(form, data, cuts_of(len(data), chance))
        if whole[0].tally.count != cut[0].tally.count or first[0] != outcome(*cut)[0]:
            raise Finding(f"cut differently it tells something else: {whole[0].tally} and {cut[0].tally}")
    return first


def mutate(data: bytes, pool: Sequence[bytes], chance: random.Random) -> bytes:
    """Return a changed copy: flips, words of formats, copies, cuts, other inputs spliced in."""
    result = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(len(result) + 1)
        match chance.randrange(6):
            case 0 if result:
                result[min(at, len(result) - 1)] ^= 1 << chance.randrange(8)
            case 1:
                result[at:at] = word(chance)
            case 2:
                del result[at : at + chance.choice((1, 2, 8, 64))]
            case 3:
                result[at:at] = result[at : at + chance.choice((4, 32, 256))]
            case 4:
                other = chance.choice(pool)
                result[at:] = other[chance.randrange(len(other) + 1) :]
            case _:
                result[at : at + 1] = bytes((chance.randrange(256),))
    return bytes(result[:MAX_INPUT])


def mutate_datagrams(name: str, data: bytes, pool: Sequence[bytes], chance: random.Random) -> bytes:
    """Return changed datagrams: mostly within one, so that templates before it and records stay whole."""
    parts = datagrams(data)
    if not parts or chance.random() < 0.25:
        return mutate(data, pool, chance)
    at = chance.randrange(len(parts))
    others = datagrams(chance.choice(pool)) or parts
    other = chance.choice(others)
    match chance.randrange(10):
        case 0:
            parts.insert(at, other)
        case 1:
            parts.insert(at, parts[at])
        case 2 if len(parts) > 1:
            del parts[at]
        case 3 | 4:
            parts[at] = fuzz_dissector.mended(name, mutate(parts[at], [other], chance))
        case _:
            parts[at] = fuzz_dissector.damaged(parts[at], other, chance)
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)[:MAX_INPUT]


def make_corpus(name: str) -> int:
    """Write the inputs of the cases of one parser as seeds; return how many."""
    folder = CORPUS / f"log-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((CASES / name).glob("*.json")):
        case = json.loads(path.read_text())
        if "datagrams" in case:
            parts = [bytes.fromhex("".join(d) if isinstance(d, list) else d) for d in case["datagrams"]]
            data = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        elif "file" in case:
            data = (path.parent / case["file"]).read_bytes()
        elif "text" in case:
            data = case["text"].encode()
        else:
            data = "".join(f"{line}\n" for line in case["lines"]).encode()
        (folder / f"{path.stem}.bin").write_bytes(data)
    return len(list(folder.glob("*.bin")))


def targets() -> dict[str, Target]:
    """Return a target for every parser, by the name of its manifest."""
    found: dict[str, Target] = {}
    for form in parsers():
        name = form.manifest.name
        in_datagrams = form.manifest.framing is Framing.DATAGRAMS
        held_to: Callable[[bytes, random.Random], Hashable] = partial(check, form)
        found[name] = Target(
            f"log-{name}",
            (form.__module__,),
            held_to,
            partial(committed, f"log-{name}"),
            partial(mutate_datagrams, f"log-{name}") if in_datagrams else mutate,
            partial(make_corpus, name),
        )
    return found


if __name__ == "__main__":
    sys.exit(command(targets(), __doc__ or ""))
