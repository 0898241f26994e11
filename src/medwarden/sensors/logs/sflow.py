"""sFlow version 5: sampled packets and interface counters of switches.

"sFlow Version 5" (sflow.org, 2004), XDR encoded. A flow sample stands for ``sampling_rate`` packets; what
becomes of it is an estimate and marked so. Samples say when they were taken only by the agent's uptime, so
flows have the time at which the datagram arrived (for files: the time of the setting). Counter samples say of
the switch itself what ``sflow_counters`` makes of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import ClassVar

from medwarden.dissect.octets import ip_text
from medwarden.kernel.errors import MalformedInput
from medwarden.model.log_source import Framing, LogManifest, LogSetting, Tells
from medwarden.sensors.logs.flow_export import EXPORT_FIELDS, FlowExport
from medwarden.sensors.logs.flow_record import FlowRecord
from medwarden.sensors.logs.sampled_frame import frame_record, packet_record
from medwarden.sensors.logs.sflow_counters import (
    COUNTER_FIELDS,
    ETHERNET,
    GENERIC,
    Interface,
    InterfaceCounters,
    interface,
)

_WORD = Struct("!I")
_PAIR = Struct("!II")
_FLOW, _COUNTERS, _FLOW_EXPANDED, _COUNTERS_EXPANDED = 1, 2, 3, 4
_RAW, _IPV4, _IPV6, _SWITCH = 1, 3, 4, 1001
_ETHERNET_HEADER, _IPV4_HEADER, _IPV6_HEADER = 1, 11, 12
_MOST_SAMPLES = 1024
_MOST_RECORDS = 256


class Sflow(FlowExport):
    """Samples of one sFlow agent."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="sflow",
        title="sFlow version 5",
        reference="sFlow Version 5, sflow.org, July 2004",
        framing=Framing.DATAGRAMS,
        fields=(*EXPORT_FIELDS, "flow.agent", *COUNTER_FIELDS),
        tells=frozenset({Tells.HARDWARE_ADDRESS, Tells.PEERS, Tells.VOLUME, Tells.SERVICES}),
        ports=(6343,),
    )

    def __init__(self, name: str, setting: LogSetting) -> None:
        super().__init__(name, setting)
        self._counters = InterfaceCounters()

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether ``head`` begins with a version 5 datagram of an agent with an address."""
        if len(head) < 28 or head[:4] != b"\0\0\0\5":
            return False
        return int.from_bytes(head[4:8], "big") in (1, 2)

    def _message(self, octets: bytes) -> int:
        if len(octets) < 28:
            raise MalformedInput("sflow", "datagram is shorter than its header", len(octets))
        version, family = _PAIR.unpack_from(octets)
        if version != 5 or family not in (1, 2):
            raise MalformedInput("sflow", f"version {version} with address type {family}", 0)
        size = 4 if family == 1 else 16
        if len(octets) < 8 + size + 16:
            raise MalformedInput("sflow", "datagram is shorter than its header", len(octets))
        agent = ip_text(octets[8 : 8 + size])
        sub_agent, number = _PAIR.unpack_from(octets, 8 + size)
        uptime, count = _PAIR.unpack_from(octets, 16 + size)
        if count > _MOST_SAMPLES:
            raise MalformedInput("sflow", f"{count} samples in one datagram", 20 + size)
        source = (agent, sub_agent)
        if self._sequence(source).repeats(number, octets):
            self._gathered.parsed()
            self.tally.repeated += 1
            return len(octets)
        self._follow(source, number, 1)
        now = self.heard_ns or self._setting.now_ns
        exporter = self.exporter or agent
        self._gathered.fact(now, None, exporter, "flow.exporter", "sflow")
        if agent is not None and agent != exporter:
            self._gathered.fact(now, None, exporter, "flow.agent", agent)
        at, taken = 24 + size, 0
        try:
            for _ in range(count):
                at = self._sample(octets, at, now, exporter, (source, uptime))
                taken += 1
        finally:
            self._gathered.parsed(now, taken)
        return len(octets)

    def _sample(
        self, octets: bytes, at: int, now: int, exporter: str | None, taken: tuple[object, int]
    ) -> int:
        """Take one sample in and return where it ends; ``taken`` is by whom and at which uptime.

        Raises MalformedInput where it overruns.
        """
        kind, start, end = _block(octets, at, len(octets))
        if kind in (_COUNTERS, _COUNTERS_EXPANDED):
            for field, value in self._counted(octets, kind, start, end, taken):
                self._gathered.fact(now, None, exporter, field, value)
        if kind not in (_FLOW, _FLOW_EXPANDED):
            return end
        words = 8 if kind == _FLOW else 11
        if end - start < 4 * words:
            raise MalformedInput("sflow", "flow sample is shorter than its header", start)
        rate_at = start + (8 if kind == _FLOW else 12)
        (rate,) = _WORD.unpack_from(octets, rate_at)
        rate = min(max(1, rate), 1 << 24)
        (count,) = _WORD.unpack_from(octets, start + 4 * (words - 1))
        if count > _MOST_RECORDS:
            raise MalformedInput("sflow", f"{count} records in one sample", start)
        if rate > 1:
            self._gathered.fact(now, None, exporter, "flow.sampling", f"1 in {rate}")
        inner, record, vlan = start + 4 * words, None, None
        for _ in range(count):
            form, body, inner = _block(octets, inner, end)
            if record is None:
                record = _record(form, octets[body:inner], now, rate)
            if form == _SWITCH and inner - body >= 4:
                vlan = int.from_bytes(octets[body : body + 4], "big") & 0xFFF or None
        if record is not None:
            record.vlan = record.vlan or vlan
            self._folder.add(record)
        return end

    def _counted(
        self, octets: bytes, kind: int, start: int, end: int, taken: tuple[object, int]
    ) -> Iterator[tuple[str, str]]:
        """Yield what the counters of one port say. Raises MalformedInput where they overrun the sample."""
        inner = start + (12 if kind == _COUNTERS else 16)
        if inner > end:
            raise MalformedInput("sflow", "counter sample is shorter than its header", start)
        (source,) = _WORD.unpack_from(octets, inner - 8)
        (count,) = _WORD.unpack_from(octets, inner - 4)
        if count > _MOST_RECORDS:
            raise MalformedInput("sflow", f"{count} records in one sample", start)
        generic: Interface | None = None
        ethernet: bytes | None = None
        for _ in range(count):
            form, body, inner = _block(octets, inner, end)
            if form == GENERIC:
                generic = interface(octets[body:inner])
            elif form == ETHERNET:
                ethernet = octets[body:inner]
        # The id of the source holds the kind of it in its first octet where the form is the short one.
        index = generic.index if generic else source & 0xFFFFFF if kind == _COUNTERS else source
        yield from self._counters.take(*taken, index, generic, ethernet)


def _block(octets: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Return the format, the start and the end of the block at ``at``; 0 for other enterprises' formats."""
    if at + 8 > end:
        raise MalformedInput("sflow", "block has no header", at)
    form, length = _PAIR.unpack_from(octets, at)
    if at + 8 + length > end:
        raise MalformedInput("sflow", "block overruns what it is in", at)
    return (form & 0xFFF if form >> 12 == 0 else 0), at + 8, at + 8 + length


