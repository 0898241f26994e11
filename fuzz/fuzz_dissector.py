"""Fuzz one dissector by name: any bytes in, facts or one MalformedInput out, quickly, however they are cut.

    .venv/bin/python fuzz/fuzz_dissector.py dicom --seconds 60
    .venv/bin/python fuzz/fuzz_dissector.py --all --seconds 5
    .venv/bin/python fuzz/fuzz_dissector.py dicom --replay fuzz/crashes/dicom-0123456789abcdef.bin
    .venv/bin/python fuzz/fuzz_dissector.py --all --make-corpus     (seeds anew from tests/dissect/cases)

Seeds are the files of ``fuzz/corpus/<name>/``. With atheris installed (``--atheris``) coverage guides the
mutation; without, a loop of our own keeps every input that leads to a new outcome. A finding is written to
``fuzz/crashes/`` and ends the run with status 1.

An input is a conversation: for each segment one octet (bit 0: from the client, bits 1-2: transport, TCP, UDP
or Ethernet among those of the manifest) and two octets of length, then the payload.
"""

# ruff: noqa: S311, T201 - a command that prints and whose chance guards no secret

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import random
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from medwarden.dissect.phi import Tokeniser  # noqa: E402
from medwarden.dissect.registry import dissectors  # noqa: E402
from medwarden.kernel.errors import MalformedInput  # noqa: E402
from medwarden.model.evidence import MAX_VALUE  # noqa: E402
from medwarden.model.segment import Dissector, Segment, Transport  # noqa: E402

CORPUS = ROOT / "fuzz" / "corpus"
CRASHES = ROOT / "fuzz" / "crashes"
CASES = ROOT / "tests" / "dissect" / "cases"
HANG_SECONDS = 1.0  # of the processor's time: other work on the machine makes no finding
MAX_INPUT = 8192
MAX_POOL = 4096
TOKENISER = Tokeniser(b"only for the fuzzer.............")

Conversation = list[tuple[int, bytes]]
Outcome = tuple[frozenset[tuple[str, str]], str]


class Finding(Exception):
    """The dissector did what none may do."""


def unpack(data: bytes) -> Conversation:
    """Read a conversation; any bytes are one."""
    conversation: Conversation = []
    at = 0
    while at + 3 <= len(data) and len(conversation) < 64:
        length = int.from_bytes(data[at + 1 : at + 3], "big")
        conversation.append((data[at], data[at + 3 : at + 3 + length]))
        at += 3 + length
    return conversation


def pack(conversation: Conversation) -> bytes:
    """Write a conversation; payloads beyond 65,535 octets are cut."""
    return b"".join(
        bytes((flags,)) + len(payload[:65535]).to_bytes(2, "big") + payload[:65535]
        for flags, payload in conversation
    )


def segments(member: type[Dissector], conversation: Conversation, piece: int) -> Iterator[Segment]:
    """Yield the segments of a conversation, TCP payloads in pieces of ``piece`` octets."""
    manifest = member.manifest
    port = (manifest.ports or (9,))[0]
    ethertype = (manifest.ethertypes or (0,))[0]
    offsets = [0, 0]
    for flags, payload in conversation:
        from_client = bool(flags & 1)
        transport = manifest.transports[(flags >> 1) % len(manifest.transports)]
        size = piece if transport is Transport.TCP else len(payload)
        for start in range(0, len(payload), size or 1):
            part = payload[start : start + size]
            ends = ("02:00:00:00:00:10", "02:00:00:00:00:20", "192.0.2.10", "192.0.2.20")
            ports = (50000, port)
            if not from_client:
                ends, ports = (ends[1], ends[0], ends[3], ends[2]), (port, 50000)
            ethernet = transport is Transport.ETHERNET
            yield Segment(
                1, 1, transport, *ends, *((0, 0) if ethernet else ports), None, from_client, part,
                offsets[from_client], False, ethertype if ethernet else 0,
            )  # fmt: skip
            offsets[from_client] += len(part)


def run(member: type[Dissector], conversation: Conversation, piece: int) -> Outcome:
    """Feed a conversation and return what came out; raises Finding for what may not."""
    dissector = member()
    if hasattr(dissector, "tokeniser"):
        dissector.tokeniser = TOKENISER
    told: set[tuple[str, str]] = set()
    try:
        for segment in segments(member, conversation, piece):
            for fact in dissector.feed(segment):
                if fact.field not in member.manifest.fields:
                    raise Finding(f"{fact.field} is not in the manifest")
                if not fact.value or len(fact.value) > MAX_VALUE or not fact.value.isprintable():
                    raise Finding(f"{fact.field} has the value {fact.value!r}")
                told.add((fact.field, fact.value))
            if getattr(dissector, "done", False):
                break
    except MalformedInput as error:
        return frozenset(told), error.reason
    return frozenset(told), ""


def check(member: type[Dissector], data: bytes, chance: random.Random) -> Outcome:
    """Hold one input to all rules; raises Finding or whatever escaped the dissector."""
    conversation = unpack(data)
    for flags, payload in conversation:
        if member.recognises(payload, bool(flags & 1)) not in (True, False):
            raise Finding("recognises() answered neither yes nor no")
    whole = run(member, conversation, 1 << 20)
    cut = run(member, conversation, chance.choice((1, 2, 3, 7, 100)))
    if bool(whole[1]) is not bool(cut[1]) or (not whole[1] and whole[0] != cut[0]):
        raise Finding(f"cut differently it tells something else: {whole} and {cut}")
    return whole


