"""What the free text of a recall limits it to: lots, serial numbers, identifiers, models, firmware, dates.

The FDA's ``code_info`` is written by hand and by thousands of firms. It is cut at the headings that people
use ("Lot/Batch Numbers:", "S/N", "Model No.", "Software version"), and what stands behind each is read by its
own rules. Every piece that nobody understood is kept: such a text includes, but never excludes.
"""

from __future__ import annotations

import re

import msgspec

from medwarden.risk.matching.versions import Certainty, Reading, read_versions
from medwarden.risk.recalls.days import Days, days_of, without_days
from medwarden.risk.recalls.serials import CodeList, key, read_list

CUT = "…"
"""How a text ends that was longer than is kept (:mod:`medwarden.feeds.origin`)."""

_NO = r"(?:numbers?|nos?\b\.?|nbrs?\.?|codes?|#'?s?|i\.?d\.?s?\b)"
_HEADINGS = re.compile(
    r"(?P<both>\b(?:serial\s*(?:/|or|and|&)\s*(?:lots?|batch)|lots?\s*(?:/|or|and|&)\s*serial)"
    rf"(?:\s*{_NO})?(?:\s*\(?s\)?)?)"
    r"|(?P<lots>\b(?:lots?|batch(?:es)?)(?:\s*/\s*(?:batch(?:es)?|lots?))?(?![a-z])"
    rf"(?:\s*{_NO})?(?:\(s\))?|\bcontrol\s*{_NO})"
    rf"|(?P<serials>\bserial(?:ized|s)?\b(?:\s*{_NO})?(?:\(s\))?|\bS/N(?:'?s)?\b"
    r"|\bSNs?\b(?=\s*[:#.]?\s*[A-Z]*\d)"
    r"|\bser\.?\s*nos?\.?)"
    rf"|(?P<identifiers>\bUDI(?:[-/\s]{{0,2}}DI)?(?:\s*{_NO})?|\bGTIN(?:s|\s*{_NO})?"
    r"|\b(?:primary|unit)?\s*DI(?=\s*[:#(])"
    r"|\bdevice\s+identifiers?)"
    rf"|(?P<models>\bmodels?(?:\s*/\s*(?:cat\w*|part|ref\w*))?\s*{_NO}(?:\(s\))?"
    r"|\bmodels?\s*:|\bmodels?\s+(?=[A-Z]*[-\s]?\d)"
    rf"|\bcat(?:alog(?:ue)?)?\.?\s*(?:/\s*\w+\s*)?{_NO}|\bREF\b(?=\s*[:#.]?\s*[A-Z0-9])"
    rf"|\b(?:part|item|product|material|article|order|reference|reorder|list)\s*{_NO}|\bP/N(?:'?s)?\b)"
    r"|(?P<firmware>\b(?:software|firmware|s/?w|f/?w|application)\s*"
    r"(?:versions?|revisions?|releases?|levels?|rev\.?|v(?=\d))"
    r"|\b(?:versions?|revisions?)(?=\s*:?\s*v?\d))"
    r"|(?P<made>\b(?:date\s+of\s+manufacture|(?:manufactur(?:ed|ing|e)|mfg\.?|production|build)\s*dates?"
    r"(?:\s*codes?)?"
    r"|(?:manufactured|produced|built|made)(?=\s+(?:\w+\s+){0,3}?(?:between|from|before|prior|after|since|on|in|"
    r"through|until|up\s+to|during|\d|[A-Z][a-z]{2})))\b)"
    r"|(?P<distributed>\b(?:(?:distributed|shipped|sold|released|installed|delivered)"
    r"|(?:distribution|ship(?:ping|ment)?|sales?|delivery)\s+dates?)\b)"
    r"|(?P<expires>\b(?:exp(?:\.|iry|iration|ires)?(?:\s*dates?)?|use\s+by(?:\s+dates?)?|best\s+(?:if\s+used\s+)?by"
    r"(?:\s+dates?)?|ubd)\b\.?)"
    r"|(?P<beside>\b(?:quantity|qty|units\s+affected|kits?\s+lots?)\b)",
    re.IGNORECASE,
)
_GS1 = re.compile(r"\(01\)\s*(?P<di>\d{14})(?P<rest>(?:\s*\(\d{2,3}\)\s*[^\s(),;]{1,20})*)")
_GS1_PART = re.compile(r"\((\d{2,3})\)\s*([^\s(),;]{1,20})")
_DI = re.compile(r"(?<![\w.])(\d{14})(?![\w])")
_GTIN13 = re.compile(r"(?<![\w.])(\d{12,13})(?![\w])")
_ALL_BEFORE = re.compile(r"\b(?:all|any|every)\s+(?:affected\s+|the\s+|distributed\s+)?\Z", re.IGNORECASE)
_EVERY_UNIT = re.compile(
    r"\b(?:all|any|every)\s+(?:\w+\s+){0,3}?(?:units?|devices?|products?|systems?|models?|items?|codes?|equipment|"
    r"instruments?|monitors?|pumps?|ventilators?|analy[sz]ers?|machines?|consoles?)\b(?!\s+(?:with|having|that|"
    r"listed|manufactured|made|distributed|shipped|sold|running|using|below|in\s+the\s+following))",
    re.IGNORECASE,
)
_BOUND_BEFORE = re.compile(
    r"((?:prior\s+to|before|earlier\s+than|below|lower\s+than|up\s+to(?:\s+and\s+including)?|through|after|since|"
    r"above|higher\s+than|later\s+than|starting\s+(?:with|from))\s+(?:the\s+)?)\Z",
    re.IGNORECASE,
)
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_+-]{1,38}\Z")
_SPLIT = re.compile(r"[,;\n\r\t|]+|\band\b|\bor\b|&|\s{2,}|\s[-–]\s|:\s|[()\[\]]", re.IGNORECASE)
_QUIET_REST = re.compile(
    r"[\s.,;:()\[\]#*'\"/&-]+|\b(?:the|and|or|of|all|any|every|each|units?|devices?|products?|systems?|with|affected|"
    r"following|are|is|in|to|a|an|us|usa|ous|only|see|below|listed|includes?|including|item|code|info(?:rmation)?|"
    r"n/?a|none|not\s+applicable|\d{1,3}\)|[a-z]\))(?![\w])",
    re.IGNORECASE,
)


