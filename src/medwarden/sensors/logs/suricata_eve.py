"""Suricata's EVE JSON: flows and netflow events as flows, protocol events as facts.

Suricata user guide, "EVE JSON Format". Suricata counts the octets of whole frames; those of Ethernet headers
are taken off, and what is payload is estimated from the shortest headers there can be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from typing import ClassVar, cast

import msgspec
import numpy as np
import pyarrow as pa

from medwarden.model.batch import Batch
from medwarden.model.log_source import Framing, LogManifest, LogSetting, LogTally, Tells
from medwarden.sensors.logs import eve_events as eve
from medwarden.sensors.logs.eve_facts import FIELDS, facts_of
from medwarden.sensors.logs.eve_flows import Flows, flows_of_events, flows_of_lines, table_of
from medwarden.sensors.logs.eve_lines import (
    BETWEEN_ENDS,
    EVENT_TYPES,
    ROLES,
    TYPES,
    events_of,
    form_of,
    gather,
    sorts_of,
)
from medwarden.sensors.logs.gathering import Gathering, Key, in_order, ip_or_none
from medwarden.sensors.logs.plain_lines import PlainLines
from medwarden.sensors.logs.sorts import Sorts
from medwarden.sensors.logs.times import ns_column, ns_of_text, zone
from medwarden.sensors.logs.zeek_rows import Heard, Lines

_TYPE = re.compile(rb'"event_type"\s*:\s*"[A-Za-z0-9_-]{1,64}"')
_KIND = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_DECODERS = {name: msgspec.json.Decoder(form) for name, form in TYPES.items()}
_OTHER = msgspec.json.Decoder(eve.Event)
_MOST_HALVES = 10_000

NO_EVENT = "not a JSON object of an EVE event"


class _Typed(msgspec.Struct, gc=False):
    event_type: object = None


_TYPED = msgspec.json.Decoder(_Typed)


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
        self._gathered: dict[str, Sorts] = {}

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether the input begins with an event: a time as Suricata writes it, and a type."""
        first = head.lstrip(b"\xef\xbb\xbf\r\n\t ").partition(b"\n")[0]
        return first.startswith(b"{") and b'"timestamp"' in first and _TYPE.search(first) is not None

    def feed(self, piece: bytes | memoryview, offset: int) -> None:
        """Take whole lines that begin at ``offset``."""
        lines = Lines(bytes(piece), offset, self._gathering)
        typed = EVENT_TYPES.of_json(lines.block, lines.all(), lines.starts, head=True)
        kinds, odd = typed.words("event_type"), [typed.odd]
        flows: list[tuple[pa.Table, Sequence[int]]] = []
        for number, kind in enumerate(kinds.values):
            places = typed.lines[kinds.places == number]
            if kind is None or not len(places):
                continue
            if kind == "netflow" or not _KIND.fullmatch(kind):
                odd.append(places)
                continue
            plain = form_of(kind).of_json(lines.block, places, lines.starts)
            odd.append(plain.odd)
            if kind == "flow" and len(plain):
                flows.append((self._table(flows_of_lines(plain)), plain.lines.tolist()))
            elif len(plain):
                self._gather(kind, plain)
        self._one_by_one(lines, np.sort(np.concatenate(odd)).tolist(), flows)

    def take(self, *, final: bool = False) -> Batch:
        """Return what has gathered since the last call; with ``final`` halves of flows stay halves."""
        if final:
            self._joined += [(half, None) for half in self._halves.values()]
            self._halves.clear()
            self._add_joined()
        for kind, sorts in self._gathered.items():
            self._tell(kind, sorts)
        self._gathered.clear()
        return self._gathering.take()

    def _gather(self, kind: str, plain: PlainLines) -> None:
        """Take plain events that make no flows: one of each sort will say what all of it say."""
        times = plain.whole("timestamp")
        self._gathering.accept(len(plain))
        self._gathering.span(int(times.min()), int(times.max()))
        if kind not in TYPES and kind not in ROLES:
            return
        sorts = self._gathered.get(kind)
        if sorts is None:
            sorts = self._gathered[kind] = sorts_of(kind)
        gather(plain, sorts)
        if sorts.due:
            self._tell(kind, sorts)

    def _tell(self, kind: str, sorts: Sorts) -> None:
        self._gathering.facts.add_heard(_stated(kind, events_of(kind, sorts)))

    def _one_by_one(
        self, lines: Lines, places: Sequence[int], flows: list[tuple[pa.Table, Sequence[int]]]
    ) -> None:
        """Take the events of these lines, each decoded by itself; ``flows`` are those of the others."""
        kinds: dict[str, list[int]] = {}
        for place in places:
            text = lines.text(place)
            kind = _kind_of(text)
            if kind is not None:
                kinds.setdefault(kind, []).append(place)
            elif text.strip():
                lines.reject(place, NO_EVENT)
        if "flow" in kinds:
            flows.append(self._flow_events(lines, *_decoded(lines, "flow", kinds.pop("flow"))))
        if flows:
            self._gathering.add_flows(in_order(flows))
        for kind in sorted(kinds, key=lambda kind: kind == "netflow"):
            self._events(lines, kind, *_decoded(lines, kind, kinds[kind]))

    def _events(self, lines: Lines, kind: str, events: Sequence[eve.Event], places: Sequence[int]) -> None:
        sound: list[tuple[eve.Event, Heard]] = []
        for event, place, ns in zip(events, places, self._times([e.timestamp for e in events]), strict=True):
            if ns is None:
                lines.reject(place, "no time")
            elif kind in BETWEEN_ENDS and not _ends(event):
                lines.reject(place, "no sound address")
            else:
                sound.append((event, (ns, ns, 1)))
        self._gathering.accept(len(sound))
        for _, (ns, _, _) in sound:
            self._gathering.span(ns, ns)
        if kind == "netflow":
            for event, _ in sound:
                assert isinstance(event, eve.NetflowEvent)
                self._half(event)
            self._add_joined()
        elif kind in TYPES or kind in ROLES:
            self._gathering.facts.add_heard(_stated(kind, sound))

    def _times(self, texts: Sequence[str]) -> Sequence[int | None]:
        column = ns_column(texts, self._zone)
        if column is not None:
            return cast("Sequence[int | None]", column.tolist())
        return [ns_of_text(text, self._zone) for text in texts]

    # -- flows

    def _flow_events(
        self, lines: Lines, events: Sequence[eve.Event], places: Sequence[int]
    ) -> tuple[pa.Table, Sequence[int]]:
        """Return flows of events with the lines that they stand on; what is not sound is rejected."""
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
            flows, places = list(compress(flows, timed)), list(compress(places, timed))
            begun, ended = list(compress(begun, timed)), list(compress(ended, timed))
        counts, tcp = [event.flow for event in flows], [event.tcp for event in flows]
        found = flows_of_events(
            flows, counts, tcp, cast("Sequence[int]", begun), cast("Sequence[int]", ended)
        )
        return self._table(found), places

    def _table(self, flows: Flows) -> pa.Table:
        """Return flows of flow events, counted and placed in time."""
        count = len(flows.starts)
        self._whole = self._whole or count > 0
        self._gathering.accept(count)
        self._span(flows)
        return table_of(flows, self._gathering.next_flow_id())

    def _span(self, flows: Flows) -> None:
        if len(flows.starts):
            self._gathering.span(int(flows.starts.min()), int(flows.ends.max()))

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
            found = flows_of_events(*zip(*flows, strict=True))
            self._span(found)
            self._gathering.add_flows(table_of(found, self._gathering.next_flow_id()))


