"""What every log parser gathers between two batches: facts summed up, flows as columns, exact accounting."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from medwarden.model.batch import Batch, Fact
from medwarden.model.evidence import Evidence, clean
from medwarden.model.log_source import LogTally
from medwarden.model.tables import FLOW_SCHEMA

BATCH_SCHEMA = FLOW_SCHEMA.append(pa.field("application", pa.string()))
"""Columns of a batch's flows."""

MOST_NS = (1 << 63) - 1

_MAC = re.compile(r"[0-9a-fA-F]{12}")
_NOBODY = frozenset({"00:00:00:00:00:00"})

Key = tuple[str | None, str | None, int | None, str, str]


@lru_cache(maxsize=1 << 16)
def ip_or_none(text: str) -> str | None:
    """Return an address in its canonical text form (a zone index dropped), or None where it is none."""
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return None


@lru_cache(maxsize=1 << 16)
def mac_or_none(text: str) -> str | None:
    """Return a MAC address lower-case with colons from any way of writing it, or None where it is none.

    Taken are twelve hexadecimal digits with colons, hyphens, dots or blanks between them or nothing at
    all, and colon-separated octets without leading zeros; the address of nobody, all zeros, is None.
    """
    parts = re.split(r"[:-]", text.strip())
    if len(parts) == 6 and all(0 < len(part) <= 2 for part in parts):
        text = "".join(part.zfill(2) for part in parts)
    digits = re.sub(r"[\s.:-]", "", text)
    if not _MAC.fullmatch(digits):
        return None
    mac = ":".join(digits[at : at + 2] for at in range(0, 12, 2)).lower()
    return None if mac in _NOBODY else mac


class FactSum:
    """Sums equal facts up until they are taken: first time, last time, how often."""

    __slots__ = ("_heard", "_source")

    def __init__(self, source: str) -> None:
        self._source = source
        self._heard: dict[Key, list[int]] = {}

    def __len__(self) -> int:
        return len(self._heard)

    def add(
        self, ts_ns: int, mac: str | None, ip: str | None, field: str, value: str, vlan: int | None = None
    ) -> None:
        """Add one fact. Whoever has neither address, and an empty value, says nothing."""
        if value and (mac or ip):
            self.add_many(((mac, ip, vlan, field, value), ts_ns) for _ in (0,))

    def add_many(self, facts: Iterable[tuple[Key, int]]) -> None:
        """Add facts as pairs of key (MAC, address, VLAN, field, value) and time in nanoseconds."""
        heard = self._heard
        for key, ts in facts:
            entry = heard.get(key)
            if entry is None:
                heard[key] = [ts, ts, 1]
            else:
                entry[2] += 1
                if ts > entry[1]:
                    entry[1] = ts
                elif ts < entry[0]:
                    entry[0] = ts

    def add_heard(self, facts: Iterable[tuple[Key, tuple[int, int, int]]]) -> None:
        """Add facts as pairs of key and when they were first and last heard, and how often."""
        known = self._heard
        for key, (first, last, count) in facts:
            entry = known.get(key)
            if entry is None:
                known[key] = [first, last, count]
                continue
            entry[2] += count
            if first < entry[0]:
                entry[0] = first
            if last > entry[1]:
                entry[1] = last

    def add_counted(self, key: Key, first_ns: int, last_ns: int, count: int) -> None:
        """Add a fact that was counted before."""
        self.add_heard(((key, (first_ns, last_ns, count)),))

    def take(self) -> tuple[Fact, ...]:
        """Return the sums, values made fit to keep, and begin anew."""
        cleaned: dict[Key, list[int]] = {}
        for key, heard in self._heard.items():
            text = clean(key[4])
            if not text:
                continue
            entry = cleaned.setdefault(key if text == key[4] else (*key[:4], text), heard)
            if entry is not heard:
                entry[0], entry[1] = min(entry[0], heard[0]), max(entry[1], heard[1])
                entry[2] += heard[2]
        self._heard = {}
        source = self._source
        return tuple(
            Fact(Evidence(first, mac, ip, vlan, field, value, source), last, count)
            for (mac, ip, vlan, field, value), (first, last, count) in cleaned.items()
        )


def flow_table(rows: int, columns: Mapping[str, pa.Array | Sequence[object]]) -> pa.Table:
    """Return flows in the layout of a batch; numbers not given are 0, other columns null.

    ``columns`` holds Arrow arrays of the right type, or sequences, each ``rows`` long. ``flow_id``,
    ``start_ns`` and ``end_ns`` must be given; ``end_reason`` is ``end`` where it is not.
    """
    arrays: list[pa.Array] = []
    for field in BATCH_SCHEMA:
        given = columns.get(field.name)
        if given is None:
            if field.name == "end_reason":
                given = pa.repeat(pa.scalar("end", pa.string()), rows)
            elif field.nullable:
                given = pa.nulls(rows, field.type)
            else:
                given = pa.repeat(pa.scalar(0, field.type), rows)
        elif not isinstance(given, pa.Array | pa.ChunkedArray):
            given = pa.array(given, field.type)
        arrays.append(given)
    return pa.table(arrays, schema=BATCH_SCHEMA)


def in_order(flows: Sequence[tuple[pa.Table, Sequence[int]]]) -> pa.Table:
    """Return flows of one block in the order of their lines, numbered on from the first."""
    if len(flows) == 1:
        return flows[0][0]
    table = pa.concat_tables([table for table, _ in flows])
    order = np.argsort(np.concatenate([np.asarray(lines, np.int64) for _, lines in flows]), kind="stable")
    table = table.take(pa.array(order))
    if not table.num_rows:
        return table
    first = pc.min(table["flow_id"]).as_py()
    return table.set_column(0, table.schema.field(0), pa.array(np.arange(first, first + table.num_rows)))


class Gathering:
    """Facts, flow tables and tally of one input, as a parser keeps them.

    ``name`` is what the user calls the input and stands in the sentence of the first fault.
    """

    def __init__(self, source: str, name: str) -> None:
        self.facts = FactSum(source)
        self.tally = LogTally()
        self.flows = 0
        self._name = name
        self._fault_at = 0
        self._tables: list[pa.Table] = []

    def add_flows(self, table: pa.Table) -> None:
        """Keep flows, which :func:`flow_table` laid out, for the next batch."""
        if table.num_rows:
            self.flows += table.num_rows
            self._tables.append(table)

    def next_flow_id(self) -> int:
        """Return the first flow id that is not given out yet."""
        return self.flows + 1

    def accept(self, records: int = 1) -> None:
        """Count records that were understood."""
        self.tally.count.read += records
        self.tally.count.parsed += records

    def reject(self, offset: int, reason: str) -> None:
        """Count one record that breaks the format; the first is named with file and offset."""
        tally = self.tally
        tally.count.read += 1
        tally.count.rejected += 1
        tally.reasons[reason] = tally.reasons.get(reason, 0) + 1
        if tally.fault is None or offset < self._fault_at:
            self._fault_at = offset
            tally.fault = f"{self._name}, byte {offset}: {reason}"

    def span(self, first_ns: int, last_ns: int) -> None:
        """Widen the time that the records span."""
        tally = self.tally
        tally.first_ns = first_ns if tally.first_ns is None else min(tally.first_ns, first_ns)
        tally.last_ns = last_ns if tally.last_ns is None else max(tally.last_ns, last_ns)

    def take(self) -> Batch:
        """Return what has gathered since the last call."""
        flows = pa.concat_tables(self._tables) if self._tables else BATCH_SCHEMA.empty_table()
        self._tables = []
        return Batch(flows, self.facts.take())
