"""From what exporters say of one direction to two-way flows of clients and servers.

Flow exporters (NetFlow, IPFIX, sFlow) report each direction of a conversation by itself. Two records of
opposite direction that come within :data:`HOLD_NS` of each other are folded into one flow; one that stays
alone becomes a flow with nothing in the other direction. Who is the client is not told by most exporters:
it is taken, in this order, from a biflow's initiator (RFC 5103), from a lone SYN, from a well-known port on
one side only, from who spoke first, and from the lower port.

Counters estimated from samples are multiplied by the sampling rate (RFC 3954 section 8, RFC 7011 with
RFC 5477) and their rows are marked ``sampled``: they are estimates and say so.
"""

from __future__ import annotations

import msgspec

from medwarden.kernel.clock import NANOSECONDS
from medwarden.sensors.logs.records import FlowRow, Records, counter

HOLD_NS = 30 * NANOSECONDS
"""How long, by the exporter's clock, a record waits for its other direction."""
_MOST_HELD = 50_000
_MOST_TAKES = 10
_TCP, _UDP, _ICMP, _ICMP6, _SCTP = 6, 17, 1, 58, 132
_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10
_WELL_KNOWN = 1024
_EPHEMERAL = 32768
_SIDED = frozenset({_TCP, _UDP, _SCTP})

_APPLICATIONS = {
    **dict.fromkeys(("secure-http", "https", "ssl"), "tls"),
    **dict.fromkeys(("ms-rdp", "ms-wbt"), "rdp"),
    **dict.fromkeys(("ms-ds-smb", "ms-ds-smbv1", "ms-ds-smbv2", "ms-ds-smbv3", "ms-ds-smb-base"), "smb"),
    **dict.fromkeys(("snmpv1", "snmpv2", "snmpv3", "snmp-base"), "snmp"),
    **dict.fromkeys(("mssql-db", "sqlserver"), "tds"),
    **{
        f"{name}-base": name
        for name in ("bacnet", "dns", "kerberos", "modbus", "mqtt", "ntp", "quic", "rtsp")
    },
    **{f"{name}-base": name for name in ("sip", "ssh")},
    "google-quic": "quic",
    "hl7": "hl7v2",
    "netbios-ns": "nbns",
    "secure-ldap": "ldap",
    "web-browsing": "http",
}
"""What other engines call the protocols that dissectors here have names for."""
_NO_APPLICATION = frozenset(
    {
        "", "unknown", "unclassified", "incomplete", "insufficient-data", "not-applicable", "non-syn-tcp",
        "unknown-tcp", "unknown-udp", "unknown-p2p", "any", "unscanned", "unknown applications",
    }
)  # fmt: skip


def application_name(name: str) -> str | None:
    """Return the name of an application as the flow table has it; None where the source did not know."""
    folded = name.strip().lower()
    if folded in _NO_APPLICATION:
        return None
    return _APPLICATIONS.get(folded, folded)[:64]


class FlowRecord(msgspec.Struct, gc=False):
    """What an exporter said of one direction, or, with ``reverse_packets``, of both (a biflow).

    ``rate`` is how many packets one sampled packet stands for. ``initiator`` is True where the exporter
    says that the source opened the conversation, False where it says the destination did.
    """

    start_ns: int
    end_ns: int
    src_ip: str | None
    dst_ip: str | None
    src_port: int
    dst_port: int
    protocol: int
    packets: int
    octets: int
    src_mac: str | None = None
    dst_mac: str | None = None
    vlan: int | None = None
    tcp_flags: int = 0
    ttl: int = 0
    reverse_packets: int | None = None
    reverse_octets: int = 0
    reverse_flags: int = 0
    initiator: bool | None = None
    application: str | None = None
    end_reason: str = "end"
    rate: int = 1
    merged: bool = False
    takes: int = 0


_Key = tuple[str | None, str | None, int, int, int, int | None]


class FlowFolder:
    """Folds one exporter's records into flows; what it holds is bounded."""

    def __init__(self, gathered: Records) -> None:
        self._gathered = gathered
        self._held: dict[_Key, FlowRecord] = {}
        self._takes = 0
        self._clock = 0

    def add(self, record: FlowRecord) -> None:
        """Take in one record."""
        if record.rate > 1:
            for name in ("packets", "octets", "reverse_octets"):
                setattr(record, name, getattr(record, name) * record.rate)
            if record.reverse_packets is not None:
                record.reverse_packets *= record.rate
            record.end_reason = "sampled"
        record.start_ns = max(0, record.start_ns)
        record.end_ns = max(record.start_ns, record.end_ns)
        self._clock = max(self._clock, record.end_ns)
        if record.reverse_packets is not None:
            self._emit(record, None)
            return
        ports = (record.src_port, record.dst_port)
        back: _Key = (record.dst_ip, record.src_ip, ports[1], ports[0], record.protocol, record.vlan)
        other = self._held.pop(back, None)
        if other is not None:
            self._emit(other, record)
            return
        key: _Key = (record.src_ip, record.dst_ip, *ports, record.protocol, record.vlan)
        before = self._held.pop(key, None)
        if before is not None:
            self._emit(before, None)
        record.takes = self._takes
        self._held[key] = record
        if len(self._held) > _MOST_HELD:
            oldest = next(iter(self._held))
            self._emit(self._held.pop(oldest), None)

    def settle(self, *, final: bool = False) -> None:
        """Let go of records whose other direction will not come; with ``final`` of all."""
        self._takes += 1
        oldest = self._clock - HOLD_NS
        due = [
            key
            for key, record in self._held.items()
            if final or record.end_ns < oldest or self._takes - record.takes > _MOST_TAKES
        ]
        for key in due:
            self._emit(self._held.pop(key), None)

    def _emit(self, one: FlowRecord, other: FlowRecord | None) -> None:
        forward = one if _is_client(one, other) else other
        self._gathered.flow(_row(one, other, forward))


