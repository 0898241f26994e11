"""Unique device identifiers as they are printed and scanned: GS1, HIBCC and ICCBBA.

A UDI is the device identifier (UDI-DI: which product) and production identifiers (lot, serial number, dates).
GS1 General Specifications 3.2 (application identifiers) and 7.9 (check digit); ANSI/HIBC 2.6 (supplier
labelling); ISBT 128 Standard Technical Specification (data structures 001, 004, 032, 033, 034, 035).
"""

from __future__ import annotations

import calendar
import datetime
import re
from collections.abc import Callable
from enum import StrEnum

import msgspec

from medwarden.kernel.errors import MalformedInput

LONGEST = 256
"""Characters of the longest identifier that is looked at."""


class Agency(StrEnum):
    """Who issues identifiers of that form."""

    GS1 = "GS1"
    HIBCC = "HIBCC"
    ICCBBA = "ICCBBA"


class Udi(msgspec.Struct, frozen=True):
    """What an identifier says; dates are ISO 8601, absent parts None. ``di`` is the UDI-DI."""

    agency: Agency
    di: str
    lot: str | None = None
    serial: str | None = None
    manufactured: str | None = None
    expires: str | None = None
    donation: str | None = None


_SOURCE = "UDI"
_GROUP = "\x1d"
_HIBC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"
_HIBC_DI = re.compile(r"[A-Z][A-Z0-9]{3}[A-Z0-9]{1,18}[0-9]")
_FIXED = {"01": 14, "02": 14, "00": 18, "11": 6, "12": 6, "13": 6, "15": 6, "16": 6, "17": 6, "20": 2}
_LONGEST_AI = {
    "10": 20,
    "21": 20,
    "22": 20,
    "30": 8,
    "37": 8,
    "240": 30,
    "241": 30,
    "242": 6,
    "250": 30,
    "251": 30,
}


def parse_udi(text: str) -> Udi:
    """Return what ``text`` says, in any of the three agencies' forms; a bare GTIN or DI counts too.

    Raises MalformedInput for anything else: an unknown form, a check digit or character that does not fit, a
    date that there is not.
    """
    plain = text.strip("\r\n\t").lstrip()
    if not plain.startswith("+"):  # whose check character may be a blank
        plain = plain.rstrip()
    plain = plain.removeprefix("]C1").removeprefix("]d2").removeprefix("]Q3")
    if not plain or len(plain) > LONGEST:
        raise MalformedInput(_SOURCE, f"an identifier has 1 to {LONGEST} characters")
    if not plain.isascii():
        raise MalformedInput(_SOURCE, f"{plain[:40]!r} has characters that no identifier has")
    if plain.startswith("+"):
        return _hibcc(plain.upper())
    if plain.startswith("="):
        return _iccbba(plain)
    if plain.startswith("(") or _GROUP in plain or (plain.startswith("01") and len(plain) >= 16):
        return _gs1(plain)
    if plain.isdigit() and len(plain) in (8, 12, 13, 14):
        return Udi(Agency.GS1, _gtin(plain.zfill(14)))
    raise MalformedInput(_SOURCE, f"{plain[:40]!r} has no form of GS1, HIBCC or ICCBBA")


