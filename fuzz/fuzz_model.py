"""Fuzz the reading of model files: any bytes in; a model or one MalformedInput out.

    .venv/bin/python fuzz/fuzz_model.py [--seconds 60] [--seed 1]

Half of the inputs are damaged under a seal that fits, so that what lies behind the digest is reached.
"""

from __future__ import annotations

import hashlib
import random
import struct
import sys
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from fuzz.engine import Target, command  # noqa: E402

from medwarden.inventory.labels.model import LabelModel  # noqa: E402
from medwarden.inventory.labels.model_file import MAGIC  # noqa: E402
from medwarden.kernel.errors import MalformedInput  # noqa: E402
from medwarden.knowledge.models import shipped_file  # noqa: E402


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


def parts(whole: bytes) -> tuple[bytes, bytes]:
    """Return header and unpacked body of a file."""
    start = len(MAGIC) + 32 + 4
    (length,) = struct.unpack_from("<I", whole, start - 4)
    return whole[start : start + length], zlib.decompress(whole[start + length :])


def seeds() -> list[bytes]:
    """Return the shipped model. Raises FileNotFoundError where this tree has none."""
    whole = shipped_file()
    if whole is None:
        raise FileNotFoundError("this build has no shipped model to start from")
    return [whole]


def mutate(data: bytes, pool: Sequence[bytes], chance: random.Random) -> bytes:
    """Return the shipped model with damage to the file, or to header or body under a seal that fits."""
    del data
    which = chance.randrange(3)
    if which == 0:
        return damaged(pool[0], chance)
    header, body = shipped_parts(pool[0])
    if which == 1:
        return sealed(damaged(header, chance), body)
    return sealed(header, damaged(body[: chance.choice((1000, len(body)))], chance))


@cache
def shipped_parts(whole: bytes) -> tuple[bytes, bytes]:
    """Return :func:`parts`, unpacked once."""
    return parts(whole)


def check(data: bytes, chance: random.Random) -> str:
    """Read a file; return why it was refused, or nothing."""
    del chance
    try:
        LabelModel.from_bytes(data, "fuzz")
    except MalformedInput as error:
        return error.reason
    return ""


def targets() -> dict[str, Target]:
    """Return the one target."""
    roots = ("medwarden.inventory.labels.model", "medwarden.inventory.labels.model_file")
    return {"model": Target("model", roots, check, seeds, mutate)}


if __name__ == "__main__":
    sys.exit(command(targets(), __doc__ or ""))
