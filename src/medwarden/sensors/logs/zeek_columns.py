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
)
from medwarden.sensors.logs.sorts import Sorts
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
    """Return the records of plain lines of one log; of one that nothing is made of they are only counted."""
    if kind not in logs():
        return Rows(kind, range(len(plain)), {})
    return Rows(kind, plain.lines.tolist() if kind == _FLOWS else range(len(plain)), {}, plain=plain)


def sorts_of(kind: str) -> Sorts:
    """Return what gathers plain records of one log."""
    return Sorts([(name,) for name in logs()[kind].columns if name != "ts"], ("ts",))


def rows_of_sorts(kind: str, sorts: Sorts) -> Rows:
    """Return one record for each sort that was gathered, and begin anew."""
    texts, _, groups = sorts.take()
    columns: dict[str, Column] = {name: values for (name,), values in texts.items()}
    columns["ts"] = [None] * len(groups.places)
    return Rows(kind, range(len(groups.places)), columns, heard=groups.heard())
