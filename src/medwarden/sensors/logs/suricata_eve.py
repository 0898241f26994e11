"""Suricata's EVE JSON: flows and netflow events as flows, protocol events as facts.

Suricata user guide, "EVE JSON Format". Suricata counts the octets of whole frames; those of Ethernet headers
are taken off, and what is payload is estimated from the shortest headers there can be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, NamedTuple

import msgspec
import pyarrow as pa

from medwarden.model.batch import Batch
from medwarden.model.log_source import Framing, LogManifest, LogSetting, LogTally, Tells
from medwarden.sensors.logs import eve_events as eve
from medwarden.sensors.logs.eve_facts import FIELDS, facts_of
from medwarden.sensors.logs.gathering import Gathering, Key, flow_table, ip_or_none, mac_or_none
from medwarden.sensors.logs.times import ns_column, ns_of_text, zone
from medwarden.sensors.logs.zeek_rows import Lines

_TYPE = re.compile(rb'"event_type"\s*:\s*"([A-Za-z0-9_-]{1,64})"')
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_TYPES: Mapping[str, type[eve.Event]] = {
    "flow": eve.FlowEvent, "netflow": eve.NetflowEvent, "dns": eve.DnsEvent, "mdns": eve.DnsEvent,
    "llmnr": eve.DnsEvent, "http": eve.HttpEvent, "http2": eve.HttpEvent, "tls": eve.TlsEvent,
    "quic": eve.QuicEvent, "ssh": eve.SshEvent, "dhcp": eve.DhcpEvent, "smb": eve.SmbEvent,
    "krb5": eve.KerberosEvent, "snmp": eve.SnmpEvent, "sip": eve.SipEvent, "mqtt": eve.MqttEvent,
    "rdp": eve.RdpEvent, "ftp": eve.FtpEvent, "smtp": eve.SmtpEvent, "rfb": eve.RfbEvent,
    "enip": eve.EnipEvent, "arp": eve.ArpEvent,
}  # fmt: skip
_ROLES = {"modbus": "modbus.role", "dnp3": "dnp3.role"}
_BETWEEN_ENDS = frozenset(_TYPES) - {"arp"} | frozenset(_ROLES)
_DECODERS = {name: msgspec.json.Decoder(form) for name, form in _TYPES.items()}
_OTHER = msgspec.json.Decoder(eve.Event)

_PROTOCOLS = {"TCP": 6, "UDP": 17, "ICMP": 1, "IPV6-ICMP": 58, "SCTP": 132, "GRE": 47, "ESP": 50, "IGMP": 2}
_UNKNOWN = 255
_APPLICATIONS: Mapping[str, str | None] = {
    "failed": None, "unknown": None, "krb5": "kerberos", "ftp-data": "ftp", "http2": "http", "ike": "ipsec",
    "pgsql": "postgres", "bittorrent-dht": "bittorrent", "websocket": "http", "doh2": "http",
    "smb1": "smb", "smb2": "smb",
}  # fmt: skip
_ABOUT_NAMES = {5353: "mdns", 5355: "llmnr", 137: "nbns"}
_ETHERNET = 14
_SHORTEST = {6: 20, 17: 8}
_RST, _FIN = 4, 1
_MOST_HALVES = 10_000
_REASONS = {"timeout": "idle"}

NO_EVENT = "not a JSON object of an EVE event"


class _Flow(NamedTuple):
    """One flow on its way into columns."""

    event: eve.Event
    counts: eve.FlowCounts
    tcp: eve.TcpFlags | None
    app_proto: str | None
    ttl_out: int = 0
    ttl_in: int = 0


class SuricataEve:
    """Read events as Suricata writes them into eve.json."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="suricata_eve",
        title="Suricata EVE JSON",
        reference="Suricata user guide, EVE JSON Format",
        framing=Framing.LINES,
        fields=FIELDS,
        tells=frozenset(
            {
                Tells.NAME,
                Tells.OPERATING_SYSTEM,
                Tells.PEERS,
                Tells.VOLUME,
                Tells.SERVICES,
                Tells.APPLICATION,
                Tells.CLEAR_TEXT,
                Tells.MANAGEMENT,
            }
        ),
    )

    def __init__(self, name: str, setting: LogSetting) -> None:
        zone(setting.time_zone)  # a wrong name ends here
        self._zone = setting.time_zone
        self._gathering = Gathering(self.manifest.name, name)
        self.tally: LogTally = self._gathering.tally
        self._halves: dict[int, eve.NetflowEvent] = {}
        self._whole = False

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether the input begins with an event: a time as Suricata writes it, and a type."""
        first = head.lstrip(b"\xef\xbb\xbf\r\n\t ").partition(b"\n")[0]
        return first.startswith(b"{") and b'"timestamp"' in first and _TYPE.search(first) is not None

    def feed(self, piece: bytes | memoryview, offset: int) -> None:
        """Take whole lines that begin at ``offset``."""
        lines = Lines(bytes(piece), offset, self._gathering)
        kinds: dict[str, list[int]] = {}
        for place, text in enumerate(lines.texts):
            found = _TYPE.search(text)
            if found is not None:
                kinds.setdefault(found[1].decode(), []).append(place)
            elif text.strip():
                lines.reject(place, NO_EVENT)
        for kind in sorted(kinds, key=lambda kind: kind == "netflow"):
            self._kind(lines, kind, kinds[kind])

    def take(self, *, final: bool = False) -> Batch:
        """Return what has gathered since the last call; with ``final`` halves of flows stay halves."""
        if final:
            self._netflows(list(self._halves.values()))
            self._halves.clear()
        return self._gathering.take()

    def _kind(self, lines: Lines, kind: str, places: Sequence[int]) -> None:
        decoder = _DECODERS.get(kind, _OTHER)
        try:
            events = [decoder.decode(lines.texts[place]) for place in places]
        except _BROKEN:
            events, places = _one_by_one(lines, decoder, places)
        if kind == "flow":
            self._flow_events(lines, events, places)
            return
        sound: list[tuple[eve.Event, int]] = []
        for event, place, ns in zip(events, places, self._times([e.timestamp for e in events]), strict=True):
            if ns is None:
                lines.reject(place, "no time")
            elif kind in _BETWEEN_ENDS and not _ends(event):
                lines.reject(place, "no sound address")
            else:
                sound.append((event, ns))
        self._gathering.accept(len(sound))
        for _, ns in sound:
            self._gathering.span(ns, ns)
        if kind == "netflow":
            for event, _ in sound:
                assert isinstance(event, eve.NetflowEvent)
                self._half(event)
        elif kind in _TYPES or kind in _ROLES:
            self._gathering.facts.add_many(_stated(kind, sound))

    def _times(self, texts: Sequence[str]) -> Sequence[int | None]:
        column = ns_column(texts, self._zone)
        if column is not None:
            return [int(ns) for ns in column.tolist()]
        return [ns_of_text(text, self._zone) for text in texts]

    # -- flows

    def _flow_events(self, lines: Lines, events: Sequence[eve.Event], places: Sequence[int]) -> None:
        flows: list[_Flow] = []
        for event, place in zip(events, places, strict=True):
            assert isinstance(event, eve.FlowEvent)
            if not _ends(event):
                lines.reject(place, "no sound address")
                continue
            if event.flow.start is None:
                event.flow.start = event.timestamp
            if event.flow.end is None:
                event.flow.end = event.flow.start
            flows.append(_Flow(event, event.flow, event.tcp, event.app_proto))
        self._whole = self._whole or bool(flows)
        kept = [place for event, place in zip(events, places, strict=True) if _ends(event)]
        starts = self._times([flow.counts.start or "" for flow in flows])
        ends = self._times([flow.counts.end or "" for flow in flows])
        timed: list[tuple[_Flow, int, int]] = []
        for flow, place, start, end in zip(flows, kept, starts, ends, strict=True):
            if start is None or end is None:
                lines.reject(place, "no time")
            else:
                timed.append((flow, start, max(start, end)))
        self._gathering.accept(len(timed))
        self._add(timed)

    def _half(self, event: eve.NetflowEvent) -> None:
        """Keep one direction until the other comes; what a flow event tells as well is told before."""
        if self._whole:
            self._gathering.tally.repeated += 1
            return
        first = self._halves.pop(event.flow_id, None)
        if first is not None and first.src_ip == event.dest_ip:
            self._netflows([first], event)
            return
        if first is not None:
            self._netflows([first])
        self._halves[event.flow_id] = event
        if len(self._halves) > _MOST_HALVES:
            oldest = next(iter(self._halves))
            self._netflows([self._halves.pop(oldest)])

    def _netflows(self, halves: Sequence[eve.NetflowEvent], back: eve.NetflowEvent | None = None) -> None:
        timed: list[tuple[_Flow, int, int]] = []
        for half in halves:
            there, here = half.netflow, back.netflow if back is not None else eve.NetflowCounts()
            counts = eve.FlowCounts(there.pkts, here.pkts, there.bytes, here.bytes, there.start, there.end)
            flags = eve.TcpFlags(
                "", half.tcp.tcp_flags if half.tcp else "", back.tcp.tcp_flags if back and back.tcp else ""
            )
            start = ns_of_text(there.start or half.timestamp, self._zone)
            end = ns_of_text(there.end or half.timestamp, self._zone)
            if start is not None:
                flow = _Flow(half, counts, flags, half.app_proto, there.min_ttl, here.min_ttl)
                timed.append((flow, start, max(start, end or start)))
        self._add(timed)

    def _add(self, timed: Sequence[tuple[_Flow, int, int]]) -> None:
        if not timed:
            return
        self._gathering.span(min(t[1] for t in timed), max(t[2] for t in timed))
        first = self._gathering.next_flow_id()
        columns = list(zip(*(_row(flow) for flow, _, _ in timed), strict=True))
        given: dict[str, pa.Array | Sequence[object]] = dict(zip(_COLUMNS, columns, strict=True))
        given["flow_id"] = range(first, first + len(timed))
        given["start_ns"] = [start for _, start, _ in timed]
        given["end_ns"] = [end for _, _, end in timed]
        self._gathering.add_flows(flow_table(len(timed), given))


_COLUMNS = (
    "client_mac", "server_mac", "client_ip", "server_ip", "client_port", "server_port", "ip_protocol", "vlan",
    "packets_out", "packets_in", "bytes_out", "bytes_in", "payload_out", "payload_in", "tcp_flags_out",
    "tcp_flags_in", "ttl_out", "ttl_in", "end_reason", "application",
)  # fmt: skip


def _row(flow: _Flow) -> tuple[object, ...]:
    """Return a flow in the order of the columns."""
    event, counts, tcp = flow.event, flow.counts, flow.tcp
    client, server = ip_or_none(event.src_ip or ""), ip_or_none(event.dest_ip or "")
    protocol = _PROTOCOLS.get(event.proto.upper(), _UNKNOWN)
    ported = protocol in (6, 17, 132)
    port = event.dest_port if ported else 0
    header = (40 if client and ":" in client else 20) + _SHORTEST.get(protocol, 0)
    there = max(0, counts.bytes_toserver - _ETHERNET * counts.pkts_toserver)
    back = max(0, counts.bytes_toclient - _ETHERNET * counts.pkts_toclient)
    out, into = (_flags(tcp.tcp_flags_ts), _flags(tcp.tcp_flags_tc)) if tcp else (0, 0)
    return (
        mac_or_none(event.ether.client() or "") if event.ether else None,
        mac_or_none(event.ether.server() or "") if event.ether else None,
        client,
        server,
        event.src_port if ported else 0,
        port,
        protocol,
        _vlan(event.vlan),
        counts.pkts_toserver,
        counts.pkts_toclient,
        there,
        back,
        max(0, there - header * counts.pkts_toserver),
        max(0, back - header * counts.pkts_toclient),
        out,
        into,
        flow.ttl_out,
        flow.ttl_in,
        _end(out | into, counts.reason),
        application(flow.app_proto, port),
    )


def _end(flags: int, reason: str) -> str:
    if flags & _RST:
        return "rst"
    return "fin" if flags & _FIN else _REASONS.get(reason, "end")


def _flags(text: str) -> int:
    try:
        return int(text, 16) & 0x1FF if text else 0
    except ValueError:
        return 0


def _vlan(value: list[int] | int | None) -> int | None:
    if isinstance(value, list):
        value = value[0] if value else None
    return value if value is not None and 0 <= value <= 4095 else None


def application(name: str | None, port: int) -> str | None:
    """Return our name for what Suricata recognised, or None."""
    if not name:
        return None
    if name == "dns":
        return _ABOUT_NAMES.get(port, "dns")
    return _APPLICATIONS.get(name, name)


def _ends(event: eve.Event) -> bool:
    """Tell whether both addresses are there and sound."""
    return bool(event.src_ip and event.dest_ip and ip_or_none(event.src_ip) and ip_or_none(event.dest_ip))


def _stated(kind: str, events: Sequence[tuple[eve.Event, int]]) -> Iterator[tuple[Key, int]]:
    for event, ns in events:
        client, server = ip_or_none(event.src_ip or ""), ip_or_none(event.dest_ip or "")
        if kind in _ROLES:
            yield (None, client, None, _ROLES[kind], "client"), ns
            yield (None, server, None, _ROLES[kind], "server"), ns
            continue
        for mac, ip, field, value in facts_of(event, client, server):
            if value and (mac or ip):
                yield (mac, ip, None, field, value), ns


def _one_by_one(
    lines: Lines, decoder: msgspec.json.Decoder[eve.Event], places: Sequence[int]
) -> tuple[list[eve.Event], list[int]]:
    events: list[eve.Event] = []
    sound: list[int] = []
    for place in places:
        try:
            events.append(decoder.decode(lines.texts[place]))
        except _BROKEN:
            lines.reject(place, NO_EVENT)
        else:
            sound.append(place)
    return events, sound


PARSER = SuricataEve