class Limits(msgspec.Struct, frozen=True):
    """What limits a notice to some units of its product; an empty part says nothing.

    ``bare`` are codes that stand without a heading: lots or serial numbers, the text does not say which.
    ``firmware`` is the reading of each version text. ``distributed`` are days of sale, which only speak
    against devices bought before. ``unread`` are pieces that nobody understood, ``cut`` tells that the text
    was longer than what is kept.
    """

    identifiers: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    lots: CodeList = CodeList()
    serials: CodeList = CodeList()
    bare: CodeList = CodeList()
    firmware: tuple[Reading, ...] = ()
    made: tuple[Days, ...] = ()
    distributed: tuple[Days, ...] = ()
    every: bool = False
    unread: tuple[str, ...] = ()
    cut: bool = False
    said: bool = False

    @property
    def whole(self) -> bool:
        """Tell whether the text was understood to its end."""
        return not self.cut and not self.unread


class _Reader:
    """Gathers what the sections of one text say."""

    def __init__(self) -> None:
        self.identifiers: set[str] = set()
        self.models: set[str] = set()
        self.lots = self.serials = self.bare = CodeList()
        self.firmware: list[Reading] = []
        self.made: list[Days] = []
        self.distributed: list[Days] = []
        self.unread: list[str] = []
        self.every = False

    def section(self, kind: str, words: str, before: str) -> None:
        """Take what stands behind a heading; ``before`` is the text that leads to it."""
        if _ALL_BEFORE.search(before) and kind in ("lots", "serials", "both") and not words.strip(" :.,;#-"):
            words = "all"
        match kind:
            case "lots":
                self.lots = self.lots.joined(read_list(words))
            case "serials":
                self.serials = self.serials.joined(read_list(words))
            case "both":
                self.lots = self.lots.joined(read_list(words))
                self.serials = self.serials.joined(read_list(words))
            case "identifiers":
                self._identifiers(words)
            case "models":
                self._models(words)
            case "firmware":
                self._firmware(words, before)
            case "made":
                self._days(words, self.made)
            case "distributed":
                self.distributed += days_of(words)
                self.rest(without_days(words), dates=True)
            case "expires" | "beside":
                self.rest(re.sub(r"[\d/.-]+", " ", without_days(words)))

    def _identifiers(self, words: str) -> None:
        found = [*_DI.findall(words), *(code.zfill(14) for code in _GTIN13.findall(words))]
        self.identifiers.update(found)
        self.rest(_GTIN13.sub(" ", _DI.sub(" ", words)))

    def _models(self, words: str) -> None:
        for part in _SPLIT.split(words):
            piece = part.strip(" .:#=-*\"'")
            if piece and _MODEL.match(piece) and any(c.isdigit() for c in piece):
                self.models.add(key(piece))
                continue
            for word in piece.split():
                if _MODEL.match(word.strip(".:#")) and any(c.isdigit() for c in word):
                    self.models.add(key(word))

    def _firmware(self, words: str, before: str) -> None:
        bound = _BOUND_BEFORE.search(before)
        text = f"{bound.group(1) if bound else ''}{words.strip(' :.;,-#')}"
        if _ALL_BEFORE.search(before) and not text.strip():
            text = "all"
        first = re.split(r"[.;](?:\s|$)|\n", text.strip())[0].strip(" .:;,")
        if not first:
            return
        reading = read_versions(first)
        if reading.certainty is Certainty.UNREADABLE:
            self.unread.append(first[:60])
        else:
            self.firmware.append(reading)

    def _days(self, words: str, into: list[Days]) -> None:
        found = days_of(words)
        if found:
            into += found
            self.rest(without_days(words), dates=True)
        elif words.strip(" :.,;-"):
            self.unread.append(words.strip()[:60])

    def rest(self, words: str, *, dates: bool = False) -> None:
        """Take text that belongs to no heading: codes of an unknown kind, or words."""
        if _EVERY_UNIT.search(words):
            self.every = True
            words = _EVERY_UNIT.sub(" ", words)
        if dates:
            words = re.sub(
                r"\b(?:between|from|before|prior|after|since|on|through|until|up|during|by|to|dates?)\b",
                " ",
                words,
            )
        left = " ".join(_QUIET_REST.sub(" ", words).split())
        if not left:
            return
        listed = read_list(words)
        if listed.singles or listed.runs:
            self.bare = self.bare.joined(listed)
        elif re.search(r"[A-Za-z]{2}|\d", left):
            self.unread.append(left[:60])