def _is_client(one: FlowRecord, other: FlowRecord | None) -> bool:
    """Tell whether the source of ``one`` is the client."""
    if one.initiator is not None:
        return one.initiator
    if other is not None and other.initiator is not None:
        return not other.initiator
    if one.protocol == _TCP:
        opening = one.tcp_flags & (_SYN | _ACK)
        if opening == _SYN:
            return True
        if other is not None and other.tcp_flags & (_SYN | _ACK) == _SYN:
            return False
    if one.protocol not in _SIDED:
        return other is None or one.start_ns <= other.start_ns
    return _by_port(one, other)


def _by_port(one: FlowRecord, other: FlowRecord | None) -> bool:
    low_source, low_destination = one.src_port < _WELL_KNOWN, one.dst_port < _WELL_KNOWN
    if low_source != low_destination:
        return low_destination
    if other is not None and one.start_ns != other.start_ns:
        return one.start_ns < other.start_ns
    if (one.src_port >= _EPHEMERAL) != (one.dst_port >= _EPHEMERAL):
        return one.src_port >= _EPHEMERAL
    return one.src_port >= one.dst_port


def _row(one: FlowRecord, other: FlowRecord | None, forward: FlowRecord | None) -> FlowRow:
    """Return the flow of one record and perhaps its other direction; ``forward`` is the client's, if any."""
    backward = other if forward is one else one
    named = forward or backward
    assert named is not None
    if forward is not None:
        client = (forward.src_ip, forward.src_port, forward.src_mac)
        server = (forward.dst_ip, forward.dst_port, forward.dst_mac)
    else:
        assert backward is not None
        client = (backward.dst_ip, backward.dst_port, backward.dst_mac)
        server = (backward.src_ip, backward.src_port, backward.src_mac)
    if forward is not None and backward is not None:
        client = (client[0], client[1], client[2] or backward.dst_mac)
        server = (server[0], server[1], server[2] or backward.src_mac)
    out_packets, out_octets, out_flags, out_ttl = _counted(forward)
    in_packets, in_octets, in_flags, in_ttl = _counted(backward)
    if one.reverse_packets is not None:  # a biflow: both directions in one record
        reverse = (counter(one.reverse_packets), counter(one.reverse_octets), one.reverse_flags & 0xFF, 0)
        if forward is one:
            in_packets, in_octets, in_flags, in_ttl = reverse
        else:
            out_packets, out_octets, out_flags, out_ttl = reverse
    six = ":" in (client[0] or server[0] or "")
    present = [record for record in (one, other) if record is not None]
    return FlowRow(
        start_ns=min(record.start_ns for record in present),
        end_ns=max(record.end_ns for record in present),
        client_ip=client[0],
        server_ip=server[0],
        client_port=client[1],
        server_port=server[1],
        ip_protocol=one.protocol,
        client_mac=client[2],
        server_mac=server[2],
        vlan=one.vlan,
        packets_out=out_packets,
        packets_in=in_packets,
        bytes_out=out_octets,
        bytes_in=in_octets,
        payload_out=payload_octets(one.protocol, out_packets, out_octets, six=six),
        payload_in=payload_octets(one.protocol, in_packets, in_octets, six=six),
        tcp_flags_out=out_flags,
        tcp_flags_in=in_flags,
        ttl_out=out_ttl,
        ttl_in=in_ttl,
        end_reason=_end_reason(present),
        application=next((record.application for record in present if record.application), None),
    )


def _counted(record: FlowRecord | None) -> tuple[int, int, int, int]:
    if record is None:
        return 0, 0, 0, 0
    return counter(record.packets), counter(record.octets), record.tcp_flags & 0xFF, record.ttl & 0xFF


def _end_reason(records: list[FlowRecord]) -> str:
    reasons = {record.end_reason for record in records}
    if "sampled" in reasons:
        return "sampled"
    if "active" in reasons:
        return "active"
    flags = 0
    for record in records:
        flags |= record.tcp_flags | record.reverse_flags
    if records[0].protocol == _TCP and flags & _RST:
        return "rst"
    if records[0].protocol == _TCP and flags & _FIN:
        return "fin"
    return next(iter(sorted(reasons)))


def payload_octets(protocol: int, packets: int, octets: int, *, six: bool) -> int:
    """Return the transport payload that IP lengths leave room for.

    Exact for UDP without IP options. For TCP the header is taken as 32 octets (RFC 9293 with time stamps,
    RFC 7323), so that a handshake with options does not look like data: the figure is a lower bound.
    """
    header = {_TCP: 32, _UDP: 8, _ICMP: 8, _ICMP6: 8, _SCTP: 12}.get(protocol, 0) + (40 if six else 20)
    if protocol == _TCP:
        # SYN and SYN-ACK carry up to 40 octets of options; a flow of a few packets has them in it.
        return max(0, octets - packets * header - 16)
    return max(0, octets - packets * header)
