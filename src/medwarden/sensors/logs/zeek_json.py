"""Zeek's logs as JSON lines: one object per record, of one log or, with ``_path``, of all.

Zeek manual, "Zeek logs: JSON format" (policy/tuning/json-logs, the package json-streaming-logs). Only the
fields that something is made of are decoded, by a struct type per log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import msgspec

from medwarden.sensors.logs.zeek_logs import kind_of_fields, logs
from medwarden.sensors.logs.zeek_rows import Lines, Rows

_PATH = re.compile(rb'"_path"\s*:\s*"([A-Za-z0-9_]{1,64})"')
NO_RECORD = "not a JSON object of this log"
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


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
    path = _PATH.search(line)
    if path is not None:
        return path[1].decode()
    try:
        return kind_of_fields(_FIELDS.decode(line))
    except _BROKEN:
        return None


def rows_of(lines: Lines, usual: str | None) -> Iterator[Rows]:
    """Yield the records of a block, sorted by log; ``usual`` is the log of lines that do not say theirs.

    Lines that are no records are rejected. Records of logs that nothing is made of come without columns.
    """
    if usual is not None and usual in logs() and (rows := _all_sound(lines, usual)) is not None:
        yield rows
        return
    for kind, places in _sorted(lines, usual).items():
        if kind is None:
            for place in places:
                lines.reject(place, "not a JSON object of a Zeek log")
        elif kind not in logs():
            yield _checked(lines, kind, places)
        else:
            yield _decoded(lines, kind, places)


def _all_sound(lines: Lines, kind: str) -> Rows | None:
    """Return the records of a block in which every line is a sound record of one log; None of any other."""
    count = lines.objects()
    if not count or not _is_of(lines, kind):
        return None
    decoder, names = _decoder(kind)
    try:
        records = decoder.decode_lines(lines.block)
    except _BROKEN:
        return None
    return _as_columns(kind, range(count), records, names) if len(records) == count else None


def _is_of(lines: Lines, kind: str) -> bool:
    """Tell whether no line says that it is of another log."""
    if b'"_path"' not in lines.block:
        return True
    told = kind.encode()
    return all(found is None or found[1] == told for found in map(_PATH.search, lines.texts))


def _sorted(lines: Lines, usual: str | None) -> dict[str | None, list[int]]:
    texts = lines.texts
    if usual is not None and b'"_path"' not in lines.block:
        return {usual: [place for place, text in enumerate(texts) if text.strip()]}
    kinds: dict[str | None, list[int]] = {}
    for place, text in enumerate(texts):
        if not text.strip():
            continue
        path = _PATH.search(text)
        if path is not None:
            kind: str | None = path[1].decode()
        else:
            kind = usual if usual is not None else kind_of_line(text)
        kinds.setdefault(kind, []).append(place)
    return kinds


def _checked(lines: Lines, kind: str, places: Iterable[int]) -> Rows:
    sound: list[int] = []
    for place in places:
        try:
            _FIELDS.decode(lines.texts[place])
        except _BROKEN:
            lines.reject(place, NO_RECORD)
        else:
            sound.append(place)
    return Rows(kind, sound, {})


def _decoded(lines: Lines, kind: str, places: Sequence[int]) -> Rows:
    decoder, names = _decoder(kind)
    texts = lines.texts
    try:
        records = list(map(decoder.decode, map(texts.__getitem__, places)))
    except _BROKEN:
        records, places = _one_by_one(lines, decoder, places)
    return _as_columns(kind, places, records, names)


def _as_columns(
    kind: str, places: Sequence[int], records: Sequence[msgspec.Struct], names: Sequence[str]
) -> Rows:
    columns = list(zip(*map(msgspec.structs.astuple, records), strict=True)) or [()] * len(names)
    return Rows(kind, places, dict(zip(names, columns, strict=True)))


def _one_by_one(
    lines: Lines, decoder: msgspec.json.Decoder[msgspec.Struct], places: Iterable[int]
) -> tuple[list[msgspec.Struct], list[int]]:
    records: list[msgspec.Struct] = []
    sound: list[int] = []
    for place in places:
        try:
            records.append(decoder.decode(lines.texts[place]))
        except _BROKEN:
            lines.reject(place, NO_RECORD)
        else:
            sound.append(place)
    return records, sound
