"""What a parser makes of a log, by columns and line by line."""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

from medwarden.model.batch import Batch, Fact
from medwarden.model.log_source import LogSetting, LogTally
from medwarden.sensors.logs._columns import ODD
from medwarden.sensors.logs.plain_lines import LineForm, Places, PlainLines, Read
from medwarden.sensors.logs.registry import parser_named

NOW_NS = 1_700_000_000_000_000_000

Outcome = tuple[list[dict[str, object]], list[Fact], LogTally]


def outcome(form: str, name: str, log: bytes) -> Outcome:
    """Return flows, facts and accounting of a log that comes in two blocks."""
    parser = parser_named(form)(name, LogSetting(b"only for the tests of logs......", now_ns=NOW_NS))
    half = log.find(b"\n", len(log) // 2) + 1
    parser.feed(log[:half], 100)
    parser.feed(log[half:], 100 + half)
    batch: Batch = parser.take(final=True)
    return batch.flows.to_pylist(), sorted(batch.facts, key=repr), parser.tally


def line_by_line(run: Callable[[], Outcome]) -> Outcome:
    """Run with no line taken for a plain one."""
    read = PlainLines.__init__

    def all_odd(self: PlainLines, form: LineForm, lines: Places, found: Read) -> None:
        found[0][:] = ODD
        read(self, form, lines, found)

    with patch.object(PlainLines, "__init__", all_odd):
        return run()
