"""Services, conversations and activity from flows."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from medwarden.inventory.addresses import ALWAYS, AddressKind
from medwarden.inventory.traffic import (
    HOUR_NS,
    MOST_UNANSWERED,
    Endpoint,
    FlowGroup,
    Traffic,
    distinct_ends,
    group_flows,
)

Flows = Callable[..., pa.Table]

A = Endpoint("d-a", "10.0.0.1", AddressKind.INTERNAL)
B = Endpoint("d-b", "10.0.0.2", AddressKind.INTERNAL)
NET = Endpoint(None, "8.8.8.8", AddressKind.INTERNET)
ALL = Endpoint(None, "224.0.0.251", AddressKind.MULTICAST)
SILENT = {"packets_in": 0, "bytes_in": 0, "payload_in": 0, "tcp_flags_in": 0}


def _booked(table: pa.Table, client: Endpoint, server: Endpoint) -> Traffic:
    traffic = Traffic()
    for group in group_flows(table):
        traffic.add(group, client, server)
    return traffic


def test_flows_add_up(flows: Flows) -> None:
    (group,) = group_flows(flows({"flow_id": 1}, {"flow_id": 2, "bytes_out": 700}))
    assert (group.flows, group.bytes_out, group.bytes_in, group.answered, group.transport) == (
        2,
        1200,
        1800,
        True,
        "tcp",
    )


def test_pieces_of_one_flow_count_once(flows: Flows) -> None:
    (group,) = group_flows(flows({"end_reason": "active"}, {"end_reason": "active"}, {"end_reason": "fin"}))
    assert (group.flows, group.packets_out) == (1, 15)


def test_no_flows_no_groups(flows: Flows) -> None:
    assert group_flows(flows()) == []


def test_applications_are_taken_over(flows: Flows) -> None:
    table = flows({}).append_column("application", pa.array(["dicom"]))
    assert [group.application for group in group_flows(table)] == ["dicom"]


def test_both_sides_see_a_conversation(flows: Flows) -> None:
    traffic = _booked(flows({}), A, B)
    client, server = traffic.conversations(lambda _: None)
    assert (client.device, client.role, client.peer_device, client.bytes_sent) == (
        "d-a",
        "client",
        "d-b",
        500,
    )
    assert (server.device, server.role, server.peer_device, server.bytes_sent) == (
        "d-b",
        "server",
        "d-a",
        900,
    )
    assert client.established
    (service,) = traffic.services()
    assert (service.device, service.transport, service.port, service.clients) == ("d-b", "tcp", 80, 1)


def test_an_unanswered_port_is_no_service(flows: Flows) -> None:
    traffic = _booked(flows(SILENT), A, B)
    assert traffic.services() == ()
    assert not traffic.conversations(lambda _: None)[0].established


def test_a_refused_connection_is_no_service(flows: Flows) -> None:
    traffic = _booked(flows({"payload_in": 0, "payload_out": 0, "tcp_flags_in": 0x14}), A, B)
    assert traffic.services() == ()


def test_udp_needs_an_answer(flows: Flows) -> None:
    assert _booked(flows({"ip_protocol": 17, "server_port": 53, "tcp_flags_in": 0}), A, B).services()
    assert not _booked(flows({"ip_protocol": 17, "server_port": 53, **SILENT}), A, B).services()


def test_scopes(flows: Flows) -> None:
    (talk,) = _booked(flows({}), A, NET).conversations({"8.8.8.8": "dns.google"}.get)
    assert (talk.scope, talk.peer_ip, talk.peer_name) == ("internet", "8.8.8.8", "dns.google")
    (talk,) = _booked(flows(SILENT), A, ALL).conversations(lambda _: None)
    assert talk.scope == "multicast"


def test_frames_without_ip_are_activity_only(flows: Flows) -> None:
    traffic = _booked(flows({"ip_protocol": -1, "server_port": 0}), A, B)
    assert traffic.conversations(lambda _: None) == ()
    assert {a.device for a in traffic.activity()} == {"d-a", "d-b"}


def test_activity_is_by_the_hour(flows: Flows) -> None:
    traffic = _booked(
        flows({"start_ns": 0, "end_ns": 1}, {"start_ns": HOUR_NS + 5, "end_ns": HOUR_NS + 6}), A, NET
    )
    assert [(a.hour, a.bytes_sent) for a in traffic.activity()] == [(0, 500), (HOUR_NS, 500)]


def test_scans_are_folded(flows: Flows) -> None:
    table = flows(*({"flow_id": i, "server_port": i, **SILENT} for i in range(1, 1000)))
    traffic = _booked(table, A, B)
    client = [c for c in traffic.conversations(lambda _: None) if c.device == "d-a"]
    assert len(client) == MOST_UNANSWERED + 1
    assert sum(c.packets for c in client) == 999 * 5


def test_clients_are_counted_over_rounds(flows: Flows) -> None:
    traffic = Traffic()
    for client in (A, NET):
        traffic.clear()
        for group in group_flows(flows({})):
            traffic.add(group, client, B)
    assert traffic.services()[0].clients == 2


def test_groups_are_plain_facts(flows: Flows) -> None:
    assert isinstance(group_flows(flows({}))[0], FlowGroup)


def test_an_end_comes_once_unless_the_time_makes_a_difference() -> None:
    ips = ["10.0.0.1", "10.0.0.2", "10.0.0.1", None, "10.0.0.2", "10.0.0.1"]
    macs = ["m", None, "m", None, None, None]
    table = pa.table(
        {
            "client_mac": pa.array(macs, pa.string()),
            "client_ip": pa.array(ips, pa.string()),
            "start_ns": pa.array(range(6), pa.int64()),
        }
    )
    ends, places = distinct_ends(table, "client", lambda _mac, ip: None if ip == "10.0.0.2" else ALWAYS)
    told = [ends[place] for place in places.to_pylist()]
    assert [end[:2] for end in told] == list(zip(macs, ips, strict=True))
    assert [end[2] for end in told] == [0, 1, 0, 3, 4, 5]
    empty, none = distinct_ends(table.slice(0, 0), "client", lambda _mac, _ip: ALWAYS)
    assert (empty, none.to_pylist()) == ([], [])


def test_an_end_comes_once_for_the_time_in_which_its_holder_is_one_and_once_for_all_other_times() -> None:
    starts = [1, 5, 2, 9, 6, 3]
    table = pa.table(
        {
            "server_mac": pa.array([None] * 6, pa.string()),
            "server_ip": pa.array(["10.0.0.1"] * 5 + ["10.0.0.9"], pa.string()),
            "start_ns": pa.array(starts, pa.int64()),
        }
    )
    ends, places = distinct_ends(table, "server", lambda _mac, ip: (2, 5) if ip == "10.0.0.1" else ALWAYS)
    assert ends == [(None, "10.0.0.1", 1), (None, "10.0.0.1", 5), (None, "10.0.0.9", 3)]
    assert places.to_pylist() == [0, 1, 1, 0, 0, 2]
