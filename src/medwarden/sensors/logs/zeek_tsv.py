r"""Zeek's logs as tab-separated text with ``#`` headers that may change in the middle of a file.

Zeek manual, "Zeek TSV format logs", and ``base/frameworks/logging/writers/ascii.zeek``: ``#separator`` is
written with escapes, values escape bytes as ``\xNN``, sets and vectors have a separator of their own, and
unset and empty fields have words of their own. Tables exported as CSV with Zeek's field names in the first
line are read too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from medwarden.sensors.logs.plain_lines import LineForm, Reader
from medwarden.sensors.logs.zeek_columns import column_of, rows_of_plain
from medwarden.sensors.logs.zeek_logs import (
    Count,
    Flag,
    Names,
    Number,
    Port,
    Seconds,
    Time,
    Vlan,
    kind_of_fields,
    logs,
)
from medwarden.sensors.logs.zeek_rows import Column, Lines, Rows

_ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})")
_MOST_FIELDS = 1024
_BOUNDS = ((Port, 65535), (Vlan, 4095), (Count, (1 << 63) - 1))

NO_HEADER = "a record before any #fields header"
WRONG_COUNT = "another number of fields than its header names"
NOT_TEXT = "not UTF-8 text"
WRONG_TYPE = "a value that is not of its field's type"


class TsvHeader:
    """What the last header lines said."""

    def __init__(self) -> None:
        self.separator = "\t"
        self.set_separator = ","
        self.empty = "(empty)"
        self.unset = "-"
        self.path: str | None = None
        self.fields: tuple[str, ...] = ()
        self._form: tuple[str | None, LineForm | None] | None = None

    def form(self, usual: str | None) -> LineForm | None:
        """Return how plain lines under this header are read, None where each is to be read by itself."""
        kind = self.kind(usual)
        if self._form is None or self._form[0] != kind:
            self._form = kind, self._form_of(kind)
        return self._form[1]

    def _form_of(self, kind: str | None) -> LineForm | None:
        if kind is None or kind not in logs() or self.separator != "\t":
            return None
        log = logs()[kind]
        if len(set(self.fields)) < len(self.fields) or not set(log.needed) <= set(self.fields):
            return None
        return LineForm(*(column_of(kind, name, partial(_reader, self)) for name in log.columns))

    def places(self, form: LineForm) -> list[int]:
        """Return for each field the number of its column, -1 for one that nothing is made of."""
        return [form.numbers.get((name,), -1) for name in self.fields]

    def take(self, line: str) -> None:
        """Take one line that begins with ``#``."""
        self._form = None
        word, _, rest = line.partition(" " if line.startswith("#separator") else self.separator)
        if word == "#separator":
            self.separator = _unescaped(rest) or "\t"
        elif word == "#set_separator":
            self.set_separator = _unescaped(rest) or ","
        elif word == "#empty_field":
            self.empty = rest
        elif word == "#unset_field":
            self.unset = rest
        elif word == "#path":
            self.path = rest
        elif word == "#fields":
            self.fields = tuple(rest.split(self.separator)[:_MOST_FIELDS])

    def table(self, line: str) -> None:
        """Take the first line of a table with commas."""
        self._form = None
        self.separator, self.unset, self.fields = ",", "", tuple(line.split(",")[:_MOST_FIELDS])

    def kind(self, usual: str | None) -> str | None:
        """Return which log the records are of."""
        if self.path is not None:
            return self.path
        return usual or kind_of_fields(self.fields)


def is_tsv(first: bytes) -> bool:
    """Tell whether a first line is a header of Zeek's, or the heading of a table of its fields."""
    return first.startswith((b"#separator ", b"#fields\t")) or is_table(first)


def is_table(first: bytes) -> bool:
    """Tell whether a first line is the heading of a table with commas and Zeek's field names."""
    return first.startswith(b"ts,") and b",id.orig_h," in first


def _unescaped(text: str) -> str:
    if "\\x" not in text:
        return text
    raw = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    try:
        return raw.encode("latin-1").decode()
    except (UnicodeDecodeError, UnicodeEncodeError):
        return raw


def tsv_rows(lines: Lines, header: TsvHeader, usual: str | None) -> Iterator[Rows]:
    """Yield the records of a block under their headers; lines that are no records are rejected."""
    odd: Sequence[int] = range(len(lines))
    form = header.form(usual)
    if form is not None and not lines.block.startswith(b"#") and b"\n#" not in lines.block:
        plain = form.of_tabbed(
            lines.block, lines.all(), lines.starts, header.places(form), header.unset.encode()
        )
        if not any(is_table(lines.text(place)) for place in plain.odd.tolist()):
            odd = plain.odd.tolist()
            if len(plain):
                yield rows_of_plain(header.kind(usual) or "", plain)
    yield from _one_by_one(lines, header, usual, odd)


