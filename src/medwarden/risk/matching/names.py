"""Names of makers in forms that can be compared: one key for every spelling, misprint and list of makers.

Keys come from :mod:`medwarden.knowledge.makers` and the alias table, which a hospital can add to.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

import msgspec
from rapidfuzz import process
from rapidfuzz.distance import OSA

from medwarden.knowledge.makers import known_maker, printed_names, short_name
from medwarden.knowledge.packaged import load_yaml


class ProductAlias(msgspec.Struct, frozen=True):
    """Names of one product of a maker."""

    vendor: str
    names: tuple[str, ...]


class Aliases(msgspec.Struct, frozen=True):
    """Names that mean the same; the packaged table, or a hospital's own added to it."""

    vendors: tuple[tuple[str, ...], ...] = ()
    related: tuple[tuple[str, ...], ...] = ()
    products: tuple[ProductAlias, ...] = ()

    def added(self, own: Aliases) -> Aliases:
        """Return this table with the entries of ``own`` behind it."""
        return Aliases(self.vendors + own.vendors, self.related + own.related, self.products + own.products)


@cache
def packaged_aliases() -> Aliases:
    """Return the table that is shipped."""
    return load_yaml("aliases.yaml", Aliases)


_CONTINUED = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_MOJIBAKE = re.compile(rf"[ÃÂÄÅâ][{_CONTINUED}\s]?")
_LOWERED = re.compile(rf"[ãäå](?=[{_CONTINUED}])")
"""The first half of a broken letter, as it stands in text that was put into small letters afterwards."""


@lru_cache(maxsize=65536)
def repaired(text: str) -> str:
    """Return text whose UTF-8 was once read as Latin-1 or Windows-1252 as it was meant."""
    broken = _LOWERED.sub(lambda found: found.group(0).upper(), text)
    if _MOJIBAKE.search(broken):
        for wrong in ("latin-1", "cp1252"):
            try:
                return broken.encode(wrong).decode("utf-8")
            except (UnicodeEncodeError, UnicodeDecodeError):
                continue
    return text


_MARKS = re.compile("[™®©℠]")
"""Marks that stand behind names and are no part of them; some fall apart into letters."""


@lru_cache(maxsize=65536)
def plain(text: str) -> str:
    """Return text in lower case, without accents, control characters and repeated spaces."""
    whole = _MARKS.sub(" ", repaired(text)).replace("ß", "ss").replace("ø", "o")
    letters = unicodedata.normalize("NFKD", whole)
    kept = "".join(c for c in letters if not unicodedata.combining(c) and (c.isprintable() or c.isspace()))
    return " ".join(kept.replace("\u200b", "").lower().split())


_MONTH = re.compile(
    r"\b(?:january|february|march|april|may(?= \d)|june|july|august|september|october|november|december)\b"
)


def shown(text: str) -> str:
    """Return a source's words for a sentence: no underscores, no repeated blanks, months in capitals."""
    return _MONTH.sub(
        lambda found: found.group(0).capitalize(), " ".join(repaired(text).replace("_", " ").split())
    )


_APART = re.compile(r"\s*(?:[,;/|]\s*(?:and\s+)?|\s+and\s+|\s+&\s+)\s*")
_LEGAL_PIECE = frozenset(
    {
        "inc",
        "llc",
        "ltd",
        "co",
        "corp",
        "gmbh",
        "company",
        "limited",
        "sa",
        "ag",
        "co.",
        "inc.",
        "ltd.",
        "oy",
        "oyj",
        "plc",
        "kg",
        "kgaa",
        "bv",
        "nv",
        "srl",
        "spa",
        "sarl",
    }
)
_VAGUE = frozenset(
    {
        "healthcare",
        "health",
        "medical",
        "systems",
        "system",
        "technology",
        "technologies",
        "diagnostics",
        "laboratories",
        "laboratory",
        "labs",
        "medical systems",
        "solutions",
        "software",
        "devices",
        "group",
    }
)
_SHORTEST_MISPRINT = 6
_SHORTEST_NAME = 4
_BEHIND_MAKERS = (
    _LEGAL_PIECE
    | _VAGUE
    | {"corporation", "plc", "kgaa", "kg", "nv", "bv", "se", "information", "usa", "303", "the"}
)
"""Words that go with a maker's name in front of a product and are no part of the product."""
_LEGAL_FORMS = _LEGAL_PIECE - {"co", "company", "limited", "sa"}
_LEGAL_WITHIN = 4
"""Words of a maker's name between what it is known by and its legal form."""
_LONGEST_MAKER = 6
"""Words of a maker's name in front of a product."""


