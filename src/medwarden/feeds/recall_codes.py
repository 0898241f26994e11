"""Lots, serial numbers, identifiers and software versions in the free text of a recall.

Only what stands behind its own heading is read ("Lot/Batch Numbers: A, B", "Serial Numbers 100 through 250");
a text that says it otherwise gives nothing, which excludes no device.
"""

from __future__ import annotations

import re

import msgspec

from medwarden.feeds.versions import is_plain, spans_of
from medwarden.model.vulnerability import VersionSpan

_MOST = 2000
_HEADINGS = re.compile(
    r"(?P<lots>\blots?(?:\s*/\s*batch(?:es)?)?(?:\s+(?:numbers?|nos?\.?|codes?))?|\bbatch(?:es)?(?:\s+numbers?)?)"
    r"|(?P<serials>\bserial\s*(?:/\s*lot\s*)?(?:numbers?|nos?\.?|#s?)|\bS/?N\b)"
    r"|(?P<identifiers>\bUDI(?:-DI)?(?:\s*(?:codes?|numbers?))?|\bGTIN|\bprimary DI|\bDI(?=\s*[:#]))"
    r"|(?P<models>\bmodel(?:s)?(?:\s*/\s*catalog)?(?:\s*(?:numbers?|nos?\.?|#))|\bcatalog(?:ue)?\s*(?:numbers?|nos?\.?|#)"
    r"|\bREF\b(?=\s*[:#]?\s*[A-Z0-9]))"
    r"|(?P<firmware>\b(?:software|firmware)\s+(?:versions?|revisions?|releases?|rev\.?))"
    r"|(?P<other>\b(?:expir\w+|manufactur\w+\s+dates?|part\s*(?:numbers?|nos?\.?|#)|product\s+codes?|kits?)\b)",
    re.IGNORECASE,
)
_LIST = re.compile(r"[,;\n\r\t]|\band\b|\s{2,}", re.IGNORECASE)
_CODE = re.compile(r"[A-Z0-9][A-Z0-9./_-]{2,39}\Z", re.IGNORECASE)
_RANGE = re.compile(
    r"(?:from\s+)?([A-Z0-9]{3,40})\s*(?:-|–|to|through|thru)\s*([A-Z0-9]{3,40})\.?\Z", re.IGNORECASE
)
_DIGITS = re.compile(r"[0-9]{14}\b")


class Codes(msgspec.Struct):
    """What was read."""

    lots: list[str] = []
    serials: list[str] = []
    serial_spans: list[VersionSpan] = []
    identifiers: list[str] = []
    models: list[str] = []
    firmware: list[VersionSpan] = []


def read_codes(text: str) -> Codes:
    """Return the codes of a text; each list is bounded, an overlong one says nothing rather than half."""
    found = Codes()
    found.identifiers = list(dict.fromkeys(_DIGITS.findall(text)))[:_MOST]
    headings = list(_HEADINGS.finditer(text))
    for n, heading in enumerate(headings, 1):
        end = headings[n].start() if n < len(headings) else len(text)
        words = text[heading.end() : end].lstrip(" :#=.")
        match heading.lastgroup:
            case "lots":
                found.lots += _codes(words)
            case "serials":
                _serials(words, found)
            case "models":
                found.models += _codes(words)
            case "firmware":
                for part in _LIST.split(words):
                    if part.strip() and is_plain(part.strip(" .").split(" ")[0]):
                        found.firmware += spans_of(part.strip(" .").split(" ")[0])
                    else:
                        break
    for name in ("lots", "serials", "models"):
        codes = list(dict.fromkeys(getattr(found, name)))
        setattr(found, name, codes if len(codes) <= _MOST else [])
    return found


def _codes(words: str) -> list[str]:
    """Return the codes up to the first part that is none."""
    codes = []
    for part in _LIST.split(words):
        code = part.strip(" .()")
        if not code:
            continue
        if _CODE.match(code) is None or not any(c.isdigit() for c in code):
            break
        codes.append(code)
    return codes


def _serials(words: str, found: Codes) -> None:
    for part in _LIST.split(words):
        code = part.strip(" ()")
        if not code:
            continue
        span = _RANGE.match(code)
        if span is not None and len(span.group(1)) == len(span.group(2)):
            low, high = span.groups()
            found.serial_spans.append(VersionSpan(low=low, high=high, high_included=True))
        elif _CODE.match(code.rstrip(".")) and any(c.isdigit() for c in code):
            found.serials.append(code.rstrip("."))
        else:
            break