def _one_by_one(lines: Lines, header: TsvHeader, usual: str | None, chosen: Sequence[int]) -> Iterator[Rows]:
    """Yield the records of these lines; header lines among them count for those behind them."""
    places: list[int] = []
    records: list[list[str]] = []
    for place in chosen:
        raw = lines.text(place)
        if not raw or raw == b"\r":
            continue
        try:
            line = raw.decode().removesuffix("\r")
        except UnicodeDecodeError:
            lines.reject(place, NOT_TEXT)
            continue
        if line.startswith("#"):
            if records:
                yield from _converted(lines, header, usual, places, records)
                places, records = [], []
            header.take(line)
            continue
        values = line.split(header.separator)
        if len(values) == len(header.fields):
            places.append(place)
            records.append(values)
        elif is_table(raw):
            if records:
                yield from _converted(lines, header, usual, places, records)
                places, records = [], []
            header.table(line)
        else:
            lines.reject(place, WRONG_COUNT if header.fields else NO_HEADER)
    if records:
        yield from _converted(lines, header, usual, places, records)


def _converted(
    lines: Lines, header: TsvHeader, usual: str | None, places: list[int], records: list[list[str]]
) -> Iterator[Rows]:
    kind = header.kind(usual)
    if kind is None or kind not in logs():
        yield Rows(kind or "unknown", places, {})
        return
    log = logs()[kind]
    lacking = [name for name in log.needed if name not in header.fields]
    if lacking:
        for place in places:
            lines.reject(place, f"its header lacks {lacking[0]}")
        return
    columns: list[tuple[str, ...]] = list(zip(*records, strict=True))
    found: dict[str, Column] = {}
    sound = [True] * len(records)
    for name, form in log.columns.items():
        if name in header.fields:
            found[name] = _column(header, columns[header.fields.index(name)], form, name in log.needed, sound)
        else:
            found[name] = [None] * len(records)
    rows = Rows(kind, places, found)
    if not all(sound):
        for place, kept in zip(places, sound, strict=True):
            if not kept:
                lines.reject(place, WRONG_TYPE)
        rows.keep(sound)
    yield rows


def _column(
    header: TsvHeader, values: Sequence[str], form: object, needed: bool, sound: list[bool]
) -> Column:
    """Return a column as its type; records with a value that is none are marked as not sound."""
    convert = _converter(header, form)
    unset, table = header.unset, header.separator == ","
    forms: dict[str, object] = {}
    wrong: set[str] = set()
    for value in set(values):
        if value == unset or (table and value in ("", "-")):
            if needed:
                wrong.add(value)
            forms[value] = None
            continue
        try:
            forms[value] = convert(value)
        except ValueError:
            wrong.add(value)
            forms[value] = None
    if wrong:
        for place, value in enumerate(values):
            if value in wrong:
                sound[place] = False
    return [forms[value] for value in values]


def _reader(header: TsvHeader, type_: object, needed: bool) -> Reader:
    """Return what reads a value of a type as :func:`_column` does, and raises ValueError for any other."""
    convert = _converter(header, type_)

    def reads(raw: bytes) -> object:
        value = raw.decode()
        if value != header.unset:
            return convert(value)
        if needed:
            raise ValueError(value)
        return None

    return reads


def _converter(header: TsvHeader, form: object) -> Callable[[str], object]:
    for bounded, most in _BOUNDS:
        if form is bounded:
            return lambda value: _whole(value, most)
    if form is Time or form == Time:
        return _time
    if form is Seconds or form == Number:
        return float
    if form is Flag:
        return _flag
    if form == Names:
        return lambda value: _names(header, value)
    return lambda value: "" if value == header.empty else _unescaped(value)


def _whole(value: str, most: int) -> int:
    number = int(value) if value.isdecimal() and value.isascii() else -1
    if not 0 <= number <= most:
        raise ValueError(value)
    return number


def _time(value: str) -> float | str:
    """Return an epoch time as a number, anything else as it is: it may be ISO 8601."""
    try:
        return float(value)
    except ValueError:
        return value


def _flag(value: str) -> bool:
    if value not in ("T", "F", "true", "false", "True", "False"):
        raise ValueError(value)
    return value[0] in "Tt"


def _names(header: TsvHeader, value: str) -> list[str | None]:
    if value == header.empty:
        return []
    parts = value.split(header.set_separator)
    return [None if part == header.unset else _unescaped(part) for part in parts]
