"""Logs of Zeek, tab-separated or as JSON lines: conn.log as flows, the others as facts.

Zeek manual, "Zeek logs" and "Log files". A file holds one log (told by its header, by ``_path``, by its
name or by its fields) or, with ``_path`` in every record, several.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import ClassVar

from medwarden.model.batch import Batch
from medwarden.model.log_source import Framing, LogManifest, LogSetting, LogTally, Tells
from medwarden.sensors.logs.gathering import Gathering
from medwarden.sensors.logs.times import zone
from medwarden.sensors.logs.zeek_conn import flows_of
from medwarden.sensors.logs.zeek_json import kind_of_line, rows_of
from medwarden.sensors.logs.zeek_logs import LOGS
from medwarden.sensors.logs.zeek_rows import Lines, Rows, times_of


class Zeek:
    """Read any of Zeek's logs."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="zeek",
        title="Zeek logs",
        reference="Zeek manual, Log files",
        framing=Framing.LINES,
        fields=tuple(sorted({said.field for log in LOGS.values() for said in log.said})),
        tells=frozenset[Tells]().union(*(log.tells for log in LOGS.values())),
    )

    def __init__(self, name: str, setting: LogSetting) -> None:
        zone(setting.time_zone)  # a wrong name ends here
        self._setting = setting
        self._gathering = Gathering(self.manifest.name, name)
        self._usual = _kind_of_name(name)
        self._begun = False

    @property
    def tally(self) -> LogTally:
        """Return the exact accounting so far."""
        return self._gathering.tally

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether the input begins like one of Zeek's logs."""
        first = head.lstrip(b"\xef\xbb\xbf\r\n\t ").partition(b"\n")[0]
        return first.startswith(b"{") and kind_of_line(first) is not None

    def feed(self, piece: bytes | memoryview, offset: int) -> None:
        """Take whole lines that begin at ``offset``."""
        lines = Lines(bytes(piece), offset, self._gathering)
        if not self._begun:
            first = next((text for text in lines.texts if text.strip()), None)
            if first is None:
                return
            self._begun = True
            self._usual = self._usual or kind_of_line(first)
        for rows in rows_of(lines, self._usual):
            self._take(rows, lines)

    def _take(self, rows: Rows, lines: Lines) -> None:
        if rows.kind not in LOGS:
            self._gathering.accept(len(rows))
            return
        times = times_of(rows, "ts", self._setting.time_zone, lines.reject)
        if rows.kind == "conn":
            self._gathering.add_flows(flows_of(rows, times, self._gathering.next_flow_id(), lines.reject))
        self._gathering.accept(len(rows))
        if len(times):
            self._gathering.span(int(times.min()), int(times.max()))

    def take(self, *, final: bool = False) -> Batch:
        """Return what has gathered since the last call."""
        del final
        return self._gathering.take()


def _kind_of_name(name: str) -> str | None:
    """Return which log a file is called after (``conn.log``, ``dns.2026-11-22-10-00-00.log.gz``), or None."""
    kind = PurePath(name).name.partition(".")[0]
    return kind if kind in LOGS else None


PARSER = Zeek
