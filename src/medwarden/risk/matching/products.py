"""Names of products taken apart.

A name is numbers, telling words, short letters and words of kind (``monitor``, ``pump``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec
from rapidfuzz.distance import OSA

from medwarden.risk.matching.names import plain

KINDS = frozenset(
    {
        "monitor", "monitors", "pump", "pumps", "server", "servers", "workstation", "workstations",
        "workplace", "workplaces", "programmer", "programmers", "analyzer", "analyser", "analyzers",
        "analysers", "ventilator", "ventilators", "scanner", "scanners", "viewer", "client", "camera",
        "cameras", "cardiograph", "cardiographs", "defibrillator", "defibrillators", "bed", "beds",
        "generator", "transmitter", "recorder", "injector", "printer", "syringe", "app", "application",
    }
)  # fmt: skip
"""What kind of thing a product is: two products of different kinds are not one, the same kind says little."""

NOISE = frozenset(
    {
        "the", "a", "an", "of", "for", "and", "or", "with", "in", "on", "by", "all", "any", "series",
        "family", "families", "model", "models", "device", "devices", "product", "products", "system",
        "systems", "software", "firmware", "hardware", "medical", "healthcare", "health", "patient",
        "unit", "units", "infusion", "wireless", "machine", "machines", "version", "versions", "ver",
        "rev", "revision", "release", "module", "modules", "platform", "solution", "solutions",
        "installed", "including", "incl", "related", "service", "services", "equipment", "edition",
        "enabled", "using", "used", "based", "digital", "imaging", "clinical", "bedside", "worn",
        "only", "management", "diagnostic", "diagnostics", "line", "lines", "range", "type",
        "component", "components", "instrument", "instruments", "station", "ultrasound",
    }
)  # fmt: skip
"""Words that tell no product from another."""

_WHOLE = re.compile(r"\b(?:all|series|family|families|systems|devices|products|models|monitors|pumps)\b")
_TOKEN = re.compile(r"[a-z]+|\d+")
_DOTTED = re.compile(r"(?<![\w.])(?:v|version\s*|release\s*|r)?(\d{1,3}(?:\.(?:\d+|x))+)(?![\w.])")
_CUT = re.compile(
    r"\s+(?:with|used\s+with|using|used\s+on|running(?:\s+on)?|when|if|used\s+in|in\s+combination\s+with|"
    r"enabled\s+with|installed\s+on|for\s+use\s+with|under|for)\s+(.+)$"
)
_PLATFORM = re.compile(
    r"\b(windows\s+(?:xp|7|8(?:\.1)?|10|11|nt|2000|vista|ce|server\s+\d{4}|embedded))(?:[\s-]+based)?\b"
)
_CODES_IN_BRACKETS = re.compile(r"\(((?:[a-z]{1,4}\d{2,5}(?:\s*(?:-|to|/|,|and)\s*[a-z]{0,4}\d{2,5})*))\)")
_SHORT_PAIR = re.compile(r"(?<![a-z\d])(?:[a-z]{1,3}/[a-z]+|[a-z]+/[a-z]{1,3})(?![a-z\d])")
_MODEL_RANGE = re.compile(
    r"(?<![a-z\d])([a-z]{1,4})-?(\d{1,5})\s*(?:-|–|\bto\b|\bthrough\b)\s*([a-z]{0,4})-?(\d{2,5})(?![a-z\d])"
)
_TRAILING = re.compile(
    r"\s(?:(?:software|firmware|sw|fw|version|release|rev(?:ision)?)\b[\s.:]*)*([a-z]{1,2}\.?\d+(?:\.[a-z\d]+)+)$"
    r"|\s(?:software|firmware|sw|fw|version|ver|release|rev(?:ision)?)\b[\s.:]*v?(\d+[a-z]?|[a-z])$"
)
"""A version at the end of a name: ``B.05.32``, ``R3.3L1``, ``rev K``."""
_COUNTED = re.compile(r"(?<=\S)\s+#\s?\d{1,3}$")
"""How a house counts its devices of one kind: ``Windows 2000 #12``."""
_ABBREVIATION = re.compile(r"\(([A-Z]{2,6} ?i?[A-Z])\)")
_OPEN_DIGIT = re.compile(r"(?<![a-z\d])(\d{1,2})x(\d)(?![a-z\d])")
"""A digit that stands for all ten: the IGS 5x0 are the IGS 500 to 590."""
_CHAIN = re.compile(r"(?<!\S)[a-z]{1,4}\d{1,4}[a-z]?(?:/[a-z]{0,4}\d{1,4}[a-z]?)+(?!\S)")
"""Model numbers in one list among other words: fetal/maternal monitors FM20/FM30."""
_INCLUDING = re.compile(
    r"includ(?:ing|es)\s*((?:[a-z]{0,4}\d{1,4}[a-z]?)(?:\s*[/,]\s*[a-z]{0,4}\d{1,4}[a-z]?)*)$"
)
_EXCEPT = re.compile(r",?\s*\b(?:not\s+including|excluding|except(?:\s+for)?|other\s+than)\b\s+(.+)$")
_LIST = re.compile(r"\s*(?:,|/|\||&|\band\b|\bor\b)\s*")