def mutate(data: bytes, pool: Sequence[bytes], chance: random.Random, most: int = MAX_INPUT) -> bytes:
    """Return a changed copy of at most ``most`` bytes: flips, numbers, copies, cuts, other inputs in it."""
    result = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(len(result) + 1)
        match chance.randrange(7):
            case 0 if result:
                result[min(at, len(result) - 1)] ^= 1 << chance.randrange(8)
            case 1 if result:
                result[min(at, len(result) - 1)] = chance.randrange(256)
            case 2:
                size = chance.choice((1, 2, 4))
                number = chance.choice((0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF))
                result[at : at + size] = (number & (1 << 8 * size) - 1).to_bytes(
                    size, chance.choice(("big", "little"))
                )
            case 3:
                del result[at : at + chance.choice((1, 2, 8, 64))]
            case 4:
                result[at:at] = chance.randbytes(chance.choice((1, 2, 8, 32)))
            case 5:
                other = chance.choice(pool)
                start = chance.randrange(len(other) + 1)
                result[at:at] = other[start : start + chance.choice((4, 16, 64, 256))]
            case _:
                size = chance.choice((1, 4, 32, 128))
                result[at:at] = result[at : at + size] * chance.choice((1, 2, 8))
    return bytes(result[:most])


def seeds(name: str) -> list[bytes]:
    """Return the committed seeds of ``name``."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*.bin"))]


def make_corpus(member: type[Dissector]) -> int:
    """Write the cases of a dissector as seeds; returns how many."""
    name = member.manifest.name
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for path in sorted((CASES / name).glob("*.json")):
        conversation: Conversation = []
        for entry in json.loads(path.read_text())["segments"]:
            kind = "hex" if "hex" in entry else "text"
            parts = [entry[kind]] if isinstance(entry[kind], str) else entry[kind]
            payload = bytes.fromhex("".join(parts)) if kind == "hex" else "".join(parts).encode("latin-1")
            transport = member.manifest.transports.index(Transport(entry.get("transport", "tcp")))
            conversation.append((transport << 1 | entry.get("from_client", True), payload))
        (folder / f"{path.stem}.bin").write_bytes(pack(conversation))
        count += 1
    return count


def _hung(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    raise Finding(f"one input took more than {HANG_SECONDS} s")


def guarded(member: type[Dissector], data: bytes, chance: random.Random) -> Outcome:
    """Run :func:`check` against the clock; a finding is written down with its input and raised again."""
    signal.setitimer(signal.ITIMER_PROF, HANG_SECONDS)
    try:
        return check(member, data, chance)
    except BaseException as error:
        signal.setitimer(signal.ITIMER_PROF, 0)
        if not isinstance(error, KeyboardInterrupt):
            CRASHES.mkdir(exist_ok=True)
            digest = hashlib.blake2b(data, digest_size=8).hexdigest()
            path = CRASHES / f"{member.manifest.name}-{digest}.bin"
            path.write_bytes(data)
            print(f"FINDING in {member.manifest.name}, input kept as {path}")
            traceback.print_exception(error)
        raise
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def loop(member: type[Dissector], seconds: float, seed: int) -> int:
    """Mutate for ``seconds``; returns the number of inputs tried."""
    chance = random.Random(f"{member.manifest.name}{seed}")
    pool = seeds(member.manifest.name) or [pack([(1, b"")])]
    known: set[tuple[frozenset[str], str]] = set()
    for data in pool:
        told, reason = guarded(member, data, chance)
        known.add((frozenset(field for field, _ in told), reason))
    end = time.monotonic() + seconds
    tried = 0
    while time.monotonic() < end:
        data = mutate(chance.choice(pool), pool, chance)
        told, reason = guarded(member, data, chance)
        tried += 1
        signature = (frozenset(field for field, _ in told), reason)
        if signature not in known and len(pool) < MAX_POOL:
            known.add(signature)
            pool.append(data)
    print(f"{member.manifest.name}: {tried} inputs in {seconds:.0f} s, {len(known)} outcomes, no finding")
    return tried


def with_atheris(member: type[Dissector], seconds: float, seed: int) -> None:
    """Let atheris drive; it ends the process by itself."""
    atheris = importlib.import_module("atheris")
    chance = random.Random(seed)
    atheris.instrument_all()
    folder = CORPUS / member.manifest.name
    arguments = [sys.argv[0], f"-max_total_time={int(seconds)}", f"-max_len={MAX_INPUT}", str(folder)]

    def one(data: bytes) -> None:
        guarded(member, data, chance)

    atheris.Setup(arguments, one)
    atheris.Fuzz()


def main() -> int:
    """Read the command line and fuzz; 0 without a finding, 1 with one, 2 for a name that is none."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", help="name of the dissector's manifest")
    parser.add_argument("--all", action="store_true", help="every registered dissector in turn")
    parser.add_argument("--seconds", type=float, default=60.0, help="per dissector (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="another seed tries other inputs")
    parser.add_argument("--replay", type=Path, help="run one kept input")
    parser.add_argument("--make-corpus", action="store_true", help="write the cases as seeds")
    parser.add_argument("--atheris", action="store_true", help="let atheris guide by coverage")
    options = parser.parse_args()
    members = [d for d in dissectors() if options.all or d.manifest.name == options.name]
    if not members:
        names = ", ".join(d.manifest.name for d in dissectors())
        print(f"There is no dissector {options.name!r}; there are: {names}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGPROF, _hung)
    try:
        for member in members:
            if options.make_corpus:
                print(f"{member.manifest.name}: {make_corpus(member)} seeds")
            elif options.replay:
                print(guarded(member, options.replay.read_bytes(), random.Random(options.seed)))
            elif options.atheris:
                with_atheris(member, options.seconds, options.seed)
            else:
                loop(member, options.seconds, options.seed)
    except Exception:  # noqa: BLE001 - printed and kept by guarded(); the exit status says so
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
