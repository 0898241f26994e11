"""Names of products taken apart, and how close two of them are.

A name is numbers, telling words, short letters and words of kind (``monitor``, ``pump``). Numbers decide,
words of kind count little: an MX400 is no MX40, an Alaris PC unit no Alaris Gateway Workstation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
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

_NOISE = frozenset(
    {
        "the", "a", "an", "of", "for", "and", "or", "with", "in", "on", "by", "all", "any", "series",
        "family", "families", "model", "models", "device", "devices", "product", "products", "system",
        "systems", "software", "firmware", "hardware", "medical", "healthcare", "health", "patient",
        "unit", "units", "infusion", "wireless", "machine", "machines", "version", "versions", "ver",
        "rev", "revision", "release", "module", "modules", "platform", "solution", "solutions",
        "installed", "including", "incl", "related", "service", "services", "equipment", "edition",
        "enabled", "using", "used", "based", "digital", "imaging", "clinical", "bedside", "worn",
        "only", "management", "diagnostic", "diagnostics", "line", "lines", "range", "type",
        "component", "components", "instrument", "instruments", "station",
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
_EXCEPT = re.compile(r",?\s*\b(?:not\s+including|excluding|except(?:\s+for)?|other\s+than)\b\s+(.+)$")
_LIST = re.compile(r"\s*(?:,|/|\||&|\band\b|\bor\b)\s*")


class Name(msgspec.Struct, frozen=True):
    """A product name taken apart; what :func:`closeness` compares.

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
    ``without`` products that it says it does not mean.
    """

    text: str
    names: tuple[Name, ...]
    versions: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    platform: str = ""
    without: tuple[Name, ...] = ()


@lru_cache(maxsize=131072)
def product_name(text: str, without: tuple[str, ...] = ()) -> ProductName:
    """Take a product name apart. ``without`` are words of its maker, left out of the comparison."""
    body = plain(text.replace("_", " "))
    if " " not in body and body.count("-") > 1:
        body = body.replace("-", " ")
    excluded: tuple[Name, ...] = ()
    exception = _EXCEPT.search(body)
    if exception is not None:
        excluded = tuple(_name(each, without) for each in _LIST.split(exception.group(1)) if each)
        body = body[: exception.start()] + " series"
    body = _CODES_IN_BRACKETS.sub(r" \1 ", body)
    body = _SHORT_PAIR.sub(lambda found: found.group(0).replace("/", " "), body)
    conditions = [remark for remark in re.findall(r"\(([^()]*)\)", body) if remark.strip()]
    body = " ".join(re.sub(r"\([^()]*\)?", " ", body).split())
    platform = ""
    found = _PLATFORM.search(body)
    if found is not None and _product_words(body[: found.start()] + body[found.end() :], without):
        platform = found.group(1)
        body = (body[: found.start()] + " " + body[found.end() :]).strip()
    cut = _CUT.search(body)
    if cut is not None and _product_words(body[: cut.start()], without):
        conditions.append(cut.group(0).strip())
        body = body[: cut.start()]
    versions = tuple(found.group(1) for found in _DOTTED.finditer(body))
    if versions:
        rest = _DOTTED.sub(" ", body)
        if _product_words(rest, without):
            body = " ".join(rest.strip(" /-,").split())
        else:
            versions = ()
    names = tuple(_name(each, without) for each in _alternatives(body))
    return ProductName(text, names, versions, tuple(conditions), platform, excluded)


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
    left = [t for t in tokens if t not in _NOISE and not _of_maker(t, without)]
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
    if len(word) < 7 or word in KINDS or word in _NOISE:
        return word
    known = (each for each in (*sorted(KINDS), *sorted(_NOISE)) if len(each) >= 7 and alike(each, word))
    return next(known, word)


def _singular(word: str) -> str:
    return word.removesuffix("s")


def _alternatives(text: str) -> list[str]:
    """Return what a name lists: ``tc10 tc20 cardiographs`` is a TC10 and a TC20, ``522k/722k`` two pumps."""
    pieces = [piece for piece in _LIST.split(text) if piece]
    if len(pieces) > 1:
        coded = [piece for piece in pieces if re.search(r"\d", piece)]
        if len(coded) == len(pieces):
            return _spread(pieces)
        worded = [
            p
            for p in pieces
            if len(re.sub(r"[^a-z]", "", p)) >= 4 and not set(_TOKEN.findall(p)) <= KINDS | _NOISE
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


class Closeness(IntEnum):
    """How close a device's product is to a claimed one."""

    OTHER = 0
    MAYBE = 1  # one name says less than the other, or more
    SAME = 2


class Likeness(msgspec.Struct, frozen=True):
    """How close two products are, and why in words."""

    closeness: Closeness
    why: str


_LONG_CODE = 4
"""Letters and digits from which a code tells a model by itself."""

_OTHER = Likeness(Closeness.OTHER, "another product")


