"""NTP (RFC 5905) and its simple form."""

from __future__ import annotations

import struct

_EPOCH = 2_208_988_800


def _stamp(at: int) -> bytes:
    seconds, rest = divmod(at, 10**9)
    return struct.pack(">II", (seconds + _EPOCH) & 0xFFFFFFFF, (rest << 32) // 10**9)


def ask(at: int, version: int = 4) -> bytes:
    """Return a client's request."""
    return bytes((version << 3 | 3, 0, 6, 0xE9)) + bytes(36) + _stamp(at)


def answer(asked: int, at: int, version: int = 4, stratum: int = 3) -> bytes:
    """Return the server's answer to a request sent at ``asked``."""
    head = bytes((version << 3 | 4, stratum, 6, 0xEC)) + struct.pack(">III", 0x0320, 0x0940, 0x0A000101)
    return head + _stamp(at - 10**11) + _stamp(asked) + _stamp(at) + _stamp(at + 20_000)
