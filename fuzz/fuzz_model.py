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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from fuzz.engine import CORPUS, Target, command, committed  # noqa: E402
from tests.inventory.labels.conftest import KINDS, labels_of, made_up  # noqa: E402

from medwarden.inventory.labels.example import example_of  # noqa: E402
from medwarden.inventory.labels.model import LabelModel  # noqa: E402
from medwarden.inventory.labels.model_file import MAGIC  # noqa: E402
from medwarden.inventory.labels.training import Settings, train  # noqa: E402
from medwarden.kernel.errors import MalformedInput  # noqa: E402


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


def make_corpus() -> int:
    """Write a small model of made-up devices, with all that the shipped one has; return how many."""
    examples = [
        example_of(made_up(kind, number), labels_of(kind), group=f"house {number % 4}")
        for kind in KINDS
        for number in range(7, 700, 60)
    ]
    (CORPUS / "model").mkdir(parents=True, exist_ok=True)
    made = train(examples, seed=3, settings=Settings(tokens=60, strangers=0.0))
    (CORPUS / "model" / "small.bin").write_bytes(made.to_bytes())
    return 1


def mutate(data: bytes, pool: Sequence[bytes], chance: random.Random) -> bytes:
    """Return a model with damage to the file, or to header or body under a seal that fits."""
    if (which := chance.randrange(8)) == 0:
        return damaged(data, chance)
    try:
        header, body = parts(data)
    except (struct.error, zlib.error):
        header, body = parts(pool[0])  # one that is damaged itself
    if which < 5:
        return sealed(damaged(header, chance), body)
    return sealed(header, damaged(body[: chance.choice((1000, len(body)))], chance))


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
    return {"model": Target("model", roots, check, lambda: committed("model"), mutate, make_corpus)}


if __name__ == "__main__":
    sys.exit(command(targets(), __doc__ or ""))
