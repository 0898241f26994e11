"""How a text may stand in what a scanner answers: as it is, or escaped for JSON, HTML, a URL or a log."""

from __future__ import annotations

import json
import re
from html import escape
from html.entities import codepoint2name
from urllib.parse import quote, quote_plus

_RUNS = re.compile(r"([ \\])\1+")
_NAMED = {**codepoint2name, ord("'"): "apos"}
_TWICE = r"(?:amp;){0,4}"
"""An entity may be escaped as an entity again."""
_SLASH = "\\"
_MOST_SLASHES = 16
"""Backslashes double each time a text in JSON is laid into JSON."""


def pattern_of(text: str) -> str:
    r"""Return a regular expression that finds a text however each of its characters is escaped.

    That is JSON (RFC 8259, section 7: ``\u00e4``, ``\"``), HTML and XML (``&auml;``, ``&#228;``, ``&#xe4;``),
    URLs (RFC 3986, section 2.1, and ``+`` for a blank) and what Python writes of texts and bytes (``\xe4``),
    each character in any of these forms, and escaped in the same form again up to four times, but not in one
    form within another. One blank or backslash stands for any number of them. Each character is matched in
    one way only, so that no answer can be made to take long; the usual spellings of the whole are therefore
    tried as well.
    """
    plain = _RUNS.sub(r"\1", text)
    mixed = "".join(
        f"(?>{_written(character, before == _SLASH)})"
        for before, character in zip(("", *plain), plain, strict=False)
    )
    return "|".join(["(?:" + mixed, *map(re.escape, sorted(_usual(text), key=len, reverse=True))]) + ")"


def _usual(text: str) -> set[str]:
    quoted = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
    marked = {escape(text, quote=False), escape(text), escape(text).replace("&#x27;", "&#39;")}
    return {text, ascii(text)[1:-1], quote(text), quote(text, safe=""), quote_plus(text)} | quoted | marked


def _written(character: str, after_slash: bool) -> str:
    """Return how a character may be written; ``after_slash`` took the backslashes before it already."""
    if character.isascii() and character.isalnum():
        return character
    code = ord(character)
    least = 0 if after_slash else 1
    slashes = rf"\\{{{least},{_MOST_SLASHES}}}"
    single = [code] if code < 0x100 else []
    units = character.encode("utf-16-be", "surrogatepass")
    forms = [
        *("".join(f"%(?:25){{0,4}}{byte:02x}" for byte in held) for held in (_utf8(character), single)),
        *("".join(f"{slashes}x{byte:02x}" for byte in held) for held in (_utf8(character), single)),
        "".join(f"{slashes}u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)),
        f"{slashes}u{code:08x}",
        f"&{_TWICE}#0{{0,6}}{code};",
        f"&{_TWICE}#x0{{0,6}}{code:x};",
    ]
    escaped = "(?i:" + "|".join(form for form in forms if form) + ")"
    named = [f"&{_TWICE}{_NAMED[code]};"] if code in _NAMED else []
    if character == " ":
        return f"(?:{escaped}|[\\s+])+"
    if character == _SLASH:
        return rf"(?:{escaped}|\\{{1,{_MOST_SLASHES}}})+"
    plain = rf"\\{{0,{_MOST_SLASHES}}}{re.escape(character)}" if character.isascii() else re.escape(character)
    return "|".join([escaped, *named, plain])


def _utf8(character: str) -> bytes:
    return character.encode("utf-8", "surrogatepass")
