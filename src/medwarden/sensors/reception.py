"""Who sends us records: one parser per sender and format, bounded, with the account of each."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec
import pyarrow as pa

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.accounting import PacketCount
from medwarden.model.batch import Batch, Fact
from medwarden.model.evidence import Evidence
from medwarden.model.log_source import LogParser, LogSetting, LogTally
from medwarden.sensors.logs.gathering import BATCH_SCHEMA

MOST_SENDERS = 512
"""Pairs of sender and format that have a parser of their own; with more the quietest one is let go."""
_MOST_WAITING = 200_000
_MOST_BATCHES = 64

Choose = Callable[[bytes], type[LogParser] | None]


class SenderAccount(msgspec.Struct):
    """What one sender has sent: its format, when it was first and last heard, octets and records."""

    sender: str
    format: str
    first_ns: int
    last_ns: int
    octets: int
    tally: LogTally


class _Sender(msgspec.Struct):
    parser: LogParser
    account: SenderAccount


class Allowed:
    """Networks that may send; none named means all."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Raise ConfigurationError for what is no network."""
        try:
            self._networks = tuple(ipaddress.ip_network(network, strict=False) for network in networks)
        except ValueError as error:
            raise ConfigurationError(f"{error}; name senders as addresses or networks") from error

    def __call__(self, sender: str) -> bool:
        """Tell whether ``sender`` (an address in text form) may send."""
        if not self._networks:
            return True
        address = ipaddress.ip_address(sender.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


class Reception:
    """Hands what senders send to their parsers; safe to be used from several threads.

    ``choose`` says which parser a record belongs to, by its content; None rejects it. ``prepare`` brings
    a record into the form that parsers take. ``lasting`` says that templates hold until they are replaced,
    as over TCP. Sums stay exact when a sender is let go.
    """

    def __init__(
        self,
        choose: Choose,
        setting: LogSetting,
        *,
        prepare: Callable[[bytes], bytes] | None = None,
        allowed: Allowed | None = None,
        lasting: bool = False,
        most_senders: int = MOST_SENDERS,
    ) -> None:
        self._choose = choose
        self._prepare = prepare
        self._lasting = lasting
        self._setting = setting
        self._allowed = allowed or Allowed()
        self._most = most_senders
        self._senders: OrderedDict[tuple[str, str], _Sender] = OrderedDict()
        self._gone = LogTally()
        self._left: list[Batch] = []
        self._next_flow = 1
        self._waiting = 0
        self._lock = threading.Lock()
        self.octets = 0
        self.last_heard_ns: int | None = None

    def receive(self, sender: str, record: bytes, now_ns: int) -> None:
        """Take one record (a datagram, or a line) that arrived from ``sender``."""
        with self._lock:
            self.octets += len(record)
            self.last_heard_ns = now_ns
            if not self._allowed(sender):
                _drop(self._gone, "sender is not on the allow list", 1)
                return
            if self._waiting >= 2 * _MOST_WAITING:  # a stream would have been made to wait before
                _drop(self._gone, "too much waits to be stored", 1)
                return
            if self._prepare is not None:
                record = self._prepare(record)
            chosen = self._choose(record)
            if chosen is None:
                _reject(self._gone, "form is not known", f"{sender}: form of what it sends is not known")
                return
            entry = self._sender(sender, chosen, now_ns)
            entry.account.last_ns = now_ns
            entry.account.octets += len(record)
            parser = entry.parser
            if hasattr(parser, "heard_ns"):
                parser.heard_ns = now_ns
            before = parser.tally.count.read
            parser.feed(record, 0)
            self._waiting += max(1, parser.tally.count.read - before)

    def drop(self, reason: str, count: int) -> None:
        """Count records that were lost before any parser saw them."""
        with self._lock:
            _drop(self._gone, reason, count)

    def reject(self, reason: str, fault: str) -> None:
        """Count a record that could not be cut out of a stream; ``fault`` is the sentence that says so."""
        with self._lock:
            _reject(self._gone, reason, fault)

    @property
    def full(self) -> bool:
        """Tell whether so much waits to be taken that senders which can wait should."""
        return self._waiting >= _MOST_WAITING

    def take(self, *, final: bool = False) -> Batch:
        """Return the flows and facts of all senders since the last call."""
        with self._lock:
            batches, self._left = self._left, []
            batches += [entry.parser.take(final=final) for entry in self._senders.values()]
            batches = [batch for batch in batches if not batch.empty()]
            self._waiting = 0
            return self._joined(batches)

    def accounts(self) -> list[SenderAccount]:
        """Return a copy of the account of every sender that is followed."""
        with self._lock:
            return [
                msgspec.structs.replace(entry.account, tally=_copy(entry.account.tally))
                for entry in self._senders.values()
            ]

    def tally(self) -> LogTally:
        """Return the sum over all senders, those included that were let go."""
        with self._lock:
            total = _copy(self._gone)
            for entry in self._senders.values():
                add_tally(total, entry.parser.tally)
            return total

    def _sender(self, sender: str, chosen: type[LogParser], now_ns: int) -> _Sender:
        key = (sender, chosen.manifest.name)
        entry = self._senders.get(key)
        if entry is None:
            parser = chosen(sender, self._setting)
            if hasattr(parser, "exporter"):
                parser.exporter = sender
            if hasattr(parser, "lasting"):
                parser.lasting = self._lasting
            account = SenderAccount(sender, chosen.manifest.name, now_ns, now_ns, 0, parser.tally)
            entry = self._senders[key] = _Sender(parser, account)
            if len(self._senders) > self._most:
                _, gone = self._senders.popitem(last=False)
                self._left.append(gone.parser.take(final=True))
                if len(self._left) > _MOST_BATCHES:
                    self._left = [self._joined(self._left)]
                add_tally(self._gone, gone.parser.tally)
        else:
            self._senders.move_to_end(key)
        return entry

    def _joined(self, batches: list[Batch]) -> Batch:
        facts: dict[tuple[object, ...], Fact] = {}
        for batch in batches:
            for fact in batch.facts:
                said = fact.evidence
                key = (said.mac, said.ip, said.vlan, said.field, said.value, said.source)
                facts[key] = _fold(facts.get(key), fact)
        flows = (
            pa.concat_tables([batch.flows for batch in batches]) if batches else BATCH_SCHEMA.empty_table()
        )
        ids = pa.array(range(self._next_flow, self._next_flow + flows.num_rows), pa.int64())
        self._next_flow += flows.num_rows
        at = flows.schema.get_field_index("flow_id")
        return Batch(flows.set_column(at, flows.schema.field(at), ids), tuple(facts.values()))


def _fold(before: Fact | None, fact: Fact) -> Fact:
    if before is None:
        return fact
    said = before.evidence
    first = min(said.ts_ns, fact.evidence.ts_ns)
    evidence = Evidence(first, said.mac, said.ip, said.vlan, said.field, said.value, said.source)
    return Fact(evidence, max(before.last_ns, fact.last_ns), before.count + fact.count)


def _copy(tally: LogTally) -> LogTally:
    copy = LogTally()
    add_tally(copy, tally)
    return copy


def _drop(tally: LogTally, reason: str, count: int) -> None:
    tally.count.read += count
    tally.count.dropped += count
    tally.reasons[reason] = tally.reasons.get(reason, 0) + count


def _reject(tally: LogTally, reason: str, fault: str) -> None:
    tally.count.read += 1
    tally.count.rejected += 1
    tally.reasons[reason] = tally.reasons.get(reason, 0) + 1
    tally.fault = tally.fault or fault


def add_tally(total: LogTally, tally: LogTally) -> None:
    """Add the accounting of one parser to a sum."""
    for name in PacketCount.__struct_fields__:
        setattr(total.count, name, getattr(total.count, name) + getattr(tally.count, name))
    for reason, count in tally.reasons.items():
        total.reasons[reason] = total.reasons.get(reason, 0) + count
    total.repeated += tally.repeated
    total.missing += tally.missing
    if tally.first_ns is not None:
        total.first_ns = tally.first_ns if total.first_ns is None else min(total.first_ns, tally.first_ns)
    if tally.last_ns is not None:
        total.last_ns = tally.last_ns if total.last_ns is None else max(total.last_ns, tally.last_ns)
    total.fault = total.fault or tally.fault
