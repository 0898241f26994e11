"""Reading what sources write where versions belong.

CSAF asks for one version or a ``vers`` range; what is published is anything from ``vers:all/*`` over
``<= 2.3.6`` and ``2.3.6 and below`` to a list of models or a date of making. A :class:`Reading` says how far
the text was understood; what was not understood is kept as condition, so that a match on it is at most
potential.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

import msgspec

from medwarden.model.vulnerability import VersionSpan
from medwarden.risk.matching.version_order import compare, device_version


class Certainty(StrEnum):
    """How far a text was understood."""

    EXACT = "exact"
    READ = "read"  # by words, not by a notation
    UNREADABLE = "unreadable"


class Reading(msgspec.Struct, frozen=True):
    """What a version text says: ranges, models that stand in it, conditions beside the version.

    No ``spans`` with certainty other than unreadable is every version.
    """

    spans: tuple[VersionSpan, ...]
    certainty: Certainty
    models: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Tell whether every version is meant."""
        return not self.spans and self.certainty is not Certainty.UNREADABLE


_ALL = re.compile(
    r"^(?:vers:[a-z]+/\*|\*|-|n/?a|all|any|all\s+(?:\w+\s+)?(?:versions?|releases?|models?|devices?)|"
    r"\(?all\s+(?:versions|models)\)?|versions?:?\s*all|)$"
)
_WORDED = (
    (
        re.compile(
            r"\ball\s+(?:software\s+|firmware\s+)?(?:versions?|releases?)\b(?=\s*(?:prior|before|up|<|>|=|earlier|from|between))"
        ),
        " ",
    ),
    (re.compile(r"≤|=<|&lt;=|⩽"), "<="),
    (re.compile(r"≥|=>|&gt;=|⩾"), ">="),
    (re.compile(r"&lt;"), "<"),
    (re.compile(r"&gt;"), ">"),
    (
        re.compile(
            r"\b(?:prior\s+to|before|earlier\s+than|older\s+than|lower\s+than|less\s+than|preceding|below)\s+(?:and\s+including\s+)?(?:versions?\s+)?(?=[vr]?\.?\s*\d|[a-z]\.?\d)"
        ),
        "< ",
    ),
    (
        re.compile(
            r"\b(?:up\s+to\s+and\s+including|up\s+to|through\s+and\s+including)\s+(?:versions?\s+)?(?=[vr]?\.?\s*\d|[a-z]\.?\d)"
        ),
        "<= ",
    ),
    (
        re.compile(
            r"\b(?:later\s+than|newer\s+than|after|above)\s+(?:versions?\s+)?(?=[vr]?\.?\s*\d|[a-z]\.?\d)"
        ),
        "> ",
    ),
    (
        re.compile(r"\b(?:from|starting\s+(?:with|from))\s+(?:versions?\s+)?(?=[vr]?\.?\s*\d|[a-z]\.?\d)"),
        ">= ",
    ),
)
_TAIL_LOW = re.compile(
    r"(?:,?\s*(?:and|or)\s+(?:all\s+)?|,\s*)(?:below|prior(?:\s+versions?)?|earlier(?:\s+versions?)?|lower|older(?:\s+versions?)?|previous(?:\s+versions?)?|before|under)\b(?:\s+(?:versions?|releases?))?"
)
_TAIL_HIGH = re.compile(
    r"(?:,?\s*(?:and|or)\s+(?:all\s+)?|,\s*)(?:above|later(?:\s+versions?)?|newer(?:\s+versions?)?|higher|onwards?|after|up)\b(?:\s+(?:versions?|releases?))?"
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DATED = re.compile(rf"\b{_MONTH}\b\.?\s*\d{{0,2}}\b|\b(?:manufactured|distributed|shipped|sold|released)\b")
_CONDITION = re.compile(
    r"\s+(?:(?:when\s+)?running\s+on|running|on|with|without|using|used\s+with|used\s+on|installed\s+on|under|when|"
    r"if|for|in\s+combination\s+with|connected\s+to|that|where)\s+(.*)$"
)
_PATCHES = r"build|sp|service\s*+pack|patch|update|hot\s*+fix|hf|mr\s++build|rev\.?|release|r|p|u|d"
_AFTER_PATCH = "|".join(
    rf"(?<={end})|(?<={end}\.)"
    for end in ("build", "sp", "pack", "patch", "update", "fix", "hf", "rev", "release", "r", "p", "u", "d")
)
_ATOM = re.compile(
    rf"""^(?P<op><=|>=|<|>|==|=|!=)?\s*+
    (?:(?:all|any|the|affected|software|firmware|sw|fw|versions?|releases?|revisions?|(?:ver|rel|rev)\.?)
      (?:\s*+[:.](?=\s))?+\s++)*+
    (?P<version>
      [a-z]{{0,4}}[\s.-]?\d[\w.\-+~:/]*+
      (?:(?:\s*+\(?(?:{_PATCHES})\.?\s*+\d[\w.]*+ | (?:{_AFTER_PATCH})\s++\d[\w.]*+
        | \s*+\(?(?:mr|beta|rc|ga|patch|build|update)\b(?!\s+\d))\)?)*+
      | [a-z]{{1,3}}[.\-]?(?:[^\W\d]|\.)*+\d[\w.]*+ | [a-z]\.[\w.]++ | [a-z]
    )$""",
    re.VERBOSE,
)
"""A version with an operator and words before it. Nothing that a part took is given back (``+`` behind a
quantifier): what can be told apart in two ways, as ``rel. rel.``, would be tried in all of them together."""
_RANGE = re.compile(r"^(?P<low>[^<>=|]*\S)\s*<=\s*(?P<high>[^<>=|]*\S)$")
_THROUGH = re.compile(r"^(?P<low>[\w.]+)\s*(?:\s-\s|–|—|\bthrough\b|\bthru\b|\bto\b)\s*(?P<high>[\w.]+)$")
_LETTERS = re.compile(r"^(?:rev(?:ision)?\.?\s+)?(?P<low>[a-z])\s*-\s*(?P<high>[a-z])$")
_MODEL = re.compile(
    r"(?=.*[a-z]{3})(?=.*[a-z\d])[a-z].*|[a-z]{2,}-\d+.*|.*\d[a-z]?\s*/\s*[a-z]*-?\d.*", re.IGNORECASE
)
_LABELLED = re.compile(r"\b(?:firmware|software)(?:\s+version)?\s*:?\s+(?P<version>[a-z]{0,2}\.?\d[\w.\-]*)")
_LETTERED_LIST = re.compile(r"[a-z]\.\d+(?:\.[a-z]\.\d+)+")
"""Versions of a letter and a number whose separators were misprinted: ``F.0.G.0``."""
_DOTTED_LIST = re.compile(r"^v?\d+(?:\.\w+)+(?:\s+v?\d+(?:\.\w+)+)+$")


@lru_cache(maxsize=65536)
def read_versions(text: str) -> Reading:
    """Read a version text of a source; never raises, what cannot be read says so."""
    plain = " ".join(text.replace("\u200b", "").replace("\xa0", " ").split())
    low = plain.lower()
    if _ALL.match(low):
        return Reading((), Certainty.EXACT)
    with_model = re.fullmatch(r"(v?\d[\w.]*)\s+(models?\s+\w+)", low)
    if with_model is not None:
        reading = read_versions(with_model.group(1))
        return Reading(reading.spans, reading.certainty, conditions=(with_model.group(2),))
    notation = re.match(r"^vers:([a-z]+)/(.+)$", low)
    if notation is not None:
        return _notation(notation.group(2))
    body, conditions = _without_remarks(_between(low))
    if _ALL.match(body):
        return Reading((), Certainty.EXACT, conditions=conditions)
    if _DATED.search(body):
        return Reading((), Certainty.UNREADABLE, conditions=(*conditions, plain))
    worded = _worded(body)
    certainty = Certainty.EXACT if worded == low else Certainty.READ
    spans = _spans(worded)
    if spans is not None:
        return Reading(tuple(_cased(span, plain) for span in spans), certainty, conditions=conditions)
    labelled = _LABELLED.search(body)
    if labelled is not None:
        rest = (body[: labelled.start()] + body[labelled.end() :]).strip(" ,;")
        span = _cased(VersionSpan(exact=labelled.group("version")), plain)
        return Reading((span,), Certainty.READ, conditions=(*conditions, *((rest,) if rest else ())))
    models = _models(plain)
    if models:
        return Reading((), Certainty.READ, models=models)
    named = () if re.search(r"[<>]", plain) else tuple(p.strip() for p in plain.split("|") if p.strip())
    return Reading((), Certainty.UNREADABLE, models=named, conditions=(*conditions, plain))


_BETWEEN = re.compile(
    r"\bbetween\s+(?:versions?\s+)?(\S+?)(\s*\((?:including|excluding)\))?\s+and\s+(\S+?)"
    r"(\s*\((?:including|excluding)\))?(?=\s|$)"
)


def _between(text: str) -> str:
    def bounds(found: re.Match[str]) -> str:
        low = ">" if "excluding" in (found.group(2) or "") else ">="
        high = "<" if "excluding" in (found.group(4) or "") else "<="
        return f"{low} {found.group(1)} | {high} {found.group(3)}"

    return _BETWEEN.sub(bounds, text)


def _cased(span: VersionSpan, text: str) -> VersionSpan:
    """Return a span with its versions in the letters in which the source writes them."""

    def written(version: str | None) -> str | None:
        at = text.lower().find(version) if version else -1
        return version if at < 0 or version is None else text[at : at + len(version)]

    return VersionSpan(
        written(span.low), span.low_included, written(span.high), span.high_included, written(span.exact)
    )


def _notation(ranges: str) -> Reading:
    """Read what follows the scheme of a vers range; ``*`` beside bounds says nothing more."""
    spans = _spans(ranges.replace(",", "|"))
    if spans is None:
        return Reading((), Certainty.UNREADABLE, conditions=(ranges,))
    return Reading(spans, Certainty.EXACT)


def _without_remarks(text: str) -> tuple[str, tuple[str, ...]]:
    """Take remarks in brackets and conditions (``on Windows 8.1``) out of a version text."""
    conditions: list[str] = []
    body = text
    whole = re.fullmatch(r"\((.*)\)", body)
    if whole is not None and "(" not in whole.group(1):
        body = whole.group(1).strip()
    for remark in re.findall(r"\(([^()]*)(?:\)|$)", body):
        if _patch_remark(remark):
            body = body.replace(f"({remark})", remark)
        elif remark.strip() not in {"including", "excluding"}:
            if not re.fullmatch(r"\s*(?:all|end[- ]of[- ](?:life|support).*|inclusive|and prior)\s*", remark):
                conditions.append(remark.strip())
            body = body.replace(f"({remark})", " ").replace(f"({remark}", " ")
    body = " ".join(body.split())
    found = _CONDITION.search(" " + body if body.startswith("with") else body)
    if found is not None:
        conditions.append(found.group(0).strip())
        body = body[: found.start()].strip() if not body.startswith("with") else ""
    return body.strip(" ,;|"), tuple(conditions)


def _patch_remark(remark: str) -> bool:
    return bool(
        re.fullmatch(r"\s*(?:build|sp|service pack|patch)\s*[\w.]+\s*|\s*(?:includ|exclud)ing\s*", remark)
    )


def _worded(text: str) -> str:
    body = text
    for words, operator in _WORDED:
        body = words.sub(operator, body)
    body = re.sub(r"\ball\s+(?:software\s+|firmware\s+)?versions?\s*(?=[<>])", "", body)
    lowered = _TAIL_LOW.search(body)
    if lowered is not None and "<" not in body:
        body = "<= " + (body[: lowered.start()] + body[lowered.end() :]).strip()
    higher = _TAIL_HIGH.search(body)
    if higher is not None and ">" not in body:
        body = ">= " + (body[: higher.start()] + body[higher.end() :]).strip()
    return " ".join(body.split())


def _spans(text: str) -> tuple[VersionSpan, ...] | None:
    """Return the ranges of a text of operators and versions; None where a part of it is neither."""
    parts: list[str] = []
    for part in re.split(r"\||,|;|\s+or\s+|\s+and\s+|\s*&\s*", text):
        piece = re.sub(r"^(?:and|or)\s+", "", part.strip())
        if not piece or piece == "*":
            continue
        if _LETTERED_LIST.fullmatch(piece):
            parts.extend(re.findall(r"[a-z]\.\d+", piece))
        elif _DOTTED_LIST.match(re.sub(r"^(?:releases?|versions?)\s+", "", piece)):
            parts.extend(re.sub(r"^(?:releases?|versions?)\s+", "", piece).split())
        else:
            parts.extend(re.split(r"(?<=[\w)])\s+(?=[<>])", piece) if not _RANGE.match(piece) else [piece])
    spans: list[VersionSpan] = []
    for part in parts:
        made = _span(part)
        if made is None:
            return None
        spans.append(made)
    return _joined(spans) if spans else None


def _span(text: str) -> VersionSpan | None:
    text = re.sub(r"^(?:versions?|releases?)\s+", "", text)
    letters = _LETTERS.match(text)
    if letters is not None:
        return VersionSpan(low=letters.group("low"), high=letters.group("high"), high_included=True)
    for form in (_RANGE, _THROUGH):
        found = form.match(text)
        if found is not None:
            low, high = _version(found.group("low")), _version(found.group("high"))
            if low is None or high is None:
                return None
            return VersionSpan(low=low, high=high, high_included=True)
    found = _ATOM.match(text)
    if found is None or found.group("op") == "!=":
        return None
    version = found.group("version").strip()
    if device_version(version) is None:
        return None
    match found.group("op"):
        case "<":
            return VersionSpan(high=version)
        case "<=":
            return VersionSpan(high=version, high_included=True)
        case ">":
            return VersionSpan(low=version, low_included=False)
        case ">=":
            return VersionSpan(low=version)
        case _:
            return VersionSpan(exact=version)


def _version(text: str) -> str | None:
    found = _ATOM.match(text.strip())
    if found is None or found.group("op"):
        return None
    version = found.group("version").strip()
    return version if device_version(version) is not None else None


def _joined(spans: list[VersionSpan]) -> tuple[VersionSpan, ...]:
    """Make one range of a lower bound and the upper bound after it; keep what stands for itself.

    Several upper bounds alone (``< 19.0.1 | < 18.0.1``) are branches: each goes from the beginning of its
    first number, the smallest from the very first version.
    """
    joined: list[VersionSpan] = []
    waiting: VersionSpan | None = None
    for span in spans:
        if (
            waiting is not None
            and span.high is not None
            and span.low is None
            and _ascending(waiting.low, span.high)
        ):
            joined.append(VersionSpan(waiting.low, waiting.low_included, span.high, span.high_included))
            waiting = None
            continue
        if waiting is not None:
            joined.append(waiting)
            waiting = None
        if span.low is not None and span.high is None:
            waiting = span
        else:
            joined.append(span)
    if waiting is not None:
        joined.append(waiting)
    return _branches(joined)


def _ascending(low: str | None, high: str) -> bool:
    first, second = device_version(low or ""), device_version(high)
    if first is None or second is None:
        return False
    order = compare(first, second)
    return order is not None and order <= 0


def _branches(spans: list[VersionSpan]) -> tuple[VersionSpan, ...]:
    tops = [span for span in spans if span.high is not None and span.low is None]
    if len(tops) < 2 or len(tops) != len(spans):
        return tuple(spans)
    read = [(device_version(span.high or ""), span) for span in tops]
    whole = [(version, span) for version, span in read if version is not None and not version.series]
    majors = {version.elements[0][1] for version, _ in whole}
    if len(whole) != len(tops) or len(majors) != len(tops):
        return tuple(spans)
    whole.sort(key=lambda pair: pair[0].key)
    first = whole[0][1]
    return (
        first,
        *(
            VersionSpan(str(version.elements[0][1]), True, span.high, span.high_included)
            for version, span in whole[1:]
        ),
    )


def _models(text: str) -> tuple[str, ...]:
    """Return the parts of a text that are models rather than versions."""
    parts = [part.strip(" .") for part in re.split(r"\||,|;|\s+and\s+", text)]
    parts = [part for part in parts if part]
    if any(_CONDITION.search(" " + part.lower()) or re.search(r"[<>]", part) for part in parts):
        return ()
    if not any(_MODEL.fullmatch(part) for part in parts):
        return ()
    return tuple(parts)


def by_date(text: str) -> bool:
    """Tell whether a version text speaks of when a device was made or sold."""
    return bool(_DATED.search(text.lower()))


def bounded(spans: tuple[VersionSpan, ...]) -> tuple[VersionSpan, ...]:
    """Return ``spans``, or none where one of them is every version."""
    return () if VersionSpan() in spans else spans


def span_words(span: VersionSpan) -> str:
    """Return a span as a person writes it: ``1.0 to below 2.3``, ``up to 4.34``, ``every version``."""
    if span.exact is not None:
        return span.exact
    if span.low is None and span.high is None:
        return "every version"
    if span.low is None:
        return f"up to {span.high}" if span.high_included else f"below {span.high}"
    start = span.low if span.low_included else f"after {span.low}"
    if span.high is None:
        return f"{start} and later"
    return f"{start} to {span.high}" if span.high_included else f"{start} to below {span.high}"
