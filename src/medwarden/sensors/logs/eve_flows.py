"""Suricata's flow and netflow events as columns of flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from medwarden.sensors.logs import eve_events as eve
from medwarden.sensors.logs.gathering import flow_table, ip_or_none, mac_or_none
from medwarden.sensors.logs.text_columns import Words, chosen, words_of

_PROTOCOLS = {"TCP": 6, "UDP": 17, "ICMP": 1, "IPV6-ICMP": 58, "SCTP": 132, "GRE": 47, "ESP": 50, "IGMP": 2}
_UNKNOWN = 255
_PORTED = (6, 17, 132)
_APPLICATIONS: Mapping[str, str | None] = {
    "failed": None, "unknown": None, "krb5": "kerberos", "ftp-data": "ftp", "http2": "http", "ike": "ipsec",
    "pgsql": "postgres", "bittorrent-dht": "bittorrent", "websocket": "http", "doh2": "http",
    "smb1": "smb", "smb2": "smb",
}  # fmt: skip
_ABOUT_NAMES = {5353: "mdns", 5355: "llmnr", 137: "nbns"}
_ETHERNET = 14
_SHORTEST = {6: 20, 17: 8}
_RST, _FIN = 4, 1
_REASONS = {"timeout": "idle"}

Counts = npt.NDArray[np.int64]


class Flows(NamedTuple):
    """Flows on their way into columns, each in its place; both addresses of each are sound.

    ``starts`` and ``ends`` are nanoseconds; hop limits that are not told are left out.
    """

    events: Sequence[eve.FlowEvent] | Sequence[eve.NetflowEvent]
    counts: Sequence[eve.FlowCounts]
    tcp: Sequence[eve.TcpFlags | None]
    starts: Sequence[int] | Counts
    ends: Sequence[int] | Counts
    hops_out: Sequence[int] = ()
    hops_in: Sequence[int] = ()


def flows_of(flows: Flows, first_id: int) -> pa.Table:
    """Return flows in the layout of a batch."""
    events, counts, tcp = flows.events, flows.counts, flows.tcp
    client, server = words_of([e.src_ip for e in events]), words_of([e.dest_ip for e in events])
    names = words_of([e.proto for e in events])
    protocols = names.meaning([_PROTOCOLS.get((name or "").upper(), _UNKNOWN) for name in names.values])
    ported = np.isin(protocols, _PORTED)
    server_port = np.where(ported, np.array([e.dest_port for e in events], np.int64), 0)
    packets_out, packets_in = _numbers([c.pkts_toserver for c in counts], [c.pkts_toclient for c in counts])
    frames_out, frames_in = _numbers([c.bytes_toserver for c in counts], [c.bytes_toclient for c in counts])
    bytes_out, bytes_in = _less(frames_out, packets_out, _ETHERNET), _less(frames_in, packets_in, _ETHERNET)
    header = np.where(client.such(lambda ip: ":" in (ip_or_none(ip or "") or "")), 40, 20)
    for protocol, least in _SHORTEST.items():
        header[protocols == protocol] += least
    flags_out = _flags([t.tcp_flags_ts if t else "" for t in tcp])
    flags_in = _flags([t.tcp_flags_tc if t else "" for t in tcp])
    ethers = [e.ether for e in events]
    linked = any(ethers)
    return flow_table(
        len(events),
        {
            "flow_id": pa.array(np.arange(first_id, first_id + len(events))),
            "start_ns": pa.array(flows.starts, pa.int64()),
            "end_ns": pa.array(flows.ends, pa.int64()),
            **({"client_mac": _macs([e.client() if e else None for e in ethers])} if linked else {}),
            **({"server_mac": _macs([e.server() if e else None for e in ethers])} if linked else {}),
            "client_ip": _addresses(client),
            "server_ip": _addresses(server),
            "client_port": pa.array(np.where(ported, [e.src_port for e in events], 0), pa.int32()),
            "server_port": pa.array(server_port, pa.int32()),
            "ip_protocol": pa.array(protocols, pa.int16()),
            "vlan": _vlans([e.vlan for e in events]),
            "packets_out": pa.array(packets_out),
            "packets_in": pa.array(packets_in),
            "bytes_out": pa.array(bytes_out),
            "bytes_in": pa.array(bytes_in),
            "payload_out": pa.array(_less(bytes_out, packets_out, header)),
            "payload_in": pa.array(_less(bytes_in, packets_in, header)),
            "tcp_flags_out": pa.array(flags_out, pa.int16()),
            "tcp_flags_in": pa.array(flags_in, pa.int16()),
            **({"ttl_out": flows.hops_out, "ttl_in": flows.hops_in} if flows.hops_out else {}),
            "end_reason": _ends(flags_out | flags_in, words_of([c.reason for c in counts])),
            "application": _applications(words_of([e.app_proto for e in events]), server_port),
        },
    )


def _numbers(out: Sequence[int], into: Sequence[int]) -> tuple[Counts, Counts]:
    return np.array(out, np.int64), np.array(into, np.int64)


def _less(octets: Counts, packets: Counts, each: int | Counts) -> Counts:
    """Return octets without so many of each packet; what headers cannot leave room for is nothing.

    Counters are foreign and may be anything: so many packets that their headers fill 64 bits leave nothing.
    """
    most = octets // each
    return np.where(packets > most, 0, octets - np.minimum(packets, most) * each)


def _macs(column: Sequence[str | None]) -> pa.Array:
    macs = words_of(column)
    return macs.reading([mac_or_none(text) if text else None for text in macs.values])


def _addresses(column: Words) -> pa.Array:
    return column.reading([ip_or_none(text) if text else None for text in column.values])


def _flags(column: Sequence[str]) -> Counts:
    flags = words_of(column)
    return flags.meaning([_flag(text or "") for text in flags.values])


def _flag(text: str) -> int:
    try:
        return int(text, 16) & 0x1FF if text else 0
    except ValueError:
        return 0


def _vlans(column: Sequence[list[int] | int | None]) -> pa.Array:
    if not any(column):
        return pa.array([None if value is None or value == [] else 0 for value in column], pa.int32())
    return pa.array([_vlan(value) for value in column], pa.int32())


def _vlan(value: list[int] | int | None) -> int | None:
    if isinstance(value, list):
        value = value[0] if value else None
    return value if value is not None and 0 <= value <= 4095 else None


def _ends(flags: Counts, reasons: Words) -> pa.Array:
    """Return how flows ended: by their flags, else by the reason that is given."""
    told = [*(_REASONS.get(reason or "", "end") for reason in reasons.values), "fin", "rst"]
    place = np.where(flags & _FIN, len(told) - 2, reasons.places)
    return chosen(told, np.where(flags & _RST, len(told) - 1, place))


def _applications(names: Words, ports: Counts) -> pa.Array:
    """Return what flows carry; only of those that ask for names the port says more."""
    telling = (0, *_ABOUT_NAMES)
    found = [application(name, port) for name in names.values for port in telling]
    place = np.zeros(len(ports), np.int64)
    for number, port in enumerate(telling):
        place[ports == port] = number
    return chosen(found, names.places * len(telling) + place)


def application(name: str | None, port: int) -> str | None:
    """Return our name for what Suricata recognised, or None."""
    if not name:
        return None
    if name == "dns":
        return _ABOUT_NAMES.get(port, "dns")
    return _APPLICATIONS.get(name, name)