def read_limits(text: str) -> Limits:
    """Return what the free text on codes says; never raises."""
    reader = _Reader()
    cut = text.rstrip().endswith(CUT)
    body = _gs1(text.replace("\xa0", " ").rstrip().removesuffix(CUT), reader)
    headings = list(_HEADINGS.finditer(body))
    reader.rest(body[: headings[0].start()] if headings else body)
    for n, heading in enumerate(headings):
        end = headings[n + 1].start() if n + 1 < len(headings) else len(body)
        kind = heading.lastgroup or "beside"
        reader.section(kind, _unled(body[heading.end() : end]), body[: heading.start()][-60:])
    return Limits(
        identifiers=frozenset(reader.identifiers),
        models=frozenset(reader.models),
        lots=reader.lots,
        serials=reader.serials,
        bare=reader.bare,
        firmware=tuple(reader.firmware),
        made=tuple(reader.made),
        distributed=tuple(reader.distributed),
        every=reader.every or _EVERY_UNIT.search(body) is not None,
        unread=tuple(dict.fromkeys(reader.unread))[:20],
        cut=cut,
        said=bool(text.strip()),
    )


def _unled(words: str) -> str:
    """Return a section without what leads to the next heading (``all``, ``prior to``, ``with``)."""
    return re.sub(
        r"[\s(,;]*\b(?:all|any|every|with|and|or|prior\s+to|before|the|having|affected|up\s+to)\s*\Z",
        " ",
        words,
        flags=re.IGNORECASE,
    )


def _gs1(text: str, reader: _Reader) -> str:
    """Take whole GS1 strings, ``(01)00812345678901(21)A123``, out of a text."""

    def take(found: re.Match[str]) -> str:
        reader.identifiers.add(found["di"])
        for code, value in _GS1_PART.findall(found["rest"]):
            if code == "10":
                reader.lots = reader.lots.joined(CodeList(singles=frozenset((key(value),))))
            elif code == "21":
                reader.serials = reader.serials.joined(CodeList(singles=frozenset((key(value),))))
        return " "

    return _GS1.sub(take, text)


_NUMBERED = re.compile(
    rf"\b(?:models?(?:\s*{_NO}|\s*:|(?=\s+[A-Z]{{0,4}}[-\s]?\d))|cat(?:alog(?:ue)?)?\.?\s*{_NO}|ref\b(?=\s*[:#.]?\s*\w)"
    rf"|(?:part|item|product|material|article|order|reference|reorder|list)\s*{_NO}|p/n(?:'?s)?\b)",
    re.IGNORECASE,
)
_LEADS = ("model", "cat", "ref", "part", "item", "product", "material", "article", "order", "list", "p/n")
_LONGEST_NUMBERS = 400


def models_in(description: str) -> frozenset[str]:
    """Return the model and catalogue numbers that stand behind their headings in a description.

    A list of them ends at the first piece that is none.
    """
    lower = description.lower()
    if not any(lead in lower for lead in _LEADS):
        return frozenset()
    found: set[str] = set()
    for heading in _NUMBERED.finditer(description):
        for part in _SPLIT.split(description[heading.end() : heading.end() + _LONGEST_NUMBERS]):
            piece = part.strip(" .:#=-*\"'()").split(". ")[0]
            if not piece:
                continue
            first = piece.split()[0].strip(".:#")
            if _MODEL.match(first) is None or not any(c.isdigit() for c in first):
                break
            found.add(key(first))
            if " " in piece:
                break
    return frozenset(found)
