"""Which domain somebody registered: what a host name tells of who runs it.

The public suffix list (publicsuffix.org) says below which names anybody may register.
"""

from __future__ import annotations

from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList


@cache
def suffixes() -> PublicSuffixList:
    """Return the list, which is read once."""
    return PublicSuffixList()


@lru_cache(maxsize=16384)
def registrable_domain(name: str) -> str | None:
    """Return the domain somebody registered that ``name`` lies in (``www.example.co.uk`` in
    ``example.co.uk``), by the public suffix list, or None for single labels, suffixes, arpa and
    names with blanks (control characters, as text).
    """
    if "." not in name or " " in name or name.endswith(".arpa"):
        return None
    domain: str | None = suffixes().privatesuffix(name)
    return domain
