"""Logs of Zeek, tab-separated or as JSON lines: conn.log as flows, the others as facts.

Zeek manual, "Zeek logs" and "Log files". A file holds one log (told by its header, by ``_path``, by its
name or by its fields) or, with ``_path`` in every record, several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medwarden.model.batch import Batch
from medwarden.model.log_source import Framing, LogManifest, LogSetting, LogTally, Tells
from medwarden.sensors.logs.gathering import Gathering, in_order
from medwarden.sensors.logs.plain_lines import LineForm, PlainLines
from medwarden.sensors.logs.sorts import Sorts
from medwarden.sensors.logs.times import Nanoseconds, zone
from medwarden.sensors.logs.zeek_columns import rows_of_sorts, sorts_of
from medwarden.sensors.logs.zeek_conn import flows_of
from medwarden.sensors.logs.zeek_facts import Questions, tell
from medwarden.sensors.logs.zeek_industrial import BACNET_FIELDS, MODBUS_FIELDS
from medwarden.sensors.logs.zeek_json import kind_of_line, rows_of
from medwarden.sensors.logs.zeek_logs import (
    DHCP_FIELDS,
    DNS_FIELDS,
    HOST,
    KNOWN_FIELDS,
    ORIG,
    RESP,
    SILENT,
    SOFTWARE_FIELDS,
    logs,
)
from medwarden.sensors.logs.zeek_rows import (
    Heard,
    Lines,
    Reject,
    Rows,
    canonical,
    drop_unsound,
    texts,
    times_of,
)
from medwarden.sensors.logs.zeek_tsv import TsvHeader, is_table, is_tsv, tsv_rows


class Zeek:
    """Read any of Zeek's logs."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="zeek",
        title="Zeek logs",
        reference="Zeek manual, Log files",
        framing=Framing.LINES,
        fields=tuple(
            sorted(
                {
                    *(said.field for log in logs().values() for said in log.said),
                    *(field for field, _ in SOFTWARE_FIELDS.values()),
                    *DNS_FIELDS,
                    *DHCP_FIELDS,
                    *KNOWN_FIELDS,
                    *BACNET_FIELDS,
                    *MODBUS_FIELDS,
                }
            )
        ),
        tells=frozenset[Tells]().union(*(log.tells for log in logs().values())),
    )

    def __init__(self, name: str, setting: LogSetting) -> None:
        zone(setting.time_zone)  # a wrong name ends here
        self._setting = setting
        self._gathering = Gathering(self.manifest.name, name)
        self.tally: LogTally = self._gathering.tally
        self._questions = Questions(self._gathering.facts)
        self._sorts: dict[LineForm, tuple[str, Sorts]] = {}
        self._usual = _kind_of_name(name)
        self._begun = False
        self._header: TsvHeader | None = None
        self._kinds: set[str] = set()

    def kinds(self) -> frozenset[str]:
        """Return the logs that were met so far."""
        return frozenset(self._kinds)

    @staticmethod
    def tells_of(kinds: frozenset[str]) -> frozenset[Tells]:
        """Return what these logs can tell together."""
        return frozenset[Tells]().union(*(logs()[kind].tells for kind in kinds if kind in logs()))

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether the input begins like one of Zeek's logs."""
        first = head.lstrip(b"\xef\xbb\xbf\r\n\t ").partition(b"\n")[0]
        return is_tsv(first) or (first.startswith(b"{") and kind_of_line(first) is not None)

    def enter(self, header: bytes) -> None:
        """Take the header lines of the input before lines from its middle are fed."""
        for line in header.decode("utf-8", "replace").splitlines():
            self._begin(line.encode())
            if self._header is not None and line.startswith("#"):
                self._header.take(line)
            elif self._header is not None and is_table(line.encode()):
                self._header.table(line)

    def _begin(self, first: bytes) -> None:
        """Learn from the first line how and of which log records are written."""
        if self._begun:
            return
        self._begun = True
        if is_tsv(first) or first.startswith(b"#"):
            self._header = TsvHeader()
        else:
            self._usual = self._usual or kind_of_line(first)

    def feed(self, piece: bytes | memoryview, offset: int) -> None:
        """Take whole lines that begin at ``offset``."""
        lines = Lines(bytes(piece), offset, self._gathering)
        if not self._begun:
            first = lines.first()
            if first is None:
                return
            self._begin(first)
        if self._header is not None:
            found = tsv_rows(lines, self._header, self._usual)
        else:
            found = rows_of(lines, self._usual)
        flows: list[tuple[pa.Table, Sequence[int]]] = []
        for rows in found:
            if rows.kind in logs() or rows.kind in SILENT:
                self._kinds.add(rows.kind)
            if rows.kind == "conn":
                flows.append((self._flows(rows, lines), rows.lines))
            elif rows.plain is not None:
                self._gather(rows.kind, rows.plain)
            else:
                self._facts(rows, lines)
        if flows:
            self._gathering.add_flows(in_order(flows))

    def _flows(self, rows: Rows, lines: Lines) -> pa.Table:
        if rows.plain is None:
            times = times_of(rows, "ts", self._setting.time_zone, lines.reject)
        else:
            times = rows.plain.whole("ts")
        table = flows_of(rows, times, self._gathering.next_flow_id(), lines.reject)
        self._gathering.accept(len(rows))
        if len(rows):
            begun = pc.min_max(table["start_ns"]).as_py()
            self._gathering.span(begun["min"], begun["max"])
        return table

    def _facts(self, rows: Rows, lines: Lines) -> None:
        if not rows.columns:
            self._gathering.accept(len(rows))
            return
        times = times_of(rows, "ts", self._setting.time_zone, lines.reject)
        times, ends = self._ends(rows, times, lines.reject)
        self._tell(rows, [(ns, ns, 1) for ns in times.tolist()], ends)
        self._counted(len(times), times)

    def _counted(self, records: int, times: Nanoseconds) -> None:
        self._gathering.accept(records)
        if len(times):
            self._gathering.span(int(times.min()), int(times.max()))

    def _gather(self, kind: str, plain: PlainLines) -> None:
        """Take plain records that make no flows: one of each sort will say what all of it say."""
        self._counted(len(plain), plain.whole("ts"))
        if plain.form not in self._sorts:
            self._sorts[plain.form] = kind, sorts_of(kind)
        sorts = self._sorts[plain.form][1]
        sorts.add(plain)
        if sorts.due:
            self._tell_sorts(kind, sorts)

    def _tell_sorts(self, kind: str, sorts: Sorts) -> None:
        rows = rows_of_sorts(kind, sorts)
        ends = self._ends(rows, np.zeros(0, np.int64), None)[1]
        self._tell(rows, rows.heard or (), ends)

    def _tell(self, rows: Rows, heard: Sequence[Heard], ends: Mapping[str, Sequence[str | None]]) -> None:
        tell(rows, heard, ends, self._gathering.facts)
        if rows.kind == "dns":
            self._questions.add(rows, heard, ends)

    def _ends(
        self, rows: Rows, times: Nanoseconds, reject: Reject | None
    ) -> tuple[Nanoseconds, dict[str, Sequence[str | None]]]:
        """Return the addresses that records are about; those with unsound ones are rejected.

        Without ``reject`` all of them are known to be sound.
        """
        needed = logs()[rows.kind].needed
        named = {ORIG: "id.orig_h", RESP: "id.resp_h", HOST: "host"}
        named = {whose: column for whose, column in named.items() if column in needed}
        for column in named.values():
            sound = canonical(texts(rows, column))[1]
            if sound is not None and reject is not None:
                drop_unsound(rows, sound, "no sound address", reject)
                times = times[np.array(sound, bool)]
        return times, {whose: canonical(texts(rows, column))[0] for whose, column in named.items()}

    def take(self, *, final: bool = False) -> Batch:
        """Return what has gathered since the last call."""
        del final
        for kind, sorts in self._sorts.values():
            self._tell_sorts(kind, sorts)
        self._sorts.clear()
        self._questions.tell()
        return self._gathering.take()


def _kind_of_name(name: str) -> str | None:
    """Return which log a file is called after (``conn.log``, ``dns.2026-11-22-10-00-00.log.gz``), or None."""
    kind = PurePath(name).name.partition(".")[0]
    return kind if kind in logs() or kind in SILENT else None


PARSER = Zeek
