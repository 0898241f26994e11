"""Information elements to flow records: what the fields of NetFlow 9 and IPFIX mean.

IANA "IP Flow Information Export (IPFIX) Entities" (RFC 7012; NetFlow 9 uses the numbers below 128 for the
same, RFC 3954 section 8), RFC 5103 for reverse elements (enterprise 29305), Cisco ASA NSEL event fields,
NBAR application ids (RFC 6759) and a few enterprise elements whose meaning is published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv6Address

import msgspec

from medwarden.dissect.octets import mac_text, printable
from medwarden.kernel.clock import NANOSECONDS
from medwarden.sensors.logs.flow_export import uptime_ns
from medwarden.sensors.logs.flow_record import FlowRecord, application_name
from medwarden.sensors.logs.netflow5 import address_text
from medwarden.sensors.logs.templates import Element

REVERSE = 29305
_CISCO, _PALO_ALTO, _CERT = 9, 25461, 6871
_MS, _US = 1_000_000, 1000
_NTP_EPOCH = 2_208_988_800
_OCTETS, _PACKETS, _PROTOCOL, _FLAGS = 1, 2, 4, 6
_SRC_PORT, _SRC4, _IN_IF, _DST_PORT, _DST4, _OUT_IF = 7, 8, 10, 11, 12, 14
_LAST, _FIRST = 21, 22
_POST_OCTETS, _POST_PACKETS = 23, 24
_SRC6, _DST6 = 27, 28
_SAMPLING, _SAMPLER, _SAMPLER_INTERVAL = 34, 48, 50
_MIN_TTL, _SRC_MAC, _POST_DST_MAC, _VLAN, _DST_MAC, _POST_SRC_MAC = 52, 56, 57, 58, 80, 81
_IF_NAME, _IF_DESCRIPTION = 82, 83
_TOTAL_OCTETS, _TOTAL_PACKETS = 85, 86
_APPLICATION, _APPLICATION_NAME = 95, 96
_END_REASON = 136
_BOOT = 160
_TIMES: tuple[tuple[int, int, int], ...] = ((150, 151, NANOSECONDS), (152, 153, _MS))
_TTL, _EVENT, _INITIATOR_OCTETS, _RESPONDER_OCTETS, _BIFLOW = 192, 233, 231, 232, 239
_DOT1Q, _CUSTOMER_DOT1Q = 243, 245
_INITIATOR_PACKETS, _RESPONDER_PACKETS = 298, 299
_PACKET_INTERVAL, _PACKET_SPACE = 305, 306
_HTTP_HOST, _HTTP_AGENT = 460, 468
_END_REASONS = {1: "idle", 2: "active", 3: "fin", 4: "end", 5: "evicted"}
_CREATED, _DENIED = 1, 3
_DIRECTIONS = {1: True, 2: False}
_ENTRIES = 4096
_LATEST = 9_000_000_000 * NANOSECONDS

ELEMENT_FIELDS = ("http.host", "http.user_agent", "firewall.denied", "flow.interface")


class ExportContext(msgspec.Struct):
    """What options records of one exporter have said: names of applications, interfaces, sampling rates."""

    applications: dict[int, str] = msgspec.field(default_factory=dict)
    samplers: dict[int, int] = msgspec.field(default_factory=dict)
    rate: int = 1
    boot_ms: int = 0

    def learn(self, values: Mapping[Element, object]) -> str | None:
        """Take in one options record; return the sampling it states in words, if it does."""
        app, name = values.get(_APPLICATION), values.get(_APPLICATION_NAME)
        if app is not None and isinstance(name, bytes) and len(self.applications) < _ENTRIES:
            self.applications[number(app)] = printable(name)
        if _BOOT in values:
            self.boot_ms = number(values[_BOOT])
        rate = 0
        if _SAMPLING in values:
            rate = number(values[_SAMPLING])
        elif _SAMPLER_INTERVAL in values:
            rate = number(values[_SAMPLER_INTERVAL])
        elif _PACKET_INTERVAL in values:
            taken = max(1, number(values[_PACKET_INTERVAL]))
            rate = (taken + number(values.get(_PACKET_SPACE, 0))) // taken
        if not 0 < rate <= 1 << 24:
            return None
        if _SAMPLER in values and len(self.samplers) < _ENTRIES:
            self.samplers[number(values[_SAMPLER])] = rate
        else:
            self.rate = rate
        return f"1 in {rate}" if rate > 1 else None


def number(value: object) -> int:
    """Return a value as an unsigned number; octets of any length are big-endian."""
    if isinstance(value, int):
        return value
    return int.from_bytes(value, "big") if isinstance(value, bytes) else 0


def _address(values: Mapping[Element, object], four: int, six: int) -> str | None:
    value = values.get(four)
    if isinstance(value, int):
        return address_text(value.to_bytes(8, "big")[-4:])
    wide = values.get(six)
    if isinstance(wide, bytes) and len(wide) == 16 and any(wide):
        address = IPv6Address(wide)
        return str(address.ipv4_mapped or address)
    return None


def _mac(values: Mapping[Element, object], *elements: int) -> str | None:
    for element in elements:
        value = values.get(element)
        if isinstance(value, bytes) and (mac := mac_text(value)):
            return mac
    return None


def _first(values: Mapping[Element, object], *elements: Element) -> int:
    for element in elements:
        if element in values:
            return number(values[element])
    return 0


def _ntp(value: object) -> int:
    """Return dateTimeMicro- or Nanoseconds (RFC 7011 6.1.9: the NTP time format) as Unix nanoseconds."""
    raw = number(value)
    return ((raw >> 32) - _NTP_EPOCH) * NANOSECONDS + ((raw & 0xFFFFFFFF) * NANOSECONDS >> 32)


def _span(
    values: Mapping[Element, object], base: int, uptime: int | None, skew: int, context: ExportContext
) -> tuple[int, int]:
    """Return start and end of a flow, from whichever of the many ways its exporter tells them."""
    for start, end, unit in _TIMES:
        if start in values or end in values:
            first = _first(values, start, end) * unit + skew
            last = _first(values, end, start) * unit + skew
            return first, last
    for start, end in ((154, 155), (156, 157)):
        if start in values and end in values:
            return _ntp(values[start]) + skew, _ntp(values[end]) + skew
    if 158 in values:  # flowStart- and flowEndDeltaMicroseconds: before the export time
        return base - number(values[158]) * _US, base - _first(values, 159) * _US
    if _FIRST in values and uptime is not None:
        return (
            uptime_ns(base, uptime, number(values[_FIRST])),
            uptime_ns(base, uptime, _first(values, _LAST, _FIRST)),
        )
    boot = _first(values, _BOOT) or context.boot_ms
    if _FIRST in values and boot:  # IPFIX has no uptime in its header; an options record tells the boot
        return (
            (boot + number(values[_FIRST])) * _MS + skew,
            (boot + _first(values, _LAST, _FIRST)) * _MS + skew,
        )
    if 323 in values:
        moment = number(values[323]) * _MS + skew
        return moment, moment
    return base, base


def flow_of(
    values: Mapping[Element, object],
    base: int,
    uptime: int | None,
    skew: int,
    context: ExportContext,
) -> FlowRecord | None:
    """Return the flow record of one data record, or None where it tells no flow between addresses."""
    source, destination = _address(values, _SRC4, _SRC6), _address(values, _DST4, _DST6)
    if source is None and destination is None:
        return None
    event = number(values.get(_EVENT, 0))
    if event == _CREATED and _INITIATOR_OCTETS not in values:
        return None  # a firewall's word that a flow began; its counters come when it ends
    start, end = (min(max(moment, 0), _LATEST) for moment in _span(values, base, uptime, skew, context))
    protocol = min(_first(values, _PROTOCOL), 255)
    ports = (_first(values, _SRC_PORT) & 0xFFFF, _first(values, _DST_PORT) & 0xFFFF)
    if protocol in (1, 58):
        ports = (0, 0)
    record = FlowRecord(
        start_ns=start,
        end_ns=max(start, end),
        src_ip=source,
        dst_ip=destination,
        src_port=ports[0],
        dst_port=ports[1],
        protocol=protocol,
        packets=_first(values, _PACKETS, _TOTAL_PACKETS, _INITIATOR_PACKETS, _POST_PACKETS),
        octets=_first(values, _OCTETS, _TOTAL_OCTETS, _INITIATOR_OCTETS, _POST_OCTETS),
        src_mac=_mac(values, _SRC_MAC, _POST_SRC_MAC),
        dst_mac=_mac(values, _DST_MAC, _POST_DST_MAC),
        vlan=_first(values, _VLAN, _DOT1Q, _CUSTOMER_DOT1Q) & 0xFFF or None,
        tcp_flags=_first(values, _FLAGS) & 0xFF if protocol == 6 else 0,
        ttl=_first(values, _TTL, _MIN_TTL) & 0xFF,
        application=_application(values, context),
        end_reason=_END_REASONS.get(_first(values, _END_REASON), "end"),
    )
    _reverse(values, record)
    if event == _DENIED:
        record.packets = max(1, record.packets)
        record.initiator = True
    if not (_SAMPLER in values and number(values[_SAMPLER]) in context.samplers):
        record.rate = max(1, _first(values, _SAMPLING) or context.rate)
    else:
        record.rate = context.samplers[number(values[_SAMPLER])]
    return record


def _reverse(values: Mapping[Element, object], record: FlowRecord) -> None:
    """Add the other direction of a biflow, and who began it."""
    reverse_packets = (REVERSE, _PACKETS), (REVERSE, _TOTAL_PACKETS), _RESPONDER_PACKETS
    reverse_octets = (REVERSE, _OCTETS), (REVERSE, _TOTAL_OCTETS), _RESPONDER_OCTETS
    if any(element in values for element in (*reverse_packets, *reverse_octets)):
        record.reverse_octets = _first(values, *reverse_octets)
        packets = _first(values, *reverse_packets)
        told = any(element in values for element in reverse_packets)
        record.reverse_packets = packets if told else min(1, record.reverse_octets)
        if not record.packets and record.octets:
            record.packets = 1  # ASA tells octets only: at least one packet carried them
        record.reverse_flags = _first(values, (REVERSE, _FLAGS)) & 0xFF if record.protocol == 6 else 0
        # Elements of the initiator say who that is; reverse ones do only together with the biflow's
        # direction (RFC 5103 6.3): softflowd, for one, puts the lower address first.
        named = _INITIATOR_OCTETS in values or _INITIATOR_PACKETS in values
        record.initiator = _DIRECTIONS.get(number(values.get(_BIFLOW, 1 if named else 0)))
    elif _BIFLOW in values:
        record.initiator = _DIRECTIONS.get(number(values[_BIFLOW]))


def _application(values: Mapping[Element, object], context: ExportContext) -> str | None:
    name = values.get(_APPLICATION_NAME) or values.get((_PALO_ALTO, 56701))
    if isinstance(name, bytes):
        return application_name(printable(name))
    if _APPLICATION in values:
        known = context.applications.get(number(values[_APPLICATION]))
        return None if known is None else application_name(known)
    return None


def facts_of(
    values: Mapping[Element, object], record: FlowRecord, state: Callable[[str | None, str, str], None]
) -> None:
    """State what a record tells beside the flow: what a client asked for, what a firewall denied."""
    host, agent = values.get(_HTTP_HOST), values.get(_HTTP_AGENT)
    if isinstance(host, bytes) and host:
        state(record.src_ip, "http.host", printable(host))
    if isinstance(agent, bytes) and agent:
        state(record.src_ip, "http.user_agent", printable(agent))
    if _EVENT in values and number(values[_EVENT]) == _DENIED:
        state(record.src_ip, "firewall.denied", f"{record.protocol}/{record.dst_port}")
