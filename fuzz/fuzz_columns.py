"""Fuzz the native reader of plain lines: what it calls sound is what readers of whole objects find.

    .venv/bin/python fuzz/fuzz_columns.py --seconds 60
    .venv/bin/python fuzz/fuzz_columns.py --replay fuzz/crashes/columns-0123456789abcdef.bin

Seeds are lines of the cases of Zeek's and Suricata's logs. Every input is read as JSON and as text with tabs,
by columns of all forms, and then through the parsers, once with no line taken for a plain one: both must tell
the same. README.md says how to build the reader so that every access is checked.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest.mock import patch

import msgspec
import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from fuzz.engine import Finding, Target, command  # noqa: E402
from fuzz.fuzz_log import CASES, SETTING, mutate  # noqa: E402

from medwarden.model.batch import Batch  # noqa: E402
from medwarden.model.log_source import LogTally  # noqa: E402
from medwarden.sensors.logs._columns import (  # noqa: E402
    BLANK,
    COUNT,
    MOMENT,
    ODD,
    REAL,
    SOUND,
    WORD,
    Columns,
    line_starts,
)
from medwarden.sensors.logs.plain_lines import LineForm, Places, PlainLines, Read  # noqa: E402
from medwarden.sensors.logs.registry import parser_named  # noqa: E402

PATHS = {
    ("ts",): MOMENT, ("timestamp",): MOMENT, ("id.orig_h",): WORD, ("src_ip",): WORD, ("id.orig_p",): COUNT,
    ("src_port",): COUNT, ("duration",): REAL, ("orig_bytes",): COUNT, ("answers",): WORD, ("query",): WORD,
    ("flow", "pkts_toserver"): COUNT, ("flow", "start"): MOMENT, ("dns", "rrname"): WORD,
    ("tls", "sni"): WORD, ("http", "status"): REAL, ("event_type",): WORD,
}  # fmt: skip
"""Columns of every form, at the top and within."""

_MISSING = object()

_DIGITS = 400
"""More digits than any number that counts has; one that nobody wants may have as many as it likes."""


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < _DIGITS else float(digits)


def sound_values(line: bytes) -> Mapping[int, object] | None:
    """Return what a reader of whole objects finds for the columns; None where it finds no object."""
    try:
        record = json.loads(line, parse_int=_whole)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    found: dict[int, object] = {}
    for number, (path, form) in enumerate(PATHS.items()):
        value: object = record
        for key in path:
            value = value.get(key, _MISSING) if isinstance(value, dict) else _MISSING
        if value is not _MISSING and (form == WORD or value is not None):
            found[number] = value
    return found


def compare(block: bytes, read: Read, starts: list[int]) -> None:
    """Hold what was read of JSON lines to what a reader of whole objects finds; raises Finding."""
    states, values, present, distinct = read
    for place, start in enumerate(starts):
        line = block[start:].partition(b"\n")[0]
        if (states[place] == BLANK) != (not line.strip(b" \t\r")):
            raise Finding(f"{line!r} is {'no ' if states[place] != BLANK else ''}blank line")
        if states[place] != SOUND:
            continue
        texts: dict[int, object] = {}
        try:
            for number, known in enumerate(distinct):
                if known is not None and present[number, place]:
                    texts[number] = msgspec.json.decode(known[values[number, place]])
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # of a text only the extent is told: its own reader refuses it
        expected = sound_values(line)
        if expected is None or {n for n in range(len(PATHS)) if present[n, place]} != set(expected):
            raise Finding(f"{line!r} was called sound")
        for number, form in enumerate(PATHS.values()):
            if number not in expected:
                continue
            held, value = values[number, place], expected[number]
            if form == WORD:
                same = texts[number] == value
            elif form == REAL:
                same = isinstance(value, int | float) and bool(
                    np.int64(held).view(np.float64) == float(value)
                )
            elif form == COUNT:
                same = bool(held == value)
            else:
                same = isinstance(value, int | float | str) and 0 <= held < 1 << 63
            if not same:
                raise Finding(f"{line!r}: {value!r} was read as {held!r}")


Told = tuple[pa.Table, list[str], LogTally]


def told(form: str, data: bytes) -> Told:
    """Return flows, facts and accounting of a log."""
    parser = parser_named(form)("fuzz", SETTING)
    parser.feed(data, 0)
    batch: Batch = parser.take(final=True)
    return batch.flows, sorted(map(repr, batch.facts)), parser.tally


def odd_only(form: str, data: bytes) -> Told:
    """Return the same with no line taken for a plain one."""
    begin = PlainLines.__init__

    def all_odd(self: PlainLines, line_form: LineForm, lines: Places, found: Read) -> None:
        found[0][:] = ODD
        begin(self, line_form, lines, found)

    with patch.object(PlainLines, "__init__", all_odd):
        return told(form, data)


def check(data: bytes, chance: random.Random) -> tuple[int, ...]:
    """Hold one input to all rules; return how many lines there were of each state."""
    starts = line_starts(data)
    columns = Columns(
        [tuple(key.encode() for key in path) for path in PATHS], list(PATHS.values()), [False] * len(PATHS)
    )
    read = columns.of_json(data, starts)
    compare(data, read, starts.tolist())
    columns.of_json(data, starts, head=True)
    fields = data.partition(b"\n")[0].count(b"\t") + 1
    tabbed = columns.of_tabbed(
        data, starts, [n if n < len(PATHS) else -1 for n in range(fields)], fields, b"-"
    )[0]
    form = chance.choice(("zeek", "suricata_eve"))
    plain, odd = told(form, data), odd_only(form, data)
    if not plain[0].equals(odd[0]) or plain[1:] != odd[1:]:
        raise Finding(f"{form} tells another thing of plain lines than of single ones")
    return tuple(
        int((states == state).sum()) for states in (read[0], tabbed) for state in (BLANK, SOUND, ODD)
    )


def seeds() -> Iterator[bytes]:
    """Yield the lines of the cases, one by one and together."""
    for name in ("zeek", "suricata_eve"):
        for path in sorted((CASES / name).glob("*.json")):
            lines = json.loads(path.read_text()).get("lines", [])
            yield "".join(f"{line}\n" for line in lines).encode()
            yield from (f"{line}\n".encode() for line in lines)


def targets() -> dict[str, Target]:
    """Return the one target."""
    roots = (
        "medwarden.sensors.logs._columns",
        "medwarden.sensors.logs.plain_lines",
        "medwarden.sensors.logs.zeek",
        "medwarden.sensors.logs.suricata_eve",
    )
    return {"columns": Target("columns", roots, check, lambda: list(seeds()), mutate)}


if __name__ == "__main__":
    sys.exit(command(targets(), __doc__ or ""))
