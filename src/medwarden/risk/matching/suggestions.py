"""Names that may mean the same, found by comparing an inventory with what sources name; a person decides.

A maker that no source knows under its name is held against all makers that sources name, a model that meets
no product against the products of its maker. What is suggested is never used before somebody says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from rapidfuzz import fuzz, process

from medwarden.risk.matching.likeness import Closeness, closeness
from medwarden.risk.matching.names import Makers, plain, shown
from medwarden.risk.matching.products import product_name

_LIKE_MAKER = 86.0
_LIKE_PRODUCT = 84.0
_MOST = 100
_LEGAL = re.compile(
    r"\b(?:inc|llc|ltd|gmbh|co|corp|corporation|company|limited|ag|sa|s\.p\.a|kg|medical|healthcare)\b\.?"
)


class Suggestion(msgspec.Struct, frozen=True):
    """Two names that may mean one maker, or one product of ``vendor``; ``devices`` bear ``ours``."""

    kind: str  # vendor or product
    vendor: str
    ours: str
    theirs: str
    devices: int
    why: str


def suggestions(
    makers: Makers, named: Mapping[str, Sequence[str]], inventory: Iterable[tuple[str, str, int]]
) -> tuple[Suggestion, ...]:
    """Return suggestions, those that concern most devices first.

    ``named`` are the products that sources name by maker, ``inventory`` makers and models with the number of
    devices of each.
    """
    keys: dict[str, list[str]] = {}
    for written in named:
        for key in makers.keys(shown(written)):
            keys.setdefault(key, []).append(written)
    bare = {written: _bare(written) for written in named}
    found: list[Suggestion] = []
    unknown: dict[str, int] = {}
    for vendor, model, devices in inventory:
        own = makers.keys(vendor)
        theirs = [written for key in makers.house(own) for written in keys.get(key, ())]
        if not theirs:
            unknown[vendor] = unknown.get(vendor, 0) + devices
        elif model:
            found += _product(vendor, model, devices, [p for written in theirs for p in named[written]])
    for vendor, devices in unknown.items():
        found += _vendor(vendor, devices, bare)
    found.sort(key=lambda each: (-each.devices, each.vendor, each.ours))
    return tuple(found[:_MOST])


def _bare(name: str) -> str:
    return " ".join(_LEGAL.sub(" ", plain(shown(name))).split())


def _vendor(vendor: str, devices: int, bare: Mapping[str, str]) -> list[Suggestion]:
    own = _bare(vendor)
    if len(own) < 3:
        return []
    best = process.extractOne(own, bare, scorer=fuzz.WRatio, score_cutoff=_LIKE_MAKER)
    if best is not None and len(best[0]) >= 3:
        why = "the names are much alike, and no source knows this maker by this name"
        return [Suggestion("vendor", vendor, vendor, shown(best[2]), devices, why)]
    for written, name in bare.items():
        words = name.split()
        if len(words) > 1 and "".join(word[0] for word in words) == own.replace(" ", ""):
            return [Suggestion("vendor", vendor, vendor, shown(written), devices, "its first letters")]
    return []


def _product(vendor: str, model: str, devices: int, products: Sequence[str]) -> list[Suggestion]:
    without = tuple(word for word in re.findall(r"[a-z]+", plain(vendor)) if len(word) > 1)
    own = product_name(model, without)
    best: tuple[float, str] = (0.0, "")
    for product in dict.fromkeys(products):
        theirs = product_name(product, without)
        like = max(
            (closeness(a, b).closeness for a in theirs.names for b in own.names), default=Closeness.OTHER
        )
        if like is not Closeness.OTHER:
            return []
        score = fuzz.token_set_ratio(plain(shown(product)), plain(model))
        numbers = [name.numbers for name in (*own.names, *theirs.names) if name.numbers]
        if score > best[0] and not _apart(numbers):
            best = (score, product)
    if best[0] < _LIKE_PRODUCT:
        return []
    why = f"the names share most of their words ({best[0]:.0f} of 100)"
    return [Suggestion("product", vendor, model, shown(best[1]), devices, why)]


def _apart(numbers: Sequence[frozenset[str]]) -> bool:
    """Tell whether both names have model numbers and share none: then they are two products."""
    return len(numbers) > 1 and not frozenset.intersection(*numbers)
