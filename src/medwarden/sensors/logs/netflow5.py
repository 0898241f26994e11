"""NetFlow version 5: fixed records of IPv4 flows.

Cisco, "NetFlow Services Export Version 5" (Cisco IOS NetFlow and Data Export formats): a header of 24
octets and up to 30 records of 48. The sequence number counts flows. Sampling is in the header: two bits of
mode and fourteen of interval.
"""

from __future__ import annotations

from struct import Struct
from typing import ClassVar

from medwarden.dissect.octets import ipv4_text
from medwarden.kernel.clock import NANOSECONDS
from medwarden.kernel.errors import MalformedInput
from medwarden.model.log_source import Framing, LogManifest, Tells
from medwarden.sensors.logs.flow_export import EXPORT_FIELDS, FlowExport, uptime_ns
from medwarden.sensors.logs.flow_record import FlowRecord

_HEADER = Struct("!HHIIIIBBH")
_RECORD = Struct("!4s4s4sHHIIIIHHxBBBHHBBxx")
_MOST_RECORDS = 30
_MOST_EXPORTED = 512
"""Records accepted in one datagram: some exporters exceed the thirty of the description."""


class Netflow5(FlowExport):
    """Flows of one exporter of NetFlow version 5."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="netflow5",
        title="NetFlow version 5",
        reference="Cisco NetFlow export formats, version 5",
        framing=Framing.DATAGRAMS,
        fields=EXPORT_FIELDS,
        tells=frozenset({Tells.PEERS, Tells.VOLUME, Tells.SERVICES}),
        ports=(2055, 9555, 9995, 9996),
    )

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether ``head`` begins with a version 5 header and a plausible number of records."""
        if len(head) < _HEADER.size + _RECORD.size or head[:2] != b"\0\5":
            return False
        count = int.from_bytes(head[2:4], "big")
        return 0 < count <= _MOST_RECORDS and int.from_bytes(head[12:16], "big") < NANOSECONDS

    def _message(self, octets: bytes) -> int:
        if len(octets) < _HEADER.size:
            raise MalformedInput("netflow5", "datagram is shorter than its header", len(octets))
        version, count, uptime, seconds, rest, number, kind, engine, sampling = _HEADER.unpack_from(octets)
        if version != 5:
            raise MalformedInput("netflow5", f"version {version} is not 5", 0)
        end = _HEADER.size + count * _RECORD.size
        if not 0 < count <= _MOST_EXPORTED:
            raise MalformedInput("netflow5", f"{count} records in one datagram", 2)
        if end > len(octets):
            raise MalformedInput("netflow5", "datagram ends before its last record", len(octets))
        source = (kind, engine)
        whole = octets[:end]
        if self._sequence(source).repeats(number, whole):
            self._gathered.parsed(count=count)
            self.tally.repeated += count
            return int(end)
        self._follow(source, number, count)
        exported = seconds * NANOSECONDS + min(rest, NANOSECONDS - 1)
        base = exported + self._clock(exported)
        rate = sampling & 0x3FFF if sampling >> 14 else 1
        if rate > 1:
            self.say("flow.sampling", f"1 in {rate}", base)
        self.say("flow.exporter", "netflow5", base)
        for at in range(_HEADER.size, end, _RECORD.size):
            self._record(octets, at, base, uptime, max(1, rate))
        self._gathered.parsed(base, count)
        return int(end)

    def _record(self, octets: bytes, at: int, base: int, uptime: int, rate: int) -> None:
        (
            source,
            destination,
            _next_hop,
            _in,
            _out,
            packets,
            size,
            first,
            last,
            from_port,
            to_port,
            flags,
            protocol,
            _tos,
            _src_as,
            _dst_as,
            _src_mask,
            _dst_mask,
        ) = _RECORD.unpack_from(octets, at)
        if protocol == 1:
            from_port = to_port = 0  # ICMP: type and code stand where the port would
        self._folder.add(
            FlowRecord(
                start_ns=uptime_ns(base, uptime, first),
                end_ns=uptime_ns(base, uptime, last),
                src_ip=address_text(source),
                dst_ip=address_text(destination),
                src_port=from_port,
                dst_port=to_port,
                protocol=protocol,
                packets=packets,
                octets=size,
                tcp_flags=flags if protocol == 6 else 0,
                rate=rate,
            )
        )


def address_text(octets: bytes) -> str | None:
    """Return an IPv4 address as text, group addresses too; None for 0.0.0.0."""
    return ipv4_text(octets) or (".".join(map(str, octets)) if any(octets) else None)


PARSER = Netflow5
