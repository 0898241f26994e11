"""Fuzz the sanitiser: damaged traffic of invented patients in, no exception and no patient out.

    .venv/bin/python fuzz/fuzz_sanitise.py --seconds 60
    .venv/bin/python fuzz/fuzz_sanitise.py --replay fuzz/crashes/sanitise-0123456789abcdef.bin

What identifies a patient is never touched; everything around it is: bytes are flipped, frames lost, doubled,
cut and moved. A finding is an exception, another length or a patient in the output; it is kept as a capture
and, mended, goes to ``fuzz/corpus/sanitise/``.
"""

from __future__ import annotations

import random
import re
import struct
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from fuzz.engine import Finding, Target, command  # noqa: E402
from tests.flowcore import packets as made  # noqa: E402
from tests.product import patients as invention  # noqa: E402

from fuzz import engine  # noqa: E402
from medwarden.dissect.sanitise import Sanitiser  # noqa: E402
from medwarden.sensors.capture_rewrite import pieces  # noqa: E402

CORPUS = engine.CORPUS / "sanitise"
PEOPLE = invention.invented(4)
TOKENS = [token.lower().encode() for p in PEOPLE for token in (*p.words, *p.numbers)]
TOLD = re.compile(b"|".join(map(re.escape, sorted(TOKENS, key=len, reverse=True))), re.IGNORECASE)


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


@lru_cache(maxsize=4096)
def identifying(frame: bytes) -> frozenset[int]:
    """Return the offsets of octets that tell of a patient."""
    return frozenset(at for match in TOLD.finditer(frame) for at in range(*match.span()))


def damaged(frames: list[bytes], chance: random.Random) -> list[bytes]:
    """Return the frames with bytes flipped that belong to nobody, and some lost, doubled, cut or moved."""
    out: list[bytes] = []
    rate = chance.choice((0.0, 0.0005, 0.003, 0.02))
    for frame in frames:
        roll = chance.random()
        if roll < 0.01:
            continue
        changed = bytearray(frame)
        theirs = identifying(frame)
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


def check(data: bytes, chance: random.Random) -> None:
    """Sanitise a capture; raises Finding or whatever escaped."""
    del chance
    frames = list(frames_of(data))
    sanitiser = Sanitiser()
    for frame in frames:
        sanitiser.learn(frame, 1)
    sanitiser.prepare()
    for number, frame in enumerate(frames):
        out = sanitiser.clean(frame, 1)
        if len(out) != len(frame):
            raise Finding(f"packet {number} came to {len(out)} bytes from {len(frame)}")
        lower = out.lower()  # looking for one after the other is faster than for all at once
        if found := next((token for token in TOKENS if token in lower), None):
            raise Finding(f"packet {number} holds {found!r} at {lower.index(found)}")


def frames_of(data: bytes) -> Iterator[bytes]:
    """Yield the packets of a capture as :func:`written` makes it."""
    at = 24
    while at + 16 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 8)
        yield data[at + 16 : at + 16 + length]
        at += 16 + length


def written(frames: Sequence[bytes]) -> bytes:
    """Return packets as a capture: pcap, little-endian, Ethernet."""
    return made.pcap(enumerate(frames))


def mutate(data: bytes, pool: Sequence[bytes], chance: random.Random) -> bytes:
    """Return a damaged capture."""
    del pool
    return written(damaged(list(frames_of(data)), chance))


def targets() -> dict[str, Target]:
    """Return the one target."""
    roots = ("medwarden.dissect.sanitise", "medwarden.sensors.capture_rewrite")
    return {"sanitise": Target("sanitise", roots, check, lambda: [written(f) for f in seeds()], mutate)}


if __name__ == "__main__":
    sys.exit(command(targets(), __doc__ or ""))