class Makers:
    """Makers by key: aliases, houses, and misprints of names that are known."""

    def __init__(self, aliases: Aliases) -> None:
        self._canonical = {_maker_words(name): group[0] for group in aliases.vendors for name in group}
        self._related: dict[str, set[str]] = {}
        for group in aliases.related:
            keys = {self._key(name) for name in group}
            for key in keys:
                self._related.setdefault(key, set()).update(keys)
        self._keys: dict[str, frozenset[str]] = {}
        self._printed = {_squeezed(start): name for start, name in printed_names().items()}
        self._printed |= {_squeezed(name): name for group in aliases.related for name in group}
        self._printed |= {_squeezed(name): group[0] for group in aliases.vendors for name in group}
        self._written: dict[str, frozenset[str]] = {}

    def keys(self, text: str) -> frozenset[str]:
        """Return the keys of the maker, or of the makers, that ``text`` names; empty for no name."""
        found = self._keys.get(text)
        if found is None:
            found = self._keys[text] = frozenset(filter(None, self._read(text)))
        return found

    def meant(self, text: str) -> frozenset[str]:
        """Return the keys of a maker as an inventory writes it: misprinted, without blanks, with other words.

        Slower than :meth:`keys`, which reads what sources write.
        """
        found = self._written.get(text)
        if found is None:
            found = self._written[text] = self.keys(text) | frozenset(filter(None, self._repaired(text)))
        return found

    def _repaired(self, text: str) -> Iterator[str]:
        whole = plain(text)
        if known_maker(whole) is not None or _maker_words(whole) in self._canonical:
            return
        squeezed = _squeezed(whole)
        if squeezed in self._printed:
            yield self._key(self._printed[squeezed])
        elif len(squeezed) >= _SHORTEST_MISPRINT - 1:
            most = 1 if len(squeezed) < 10 else 2
            names = [n for n in self._printed if n[:1] == squeezed[:1] and len(n) >= _SHORTEST_MISPRINT]
            near = process.extractOne(squeezed, names, scorer=OSA.distance, score_cutoff=most)
            if near is not None:
                yield self._key(self._printed[near[0]])
        for vague in _VAGUE:
            if squeezed.endswith(vague) and len(squeezed) - len(vague) >= _SHORTEST_NAME:
                yield self._key(squeezed.removesuffix(vague))
        words = _words(whole)
        for start in range(1, len(words)):
            rest = " ".join(words[start:])
            if len(rest) >= _SHORTEST_MISPRINT and known_maker(rest) is not None:
                yield self._key(rest)

    def in_front(self, product: str) -> tuple[str, str]:
        """Return the maker whose name a product begins with, and the product behind it; or two empty texts.

        ``GE Medical Systems Information Technologies CADstream`` is a CADstream.
        """
        words = product.split()
        for count in range(min(_LONGEST_MAKER, len(words) - 1), 0, -1):
            head = " ".join(words[:count])
            if self._printed.get(_squeezed(plain(head))) is None:
                continue
            end = _behind_legal_form(words, count)
            while end < len(words) - 1 and " ".join(_words(plain(words[end]))) in _BEHIND_MAKERS | {""}:
                end += 1
            return head, " ".join(words[end:])
        return "", ""

    def _read(self, text: str) -> set[str]:
        whole = plain(text)
        if not whole:
            return set()
        keys = {self._key(whole)}
        bracket = re.search(r"\(([^()]{2,40})\)", whole)
        if bracket is not None:
            keys |= {self._key(bracket.group(1)), self._key(whole[: bracket.start()])}
        if known_maker(whole) is None and _maker_words(whole) not in self._canonical:
            pieces = [piece for piece in _APART.split(whole) if len(piece) > 1 and piece not in _LEGAL_PIECE]
            if len(pieces) > 1:
                keys |= {self._key(piece) for piece in pieces}
        elif "," in whole or " and " in whole:
            pieces = [piece for piece in _APART.split(whole) if known_maker(piece) is not None]
            keys |= {self._key(piece) for piece in pieces}
        return keys

    def _key(self, text: str) -> str:
        words = _maker_words(text)
        known = self._canonical.get(words) or self._canonical.get(_maker_words(short_name(text)))
        name = known or short_name(text)
        return _maker_words(name)

    def house(self, keys: Iterable[str]) -> frozenset[str]:
        """Return ``keys`` with those of the same house."""
        found = set(keys)
        for key in tuple(found):
            found |= self._related.get(key, set())
        return frozenset(found)

    def agree(self, one: frozenset[str], other: frozenset[str]) -> bool:
        """Tell whether two sets of keys name the same maker, a misprint of it, or one of its house."""
        if one & self.house(other):
            return True
        return any(same_maker(a, b) for a in one for b in other)


@lru_cache(maxsize=65536)
def same_maker(one: str, other: str) -> bool:
    """Tell whether two keys are one name: equal, misprinted by a letter or two, or one inside the other."""
    if one == other:
        return True
    shorter, longer = sorted((one, other), key=len)
    if longer.startswith(shorter + " ") and len(shorter) >= _SHORTEST_NAME and shorter not in _VAGUE:
        return True
    if " " in shorter and longer.endswith(" " + shorter):
        return True
    if len(shorter) >= _SHORTEST_NAME and one.replace(" ", "") == other.replace(" ", ""):
        return True
    if len(shorter) < _SHORTEST_MISPRINT or (one[:1] != other[:1] and one[1:2] != other[1:2]):
        return False
    return OSA.distance(one, other, score_cutoff=2) <= (1 if len(shorter) < 10 else 2)


def _behind_legal_form(words: list[str], start: int) -> int:
    """Return where a maker's name ends whose legal form stands a few words on: Nederland B.V."""
    for at in range(start, min(start + _LEGAL_WITHIN, len(words) - 1)):
        if "".join(_words(plain(words[at]))) in _LEGAL_FORMS:
            return at + 1
    return start


def _words(text: str) -> list[str]:
    return re.sub(r"[^\w\s]|_", " ", text).split()


def _squeezed(text: str) -> str:
    """Return a maker's name without what is not a letter or digit, and without its legal form."""
    return "".join(_maker_words(text, frozenset()).split())


@lru_cache(maxsize=65536)
def _maker_words(text: str, vague: frozenset[str] = _VAGUE) -> str:
    words = _words(re.sub(r"\([^()]*\)", " ", plain(text)))
    while len(words) > 1 and (words[-1] in vague or words[-1] in _LEGAL_PIECE):
        words.pop()
    return " ".join(words)
