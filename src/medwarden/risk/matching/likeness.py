"""How close two names of products are.

Numbers decide, words of kind count little: an MX400 is no MX40, an Alaris PC unit no Alaris Gateway
Workstation. A short word that may be misprinted leaves a doubt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum

import msgspec
from rapidfuzz.distance import OSA

from medwarden.risk.matching.products import KINDS, NOISE, Name, alike


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
            words = {token for token in _apart(claimed, owned)[1] - context if len(token) > 3}
            return (
                Likeness(Closeness.MAYBE, "the device's name says no model number")
                if claimed & owned and not words
                else _OTHER
            )
    missing, extra, doubt = _difference(claimed, owned)
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
        if doubt:
            return Likeness(Closeness.MAYBE, doubt)
        return Likeness(Closeness.SAME, "the same name but for words that tell nothing apart")
    if _misprinted(claim, device):
        return Likeness(Closeness.MAYBE, "the same name, if it is misprinted")
    missing_numbers = {token for token in missing if token.isdigit()}
    extra_numbers = {token for token in extra if token.isdigit()}
    if missing_numbers and extra_numbers:
        return _OTHER
    if not missing:
        return _doubted(_more(claim, device, extra, extra_numbers), doubt)
    if not extra:
        return _doubted(_less(claim, device, missing, missing_numbers), doubt)
    shared = {code for code in claim.codes & device.codes if len(code) >= _LONG_CODE}
    if shared and not missing_numbers and not extra_numbers:
        code = max(shared, key=len)
        if not code.isdigit() or len(code) >= 5:
            return Likeness(Closeness.MAYBE, f"the same model number {code} beside other words")
    return _OTHER


def _doubted(like: Likeness, doubt: str) -> Likeness:
    return Likeness(Closeness.MAYBE, doubt) if doubt and like.closeness is Closeness.SAME else like


def _difference(claimed: frozenset[str], owned: frozenset[str]) -> tuple[set[str], set[str], str]:
    """Return what only one name says, and the doubt where short words are misprints of each other at most."""
    missing, extra = _apart(claimed, owned)
    for one, other in ((missing, extra), (extra, missing)):
        for glued in [token for token in one if token.isalpha() and len(token) > 4]:
            part = next((each for each in sorted(other) if _goes_without(glued, each)), None)
            if part is not None:
                one.discard(glued)
                other.discard(part)
    doubt = ""
    for token in sorted(missing):
        near = next((each for each in sorted(extra) if _nearly(token, each)), None)
        if near is not None:
            missing.discard(token)
            extra.discard(near)
            doubt = f"the device's name says {near}, which may be a misprint of {token}"
    return missing, extra, doubt


def _goes_without(glued: str, part: str) -> bool:
    """Tell whether a word is another and one that tells nothing: ``pcunit`` is a ``pc`` unit."""
    for rest in (glued.removeprefix(part), glued.removesuffix(part)):
        if rest != glued and (rest in NOISE or rest in KINDS):
            return True
    return False


def _misprinted(claim: Name, device: Name) -> bool:
    """Tell whether two whole names, written without blanks, differ by a letter or two and by no digit."""
    shorter = min(len(claim.joined), len(device.joined))
    if shorter < 7 or claim.numbers != device.numbers:
        return False
    one, other = (re.sub(r"\d", "", name.joined) for name in (claim, device))
    return OSA.distance(one, other, score_cutoff=2) <= (1 if shorter < 12 else 2)


def _nearly(one: str, other: str) -> bool:
    """Tell whether two short words may be one, misprinted by a letter; never sure enough by itself."""
    return (
        one.isalpha()
        and other.isalpha()
        and one[0] == other[0]
        and min(len(one), len(other)) >= 3
        and max(len(one), len(other)) >= 4
        and OSA.distance(one, other, score_cutoff=1) <= 1
    )


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
        return Likeness(Closeness.MAYBE, f"its name adds {_listed(extra)} to that of the named model")
    if numbers and not words:
        short = {t for t in extra if t.isalpha()}
        glued = all(any(code.startswith(t) or code.endswith(t) for code in device.codes) for t in short)
        if glued and (claim.words or claim.whole):
            return Likeness(Closeness.SAME, "a model of the named family")
    if claim.whole and claim.words:
        return Likeness(Closeness.MAYBE, f"its name adds {_listed(extra)} to that of the named family")
    if words and len(_tokens(claim)) == 1:
        return _OTHER
    return Likeness(Closeness.MAYBE, f"its name adds {_listed(extra)} to that of the named product")


def _less(claim: Name, device: Name, missing: set[str], numbers: set[str]) -> Likeness:
    """The claim's name says all the device's says, and more."""
    if not device.telling:
        return _OTHER
    variants = {token for token in missing if token.isalpha() and (len(token) < 4 or _variant(token, claim))}
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
        Closeness.MAYBE, f"the device's name leaves out what tells the named product ({_listed(missing)})"
    )


def _variant(letters: str, name: Name) -> bool:
    """Tell whether letters stand glued behind a number of a name: the IRT of X-200IRT."""
    return any(re.fullmatch(rf"[a-z]*\d+{letters}", code) for code in name.codes)


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


def _listed(tokens: set[str]) -> str:
    return ", ".join(sorted(tokens))
