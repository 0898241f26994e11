"""Fuzz the sanitiser: damaged traffic of invented patients in, no exception and no patient out.

    .venv/bin/python fuzz/fuzz_sanitise.py --seconds 60
    .venv/bin/python fuzz/fuzz_sanitise.py --replay fuzz/crashes/sanitise-0123456789abcdef.bin

What identifies a patient is never touched; everything around it is: bytes are flipped, frames lost, doubled,
cut and moved. A finding (an exception, another length, a patient in the output) is written to
``fuzz/crashes/`` as a capture and ends the run with status 1; mended, it goes to ``fuzz/corpus/sanitise/``.
"""

# ruff: noqa: S311, T201 - a command that prints and whose chance guards no secret

from __future__ import annotations

import argparse
import hashlib
import random
import re
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.flowcore import packets as made  # noqa: E402
from tests.product import patients as invention  # noqa: E402

from medwarden.dissect.sanitise import Sanitiser  # noqa: E402
from medwarden.sensors.capture_rewrite import pieces  # noqa: E402

CORPUS = ROOT / "fuzz" / "corpus" / "sanitise"
CRASHES = ROOT / "fuzz" / "crashes"
PEOPLE = invention.invented(4)
TOKENS = sorted(
    {token.encode() for p in PEOPLE for token in (*p.words, *p.numbers)},
    key=len,
    reverse=True,
)
TOLD = re.compile(b"|".join(re.escape(token) for token in TOKENS), re.IGNORECASE)


def seeds() -> list[list[bytes]]:
    """Return conversations about the invented patients, one protocol each, and what once told of one."""
    return [
        invention.dicom(PEOPLE, 40_000),
        invention.hl7(PEOPLE, 41_000),
        invention.http(PEOPLE, 42_000),
        list(invention.logs(PEOPLE)),
        list(invention.others(PEOPLE, 43_000)),
        *([p.data for p in pieces(path) if p.linktype >= 0] for path in sorted(CORPUS.glob("*.bin"))),
    ]


def damaged(frames: list[bytes], chance: random.Random) -> list[bytes]:
    """Return the frames with bytes flipped that belong to nobody, and some lost, doubled, cut or moved."""
    out: list[bytes] = []
    rate = chance.choice((0.0, 0.0005, 0.003, 0.02))
    for frame in frames:
        roll = chance.random()
        if roll < 0.01:
            continue
        changed = bytearray(frame)
        theirs = {at for match in TOLD.finditer(frame) for at in range(*match.span())}
        for _ in range(round(len(frame) * rate + chance.random() * 0.5)):
            at = chance.randrange(len(frame))
            if at not in theirs:
                changed[at] = chance.choice((changed[at] ^ 1 << chance.randrange(8), chance.randrange(256)))
        out.append(bytes(changed))
        if roll > 0.99:
            out.append(bytes(changed))
        elif roll > 0.98:
            out[-1] = bytes(changed[: chance.randrange(len(changed))])
        elif roll > 0.97 and len(out) > 1:
            out[-1], out[-2] = out[-2], out[-1]
    return out


def fault(frames: list[bytes]) -> str:
    """Return what is wrong with the outcome of sanitising ``frames``, or nothing."""
    sanitiser = Sanitiser()
    try:
        for frame in frames:
            sanitiser.learn(frame, 1)
        sanitiser.prepare()
        for number, frame in enumerate(frames):
            out = sanitiser.clean(frame, 1)
            if len(out) != len(frame):
                return f"packet {number} came to {len(out)} bytes from {len(frame)}"
            if found := TOLD.search(out):
                return f"packet {number} holds {found.group()!r} at {found.start()}"
    except Exception:  # noqa: BLE001 - whatever escapes is the finding
        return traceback.format_exc()
    return ""


def run(seconds: float, seed: int) -> int:
    """Fuzz for a while; return the exit status."""
    chance = random.Random(seed)
    until, rounds, every = time.monotonic() + seconds, 0, seeds()
    while time.monotonic() < until:
        frames = damaged(chance.choice(every), chance)
        rounds += 1
        if words := fault(frames):
            data = made.pcap(enumerate(frames))
            CRASHES.mkdir(exist_ok=True)
            path = CRASHES / f"sanitise-{hashlib.sha256(data).hexdigest()[:16]}.bin"
            path.write_bytes(data)
            print(f"{path} (seed {seed}, round {rounds}):\n{words}")
            return 1
    print(f"sanitise: {rounds} captures, no finding (seed {seed})")
    return 0


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--replay", type=Path)
    chosen = parser.parse_args()
    if chosen.replay is None:
        return run(chosen.seconds, chosen.seed)
    words = fault([piece.data for piece in pieces(chosen.replay) if piece.linktype >= 0])
    print(words or "no finding")
    return 1 if words else 0


if __name__ == "__main__":
    sys.exit(main())