class Name(msgspec.Struct, frozen=True):
    """A product name taken apart; what is compared.

    ``words`` are telling words of three letters or more, ``numbers`` digits as written, ``codes`` letters
    and digits glued together (mx40), ``letters`` short letters (xl, k), ``kinds`` words of kind,
    ``ranges`` model numbers from one to another.
    """

    words: frozenset[str]
    numbers: frozenset[str]
    letters: frozenset[str]
    kinds: frozenset[str]
    codes: frozenset[str]
    joined: str
    whole: bool = False
    ranges: tuple[tuple[str, int, int], ...] = ()

    @property
    def telling(self) -> bool:
        """Tell whether anything in the name tells a product from another."""
        return bool(self.words or self.numbers or self.letters or self.ranges)


class ProductName(msgspec.Struct, frozen=True):
    """A product name as a source or an inventory writes it: what it may be called, and what else it says.

    ``names`` are alternatives (``MP50/MP70``); ``versions`` stand in the name (``Xeleris 3.1``);
    ``conditions`` after it (``used with Windows XP systems``), ``platform`` an operating system in it,
    ``without`` products that it says it does not mean, ``others`` further readings of the whole name.
    """

    text: str
    names: tuple[Name, ...]
    versions: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    platform: str = ""
    without: tuple[Name, ...] = ()
    others: tuple[tuple[Name, ...], ...] = ()


@lru_cache(maxsize=131072)
def product_name(text: str, without: tuple[str, ...] = ()) -> ProductName:
    """Take a product name apart. ``without`` are words of its maker, left out of the comparison."""
    body = _COUNTED.sub("", plain(text.replace("_", " ")))
    if " " not in body and body.count("-") > 1:
        body = body.replace("-", " ")
    excluded: tuple[Name, ...] = ()
    exception = _EXCEPT.search(body)
    if exception is not None:
        excluded = tuple(_name(each, without) for each in _LIST.split(exception.group(1)) if each)
        body = body[: exception.start()] + " series"
    abbreviated, short = _abbreviation(text)
    body = _CODES_IN_BRACKETS.sub(r" \1 ", body)
    body = _SHORT_PAIR.sub(lambda found: found.group(0).replace("/", " "), body)
    conditions = [each for each in re.findall(r"\(([^()]*)\)", body) if each.strip()]
    conditions = [each for each in conditions if each != abbreviated]
    body = " ".join(re.sub(r"\([^()]*\)?", " ", body).split())
    body, versions = _without_version(body, without)
    platform = ""
    found = _PLATFORM.search(body)
    if found is not None and _product_words(body[: found.start()] + body[found.end() :], without):
        platform = found.group(1)
        body = (body[: found.start()] + " " + body[found.end() :]).strip()
    cut = _CUT.search(body)
    if cut is not None and _product_words(body[: cut.start()], without):
        conditions.append(cut.group(0).strip())
        body = body[: cut.start()]
    names = tuple(_name(each, without) for each in (*_alternatives(body), *_included(body, conditions)))
    others = ((_name(short, without),),) if short else ()
    return ProductName(text, names, versions, tuple(conditions), platform, excluded, others)