def gtin_check_digit(digits: str) -> str:
    """Return the check digit of a GTIN's other digits (weights 3 and 1 from the right)."""
    total = sum(int(digit) * (3 if at % 2 == 0 else 1) for at, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def hibc_check_character(text: str) -> str:
    """Return the check character of an HIBC string, its leading plus included (sum modulo 43)."""
    return _HIBC[sum(_HIBC.index(character) for character in text) % 43]


def _gtin(digits: str) -> str:
    if gtin_check_digit(digits[:-1]) != digits[-1]:
        raise MalformedInput(
            _SOURCE, f"the check digit of {digits} should be {gtin_check_digit(digits[:-1])}"
        )
    return digits


def _gs1(text: str) -> Udi:
    elements = _bracketed(text) if text.startswith("(") else _scanned(text)
    gtin = elements.get("01", "")
    if not _digits(gtin, 14):
        raise MalformedInput(_SOURCE, "no device identifier: GS1 has it in (01) with 14 digits")
    return Udi(
        Agency.GS1,
        _gtin(gtin),
        lot=elements.get("10"),
        serial=elements.get("21"),
        manufactured=_optional(elements.get("11"), _yymmdd),
        expires=_optional(elements.get("17"), _yymmdd),
    )


def _bracketed(text: str) -> dict[str, str]:
    parts = re.findall(r"\((\d{2,4})\)([^(]*)", text)
    if "".join(f"({key}){value}" for key, value in parts) != text:
        raise MalformedInput(_SOURCE, "not all of it is (identifier)value")
    return _elements([(key, value.strip()) for key, value in parts])


def _scanned(text: str) -> dict[str, str]:
    """Split what a scanner reads: fixed elements one after the other, others up to a group separator."""
    parts: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        if text[at] == _GROUP:
            at += 1
            continue
        key = text[at : at + 2]
        if key in _FIXED:
            end = at + 2 + _FIXED[key]
            if end > len(text):
                raise MalformedInput(_SOURCE, f"({key}) is cut off", at)
            parts.append((key, text[at + 2 : end]))
            at = end
            continue
        key = key if key in _LONGEST_AI else text[at : at + 3]
        if key not in _LONGEST_AI:
            raise MalformedInput(_SOURCE, f"{text[at : at + 4]!r} is no application identifier of a UDI", at)
        end = text.find(_GROUP, at)
        end = len(text) if end < 0 else end
        parts.append((key, text[at + len(key) : end]))
        at = end
    return _elements(parts)


def _elements(parts: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in parts:
        longest = _LONGEST_AI.get(key)
        if not value or (key in _FIXED and len(value) != _FIXED[key]) or (longest and len(value) > longest):
            raise MalformedInput(_SOURCE, f"({key}) has a value of {len(value)} characters")
        if found.setdefault(key, value) != value:
            raise MalformedInput(_SOURCE, f"({key}) stands there twice with different values")
    return found


def _optional(text: str | None, read: Callable[[str], str]) -> str | None:
    return None if text is None else read(text)


def _century(year: int) -> int:
    return 2000 + year if year <= 50 else 1900 + year


def _yymmdd(text: str) -> str:
    """Read YYMMDD; day 00 is the last of the month (GS1 General Specifications 3.4)."""
    return _date(text[0:2], text[2:4], text[4:6])


def _date(year: str, month: str, day: str) -> str:
    if not _digits(year + month + day, 6):
        raise MalformedInput(_SOURCE, f"{year}{month}{day} is no date")
    try:
        number = _century(int(year))
        last = calendar.monthrange(number, int(month))[1]
        return datetime.date(number, int(month), int(day) or last).isoformat()
    except ValueError as error:
        raise MalformedInput(_SOURCE, f"{year}{month}{day} is no date") from error


def _digits(text: str, length: int) -> bool:
    return len(text) == length and text.isascii() and text.isdigit()


def _julian(year: str, day: str) -> str:
    if not _digits(year + day, 5):
        raise MalformedInput(_SOURCE, f"{year}{day} is no day of a year")
    try:
        found = datetime.date(_century(int(year)), 1, 1) + datetime.timedelta(days=int(day) - 1)
    except ValueError as error:
        raise MalformedInput(_SOURCE, f"{year}{day} is no date") from error
    if int(day) < 1 or found.year != _century(int(year)):
        raise MalformedInput(_SOURCE, f"{year}{day} is no day of a year")
    return found.isoformat()


def _hibcc(text: str) -> Udi:
    if any(character not in _HIBC for character in text):
        raise MalformedInput(_SOURCE, "HIBC uses digits, capitals and - . $ / + %")
    body, check = text[:-1], text[-1]
    if not body or hibc_check_character(body) != check:
        raise MalformedInput(_SOURCE, f"the check character of {text[:40]!r} does not fit")
    primary, *secondary = body[1:].split("/")
    if not _HIBC_DI.fullmatch(primary):
        raise MalformedInput(_SOURCE, f"{primary[:30]!r} is no labeler, product and unit of measure")
    found: dict[str, str] = {}
    for part in secondary:
        _hibc_secondary(part, found)
    return Udi(
        Agency.HIBCC,
        primary,
        lot=found.get("lot"),
        serial=found.get("serial"),
        manufactured=found.get("manufactured"),
        expires=found.get("expires"),
    )


def _hibc_secondary(part: str, found: dict[str, str]) -> None:
    """Read one secondary data field (ANSI/HIBC 2.6, table 2) into ``found``."""
    if part.startswith("$$"):
        rest = part[2:]
        kind = "serial" if rest.startswith("+") else "lot"
        rest = rest.removeprefix("+")
        if rest[:1] == "8":
            rest = rest[3:]  # two digits of quantity
        elif rest[:1] == "9":
            rest = rest[6:]  # five digits of quantity
        expires, rest = _hibc_expiry(rest)
        if expires:
            found["expires"] = expires
        if rest:
            found[kind] = rest
    elif part.startswith("$"):
        found["serial" if part.startswith("$+") else "lot"] = part.removeprefix("$").removeprefix("+")
    elif part.startswith("S"):
        found["serial"] = part[1:]
    elif part.startswith("16D") and len(part) == 11:
        found["manufactured"] = _date(part[5:7], part[7:9], part[9:11])
    elif part.startswith("14D") and len(part) == 11:
        found["expires"] = _date(part[5:7], part[7:9], part[9:11])
    elif part[:5].isdigit() and len(part) >= 5:
        found["expires"] = _julian(part[:2], part[2:5])
        if part[5:]:
            found["lot"] = part[5:]
    elif not part.startswith("Q"):
        raise MalformedInput(_SOURCE, f"{part[:20]!r} is no secondary data of HIBC")


def _hibc_expiry(text: str) -> tuple[str | None, str]:
    """Return the date that a secondary field begins with, and what follows it."""
    flag = text[:1]
    try:
        if flag in ("0", "1"):  # MMYY
            return _date(text[2:4], text[0:2], "00"), text[4:]
        if flag == "2":  # MMDDYY
            return _date(text[5:7], text[1:3], text[3:5]), text[7:]
        if flag in ("3", "4"):  # YYMMDD, with the hour for 4
            return _date(text[1:3], text[3:5], text[5:7]), text[7 if flag == "3" else 9 :]
        if flag in ("5", "6"):  # YYJJJ, with the hour for 6
            return _julian(text[1:3], text[3:6]), text[6 if flag == "5" else 8 :]
    except ValueError as error:
        raise MalformedInput(_SOURCE, f"{text[:12]!r} begins with no date") from error
    return None, text[1:] if flag == "7" else text


_ISBT = (  # mark, characters of the value behind it, what it is
    ("=/", 16, "di"),  # processor product identification code (034)
    ("=,", 6, "serial"),  # serial number (033)
    ("=>", 6, "expires"),  # expiry cYYJJJ (004)
    ("=}", 6, "manufactured"),  # production date cYYJJJ (008)
    ("&,1", 18, "lot"),  # lot number (035)
)


def _iccbba(text: str) -> Udi:
    found: dict[str, str] = {}
    rest = text
    while rest:
        known = next((each for each in _ISBT if rest.startswith(each[0])), None)
        if known is not None:
            mark, length, name = known
        elif rest[0] == "=" and rest[1:2].isalnum():  # donation identification number (001)
            mark, length, name = "=", 15, "donation"
        else:
            raise MalformedInput(_SOURCE, f"{rest[:10]!r} begins no data structure of ISBT 128")
        value, rest = rest[len(mark) : len(mark) + length], rest[len(mark) + length :]
        if len(value) < length:
            raise MalformedInput(_SOURCE, f"what {mark} begins has {length} characters, not {len(value)}")
        if found.setdefault(name, value) != value:
            raise MalformedInput(_SOURCE, f"what {mark} begins stands there twice with different values")
    di = found.get("di", "")
    if not re.fullmatch(r"[A-Z0-9]{16}", di):
        raise MalformedInput(_SOURCE, "no device identifier: ICCBBA has it behind =/ with 16 characters")
    return Udi(
        Agency.ICCBBA,
        di,
        lot=found.get("lot"),
        serial=found.get("serial"),
        manufactured=_optional(found.get("manufactured"), _cyyjjj),
        expires=_optional(found.get("expires"), _cyyjjj),
        donation=found.get("donation"),
    )


def _cyyjjj(text: str) -> str:
    """Read a day of the year behind a digit of the century, which the year itself tells."""
    return _julian(text[1:3], text[3:6])
