"""What a sanitiser writes: a copy in which nothing stands unless it was kept on purpose."""

from __future__ import annotations

import hashlib
from collections import Counter

FILLER = 0x58
"""What stands for every byte that was not kept: an X."""

_NUMERIC = frozenset(b"0123456789.+-eE ")
_UID = frozenset(b"0123456789.")


class Draft:
    """One direction of a connection, or one datagram: the source and a copy that begins as all filler.

    ``keep`` copies bytes that are known to be harmless; what is never kept is overwritten by having never
    been copied. ``counts`` sums up what was overwritten on purpose, by kind.
    """

    __slots__ = ("counts", "data", "out")

    def __init__(self, data: bytes, counts: Counter[str]) -> None:
        self.data = data
        self.out = bytearray(bytes((FILLER,)) * len(data))
        self.counts = counts

    def keep(self, start: int, end: int) -> None:
        """Let ``data[start:end]`` through."""
        self.out[start:end] = self.data[start:end]

    def put(self, start: int, value: bytes) -> None:
        """Write ``value`` in the place of as many bytes; raises ValueError where it would reach beyond."""
        if start + len(value) > len(self.out):
            raise ValueError("a value reaches beyond its draft")
        self.out[start : start + len(value)] = value

    def fill(self, start: int, end: int, kind: str) -> None:
        """Overwrite a field by filler of its own sort, so that who reads it finds a number where one was."""
        value = self.data[start:end]
        if any(byte != FILLER for byte in value):
            self.counts[kind] += 1
        self.put(start, filler(value))


def filler(value: bytes) -> bytes:
    """Return as many bytes that say nothing of ``value`` but its length and whether it was a number."""
    if value and all(byte in _NUMERIC for byte in value):
        return b"0" * len(value)
    if any(byte < 0x20 and byte not in (9, 10, 13) for byte in value.rstrip(b"\0 ")):
        return bytes(len(value))
    return bytes((FILLER,)) * len(value)


class Pseudonyms:
    """Turns UIDs into others of the same length, the same for the same, under a key of this run alone."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def uid(self, value: bytes) -> bytes | None:
        """Return another UID of the same length, or None where ``value`` is none (PS3.5 section 9)."""
        text = value.rstrip(b"\0 ")
        if len(text) < 6 or b"." not in text or any(byte not in _UID for byte in text):
            return None
        digits = ""
        number = 0
        while len(digits) < len(text):
            block = hashlib.blake2b(text + bytes((number,)), key=self._key).digest()
            digits += "".join(str(1 + byte % 9) for byte in block)
            number += 1
        made = "2.25." + digits[: len(text) - 5]
        return made.encode() + value[len(text) :]
