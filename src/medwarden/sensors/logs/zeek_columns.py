"""Plain lines of Zeek's logs, text or JSON, to records: flows as columns, all else once for each sort."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from medwarden.sensors.logs.gathering import ip_or_none
from medwarden.sensors.logs.plain_lines import (
    COUNT,
    MOMENT,
    REAL,
    WORD,
    PlainLines,
    Reader,
    Wanted,
    groups_of,
)
from medwarden.sensors.logs.zeek_logs import Count, Port, Seconds, Time, logs
from medwarden.sensors.logs.zeek_rows import Column, Rows

_FLOWS = "conn"
_ADDRESSES = ("id.orig_h", "id.resp_h", "host")
_MOST_PORT = 65535
_MADE = {Count: COUNT, Port: COUNT, Seconds: REAL, Time: MOMENT}


def column_of(kind: str, name: str, reader: Callable[[Any, bool], Reader]) -> Wanted:
    """Return how a column of a log is read; ``reader`` gives what reads values of a type that
    must be there, or need not.

    Addresses that a record is about are sound, or the line is none of the plain ones.
    """
    type_, needed = logs()[kind].columns[name], name in logs()[kind].needed
    made = _MADE.get(type_, WORD) if kind == _FLOWS or type_ == Time else WORD
    reads = reader(type_, needed) if made == WORD else bytes.decode
    if needed and name in _ADDRESSES:
        reads = _sound_address(reads)
    return Wanted((name,), made, reads, needed, *((_MOST_PORT,) if type_ is Port else ()))


def _sound_address(reads: Reader) -> Reader:
    def sound(raw: bytes) -> str:
        text = reads(raw)
        if not isinstance(text, str) or ip_or_none(text) is None:
            raise ValueError(text)
        return text

    return sound


def rows_of_plain(kind: str, plain: PlainLines) -> Rows:
    """Return the records of plain lines of one log, with a column for each that something is made of."""
    if kind not in logs():
        return Rows(kind, range(len(plain)), {})
    names = logs()[kind].columns
    if kind == _FLOWS:
        return Rows(kind, plain.lines.tolist(), {}, plain=plain)
    coded = {name: plain.words(name) for name in names if name != "ts"}
    groups = groups_of([(words.places, len(words.values)) for words in coded.values()], plain.whole("ts"))
    columns: dict[str, Column] = {"ts": [None] * len(groups.places)}
    for name, words in coded.items():
        values = words.values
        columns[name] = [values[place] for place in words.places[groups.places].tolist()]
    heard = list(zip(groups.first.tolist(), groups.last.tolist(), groups.counts.tolist(), strict=True))
    return Rows(kind, plain.lines[groups.places].tolist(), columns, heard=heard)
