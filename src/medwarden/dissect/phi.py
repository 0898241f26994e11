"""Keyed tokens for names of people, so that two facts can be linked without saying who it was.

Patient identifiers are not even tokenised: they never leave a dissector. Tokens serve staff names
(DICOM operators' name), where "the same person as before" is worth knowing and the name is not ours
to keep.
"""

from __future__ import annotations

import hashlib
import hmac

from medwarden.kernel.errors import ConfigurationError

MIN_KEY_BYTES = 16


class Tokeniser:
    """Turn an identifier into a token that only the holder of the key could link to it.

    The token is keyed BLAKE2b (RFC 7693) over the kind and the folded identifier, 80 bits in base 32: the
    same person at two devices gets the same token, another kind of identifier or another key another
    one. Without the key a list of all names of a hospital does not lead back, unlike a bare hash.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise ConfigurationError(f"the token key must have at least {MIN_KEY_BYTES} bytes")
        # BLAKE2b takes at most 64 key bytes; longer keys are folded rather than cut.
        self._key = key if len(key) <= hashlib.blake2b.MAX_KEY_SIZE else hashlib.blake2b(key).digest()

    def token(self, kind: str, identifier: str) -> str:
        """Return ``<kind>-<16 characters>`` for ``identifier``; case and blanks do not matter."""
        folded = " ".join(identifier.casefold().split())
        digest = hashlib.blake2b(f"{kind}\x1f{folded}".encode(), key=self._key, digest_size=10).digest()
        number = int.from_bytes(digest, "big")
        alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
        return f"{kind}-" + "".join(alphabet[(number >> shift) & 31] for shift in range(75, -5, -5))

    def same(self, token: str, kind: str, identifier: str) -> bool:
        """Tell whether ``token`` was made from ``identifier``, in constant time."""
        return hmac.compare_digest(token, self.token(kind, identifier))
