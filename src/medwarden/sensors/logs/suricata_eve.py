"""Suricata's EVE JSON: flows and netflow events as flows, protocol events as facts.

Suricata user guide, "EVE JSON Format". Suricata counts the octets of whole frames; those of Ethernet headers
are taken off, and what is payload is estimated from the shortest headers there can be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from typing import ClassVar, cast

import msgspec
import numpy as np

from medwarden.model.batch import Batch
from medwarden.model.log_source import Framing, LogManifest, LogSetting, LogTally, Tells
from medwarden.sensors.logs import eve_events as eve
from medwarden.sensors.logs.eve_facts import FIELDS, facts_of
from medwarden.sensors.logs.eve_flows import Flows, flows_of
from medwarden.sensors.logs.gathering import Gathering, Key, ip_or_none
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

_MOST_HALVES = 10_000

NO_EVENT = "not a JSON object of an EVE event"


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
        self._joined: list[tuple[eve.NetflowEvent, eve.NetflowEvent | None]] = []
        self._whole = False

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether the input begins with an event: a time as Suricata writes it, and a type."""
        first = head.lstrip(b"\xef\xbb\xbf\r\n\t ").partition(b"\n")[0]
        return first.startswith(b"{") and b'"timestamp"' in first and _TYPE.search(first) is not None

    def feed(self, piece: bytes | memoryview, offset: int) -> None:
        """Take whole lines that begin at ``offset``."""
        lines = Lines(bytes(piece), offset, self._gathering)
        kinds: dict[bytes, list[int]] = {}
        for place, found in enumerate(map(_TYPE.search, lines.texts)):
            if found is not None:
                kinds.setdefault(found[1], []).append(place)
            elif lines.texts[place].strip():
                lines.reject(place, NO_EVENT)
        for kind in sorted(kinds, key=lambda kind: kind == b"netflow"):
            self._kind(lines, kind.decode(), kinds[kind])

    def take(self, *, final: bool = False) -> Batch:
        """Return what has gathered since the last call; with ``final`` halves of flows stay halves."""
        if final:
            self._joined += [(half, None) for half in self._halves.values()]
            self._halves.clear()
            self._add_joined()
        return self._gathering.take()

    def _kind(self, lines: Lines, kind: str, places: Sequence[int]) -> None:
        decoder = _DECODERS.get(kind, _OTHER)
        try:
            events = _all_sound(lines, decoder, places)
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
            self._add_joined()
        elif kind in _TYPES or kind in _ROLES:
            self._gathering.facts.add_many(_stated(kind, sound))

    def _times(self, texts: Sequence[str]) -> Sequence[int | None]:
        column = ns_column(texts, self._zone)
        if column is not None:
            return cast("Sequence[int | None]", column.tolist())
        return [ns_of_text(text, self._zone) for text in texts]

    # -- flows

    def _flow_events(self, lines: Lines, events: Sequence[eve.Event], places: Sequence[int]) -> None:
        known = {event.src_ip for event in events} | {event.dest_ip for event in events}
        if not all(text and ip_or_none(text) for text in known):
            sound = [_ends(event) for event in events]
            for place, kept in zip(places, sound, strict=True):
                if not kept:
                    lines.reject(place, "no sound address")
            events, places = list(compress(events, sound)), list(compress(places, sound))
        flows = cast("Sequence[eve.FlowEvent]", events)
        self._whole = self._whole or bool(flows)
        starts = [e.timestamp if e.flow.start is None else e.flow.start for e in flows]
        ends = [start if e.flow.end is None else e.flow.end for e, start in zip(flows, starts, strict=True)]
        begun, ended = self._times(starts), self._times(ends)
        if None in begun or None in ended:
            timed = [None not in pair for pair in zip(begun, ended, strict=True)]
            for place, kept in zip(places, timed, strict=True):
                if not kept:
                    lines.reject(place, "no time")
            flows = list(compress(flows, timed))
            begun, ended = list(compress(begun, timed)), list(compress(ended, timed))
        self._gathering.accept(len(flows))
        self._add(
            Flows(
                flows,
                [event.flow for event in flows],
                [event.tcp for event in flows],
                cast("Sequence[int]", begun),
                cast("Sequence[int]", ended),
            )
        )

    def _half(self, event: eve.NetflowEvent) -> None:
        """Keep one direction until the other comes; what a flow event tells as well is told before."""
        if self._whole:
            self._gathering.tally.repeated += 1
            return
        first = self._halves.pop(event.flow_id, None)
        if first is not None and first.src_ip == event.dest_ip:
            self._joined.append((first, event))
            return
        if first is not None:
            self._joined.append((first, None))
        self._halves[event.flow_id] = event
        if len(self._halves) > _MOST_HALVES:
            oldest = next(iter(self._halves))
            self._joined.append((self._halves.pop(oldest), None))

    def _add_joined(self) -> None:
        """Make flows of the directions that came together, or stayed alone."""
        flows: list[tuple[eve.NetflowEvent, eve.FlowCounts, eve.TcpFlags, int, int, int, int]] = []
        for half, back in self._joined:
            there, here = half.netflow, back.netflow if back is not None else eve.NetflowCounts()
            counts = eve.FlowCounts(there.pkts, here.pkts, there.bytes, here.bytes, there.start, there.end)
            flags = eve.TcpFlags(
                "", half.tcp.tcp_flags if half.tcp else "", back.tcp.tcp_flags if back and back.tcp else ""
            )
            start = ns_of_text(there.start or half.timestamp, self._zone)
            end = ns_of_text(there.end or half.timestamp, self._zone)
            if start is not None:
                last = start if end is None else end
                flows.append((half, counts, flags, start, last, there.min_ttl, here.min_ttl))
        self._joined.clear()
        if flows:
            self._add(Flows(*zip(*flows, strict=True)))

    def _add(self, flows: Flows) -> None:
        if not flows.events:
            return
        starts = np.array(flows.starts, np.int64)
        ends = np.maximum(starts, np.array(flows.ends, np.int64))
        self._gathering.span(int(starts.min()), int(ends.max()))
        flows = flows._replace(starts=starts, ends=ends)
        self._gathering.add_flows(flows_of(flows, self._gathering.next_flow_id()))


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


def _all_sound(
    lines: Lines, decoder: msgspec.json.Decoder[eve.Event], places: Sequence[int]
) -> list[eve.Event]:
    """Return the events on these lines, where all are sound; raises what decoding any of them raises."""
    if len(places) == lines.objects():
        events = decoder.decode_lines(lines.block)
        if len(events) == len(places):
            return events
    return [decoder.decode(lines.texts[place]) for place in places]


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
