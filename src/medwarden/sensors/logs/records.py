"""What a parser of single records gathers: facts summed up, flows one by one, and exact accounting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from medwarden.kernel.errors import MalformedInput
from medwarden.model.batch import Batch
from medwarden.model.log_source import LogTally
from medwarden.sensors.logs.gathering import BATCH_SCHEMA, FactSum, flow_table

MOST_REASONS = 64
"""Distinct reasons kept apart; what a sender can write into a reason must not fill the memory."""
_MOST_COUNTED = 1 << 62


class FlowRow(msgspec.Struct, gc=False):
    """One two-way flow as a source tells it; what it does not tell stays at its default.

    Octets are IP lengths; ``payload`` is what is left of them behind the headers, as far as it can be
    told. ``end_reason`` ``sampled`` marks counters that are an estimate from samples.
    """

    start_ns: int
    end_ns: int
    client_ip: str | None
    server_ip: str | None
    client_port: int
    server_port: int
    ip_protocol: int
    client_mac: str | None = None
    server_mac: str | None = None
    vlan: int | None = None
    tunnel: str | None = None
    packets_out: int = 0
    packets_in: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    payload_out: int = 0
    payload_in: int = 0
    tcp_flags_out: int = 0
    tcp_flags_in: int = 0
    ttl_out: int = 0
    ttl_in: int = 0
    end_reason: str = "end"
    application: str | None = None


_COLUMNS = FlowRow.__struct_fields__
_NOTHING = Batch(BATCH_SCHEMA.empty_table(), ())


class Records:
    """Facts and flows of one parser since the last batch, and its accounting since the beginning."""

    def __init__(self, source: str, name: str) -> None:
        self.tally = LogTally()
        self._name = name
        self._facts = FactSum(source)
        self._flows: list[FlowRow] = []
        self._next_flow = 1

    def __len__(self) -> int:
        """Return how many facts and flows wait."""
        return len(self._facts) + len(self._flows)

    def fact(
        self, ts_ns: int, mac: str | None, ip: str | None, field: str, value: str, vlan: int | None = None
    ) -> None:
        """Take in that an endpoint said ``value``; without an address or a value there is nothing to say."""
        self._facts.add(ts_ns, mac, ip, field, value, vlan)

    def facts(
        self, ts_ns: int, mac: str | None, ip: str | None, said: Mapping[str, str], vlan: int | None = None
    ) -> None:
        """Take in several facts of one endpoint."""
        for field, value in said.items():
            self._facts.add(ts_ns, mac, ip, field, value, vlan)

    def flow(self, row: FlowRow) -> None:
        """Take in one flow."""
        self._flows.append(row)

    def parsed(self, ts_ns: int | None = None, count: int = 1) -> None:
        """Count records that were understood, of time ``ts_ns``."""
        tally = self.tally
        tally.count.read += count
        tally.count.parsed += count
        if ts_ns is not None and count:
            tally.first_ns = ts_ns if tally.first_ns is None else min(tally.first_ns, ts_ns)
            tally.last_ns = ts_ns if tally.last_ns is None else max(tally.last_ns, ts_ns)

    def rejected(self, reason: str, offset: int | None = None, count: int = 1) -> None:
        """Count records that break the format, and name the first."""
        tally = self.tally
        tally.count.read += count
        tally.count.rejected += count
        if tally.fault is None:
            tally.fault = str(MalformedInput(self._name, reason, offset))
        self._because(reason, count)

    def dropped(self, reason: str, count: int = 1) -> None:
        """Count records that were sound as far as could be seen and yet not taken in."""
        self.tally.count.read += count
        self.tally.count.dropped += count
        self._because(reason, count)

    def _because(self, reason: str, count: int) -> None:
        reasons = self.tally.reasons
        if reason not in reasons and len(reasons) >= MOST_REASONS:
            reason = "other"
        reasons[reason] = reasons.get(reason, 0) + count

    def take(self) -> Batch:
        """Return what has gathered and begin anew."""
        if not len(self):
            return _NOTHING  # most of many senders, most of the time
        flows, self._flows = self._flows, []
        first = self._next_flow
        self._next_flow += len(flows)
        columns: dict[str, Sequence[object]] = {"flow_id": range(first, self._next_flow)}
        if flows:
            columns |= zip(_COLUMNS, zip(*map(msgspec.structs.astuple, flows), strict=True), strict=True)
        else:
            columns |= dict.fromkeys(_COLUMNS, ())
        return Batch(flow_table(len(flows), columns), self._facts.take())


def counter(value: int) -> int:
    """Return a counter as the flow table can hold it: foreign numbers may be as large as they like."""
    return min(max(value, 0), _MOST_COUNTED)
