"""Key and value pairs of security products: FortiOS's own form, ArcSight CEF and IBM LEEF.

FortiOS Log Message Reference ("key=value", values with blanks in quotes); ArcSight "Common Event Format"
version 0 and 1; IBM "Log Event Extended Format" versions 1 and 2.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_PAIR = re.compile(r'([A-Za-z_][\w.-]{0,199})=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))')
_CEF_KEY = re.compile(r"(?:^|(?<= ))([A-Za-z_][\w.\[\]-]*)=")
_ESCAPE = re.compile(r"\\(.)")
_MOST_PAIRS = 512


class Event(NamedTuple):
    """An event of CEF or LEEF: who made it, what it is called, and its fields."""

    vendor: str
    product: str
    event_class: str
    name: str
    fields: dict[str, str]


def pairs(text: str) -> dict[str, str]:
    """Return ``key=value key="quoted value"`` as a dictionary; the first of equal keys counts."""
    found: dict[str, str] = {}
    for match in _PAIR.finditer(text):
        if match[1] not in found:
            quoted = match[2]
            value = match[3] if quoted is None else quoted
            found[match[1]] = _ESCAPE.sub(r"\1", value) if "\\" in value else value
            if len(found) >= _MOST_PAIRS:
                break
    return found


def cef(text: str) -> Event | None:
    """Return the CEF event in ``text``, or None where there is none."""
    at = text.find("CEF:")
    if at < 0:
        return None
    parts = _header(text[at + 4 :], 8)
    if parts is None:
        return None
    _version, vendor, product, _device_version, event_class, name, _severity, extension = parts
    fields: dict[str, str] = {}
    keys = list(_CEF_KEY.finditer(extension))[:_MOST_PAIRS]
    for number, key in enumerate(keys):
        end = keys[number + 1].start() if number + 1 < len(keys) else len(extension)
        fields.setdefault(key[1], _ESCAPE.sub(r"\1", extension[key.end() : end].strip()))
    return Event(vendor, product, event_class, name, fields)


def leef(text: str) -> Event | None:
    """Return the LEEF event in ``text``, or None where there is none."""
    at = text.find("LEEF:")
    if at < 0:
        return None
    version = text[at + 5 : at + 8]
    parts = _header(text[at + 5 :], 7 if version.startswith("2") else 6)
    if parts is None:
        return None
    if version.startswith("2"):
        _version, vendor, product, _device_version, event_class, mark, extension = parts
        mark = _delimiter(mark)
    else:
        _version, vendor, product, _device_version, event_class, extension = parts
        mark = "\t"
    if mark not in extension and "|" in extension:
        mark = "|"  # as PAN-OS has it in its published form
    fields: dict[str, str] = {}
    for part in extension.split(mark)[:_MOST_PAIRS]:
        key, equals, value = part.partition("=")
        if equals:
            fields.setdefault(key.strip(), value.strip())
    return Event(vendor, product, event_class, event_class, fields)


def _delimiter(mark: str) -> str:
    """Return the delimiter of LEEF 2: a character, or its code as 0x09 or x09."""
    digits = mark.lower().removeprefix("0").removeprefix("x")
    if len(mark) > 1 and digits:
        try:
            return chr(int(digits, 16) & 0x7F) or "\t"
        except ValueError:
            return "\t"
    return mark or "\t"


def _header(text: str, count: int) -> list[str] | None:
    """Return ``count`` parts between bars; bars behind a backslash are none."""
    parts: list[str] = []
    start = at = 0
    while len(parts) < count - 1:
        at = text.find("|", at)
        if at < 0:
            return None
        if at and text[at - 1] == "\\":
            at += 1
            continue
        parts.append(_ESCAPE.sub(r"\1", text[start:at]))
        at = start = at + 1
    return [*parts, text[start:]]
