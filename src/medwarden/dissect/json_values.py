"""Read the values of JSON documents of strangers, whole or cut off, within bounds.

RFC 8259. A document that was kept in part only gives the values up to where it ends; depth, number
and length of values are bounded, and nothing is built that the document could make large.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from medwarden.kernel.errors import MalformedInput

MAX_DEPTH = 32
MAX_VALUES = 8192
MAX_TEXT = 4096

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r'[ \t\r\n]*(?:([{}\[\],:])|("[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*")'
    r"|(-?[0-9]{1,64}(?:\.[0-9]{1,64})?(?:[eE][+-]?[0-9]{1,4})?)|(true|false|null))"
)
_BLANK = re.compile(r"[ \t\r\n]*\Z")


class _Container:
    """An object (``key`` is a name) or array (``key`` is a position) being read."""

    __slots__ = ("is_object", "key", "state")

    def __init__(self, is_object: bool) -> None:
        self.is_object = is_object
        self.key: str | int = "" if is_object else 0
        # What may come: "key" or "value" at first (or the end), then "colon", "value", "comma".
        self.state = "first"


def json_values(document: bytes, source: str, complete: bool = True) -> Iterator[tuple[Path, str]]:
    """Yield path and text of every scalar but null, in the order of the document.

    ``complete`` says whether that is all of it. Raises MalformedInput, naming ``source``, when it is no
    JSON, nests deeper than :data:`MAX_DEPTH` or, being complete, ends early.
    """
    text = document.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    reader = _Reader(source)
    at = 0
    while reader.values < MAX_VALUES and not reader.finished:
        found = _TOKEN.match(text, at)
        if found is None:
            if complete or not _may_be_cut(text, at):
                raise MalformedInput(source, "no JSON", at)
            return
        if not complete and found.end() == len(text) and found[3]:
            return  # more digits may have followed
        at = found.end()
        value = reader.token(found, at)
        if value is not None:
            yield value
    if reader.finished and not _BLANK.match(text, at):
        raise MalformedInput(source, "JSON goes on after its end", at)


def _may_be_cut(text: str, at: int) -> bool:
    rest = text[at:].lstrip(" \t\r\n")
    words = ("true", "false", "null")
    return not rest or rest[0] in '"-' or any(word.startswith(rest) for word in words)


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.open: list[_Container] = []
        self.values = 0
        self.finished = False

    def token(self, found: re.Match[str], at: int) -> tuple[Path, str] | None:
        """Take one token; return a value with its path where it was one."""
        mark, string, number, word = found.groups()
        if mark:
            self._mark(mark, at)
            return None
        top = self.open[-1] if self.open else None
        if string and top is not None and top.is_object and top.state in ("first", "key"):
            top.key, top.state = _unquoted(string), "colon"
            return None
        self._expect_value(at)
        path = tuple(container.key for container in self.open)
        self._after_value()
        self.values += 1
        if word == "null":
            return None
        return path, _unquoted(string) if string else (number or word)[:MAX_TEXT]

    def _mark(self, mark: str, at: int) -> None:
        top = self.open[-1] if self.open else None
        if mark in "{[":
            self._expect_value(at)
            if len(self.open) >= MAX_DEPTH:
                raise MalformedInput(self.source, f"JSON nests deeper than {MAX_DEPTH}", at)
            self.open.append(_Container(mark == "{"))
        elif top is None:
            raise self._misplaced(at)
        elif mark in "}]":
            if top.is_object is not (mark == "}") or top.state not in ("first", "comma"):
                raise self._misplaced(at)
            self.open.pop()
            self._after_value()
        elif mark == ":" and top.is_object and top.state == "colon":
            top.state = "value"
        elif mark == "," and top.state == "comma":
            if isinstance(top.key, int):
                top.key += 1
            top.state = "key" if top.is_object else "value"
        else:
            raise self._misplaced(at)

    def _expect_value(self, at: int) -> None:
        if not self.open:
            return
        top = self.open[-1]
        if top.state != "value" and not (top.state == "first" and not top.is_object):
            raise self._misplaced(at)

    def _after_value(self) -> None:
        if self.open:
            self.open[-1].state = "comma"
        else:
            self.finished = True

    def _misplaced(self, at: int) -> MalformedInput:
        return MalformedInput(self.source, "no JSON", at)


def _unquoted(string: str) -> str:
    body = string[1:-1]
    if "\\" not in body:
        return body[:MAX_TEXT]
    try:
        unquoted = json.loads(f'"{body}"')
    except ValueError:
        return body[:MAX_TEXT]
    # Half of a surrogate pair is no character (RFC 8259 section 8.2).
    return str(unquoted).encode("utf-8", "replace").decode()[:MAX_TEXT]