def closeness(claim: Name, device: Name, context: frozenset[str] = frozenset()) -> Likeness:
    """Compare a claimed product with a device's; ``context`` are words beside the claim (its title)."""
    if claim.joined and claim.joined == device.joined and claim.ranges == device.ranges:
        return Likeness(Closeness.SAME, "the same name")
    claimed, owned = _tokens(claim), _tokens(device)
    if claim.ranges and claim.ranges != device.ranges:
        inside = _inside(claim, device)
        if inside:
            claimed, owned = claimed - inside, owned - inside
            if not _apart(claimed, owned)[1] - context:
                return Likeness(Closeness.SAME, "a model number in the named range")
        elif device.numbers:
            return _OTHER
        else:
            return (
                Likeness(Closeness.MAYBE, "the device's name says no model number")
                if claimed & owned
                else _OTHER
            )
    missing, extra = _apart(claimed, owned)
    if claim.kinds and device.kinds and not claim.kinds & device.kinds and not (claim.codes & device.codes):
        return (
            _OTHER
            if missing or extra
            else Likeness(Closeness.MAYBE, "the same name for another kind of device")
        )
    words = {token for token in extra if token.isalpha() and len(token) > 1}
    if claim.kinds - device.kinds and words - context and not claim.numbers:
        return _OTHER
    extra = {token for token in extra if token not in context}
    if not missing and not extra:
        if not (claim.telling and device.telling):
            return _OTHER
        return Likeness(Closeness.SAME, "the same name but for words that tell nothing apart")
    missing_numbers = {token for token in missing if token.isdigit()}
    extra_numbers = {token for token in extra if token.isdigit()}
    if missing_numbers and extra_numbers:
        return _OTHER
    if not missing:
        return _more(claim, device, extra, extra_numbers)
    if not extra:
        return _less(claim, device, missing, missing_numbers)
    shared = {code for code in claim.codes & device.codes if len(code) >= _LONG_CODE}
    if shared and not missing_numbers and not extra_numbers:
        code = max(shared, key=len)
        if not code.isdigit() or len(code) >= 5:
            return Likeness(Closeness.MAYBE, f"the same model number {code} beside other words")
    return _OTHER


def _inside(claim: Name, device: Name) -> frozenset[str]:
    """Return the letters and number of a device's model that lies in a range of models, or nothing."""
    for letters, low, high in claim.ranges:
        for code in device.codes:
            if (
                code.startswith(letters)
                and code[len(letters) :].isdigit()
                and low <= int(code[len(letters) :]) <= high
            ):
                return frozenset((letters, code[len(letters) :]))
    return frozenset()


def _more(claim: Name, device: Name, extra: set[str], numbers: set[str]) -> Likeness:
    """The device's name says all the claim says, and more."""
    words = {token for token in extra if token.isalpha() and len(token) > 3}
    if claim.numbers:
        return Likeness(Closeness.MAYBE, f"the named model with {_listed(extra)} added")
    if numbers and not words:
        short = {t for t in extra if t.isalpha()}
        glued = all(any(code.startswith(t) or code.endswith(t) for code in device.codes) for t in short)
        if glued and (claim.words or claim.whole):
            return Likeness(Closeness.SAME, "a model of the named family")
    if claim.whole and claim.words:
        return Likeness(Closeness.MAYBE, f"perhaps of the named family, with {_listed(extra)} added")
    if words and len(_tokens(claim)) == 1:
        return _OTHER
    return Likeness(Closeness.MAYBE, f"perhaps a variant of it, with {_listed(extra)} added")


def _less(claim: Name, device: Name, missing: set[str], numbers: set[str]) -> Likeness:
    """The claim's name says all the device's says, and more."""
    if not device.telling:
        return _OTHER
    variants = {token for token in missing if token.isalpha() and len(token) < 3}
    if not numbers and device.numbers and not variants:
        shared = {code for code in claim.codes & device.codes if len(code) >= _LONG_CODE}
        code = max(shared, key=len, default="")
        if code and (not code.isdigit() or device.words):
            return Likeness(Closeness.SAME, f"the same model number {code}")
        if device.words:
            return Likeness(Closeness.SAME, "the same name and number")
    if not device.numbers and not any(len(word) > 3 for word in device.words):
        return _OTHER
    return Likeness(
        Closeness.MAYBE, f"the named product says more than the device's name ({_listed(missing)})"
    )


def _tokens(name: Name) -> frozenset[str]:
    return name.words | name.numbers | name.letters


def _apart(claimed: frozenset[str], owned: frozenset[str]) -> tuple[set[str], set[str]]:
    """Return the tokens only the claim has and those only the device has, misprints and gaps forgiven."""
    missing, extra = set(claimed - owned), set(owned - claimed)
    for token in sorted(missing, key=len, reverse=True):
        near = next((other for other in sorted(extra) if alike(token, other)), None)
        if near is not None:
            missing.discard(token)
            extra.discard(near)
    for one, other in ((missing, extra), (extra, missing)):
        for token in [t for t in one if t.isalpha()]:
            parts = _made_of(token, [t for t in other if t.isalpha()])
            if parts:
                one.discard(token)
                other.difference_update(parts)
    return missing, extra


def _made_of(whole: str, parts: Sequence[str]) -> tuple[str, ...]:
    """Return two parts that, put together, are the whole: ``intelli`` and ``vue``."""
    for first in parts:
        if whole.startswith(first) and whole[len(first) :] in parts:
            return (first, whole[len(first) :])
    return ()


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


def _listed(tokens: set[str]) -> str:
    return ", ".join(sorted(tokens))