def _ends(event: eve.Event) -> bool:
    """Tell whether both addresses are there and sound."""
    return bool(event.src_ip and event.dest_ip and ip_or_none(event.src_ip) and ip_or_none(event.dest_ip))


def _kind_of(line: bytes) -> str | None:
    """Return the type of the event on a line, None where it is none."""
    try:
        kind = _TYPED.decode(line).event_type
    except _BROKEN:
        return None
    return kind if isinstance(kind, str) and _KIND.fullmatch(kind) else None


def _stated(kind: str, events: Iterable[tuple[eve.Event, Heard]]) -> Iterator[tuple[Key, Heard]]:
    for event, heard in events:
        client, server = ip_or_none(event.src_ip or ""), ip_or_none(event.dest_ip or "")
        if kind in ROLES:
            yield (None, client, None, ROLES[kind], "client"), heard
            yield (None, server, None, ROLES[kind], "server"), heard
            continue
        for mac, ip, field, value in facts_of(event, client, server):
            if value and (mac or ip):
                yield (mac, ip, None, field, value), heard


def _decoded(lines: Lines, kind: str, places: Iterable[int]) -> tuple[list[eve.Event], list[int]]:
    """Return the events of these lines and their lines; what is none is rejected."""
    decoder = _DECODERS.get(kind, _OTHER)
    events: list[eve.Event] = []
    sound: list[int] = []
    for place in places:
        try:
            events.append(decoder.decode(lines.text(place)))
        except _BROKEN:
            lines.reject(place, NO_EVENT)
        else:
            sound.append(place)
    return events, sound


PARSER = SuricataEve
