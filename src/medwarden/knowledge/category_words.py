"""What an equipment list means by its category words, in several languages."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

from medwarden.kernel.errors import InternalError
from medwarden.knowledge.packaged import load_yaml
from medwarden.knowledge.taxonomy import UNKNOWN, UNKNOWN_MEDICAL, categories

_NOT_A_WORD = re.compile(r"[^0-9a-z]+")


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return _NOT_A_WORD.sub(" ", plain.casefold()).strip()


@cache
def _phrases() -> dict[str, str]:
    """Return categories by the folded phrases that mean them. Raises InternalError for one said twice."""
    known = categories()
    found: dict[str, str] = {}
    for identifier, phrases in load_yaml("category_words.yaml", dict[str, list[str]]).items():
        if identifier not in known:
            raise InternalError(f"category_words.yaml: there is no category {identifier!r} in the taxonomy")
        for phrase in phrases:
            if found.setdefault(_folded(phrase), identifier) != identifier:
                raise InternalError(f"category_words.yaml: {phrase!r} stands for two categories")
    for category in categories().values():
        if category.id not in (UNKNOWN, UNKNOWN_MEDICAL):
            found.setdefault(_folded(category.name), category.id)
            found.setdefault(_folded(category.id), category.id)
    return found


@cache
def _by_words() -> tuple[tuple[frozenset[str], str], ...]:
    """Return phrases as sets of words with their category, those of most words first."""
    sets = {frozenset(map(_singular, phrase.split())): meant for phrase, meant in _phrases().items()}
    return tuple(sorted(sets.items(), key=lambda entry: -len(entry[0])))


def _singular(word: str) -> str:
    return word.removesuffix("s") if len(word) > 3 and not word.endswith("ss") else word


@lru_cache(maxsize=8192)
def category_of_words(text: str) -> str | None:
    """Return the category that a text means, or None where it names none, or two equally well.

    Order, commas and a plural ``s`` do not matter (``Pumps, Infusion, Syringe``). Of the phrases whose words
    the text has, the one of most words decides.
    """
    words = frozenset(map(_singular, _folded(text).split()))
    found: set[str] = set()
    most = 0
    for phrase, meant in _by_words():
        if len(phrase) < most:
            break
        if phrase <= words:
            most = len(phrase)
            found.add(meant)
    return found.pop() if len(found) == 1 else None


@cache
def _by_product_code() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for category in categories().values():
        for code in category.fda_product_codes:
            found.setdefault(code, set()).add(category.id)
    return {code: frozenset(ids) for code, ids in found.items()}


def categories_of_product_code(code: str) -> frozenset[str]:
    """Return the categories of the taxonomy that an FDA product code may belong to."""
    return _by_product_code().get(code.strip().upper(), frozenset())