def _included(body: str, conditions: list[str]) -> Iterator[str]:
    """Yield the models that a remark includes: MP Series (including MP2/X2/MX700/800)."""
    family = " ".join(word for word in _TOKEN.findall(body) if word.isalpha() and len(word) > 2)
    for remark in conditions:
        found = _INCLUDING.match(remark)
        if found is not None and family:
            yield from (f"{family} {each}" for each in _spread(_LIST.split(found.group(1))))


def _abbreviation(text: str) -> tuple[str, str]:
    """Return the abbreviation in brackets of the words before it, and the name with it in their place.

    ``Clinical Information Center (CIC) Pro`` is a CIC Pro; numbers before the brackets are kept.
    """
    found = _ABBREVIATION.search(text)
    if found is None or len(found.group(1)) < 3:
        return "", ""
    before = plain(text[: found.start()])
    letters, short = iter(before), plain(found.group(1))
    if not all(letter in letters for letter in short.replace(" ", "")):
        return "", ""
    numbers = re.findall(r"\d+", before)
    return short, re.sub(r"\([^()]*\)?", " ", " ".join((short, *numbers, plain(text[found.end() :]))))


def _without_version(body: str, without: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Take versions out of a name where a name remains, were it only the maker's own."""
    found = tuple(each.group(1) for each in _DOTTED.finditer(body))
    rest = _DOTTED.sub(" ", body) if found else body
    if not found:
        trailing = _TRAILING.search(body)
        if trailing is not None:
            found, rest = (trailing.group(1) or trailing.group(2),), body[: trailing.start()]
    if found and (_product_words(rest, without) or _product_words(rest, ())):
        return " ".join(rest.strip(" /-,").split()), found
    return body, ()


def _product_words(text: str, without: tuple[str, ...]) -> bool:
    return _name(text, without).telling


def _name(text: str, without: Sequence[str]) -> Name:
    ranges = tuple(
        (found.group(1), int(found.group(2)), int(found.group(4)))
        for found in _MODEL_RANGE.finditer(text)
        if found.group(3) in ("", found.group(1)) and int(found.group(2)) < int(found.group(4))
    )
    if ranges:
        text = _MODEL_RANGE.sub(" ", text)
    tokens = [_known(token) for token in _TOKEN.findall(text)]
    left = [t for t in tokens if t not in NOISE and not _of_maker(t, without)]
    if not left and not ranges:
        left = [t for t in tokens if t not in without] or tokens
    words = frozenset(t for t in left if t.isalpha() and len(t) > 2 and t not in KINDS)
    return Name(
        words=words,
        numbers=frozenset(t for t in left if t.isdigit()),
        letters=frozenset(t for t in left if t.isalpha() and len(t) < 3),
        kinds=frozenset(_singular(t) for t in left if t in KINDS),
        codes=_codes(text),
        joined="".join(left),
        whole=bool(_WHOLE.search(text)),
        ranges=ranges,
    )


def _of_maker(word: str, maker: Sequence[str]) -> bool:
    """Tell whether a word is one of the maker's name, or a misprint of it."""
    return word in maker or any(len(each) > 5 and alike(each, word) for each in maker)


def _codes(text: str) -> frozenset[str]:
    """Return letters and digits that belong together: mx40 of ``MX40``, ``MX-40`` and ``MX 40``."""
    glued = re.sub(r"(?<![a-z])([a-z]{1,4})-(?=\d)", r"\1", text)
    spaced = re.findall(r"(?<![a-z])([a-z]{1,3}) (\d{1,5}[a-z]?)(?![a-z\d])", glued)
    return frozenset((*re.findall(r"[a-z]*\d+[a-z]*", glued), *("".join(pair) for pair in spaced)))


@lru_cache(maxsize=65536)
def _known(word: str) -> str:
    """Return the word of kind, or the one that tells nothing, that a word is or is a misprint of."""
    if len(word) < 5 or word in KINDS or word in NOISE:
        return word
    known = (
        each
        for each in (*sorted(KINDS), *sorted(NOISE))
        if len(each) >= 6 and each[0] == word[0] and alike(each, word)
    )
    return next(known, word)


def _singular(word: str) -> str:
    return word.removesuffix("s")


def _alternatives(text: str) -> list[str]:
    """Return what a name lists: ``tc10 tc20 cardiographs`` is a TC10 and a TC20, ``522k/722k`` two pumps."""
    open_digit = _OPEN_DIGIT.search(text)
    if open_digit is not None:
        ten = (f"{open_digit.group(1)}{digit}{open_digit.group(2)}" for digit in range(10))
        return [text[: open_digit.start()] + each + text[open_digit.end() :] for each in ten]
    chain = _CHAIN.search(text)
    if chain is not None and chain.group(0) != text:
        behind, before = text[chain.end() :], text[: chain.start()]
        if "/" in before + behind:
            return [f"{before}{each}{behind}" for each in _spread(chain.group(0).split("/"))]
    pieces = [piece for piece in _LIST.split(text) if piece]
    if len(pieces) > 1:
        coded = [piece for piece in pieces if re.search(r"\d", piece)]
        if len(coded) == len(pieces):
            return _spread(pieces)
        worded = [
            p
            for p in pieces
            if len(re.sub(r"[^a-z]", "", p)) >= 4 and not set(_TOKEN.findall(p)) <= KINDS | NOISE
        ]
        if len(worded) == len(pieces):
            return _spread(pieces)
    codes = re.findall(r"(?<!\S)[a-z]{1,4}\d+[a-z]?(?!\S)", text)
    if (
        len(codes) > 1
        and len({code.rstrip("abcdefghijklmnopqrstuvwxyz").rstrip("0123456789") for code in codes}) == 1
    ):
        rest = " ".join(word for word in text.split() if word not in codes)
        return [f"{rest} {code}" for code in codes]
    return [text]


def _spread(pieces: list[str]) -> list[str]:
    """Give the words that stand before the first and behind the last of a list to all of it."""
    first, last = pieces[0].split(), pieces[-1].split()
    if not any(re.search(r"\d", piece) for piece in pieces):
        ahead = first[:-1] if len(first) > 1 and all(len(p.split()) == 1 for p in pieces[1:]) else []
        return [pieces[0], *(" ".join([*ahead, piece]) for piece in pieces[1:])]
    at = next((i for i, word in enumerate(first) if re.search(r"\d", word)), len(first))
    ahead = first[:at]
    end = next((i for i in range(len(last) - 1, -1, -1) if re.search(r"\d", last[i])), len(last) - 1)
    behind = last[end + 1 :]
    letters = re.match(r"([a-z]{1,4})\d", first[at]) if at < len(first) else None
    spread: list[str] = []
    for number, piece in enumerate(pieces):
        core = piece.split()[at:] if number == 0 else piece.split()
        if number == len(pieces) - 1 and behind:
            core = core[: len(core) - len(behind)]
        named = " ".join(core)
        if letters is not None and named[:1].isdigit():
            named = letters.group(1) + named
        letters = re.match(r"([a-z]{1,4})\d", named) or letters
        own = ahead if number == 0 or len(core) == 1 or not core[0].isalpha() else []
        spread.append(
            " ".join([*(own or ahead if named[:1].isdigit() or len(core) == 1 else own), named, *behind])
        )
    return spread


@lru_cache(maxsize=262144)
def alike(one: str, other: str) -> bool:
    """Tell whether two words are one: a plural, or misprinted by a letter (two in long words)."""
    if not (one.isalpha() and other.isalpha()):
        return one == other
    if one.rstrip("s") == other.rstrip("s") and min(len(one), len(other)) > 2:
        return True
    shorter = min(len(one), len(other))
    if shorter < 5:
        return False
    return OSA.distance(one, other, score_cutoff=2) <= (1 if shorter < 9 else 2)