def _record(form: int, body: bytes, now: int, rate: int) -> FlowRecord | None:
    """Return what one flow record of a sample says of its packet; None for what says nothing of addresses."""
    if form == _RAW and len(body) >= 16:
        protocol, length = _PAIR.unpack_from(body)
        (size,) = _WORD.unpack_from(body, 12)
        header = body[16 : 16 + size]
        if protocol == _ETHERNET_HEADER:
            return frame_record(header, length, now, rate)
        if protocol in (_IPV4_HEADER, _IPV6_HEADER):
            return packet_record(header, 0x0800 if protocol == _IPV4_HEADER else 0x86DD, now, rate, length)
        return None
    if form in (_IPV4, _IPV6):
        return _sampled_ip(body, 4 if form == _IPV4 else 16, now, rate)
    return None


def _sampled_ip(body: bytes, size: int, now: int, rate: int) -> FlowRecord | None:
    if len(body) < 8 + 2 * size + 12:
        return None
    octets, protocol = _PAIR.unpack_from(body)
    ports = _PAIR.unpack_from(body, 8 + 2 * size)
    (flags,) = _WORD.unpack_from(body, 16 + 2 * size)
    return FlowRecord(
        start_ns=now,
        end_ns=now,
        src_ip=ip_text(body[8 : 8 + size]),
        dst_ip=ip_text(body[8 + size : 8 + 2 * size]),
        src_port=ports[0] & 0xFFFF,
        dst_port=ports[1] & 0xFFFF,
        protocol=protocol & 0xFF,
        packets=1,
        octets=octets,
        tcp_flags=flags & 0xFF if protocol == 6 else 0,
        rate=rate,
    )


PARSER = Sflow
