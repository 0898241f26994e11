"""Serial numbers, names and models in the forms in which books and devices can be compared."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rapidfuzz import fuzz
from rapidfuzz.distance import DamerauLevenshtein

from medwarden.knowledge.makers import short_name

SHORTEST_TAG = 5
"""Characters an asset tag must have to be looked for within a host name."""

_SERIAL_PREFIX = re.compile(r"^(?:S/?N|SER(?:IAL)?(?:\s*(?:NUMBER|NO|NR|NUM))?)\b[\s.:#-]*|^SN(?=\d)")
_NOT_ALPHANUMERIC = re.compile(r"[^0-9A-Z]")
_MISREAD = str.maketrans("OQDILBSZG", "000118526")
_TOKEN = re.compile(r"[a-z]+|[0-9]+")
_JOINED = re.compile(r"(?<=[a-z])[\s./_-]+(?=[0-9])")
_LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


@lru_cache(maxsize=1 << 17)
def serial_form(text: str) -> str:
    """Return a serial number without prefix (``S/N``), blanks, punctuation and leading zeros."""
    upper = _SERIAL_PREFIX.sub("", _plain(text).upper().strip())
    return _NOT_ALPHANUMERIC.sub("", upper).lstrip("0")


@lru_cache(maxsize=1 << 17)
def misread_form(serial: str) -> str:
    """Return the form in which letters and digits that are read or typed for each other are the same."""
    return serial.translate(_MISREAD).lstrip("0")


def near_serials(one: str, other: str) -> bool:
    """Tell whether two serial forms differ by one slip only: a character more, less, other or swapped."""
    return min(len(one), len(other)) >= 6 and DamerauLevenshtein.distance(one, other, score_cutoff=1) <= 1


@lru_cache(maxsize=1 << 17)
def name_form(text: str) -> str:
    """Return a host name without domain, case, separators and the leading zeros of its numbers."""
    first = _plain(text).casefold().strip().partition(".")[0]
    return _LEADING_ZEROS.sub("", "".join(re.findall(r"[a-z0-9]+", first)))


@lru_cache(maxsize=1 << 15)
def word_form(text: str) -> str:
    """Return a place or department without accents, case and punctuation."""
    return " ".join(re.findall(r"[a-z0-9]+", _plain(text).casefold()))


@lru_cache(maxsize=1 << 14)
def vendor_form(text: str) -> str:
    """Return the short name of a maker in lower case, the empty string for none."""
    return short_name(text).casefold() if text else ""


@lru_cache(maxsize=1 << 15)
def model_form(text: str, vendor: str) -> str:
    """Return the words of a model, the maker's name left out, letters joined with the number behind them."""
    plain = _JOINED.sub("", _plain(text).casefold())
    for name in {vendor, vendor.partition(" ")[0]}:
        if len(name) > 2:
            plain = re.sub(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", " ", plain)
    return " ".join(re.findall(r"[a-z0-9]+", plain))


def likeness(one: str, other: str) -> float:
    """Return how alike two model forms are: 1 the same, above .85 alike, 0 where numbers contradict.

    ``mx450`` and ``intellivue mx450`` are the same: one is part of the other and has a number; ``mx450`` and
    ``mx750`` are not, however alike their letters.
    """
    if not one or not other:
        return 0.5
    flat_one, flat_other = one.replace(" ", ""), other.replace(" ", "")
    if flat_one == flat_other:
        return 1.0
    short, long = sorted((one, other), key=len)
    if any(c.isdigit() for c in short) and len(short) >= 3 and set(short.split()) <= set(long.split()):
        return 1.0
    numbers_one, numbers_other = _numbers(one), _numbers(other)
    if numbers_one and numbers_other and not numbers_one & numbers_other:
        return 0.0
    if numbers_one != numbers_other and numbers_one and numbers_other:
        return 0.6
    return fuzz.token_set_ratio(one, other) / 100


def _numbers(form: str) -> set[str]:
    return {part.lstrip("0") for part in re.findall(r"[0-9]+", form)}


def transposed_macs(mac: str) -> set[str]:
    """Return the addresses that a swap of two neighbouring digits makes of ``mac``."""
    digits = mac.replace(":", "")
    found = set()
    for at in range(len(digits) - 1):
        if digits[at] != digits[at + 1]:
            swapped = digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]
            found.add(":".join(swapped[i : i + 2] for i in range(0, 12, 2)))
    return found
