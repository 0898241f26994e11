"""Whether the product that a notice describes is the model of a device.

A description is a sentence or a page ("IntelliVue Patient Monitors MX700 and MX750, Model No. 866471").
A device's model decides by the numbers in it; words alone must stand together. A notice that names the family
but not the model may mean it; one that names sisters of the model only does not.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from medwarden.risk.matching.names import plain
from medwarden.risk.matching.products import KINDS
from medwarden.risk.recalls.codes import models_in
from medwarden.risk.recalls.serials import key

_TOKEN = re.compile(r"[a-z]+\d[a-z\d]*|\d+[a-z\d]*|[a-z]+")
_GLUE = re.compile(r"(?<![a-z\d])([a-z]{1,4})[-/](?=\d)")
_SPACED = re.compile(r"(?<![a-z\d])([a-z]{1,2}) (?=\d)")
_RUN = re.compile(
    r"(?<![a-z\d])([a-z]{1,4})-?(\d{1,5})\s*(?:-|–|to|through|thru)\s*\1?-?(\d{1,5})(?![a-z\d.])"
)
_SERIES = re.compile(r"(?<![a-z\d])([a-z]{0,4}\d{1,6})[\s-]+(?:series|family)\b")
_NOTHING = frozenset(
    {
        "the", "a", "an", "of", "for", "and", "or", "with", "in", "on", "by", "all", "system", "systems",
        "model", "models", "series", "device", "devices", "medical", "patient", "unit", "product", "version",
        "software", "family", "type", "number", "no", "healthcare", "station", "module", "digital", "plus",
    }
)  # fmt: skip
_DISTINCT = 4


class Described(msgspec.Struct, frozen=True):
    """A description taken apart: its words in order, all of them, model numbers behind headings, ranges."""

    ordered: tuple[str, ...]
    words: frozenset[str]
    numbers: frozenset[str]
    runs: tuple[tuple[str, int, int], ...] = ()
    series: frozenset[str] = frozenset()


class Named(msgspec.Struct, frozen=True):
    """Whether a description means a model: True, False, None where it may; and why in words."""

    agrees: bool | None
    why: str


@lru_cache(maxsize=65536)
def model_words(model: str, maker: tuple[str, ...] = ()) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the telling words of a model's name, and the codes with digits in it; ``maker`` is left out."""
    text = _GLUE.sub(r"\1", plain(model))
    glued = _SPACED.sub(r"\1", text)
    tokens = [t for t in _TOKEN.findall(glued) if t not in _NOTHING and t not in maker]
    codes = tuple(t for t in tokens if any(c.isdigit() for c in t))
    words = tuple(t for t in tokens if t not in codes and t not in KINDS and len(t) > 1)
    return words, codes


def _lower(text: str) -> str:
    """Return a text as :func:`plain` does, the short way where it is plain already."""
    return " ".join(text.lower().split()) if text.isascii() and text.isprintable() else plain(text)


def described(product: str, models: tuple[str, ...] = ()) -> Described:
    """Take a notice's description of a product apart."""
    text = _lower(" ".join(product[:4000].split()))
    glued = _GLUE.sub(r"\1", text)
    ordered = tuple(_TOKEN.findall(glued))
    closer = _TOKEN.findall(_SPACED.sub(r"\1", glued))
    runs = tuple(
        (found.group(1), int(found.group(2)), int(found.group(3)))
        for found in _RUN.finditer(glued)
        if int(found.group(2)) < int(found.group(3))
    )
    numbers = {key(model) for model in models} | models_in(product[:4000])
    joined = {key(piece) for piece in re.findall(r"[a-z\d][a-z\d./-]*\d[a-z\d./-]*", text)}
    return Described(
        ordered,
        frozenset((*ordered, *closer)),
        frozenset(numbers | joined),
        runs,
        frozenset(found.group(1) for found in _SERIES.finditer(glued)),
    )


def named(model: str, maker: tuple[str, ...], product: Described) -> Named:
    """Tell whether a description means a model.

    ``maker`` are words of the maker's name, which tell no product from another.
    """
    whole = key(model)
    if len(whole) >= _DISTINCT and any(c.isdigit() for c in whole) and whole in product.numbers:
        return Named(True, f"it names {model}")
    words, codes = model_words(model, maker)
    if not words and not codes:
        return Named(False, "the model's name tells no product from another")
    present = [word for word in words if word in product.words]
    if codes:
        return _by_codes(model, words, codes, present, product)
    return _by_words(model, words, present, product)


def _by_codes(
    model: str, words: tuple[str, ...], codes: tuple[str, ...], present: list[str], product: Described
) -> Named:
    missing = [code for code in codes if not _has_code(code, product)]
    distinct = any(len(code) >= _DISTINCT for code in codes)
    if not missing:
        if (not words and distinct) or len(present) == len(words) > 0:
            return Named(True, f"it names {model}")
        if present or distinct:
            return Named(True if present and distinct else None, f"it names {' '.join((*present, *codes))}")
        return Named(False, "only a number stands in it that many products have")
    if not words or len(present) < len(words):
        return Named(False, f"it does not name {model}")
    sisters = [word for word in product.words if _sister(word, codes)]
    if sisters:
        return Named(False, f"it names {', '.join(sorted(sisters)[:4])}, not {model}")
    return Named(None, f"it names {' '.join(words)}, but no model of it")


def _has_code(code: str, product: Described) -> bool:
    if code in product.words or key(code) in product.numbers:
        return True
    found = re.fullmatch(r"([a-z]*)(\d+)", code)
    if found is not None and any(
        found.group(1) == letters and low <= int(found.group(2)) <= high
        for letters, low, high in product.runs
    ):
        return True
    return any(_in_series(code, series) for series in product.series)


def _in_series(code: str, series: str) -> bool:
    """Tell whether a code is of a series by its number: 8015 of the 8000 series, mx750 of the mx700."""
    if len(code) != len(series):
        return False
    stem = series.rstrip("0")
    return len(stem) < len(series) and code.startswith(stem)


def _sister(word: str, codes: tuple[str, ...]) -> bool:
    """Tell whether a word is built like a code of the model: mx800 beside mx750, 8100 beside 8015."""
    return word not in codes and any(
        re.sub(r"\d", "0", word) == re.sub(r"\d", "0", code) for code in codes if len(code) >= 2
    )


def _by_words(model: str, words: tuple[str, ...], present: list[str], product: Described) -> Named:
    if len(present) < len(words):
        return Named(False, f"it does not name {model}")
    at = _together(words, product.ordered)
    if at is None:
        return Named(None, f"it names {' '.join(words)}, but not as one name")
    following = product.ordered[at + len(words) : at + len(words) + 3]
    variants = [word for word in following if any(c.isdigit() for c in word) and word.isalnum()]
    if len(words) == 1 and variants and not variants[0].isdigit():
        return Named(None, f"it names {words[0]} {variants[0]}, one kind of {model}")
    if len(words) == 1 and len(words[0]) < _DISTINCT:
        return Named(None, f"it names {words[0]}, a word too short to be sure of")
    return Named(True, f"it names {model}")


def _together(words: tuple[str, ...], ordered: tuple[str, ...]) -> int | None:
    size = len(words)
    return next((n for n in range(len(ordered) - size + 1) if ordered[n : n + size] == words), None)
