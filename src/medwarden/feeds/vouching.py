"""Whose word a publisher's key proves: that of the publishers it is bound to, and nobody else's.

A signature says that who holds the key wrote a document. Whom the document names as its publisher is part of
what is written, so a key that was compared with one publisher proves nothing of a document in another's name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import msgspec

from medwarden.model.vulnerability import Advisory

MOST_PUBLISHERS = 50
"""Publishers that one key or provider may speak for; a coordinator republishes for some."""
LONGEST_PUBLISHER = 200


def folded(name: str) -> str:
    """Return a publisher's name without what people write differently: case, blanks, forms of letters."""
    return " ".join(unicodedata.normalize("NFKC", name).split()).casefold()


def is_among(publisher: str, bound: Iterable[str]) -> bool:
    """Tell whether a publisher is one of those that a key is bound to; who has no name never is."""
    named = folded(publisher)
    return bool(named) and any(folded(one) == named for one in bound)


def without_proof(advisory: Advisory) -> Advisory:
    """Return an advisory that was signed by a key of somebody else: it says what it says, unproven."""
    unproven = msgspec.structs.replace(advisory.provenance, verified=False)
    return msgspec.structs.replace(
        advisory,
        provenance=unproven,
        vulnerabilities=tuple(
            msgspec.structs.replace(one, provenance=msgspec.structs.replace(one.provenance, verified=False))
            for one in advisory.vulnerabilities
        ),
    )
