"""Zeek's logs as JSON lines: one object per record, of one log or, with ``_path``, of all.

Zeek manual, "Zeek logs: JSON format" (policy/tuning/json-logs, the package json-streaming-logs). Only the
fields that something is made of are decoded. Lines of the plain form that Zeek writes are read as columns;
each of the others is decoded by itself into a struct type of its log, and both come to the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TypeVar

import msgspec
import numpy as np

from medwarden.sensors.logs.plain_lines import LineForm, Places, PlainLines, Wanted
from medwarden.sensors.logs.zeek_columns import column_of, rows_of_plain
from medwarden.sensors.logs.zeek_logs import kind_of_fields, logs
from medwarden.sensors.logs.zeek_rows import Lines, Rows

NO_RECORD = "not a JSON object of this log"
_Record = TypeVar("_Record")
_PATH = re.compile(r"[A-Za-z0-9_]{1,64}")
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)


class _Named(msgspec.Struct, gc=False):
    path: object = msgspec.field(name="_path", default=None)


_NAMED = msgspec.json.Decoder(_Named)


@cache
def _decoder(kind: str) -> tuple[msgspec.json.Decoder[msgspec.Struct], tuple[str, ...]]:
    """Return what decodes records of one log, and the names of the columns in the order of its fields."""
    columns = logs()[kind].columns
    names = [f"c{number}" for number in range(len(columns))]
    fields = [
        (name, type_) if column in logs()[kind].needed else (name, type_ | None, None)
        for name, (column, type_) in zip(names, columns.items(), strict=True)
    ]
    fields.sort(key=lambda field: len(field))  # those without a default come first
    rename = dict(zip(names, columns, strict=True))
    struct = msgspec.defstruct(f"Zeek_{kind}", fields, rename=rename, gc=False)
    return msgspec.json.Decoder(struct), tuple(rename[field[0]] for field in fields)


def kind_of_line(line: bytes) -> str | None:
    """Return which log a JSON line belongs to, by ``_path`` or by its fields; None for no record at all."""
    named = _named(line)
    if named is not None:
        return named
    try:
        return kind_of_fields(_FIELDS.decode(line))
    except _BROKEN:
        return None


def _named(line: bytes) -> str | None:
    if b"_path" not in line:
        return None
    try:
        path = _NAMED.decode(line).path
    except _BROKEN:
        return None
    return path if isinstance(path, str) and _PATH.fullmatch(path) else None


def _path(raw: bytes) -> str:
    """Read ``_path``. Raises ValueError where it names no log."""
    path = _TEXT.decode(raw)
    if not _PATH.fullmatch(path):
        raise ValueError(path)
    return path


_PATHS = LineForm(Wanted(("_path",), reads=_path, needed=True))


@cache
def _form(kind: str) -> LineForm:
    """Return what is read of plain lines of one log; one that says another name is none of them."""

    def of_this(raw: bytes) -> str:
        if _path(raw) != kind:
            raise ValueError(raw)
        return kind

    columns = [
        column_of(
            kind, name, lambda type_, needed: msgspec.json.Decoder(type_ if needed else type_ | None).decode
        )
        for name in (logs()[kind].columns if kind in logs() else ())
    ]
    return LineForm(*columns, Wanted(("_path",), reads=of_this))


def rows_of(lines: Lines, usual: str | None) -> Iterator[Rows]:
    """Yield the records of a block, sorted by log; ``usual`` is the log of lines that do not say theirs.

    Lines that are no records are rejected. Records of logs that nothing is made of come without columns.
    """
    odd: list[Places] = []
    for kind, places in _by_kind(lines, usual, odd):
        plain = _form(kind).of_json(lines.block, places, lines.starts)
        odd.append(plain.odd)
        if len(plain):
            yield rows_of_plain(kind, plain)
    yield from _one_by_one(lines, usual, np.sort(np.concatenate(odd)).tolist())


def _by_kind(lines: Lines, usual: str | None, odd: list[Places]) -> Iterator[tuple[str, Places]]:
    """Yield the lines of each log; which log the ``odd`` ones are of is found for each by itself."""
    everything = lines.all()
    if b'"_path"' in (lines.first() or b""):
        named: PlainLines = _PATHS.of_json(lines.block, everything, lines.starts, head=True)
        odd.append(named.odd)
        paths = named.words("_path")
        for number, kind in enumerate(paths.values):
            if kind is not None and len(places := named.lines[paths.places == number]):
                yield kind, places
    elif usual is not None:
        yield usual, everything
    else:
        odd.append(everything)


def _one_by_one(lines: Lines, usual: str | None, places: Sequence[int]) -> Iterator[Rows]:
    """Yield the records of these lines, each decoded by itself."""
    kinds: dict[str | None, list[int]] = {}
    for place in places:
        text = lines.text(place)
        if text.strip():
            kinds.setdefault(_named(text) or usual or kind_of_line(text), []).append(place)
    for kind, of_kind in kinds.items():
        if kind is None:
            for place in of_kind:
                lines.reject(place, "not a JSON object of a Zeek log")
        elif kind not in logs():
            yield Rows(kind, _decoded(lines, _FIELDS, of_kind)[1], {})
        else:
            decoder, names = _decoder(kind)
            records, sound = _decoded(lines, decoder, of_kind)
            columns = list(zip(*map(msgspec.structs.astuple, records), strict=True)) or [()] * len(names)
            yield Rows(kind, sound, dict(zip(names, columns, strict=True)))


def _decoded(
    lines: Lines, decoder: msgspec.json.Decoder[_Record], places: Sequence[int]
) -> tuple[list[_Record], list[int]]:
    """Return the records of these lines and their lines; what is none is rejected."""
    records: list[_Record] = []
    sound: list[int] = []
    for place in places:
        try:
            records.append(decoder.decode(lines.text(place)))
        except _BROKEN:
            lines.reject(place, NO_RECORD)
        else:
            sound.append(place)
    return records, sound
