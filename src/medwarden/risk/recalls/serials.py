"""Lot and serial numbers in lists and ranges as recalls write them, and whether a device's is among them.

A number is compared without blanks, signs and, where it is digits alone, leading zeros. A range goes by the
digits behind a common beginning (``A1000-A1999``); other ranges by the order of equally built codes. What
could not be read is kept as such: it may hide the very number that is looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

_SIGNS = re.compile(r"[^0-9A-Z]")
_SHAPE = re.compile(r"(.*?)(\d+)([A-Z]{0,2})\Z")
_LONGEST = 40


class Run(msgspec.Struct, frozen=True):
    """Codes from ``low`` to ``high``, both included; None leaves that side open. ``begins``: by beginning."""

    low: str | None = None
    high: str | None = None
    begins: str = ""
    sure: bool = True

    @property
    def words(self) -> str:
        """Return the range as a person writes it."""
        if self.begins:
            return f"beginning with {self.begins}"
        if self.low and self.high:
            return f"{self.low} to {self.high}"
        return f"from {self.low} on" if self.low else f"up to {self.high}"


class CodeList(msgspec.Struct, frozen=True):
    """What a notice says of one kind of code.

    ``every``: all of them. ``singles`` are keys, ``runs`` ranges, ``unread`` pieces of text that could not be
    read. ``excepted``: some are left out in words, so that a range alone decides nothing.
    """

    every: bool = False
    singles: frozenset[str] = frozenset()
    runs: tuple[Run, ...] = ()
    unread: tuple[str, ...] = ()
    excepted: bool = False

    @property
    def limits(self) -> bool:
        """Tell whether it says anything of single units."""
        return bool(self.singles or self.runs or self.unread)

    def joined(self, other: CodeList) -> CodeList:
        """Return what both say together."""
        return CodeList(
            self.every or other.every,
            self.singles | other.singles,
            self.runs + tuple(run for run in other.runs if run not in self.runs),
            self.unread + tuple(piece for piece in other.unread if piece not in self.unread),
            self.excepted or other.excepted,
        )


class Placed(msgspec.Struct, frozen=True):
    """Where a code stands: in (True), out (False) or not to be told; ``named`` is what names it."""

    inside: bool | None
    named: str
    single: bool = False


def key(code: str) -> str:
    """Return a code in the form in which two are compared."""
    plain = _SIGNS.sub("", code.upper())
    return (plain.lstrip("0") or "0") if plain.isdigit() else plain


def place(code: str, listed: CodeList) -> Placed:
    """Tell whether ``code`` is one of ``listed``; one that was not read wholly never says out."""
    mine = key(code)
    if mine in listed.singles:
        return Placed(None if listed.excepted else True, code, single=True)
    doubtful = ""
    for run in listed.runs:
        inside = within(mine, run)
        if inside and run.sure and not listed.excepted:
            return Placed(True, run.words)
        if inside or inside is None:
            doubtful = doubtful or run.words
    if doubtful:
        return Placed(None, doubtful)
    if listed.every:
        return Placed(None if listed.excepted else True, "all")
    if listed.unread:
        return Placed(None, "")
    return Placed(False, "")


def within(mine: str, run: Run) -> bool | None:
    """Tell whether a key is in a range; None where the two cannot be compared."""
    if run.begins:
        return mine.startswith(_SIGNS.sub("", run.begins.upper()))
    low, high = (None if side is None else key(side) for side in (run.low, run.high))
    results = [_ordered(low, mine) if low is not None else True, _ordered(mine, high) if high else True]
    if False in results:
        return False
    return None if None in results else True


def _ordered(one: str, other: str) -> bool | None:
    """Tell whether one key comes before another or is the same; None where they are built differently."""
    first, second = _SHAPE.match(one), _SHAPE.match(other)
    if first is None or second is None:
        return one == other or None
    if first.group(1) == second.group(1) and first.group(3) == second.group(3):
        return int(first.group(2)) <= int(second.group(2))
    if len(one) == len(other) and _build(one) == _build(other):
        return one <= other
    return False


def _build(code: str) -> str:
    return re.sub(r"[A-Z]", "A", re.sub(r"\d", "0", code))


def comparable(one: str, other: str) -> bool:
    """Tell whether two codes can be the ends of one range: the same beginning, or the same build."""
    return _ordered(key(one), key(other)) is True and one != other


_CODE = r"[A-Za-z0-9][A-Za-z0-9./_#-]{1,38}"
_END = r"[A-Za-z0-9][A-Za-z0-9./_#-]{0,38}"
_PLAIN_CODE = r"[A-Za-z0-9]{2,38}"
_ENDS = re.compile(r"(?:S/?N|serials?|lots?|numbers?|nos?\.?|#)\s*:?\s*", re.IGNORECASE)
_FROM_TO = re.compile(
    rf"(?:\b(?:from|between|range[sd]?(?:\s+(?:of|from))?|of)\s+)?(?<![\w-])({_END})\s*"
    rf"(?:\bto\b|\bthrough\b|\bthru\b|\buntil\b|\s[-–—]\s?|[–—])\s*({_END})(?![\w-])(?:\s*\(?\binclusive\b\)?)?",
    re.IGNORECASE,
)
_BETWEEN = re.compile(rf"\bbetween\s+({_END})\s+and\s+({_END})(?![\w-])", re.IGNORECASE)
_DASHED = re.compile(rf"(?<![\w-])({_PLAIN_CODE})-({_PLAIN_CODE})(?![\w-])")
_UP = re.compile(
    rf"(?<![\w-])({_CODE})\s*(?:,?\s*(?:and|or|&)\s+(?:above|higher|up|greater|later|after|newer|beyond|onwards?)"
    r"|\+(?=\s|,|;|$)|\s+onwards?)",
    re.IGNORECASE,
)
_DOWN = re.compile(
    rf"(?<![\w-])({_CODE})\s*,?\s*(?:and|or|&)\s+(?:below|lower|lesser|less|earlier|prior|before|older)",
    re.IGNORECASE,
)
_ABOVE = re.compile(
    rf"\b(?:above|greater\s+than|higher\s+than|starting\s+(?:at|from)|after|from)\s+({_CODE})(?![\w-])",
    re.IGNORECASE,
)
_BELOW = re.compile(
    rf"\b(?:below|less\s+than|lower\s+than|prior\s+to|before|up\s+to(?:\s+and\s+including)?|through)\s+({_CODE})"
    r"(?![\w-])",
    re.IGNORECASE,
)
_BEGINS = re.compile(
    rf"\b(?:begin(?:ning|s)?|start(?:ing|s)?|prefix(?:ed|es)?)\s*(?:with|by|in|of|:)?\s*(?:the\s+)?"
    rf"(?:letters?\s+|prefix(?:es)?\s+|digits?\s+|numbers?\s+)?[\"'“]?({_PLAIN_CODE}|\d|[A-Z])[\"'”]?(?![\w-])",
    re.IGNORECASE,
)
_WILD = re.compile(r"(?<![\w-])([A-Za-z0-9]{2,30}?)(?:\*+|[xX]{2,})(?![\w-])")
_EXCEPT = re.compile(
    r"\b(?:except(?:ing|\s+for)?|excluding|not\s+including|other\s+than|excl\.?)\b", re.IGNORECASE
)
_REMARK = re.compile(r"\([^()]*\)")
_EVERY = re.compile(
    r"\b(?:all|every|any)\b(?!\s+(?:of\s+the\s+)?(?:following|listed|below))|\bn/?a\b", re.IGNORECASE
)
_PARTS = re.compile(r"[,;\n\r\t|&]+|\band\b|\bor\b|\s{2,}|:\s", re.IGNORECASE)
_WHOLE_CODE = re.compile(rf"{_CODE}\Z")
_QUIET = re.compile(
    r"(?:the|and|or|of|all|any|every|each|units?|devices?|products?|systems?|numbers?|nos?|codes?|following|these|"
    r"are|is|with|within|range|ranges|from|affected|inclusive|including|includes|consecutive|individual|only|"
    r"lots?|serials?|batch(?:es)?|s/?n|us|usa|ous|in|qty|quantity|not|applicable|none|n/?a|both|for|sizes?|"
    r"domestic|foreign|international|expir\w*|exp|dates?|\d{1,2}\)|[a-z]\)|\(?[a-z0-9]\)|\d{1,2}|[-–.:#'*]+)\.?\Z",
    re.IGNORECASE,
)


def read_list(text: str) -> CodeList:
    """Return what a text behind a heading says of lots or serial numbers; never raises."""
    excepted = _EXCEPT.search(text) is not None
    body = _REMARK.sub(
        lambda found: " " if _quiet(found.group(0)[1:-1]) else f" {found.group(0)[1:-1]} ", text
    )
    body = _EXCEPT.sub(" ", body)
    runs: list[Run] = []
    singles: set[str] = set()

    def take(pattern: re.Pattern[str], make: str) -> None:
        nonlocal body

        def replace(found: re.Match[str]) -> str:
            run = _run(found, make)
            if run is None:
                return found.group(0)
            runs.append(run)
            if make == "dashed":
                singles.add(key(found.group(0)))
            return " , "

        body = pattern.sub(replace, body)

    take(_BEGINS, "begins")
    take(_WILD, "begins")
    take(_BETWEEN, "both")
    take(_FROM_TO, "both")
    take(_UP, "low")
    take(_DOWN, "high")
    take(_ABOVE, "low")
    take(_BELOW, "high")
    take(_DASHED, "dashed")
    every = _EVERY.search(body) is not None and not runs
    unread: list[str] = []
    for piece in _pieces(body):
        if _is_code(piece):
            singles.add(key(piece))
        elif not _quiet(piece):
            unread.append(piece[:60])
    return CodeList(every and not singles, frozenset(singles), tuple(runs), tuple(unread[:20]), excepted)


def _run(found: re.Match[str], make: str) -> Run | None:
    low = found.group(1).strip("./#-")
    if make == "begins":
        return Run(begins=low) if any(c.isalnum() for c in low) else None
    if not any(c.isdigit() for c in low):
        return None
    if make == "low":
        return Run(low=low)
    if make == "high":
        return Run(high=low)
    return _two_ended(low, found.group(2).strip("./#-"), dashed=make == "dashed")


def _two_ended(low: str, high: str, *, dashed: bool) -> Run | None:
    """Return the range of two ends; a dash between two codes is only one where the second goes on from it."""
    if not any(c.isdigit() for c in high):
        return None
    first = _SHAPE.match(low.upper())
    if high.isdigit() and first is not None and not low.isdigit():
        whole = f"{first.group(1)}{high}{first.group(3)}"
        if len(high) == len(first.group(2)) and comparable(low, whole):
            return Run(low, whole, sure=not dashed)
    if low.isdigit() and high.isdigit() and len(high) < len(low):
        whole = low[: len(low) - len(high)] + high
        return Run(low, whole, sure=False) if comparable(low, whole) else None
    if comparable(low, high) and (not dashed or len(low) == len(high)):
        return Run(low, high, sure=not dashed or len(low) >= 4)
    return None


def _pieces(body: str) -> Iterator[str]:
    for part in _PARTS.split(body):
        piece = part.strip(" .:#=-–()[]\"'*")
        if not piece:
            continue
        words = piece.split()
        if len(words) > 1 and all(_is_code(word.strip(".")) or _quiet(word) for word in words):
            yield from (word.strip(".:#") for word in words)
        else:
            yield piece


def _is_code(piece: str) -> bool:
    return _WHOLE_CODE.match(piece) is not None and any(c.isdigit() for c in piece)


def _quiet(piece: str) -> bool:
    return all(
        _QUIET.match(word.strip(",.:;()\"'")) or not word.strip(",.:;()\"'-") for word in piece.split()
    )
