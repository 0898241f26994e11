"""Fuzz the reading of model files: any bytes in; a model or one MalformedInput out.

    .venv/bin/python fuzz/fuzz_model.py [--seconds 60] [--seed 1]

Half of the inputs are damaged under a seal that fits, so that what lies behind the digest is reached.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import struct
import sys
import time
import zlib

from medwarden.inventory.labels.model import LabelModel
from medwarden.inventory.labels.model_file import MAGIC
from medwarden.kernel.errors import MalformedInput
from medwarden.knowledge.models import shipped_file


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with some changed, taken out or put in."""
    octets = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(octets) + 1)
        how = rng.randrange(3)
        if how == 0 and octets:
            octets[at % len(octets)] = rng.randrange(256)
        elif how == 1:
            del octets[at : at + rng.randint(1, 40)]
        else:
            octets[at:at] = rng.randbytes(rng.randint(1, 8))
    return bytes(octets)


def sealed(header: bytes, body: bytes) -> bytes:
    """Return a file whose digest fits."""
    rest = struct.pack("<I", len(header)) + header + zlib.compress(body, 1)
    return MAGIC + hashlib.sha256(rest).digest() + rest


def main() -> int:
    """Fuzz until time is over; print how many inputs were refused and taken."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    whole = shipped_file()
    if whole is None:
        raise SystemExit("this build has no shipped model to start from")
    start = len(MAGIC) + 32 + 4
    (length,) = struct.unpack_from("<I", whole, start - 4)
    header, body = whole[start : start + length], zlib.decompress(whole[start + length :])
    rng = random.Random(chosen.seed)  # noqa: S311 - a finding must be repeatable
    refused = taken = 0
    until = time.monotonic() + chosen.seconds
    while time.monotonic() < until:
        which = rng.randrange(3)
        data = (
            damaged(whole, rng)
            if which == 0
            else sealed(damaged(header, rng), body)
            if which == 1
            else sealed(header, damaged(body[: rng.choice((1000, len(body)))], rng))
        )
        try:
            LabelModel.from_bytes(data, "fuzz")
            taken += 1
        except MalformedInput:
            refused += 1
    sys.stdout.write(f"{refused} refused, {taken} taken, nothing else\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
