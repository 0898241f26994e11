"""JSON too large to hold: its records one after another, each with the byte where it begins (RFC 8259)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Protocol, TypeVar

import msgspec

from medwarden.kernel.errors import MalformedInput

MOST_DOCUMENT = 64 << 20
"""Bytes that one document or one record may have."""

_MOST_TEXT = 8 << 20
_DEEPEST = 500
_PIECE = 1 << 19
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]|"', re.DOTALL)
_QUOTE = ord('"')
_OPENING = frozenset(b"{[")
_BETWEEN = b" \t\r\n,"
_BOM = b"\xef\xbb\xbf"

_T = TypeVar("_T")


class Readable(Protocol):
    """What gives bytes; a part of ``IO[bytes]``."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""


class Found(msgspec.Struct, frozen=True, gc=False):
    """One record as it stands in the file, and its byte offset."""

    offset: int
    data: bytes


def document(stream: IO[bytes], source: str) -> bytes:
    """Return a whole document. Raises MalformedInput for one of more than :data:`MOST_DOCUMENT` bytes."""
    data = stream.read(MOST_DOCUMENT + 1)
    if len(data) > MOST_DOCUMENT:
        raise MalformedInput(source, f"a document of more than {MOST_DOCUMENT >> 20} MiB")
    return data.removeprefix(_BOM)


def decoded(data: bytes, type: type[_T]) -> _T:
    """Return a record as its type. Raises ValueError with a reason where it is not as published."""
    try:
        return msgspec.json.decode(data, type=type)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8") from error


class _Tokens:
    """Strings and brackets of a file with their offsets; bytes from ``hold`` on stay at hand."""

    def __init__(self, stream: Readable, source: str) -> None:
        self._stream = stream
        self._source = source
        self._buffer = b""
        self._base = 0
        self.hold = 0

    @property
    def end(self) -> int:
        """Return the offset behind the last byte read."""
        return self._base + len(self._buffer)

    def text(self, start: int, end: int) -> bytes:
        """Return bytes by their offsets in the file."""
        return self._buffer[start - self._base : end - self._base]

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        at = 0
        while piece := self._stream.read(_PIECE):
            self._buffer += piece
            cut = False
            for token in _TOKEN.finditer(self._buffer, at):
                start, after = token.span()
                first = self._buffer[start]
                cut = first == _QUOTE and after == start + 1
                if cut:
                    at = start
                    break
                at = after
                yield first, self._base + start, self._base + after
            if not cut:
                at = len(self._buffer)
            elif len(self._buffer) - at > _MOST_TEXT:
                raise MalformedInput(self._source, "a text without end", self._base + at)
            gone = max(0, min(at, self.hold - self._base))
            self._buffer = self._buffer[gone:]
            self._base += gone
            at -= gone
            if len(self._buffer) > MOST_DOCUMENT:
                raise MalformedInput(
                    self._source, f"a record of more than {MOST_DOCUMENT >> 20} MiB", self._base
                )


class Records:
    """The records of an array, or of the outermost object, as a file is read.

    ``key`` names the member of the outermost object that holds the array; with an array outermost it is not
    looked at. Without a key the values of the outermost object are the records. After iterating,
    :attr:`header` is the file without the records. A file that ends in its middle raises MalformedInput.
    """

    def __init__(self, stream: Readable, source: str, key: str | None) -> None:
        self._tokens = _Tokens(stream, source)
        self._source = source
        self._key = None if key is None else f'"{key}"'.encode()
        self._before = b""
        self._after = b""

    @property
    def header(self) -> bytes:
        """Return the file without its records; JSON once all were read."""
        return (self._before + self._after).removeprefix(_BOM)

    def __iter__(self) -> Iterator[Found]:
        tokens, opened = self._tokens, bytearray()
        inner, begun, last, over = -1, -1, 0, False
        string = b""
        for first, start, end in tokens:
            if first == _QUOTE:
                if inner < 0 and len(opened) == 1:
                    string = tokens.text(start, end)
                continue
            if first in _OPENING:
                if not opened and (over or inner >= 0):
                    raise MalformedInput(self._source, "more than one document", start)
                if inner < 0 and self._holds(first, opened, string):
                    inner, last = len(opened) + 1, end
                    self._before = tokens.text(0, end)
                elif not over and len(opened) == inner:
                    yield from self._scalar(last, start)
                    begun = start
                opened.append(first)
                if len(opened) > _DEEPEST:
                    raise MalformedInput(self._source, "nested too deeply", start)
            else:
                if not opened or opened.pop() != first - 2:
                    raise MalformedInput(self._source, "a bracket that closes nothing", start)
                if not over and len(opened) == inner:
                    yield Found(begun, tokens.text(begun, end))
                    begun, last = -1, end
                elif not over and inner > 0 and len(opened) == inner - 1:
                    yield from self._scalar(last, start)
                    over, last = True, start
            tokens.hold = 0 if inner < 0 else last if begun < 0 else begun
        if opened or inner < 0:
            why = "it ends in its middle" if opened else "it holds no list of records"
            raise MalformedInput(self._source, why, tokens.end)
        self._after = tokens.text(last, tokens.end)

    def _holds(self, first: int, opened: bytearray, string: bytes) -> bool:
        """Tell whether the bracket that opens now is the one around the records."""
        if self._key is None:
            return first == ord("{") and not opened
        return first == ord("[") and (not opened or (len(opened) == 1 and string == self._key))

    def _scalar(self, last: int, start: int) -> Iterator[Found]:
        """Yield what stands between records and is neither object nor list: no record, but not nothing."""
        between = self._tokens.text(last, start).strip(_BETWEEN)
        if between and self._key is not None:
            yield Found(last, between)
