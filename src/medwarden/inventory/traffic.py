"""Flow records summed up by who talked to whom over what, and what follows for each device.

The summing is done column-wise by Arrow, so its cost goes with distinct conversations, not flows.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from medwarden.inventory.addresses import ALWAYS, AddressKind
from medwarden.model.inventory_delta import ActivityIncrement, ConversationIncrement, ServiceIncrement

HOUR_NS = 3600 * 1_000_000_000

_TRANSPORTS = {
    -1: "eth",
    1: "icmp",
    2: "igmp",
    6: "tcp",
    17: "udp",
    47: "gre",
    50: "esp",
    58: "icmp",
    132: "sctp",
}
_SYN_ACK = 0x12
_KEYS = (
    "client_mac",
    "client_ip",
    "server_mac",
    "server_ip",
    "ip_protocol",
    "server_port",
    "vlan",
    "application",
    "hour",
)
_GROUPED = (
    "client_mac", "client_ip", "server_mac", "server_ip", "ip_protocol", "server_port", "vlan", "application",
    "hour", "start_ns_min", "end_ns_max", "ended_sum", "packets_out_sum", "packets_in_sum", "bytes_out_sum",
    "bytes_in_sum", "answered_any", "ttl_out_max", "ttl_in_max",
)  # fmt: skip
"""The sums in the order of the fields of :class:`FlowGroup`."""
_SUMS = ("packets_out", "packets_in", "bytes_out", "bytes_in", "payload_out", "payload_in", "ended")

MOST_CLIENTS = 1000
MOST_SERVICES = 256
MOST_STRANGERS = 256
"""Peers that are no device of ours, told apart per device, role and port in one round."""
MOST_UNANSWERED = 64
"""Ports of one peer that were tried in vain, told apart per device in one round (scans)."""


End = tuple[str | None, str | None, int]
Span = Callable[[str | None, str | None], tuple[int, int] | None]
"""MAC and IP address of one end of a flow, and the time."""


class FlowGroup(msgspec.Struct, frozen=True, gc=False):
    """Flows of one round between the same two endpoints over the same service in the same hour."""

    client_mac: str | None
    client_ip: str | None
    server_mac: str | None
    server_ip: str | None
    transport: str
    port: int
    vlan: int | None
    application: str | None
    hour: int
    first_seen: int
    last_seen: int
    flows: int
    packets_out: int
    packets_in: int
    bytes_out: int
    bytes_in: int
    answered: bool
    client_hops: int  # hop limit of the client's packets, 0: none seen
    server_hops: int


def group_flows(table: pa.Table) -> list[FlowGroup]:
    """Return the flows of ``table`` (FLOW_SCHEMA, ``application`` may be missing) summed up by conversation.

    A flow exported in pieces counts once, with its last piece.
    """
    if table.num_rows == 0:
        return []
    if "application" not in table.column_names:
        table = table.append_column("application", pa.nulls(table.num_rows, pa.string()))
    start = table["start_ns"]
    both_payloads = pc.and_(pc.greater(table["payload_out"], 0), pc.greater(table["payload_in"], 0))
    syn_ack = pc.equal(pc.bit_wise_and(table["tcp_flags_in"], _SYN_ACK), _SYN_ACK)
    columns = {
        name: table[name] for name in (*_KEYS[:-1], *_SUMS[:-1], "start_ns", "end_ns", "ttl_out", "ttl_in")
    }
    columns["hour"] = pc.multiply(pc.divide(start, HOUR_NS), HOUR_NS)
    columns["ended"] = pc.cast(pc.not_equal(table["end_reason"], "active"), pa.int64())
    columns["answered"] = pc.or_(both_payloads, syn_ack)
    grouped = (
        pa.table(columns)
        .group_by(list(_KEYS))
        .aggregate(
            [(name, "sum") for name in _SUMS]
            + [
                ("start_ns", "min"),
                ("end_ns", "max"),
                ("ttl_out", "max"),
                ("ttl_in", "max"),
                ("answered", "any"),
            ]
        )
    )
    summed = [grouped[name].to_pylist() for name in _GROUPED]
    return [
        FlowGroup(
            client_mac,
            client_ip,
            server_mac,
            server_ip,
            _TRANSPORTS.get(protocol, str(protocol)),
            port if protocol in (6, 17, 132) else 0,
            *rest,
        )
        for client_mac, client_ip, server_mac, server_ip, protocol, port, *rest in zip(*summed, strict=True)
    ]


def distinct_ends(table: pa.Table, side: str, span: Span) -> tuple[list[End], pa.Array]:
    """Return who is at one ``side`` of flows, and for each flow the place of its end in that list.

    ``span`` tells between which times whose a pair of addresses is does not change, nor outside of them. A
    pair comes once for the flows within, once for those outside, with the time of the first of them, and once
    for each flow where there is no span.
    """
    macs, mac_places = _coded(table[f"{side}_mac"])
    ips, ip_places = _coded(table[f"{side}_ip"])
    pairs = pa.array(mac_places * len(ips) + ip_places).dictionary_encode()
    places: npt.NDArray[np.int64] = pairs.indices.to_numpy().astype(np.int64)
    starts: npt.NDArray[np.int64] = table["start_ns"].to_numpy()
    addresses = [(macs[pair // len(ips)], ips[pair % len(ips)]) for pair in pairs.dictionary.to_pylist()]
    spans = [span(mac, ip) for mac, ip in addresses]
    bounds = np.array([found or ALWAYS for found in spans], np.int64).reshape(-1, 2)[places]
    within = (starts >= bounds[:, 0]) & (starts <= bounds[:, 1])
    rows, places = _first_of_each(places * 2 + within)
    ends = [(*addresses[place], int(starts[row])) for row, place in zip(*rows, strict=True)]
    changing = [end for end, place in enumerate(rows[1]) if spans[place] is None]
    for row in np.flatnonzero(np.isin(places, changing)).tolist():
        mac, ip, _ = ends[places[row]]
        places[row] = len(ends)
        ends.append((mac, ip, int(starts[row])))
    return ends, pa.array(places)


def _first_of_each(
    sorts: npt.NDArray[np.int64],
) -> tuple[tuple[list[int], list[int]], npt.NDArray[np.int64]]:
    """Return the first row of each sort with half its number, and for each row the place of its sort."""
    coded = pa.array(sorts).dictionary_encode()
    places: npt.NDArray[np.int64] = coded.indices.to_numpy().astype(np.int64)
    first = np.zeros(len(coded.dictionary), np.int64)
    first[places[::-1]] = np.arange(len(places))[::-1]
    return (first.tolist(), [sort // 2 for sort in coded.dictionary.to_pylist()]), places


def _coded(column: pa.ChunkedArray) -> tuple[list[str | None], npt.NDArray[np.int64]]:
    """Return the distinct texts of a column, and for each row the place of its own among them."""
    coded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return coded.dictionary.to_pylist(), coded.indices.to_numpy().astype(np.int64)


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """One end of a conversation as the resolver sees it: a device of ours, or an address that is none."""

    device: str | None
    ip: str | None
    kind: AddressKind


class _Sum(msgspec.Struct):
    """Running sums of one conversation, seen from one side."""

    application: str | None
    first_seen: int
    last_seen: int
    flows: int = 0
    packets: int = 0
    sent: int = 0
    received: int = 0
    answered: bool = False


_SCOPES = {
    AddressKind.MULTICAST: "multicast",
    AddressKind.BROADCAST: "broadcast",
    AddressKind.INTERNET: "internet",
}
_ConversationKey = tuple[str, str, str | None, str | None, str, str, int]


class Traffic:
    """Services, conversations and activity of one round; clients of services are kept over rounds."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str, int], set[str]] = {}
        self._clients_before: dict[tuple[str, str, int], int] = {}
        self._service_counts: dict[str, int] = {}
        self._services: dict[tuple[str, str, int], _Sum] = {}
        self._conversations: dict[_ConversationKey, _Sum] = {}
        self._strangers: dict[tuple[str, str, str, int], set[str | None]] = {}
        self._unanswered: dict[tuple[str, str | None], set[int]] = {}
        self._activity: dict[tuple[str, int], _Sum] = {}

    def restore_service(self, service: ServiceIncrement) -> None:
        """Take in a service as it was stored, with the number of clients counted before."""
        key = (service.device, service.transport, service.port)
        self._clients_before[key] = service.clients
        self._service_counts[service.device] = self._service_counts.get(service.device, 0) + 1

    def add(self, group: FlowGroup, client: Endpoint, server: Endpoint) -> None:
        """Book a group of flows for the devices at its ends."""
        if client.device is not None and group.packets_out:
            self._book(group, "client", client.device, server, group.bytes_out, group.bytes_in)
        if server.device is not None and (group.packets_in or client.device is not None):
            self._book(group, "server", server.device, client, group.bytes_in, group.bytes_out)
            if group.answered and group.port:
                self._serve(group, server.device, client)

    def _serve(self, group: FlowGroup, device: str, client: Endpoint) -> None:
        key = (device, group.transport, group.port)
        clients = self._clients.get(key)
        if clients is None:
            if key not in self._clients_before:
                if self._service_counts.get(device, 0) >= MOST_SERVICES:
                    return
                self._service_counts[device] = self._service_counts.get(device, 0) + 1
            clients = self._clients[key] = set()
        if len(clients) < MOST_CLIENTS:
            clients.add(client.device or client.ip or "")
        entry = self._services.get(key)
        if entry is None:
            entry = self._services[key] = _Sum(group.application, group.first_seen, group.last_seen)
        _fold(entry, group, group.bytes_in, group.bytes_out)

    def _book(
        self, group: FlowGroup, role: str, device: str, peer: Endpoint, sent: int, received: int
    ) -> None:
        self._book_hour(group, device, sent, received)
        if group.transport == "eth":
            return  # ARP and the like are no conversation that a policy could allow or forbid
        port, peer_ip = group.port, None if peer.device else peer.ip
        if not group.answered and port:
            ports = self._unanswered.setdefault((device, peer.device or peer.ip), set())
            if len(ports) >= MOST_UNANSWERED and port not in ports:
                port = 0
            else:
                ports.add(port)
        if peer_ip is not None:
            strangers = self._strangers.setdefault((device, role, group.transport, port), set())
            if len(strangers) >= MOST_STRANGERS and peer_ip not in strangers:
                peer_ip = None
            else:
                strangers.add(peer_ip)
        scope = _SCOPES.get(peer.kind, "internal") if peer.device is None else "internal"
        key = (device, role, peer.device, peer_ip, scope, group.transport, port)
        entry = self._conversations.get(key)
        if entry is None:
            entry = self._conversations[key] = _Sum(group.application, group.first_seen, group.last_seen)
        _fold(entry, group, sent, received)

    def _book_hour(self, group: FlowGroup, device: str, sent: int, received: int) -> None:
        hour = self._activity.get((device, group.hour))
        if hour is None:
            hour = self._activity[device, group.hour] = _Sum(None, group.first_seen, group.last_seen)
        _fold(hour, group, sent, received)

    def services(self) -> tuple[ServiceIncrement, ...]:
        """Return what services did in this round."""
        return tuple(
            ServiceIncrement(
                device=key[0],
                transport=key[1],
                port=key[2],
                application=entry.application,
                first_seen=entry.first_seen,
                last_seen=entry.last_seen,
                clients=max(len(self._clients[key]), self._clients_before.get(key, 0)),
                flows=entry.flows,
                bytes=entry.sent + entry.received,
            )
            for key, entry in sorted(self._services.items())
        )

    def conversations(self, name_of: Callable[[str], str | None]) -> tuple[ConversationIncrement, ...]:
        """Return the conversations of this round; ``name_of`` gives the name an address was resolved from."""
        return tuple(
            ConversationIncrement(
                device=device,
                role=role,
                peer_device=peer_device,
                peer_ip=peer_ip,
                peer_name=None if peer_ip is None else name_of(peer_ip),
                scope=scope,
                transport=transport,
                port=port,
                application=entry.application,
                first_seen=entry.first_seen,
                last_seen=entry.last_seen,
                flows=entry.flows,
                packets=entry.packets,
                bytes_sent=entry.sent,
                bytes_received=entry.received,
                established=entry.answered,
            )
            for (device, role, peer_device, peer_ip, scope, transport, port), entry in sorted(
                self._conversations.items(), key=lambda item: tuple(str(part) for part in item[0])
            )
        )

    def activity(self) -> tuple[ActivityIncrement, ...]:
        """Return what each device sent and received by the hour in this round."""
        return tuple(
            ActivityIncrement(device, hour, entry.flows, entry.packets, entry.sent, entry.received)
            for (device, hour), entry in sorted(self._activity.items())
        )

    def clear(self) -> None:
        """Begin a new round."""
        for sums in (self._services, self._conversations, self._strangers, self._unanswered, self._activity):
            sums.clear()

    def rename(self, gone: str, kept: str) -> None:
        """Move the clients of the services of ``gone`` to ``kept``."""
        for key in [key for key in self._clients if key[0] == gone]:
            self._clients.setdefault((kept, key[1], key[2]), set()).update(self._clients.pop(key))
        for key in [key for key in self._clients_before if key[0] == gone]:
            moved = (kept, key[1], key[2])
            before = self._clients_before.pop(key)
            self._clients_before[moved] = max(before, self._clients_before.get(moved, 0))
        self._service_counts[kept] = self._service_counts.get(kept, 0) + self._service_counts.pop(gone, 0)


def _fold(entry: _Sum, group: FlowGroup, sent: int, received: int) -> None:
    entry.application = entry.application or group.application
    entry.first_seen = min(entry.first_seen, group.first_seen)
    entry.last_seen = max(entry.last_seen, group.last_seen)
    entry.flows += group.flows
    entry.packets += group.packets_out + group.packets_in
    entry.sent += sent
    entry.received += received
    entry.answered |= group.answered
