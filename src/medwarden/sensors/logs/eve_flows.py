"""Suricata's flow and netflow events as columns of flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from medwarden.sensors.logs import eve_events as eve
from medwarden.sensors.logs.gathering import flow_table, ip_or_none, mac_or_none
from medwarden.sensors.logs.plain_lines import PlainLines
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
    """Flows on their way into the layout of a batch; both addresses of each are sound.

    ``counters`` are packets and octets of whole frames, to the server and to the client of each;
    ``starts`` and ``ends`` are nanoseconds; hop limits that are not told are left out.
    """

    client: Words
    server: Words
    protocols: Words
    client_port: Counts
    server_port: Counts
    counters: tuple[Counts, Counts, Counts, Counts]
    flags_out: Words
    flags_in: Words
    reasons: Words
    applications: Words
    vlans: pa.Array
    client_mac: pa.Array | None
    server_mac: pa.Array | None
    starts: Counts
    ends: Counts
    hops_out: Sequence[int] = ()
    hops_in: Sequence[int] = ()


def flows_of_lines(plain: PlainLines) -> Flows:
    """Return the flows of flow events that were read as columns."""
    moments = plain.whole("timestamp")
    starts = np.where(plain.present("flow", "start"), plain.whole("flow", "start"), moments)
    ends = np.where(plain.present("flow", "end"), plain.whole("flow", "end"), starts)
    ethers, vlans = plain.words("ether"), plain.words("vlan")
    linked = cast("list[eve.Ether | None]", ethers.values)
    tags = cast("list[list[int] | int | None]", vlans.values)
    to_server, to_client, octets_to_server, octets_to_client = (
        plain.whole("flow", name)
        for name in ("pkts_toserver", "pkts_toclient", "bytes_toserver", "bytes_toclient")
    )
    return Flows(
        client=plain.words("src_ip"),
        server=plain.words("dest_ip"),
        protocols=plain.words("proto"),
        client_port=plain.whole("src_port"),
        server_port=plain.whole("dest_port"),
        counters=(to_server, to_client, octets_to_server, octets_to_client),
        flags_out=plain.words("tcp", "tcp_flags_ts"),
        flags_in=plain.words("tcp", "tcp_flags_tc"),
        reasons=plain.words("flow", "reason"),
        applications=plain.words("app_proto"),
        vlans=pa.array([_vlan(tag) for tag in tags], pa.int32()).take(pa.array(vlans.places)),
        client_mac=ethers.reading([_mac(e.client() if e else None) for e in linked]) if any(linked) else None,
        server_mac=ethers.reading([_mac(e.server() if e else None) for e in linked]) if any(linked) else None,
        starts=starts,
        ends=np.maximum(starts, ends),
    )


def flows_of_events(
    events: Sequence[eve.FlowEvent] | Sequence[eve.NetflowEvent],
    counts: Sequence[eve.FlowCounts],
    tcp: Sequence[eve.TcpFlags | None],
    starts: Sequence[int],
    ends: Sequence[int],
    hops_out: Sequence[int] = (),
    hops_in: Sequence[int] = (),
) -> Flows:
    """Return the flows of events that were decoded one by one, each in its place."""
    begun = np.array(starts, np.int64)
    ethers = [e.ether for e in events]
    linked = any(ethers)
    return Flows(
        client=words_of([e.src_ip for e in events]),
        server=words_of([e.dest_ip for e in events]),
        protocols=words_of([e.proto for e in events]),
        client_port=np.array([e.src_port for e in events], np.int64),
        server_port=np.array([e.dest_port for e in events], np.int64),
        counters=(
            np.array([c.pkts_toserver for c in counts], np.int64),
            np.array([c.pkts_toclient for c in counts], np.int64),
            np.array([c.bytes_toserver for c in counts], np.int64),
            np.array([c.bytes_toclient for c in counts], np.int64),
        ),
        flags_out=words_of([t.tcp_flags_ts if t else "" for t in tcp]),
        flags_in=words_of([t.tcp_flags_tc if t else "" for t in tcp]),
        reasons=words_of([c.reason for c in counts]),
        applications=words_of([e.app_proto for e in events]),
        vlans=pa.array([_vlan(e.vlan) for e in events], pa.int32()),
        client_mac=_macs([e.client() if e else None for e in ethers]) if linked else None,
        server_mac=_macs([e.server() if e else None for e in ethers]) if linked else None,
        starts=begun,
        ends=np.maximum(begun, np.array(ends, np.int64)),
        hops_out=hops_out,
        hops_in=hops_in,
    )


def table_of(flows: Flows, first_id: int) -> pa.Table:
    """Return flows in the layout of a batch."""
    rows = len(flows.starts)
    client, names = flows.client, flows.protocols
    protocols = names.meaning([_PROTOCOLS.get((name or "").upper(), _UNKNOWN) for name in names.values])
    ported = np.isin(protocols, _PORTED)
    server_port = np.where(ported, flows.server_port, 0)
    packets_out, packets_in, frames_out, frames_in = flows.counters
    bytes_out, bytes_in = _less(frames_out, packets_out, _ETHERNET), _less(frames_in, packets_in, _ETHERNET)
    header = np.where(client.such(lambda ip: ":" in (ip_or_none(ip or "") or "")), 40, 20)
    for protocol, least in _SHORTEST.items():
        header[protocols == protocol] += least
    flags_out, flags_in = _flags(flows.flags_out), _flags(flows.flags_in)
    return flow_table(
        rows,
        {
            "flow_id": pa.array(np.arange(first_id, first_id + rows)),
            "start_ns": pa.array(flows.starts),
            "end_ns": pa.array(flows.ends),
            **({"client_mac": flows.client_mac} if flows.client_mac is not None else {}),
            **({"server_mac": flows.server_mac} if flows.server_mac is not None else {}),
            "client_ip": _addresses(client),
            "server_ip": _addresses(flows.server),
            "client_port": pa.array(np.where(ported, flows.client_port, 0), pa.int32()),
            "server_port": pa.array(server_port, pa.int32()),
            "ip_protocol": pa.array(protocols, pa.int16()),
            "vlan": flows.vlans,
            "packets_out": pa.array(packets_out),
            "packets_in": pa.array(packets_in),
            "bytes_out": pa.array(bytes_out),
            "bytes_in": pa.array(bytes_in),
            "payload_out": pa.array(_less(bytes_out, packets_out, header)),
            "payload_in": pa.array(_less(bytes_in, packets_in, header)),
            "tcp_flags_out": pa.array(flags_out, pa.int16()),
            "tcp_flags_in": pa.array(flags_in, pa.int16()),
            **({"ttl_out": flows.hops_out, "ttl_in": flows.hops_in} if flows.hops_out else {}),
            "end_reason": _ends(flags_out | flags_in, flows.reasons),
            "application": _applications(flows.applications, server_port),
        },
    )


def _less(octets: Counts, packets: Counts, each: int | Counts) -> Counts:
    """Return octets without so many of each packet; what headers cannot leave room for is nothing.

    Counters are foreign and may be anything: so many packets that their headers fill 64 bits leave nothing.
    """
    most = octets // each
    return np.where(packets > most, 0, octets - np.minimum(packets, most) * each)


def _macs(column: Sequence[str | None]) -> pa.Array:
    macs = words_of(column)
    return macs.reading([_mac(text) for text in macs.values])


def _mac(text: str | None) -> str | None:
    return mac_or_none(text) if text else None


def _addresses(column: Words) -> pa.Array:
    return column.reading([ip_or_none(text) if text else None for text in column.values])


def _flags(flags: Words) -> Counts:
    return flags.meaning([_flag(text or "") for text in flags.values])


def _flag(text: str) -> int:
    try:
        return int(text, 16) & 0x1FF if text else 0
    except ValueError:
        return 0


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
