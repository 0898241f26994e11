"""Identifiers that come out the same whenever the same thing is seen again.

Everything medwarden names (devices, findings, batches) is named by a keyless hash of what makes
it itself, so that a replay, a retry after a crash or a second sensor arrives at the same name.
"""

from __future__ import annotations

import hashlib

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u to misread


def stable_id(prefix: str, *parts: str) -> str:
    """Return ``prefix-`` and 13 base-32 characters (65 bits) that depend only on ``parts``."""
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=9).digest()
    number = int.from_bytes(digest, "big") >> 7
    text = "".join(_ALPHABET[(number >> shift) & 31] for shift in range(60, -5, -5))
    return f"{prefix}-{text}"
