"""When flows begin and end, which way they point, and what is counted to them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.flowcore.packets import (
    ACK,
    CLIENT,
    CLIENT_MAC,
    FIN,
    LINUX_SYN,
    RST,
    SECOND,
    SERVER,
    SERVER_MAC,
    START,
    SYN,
    ethernet,
    ipv4,
    tcp,
    tcp_frame,
    udp,
    udp_frame,
)

from medwarden.flowcore import FlowCore, FlowCoreConfig
from medwarden.kernel.errors import ConfigurationError, InternalError
from medwarden.model.tables import FLOW_SCHEMA

Row = dict[str, object]


def rows(core: FlowCore, final: bool = False) -> list[Row]:
    batch = core.take_flows(final=final)
    batch.validate(full=True)
    assert batch.schema == FLOW_SCHEMA
    found: list[Row] = batch.to_pylist()
    return found


def feed(core: FlowCore, *frames: bytes, at: float = 0.0, step: float = 0.0) -> None:
    for number, frame in enumerate(frames):
        core.packet(START + int((at + number * step) * SECOND), 1, frame)


def handshake(seq: int = 100, server_seq: int = 900) -> list[bytes]:
    return [
        tcp_frame(seq=seq, flags=SYN, options=LINUX_SYN),
        tcp_frame(back=True, seq=server_seq, ack=seq + 1, flags=SYN | ACK, ttl=128),
        tcp_frame(seq=seq + 1, ack=server_seq + 1),
    ]


def test_one_connection_with_all_its_columns() -> None:
    core = FlowCore()
    feed(core, *handshake(), at=0, step=0.001)
    feed(core, tcp_frame(b"GET", seq=101, ack=901, flags=ACK | 8), at=1)
    feed(core, tcp_frame(b"answer", back=True, seq=901, ack=104), at=2)
    feed(core, tcp_frame(seq=104, ack=907, flags=FIN | ACK), at=3)
    feed(core, tcp_frame(back=True, seq=907, ack=105, flags=FIN | ACK), at=4)
    (row,) = rows(core, final=True)
    assert row == {
        "flow_id": 0,
        "start_ns": START,
        "end_ns": START + 4 * SECOND,
        "client_mac": CLIENT_MAC,
        "server_mac": SERVER_MAC,
        "client_ip": CLIENT,
        "server_ip": SERVER,
        "client_port": 40_000,
        "server_port": 80,
        "ip_protocol": 6,
        "vlan": None,
        "tunnel": None,
        "packets_out": 4,
        "packets_in": 3,
        "bytes_out": 40 * 4 + 20 + 3,
        "bytes_in": 40 * 3 + 6,
        "payload_out": 3,
        "payload_in": 6,
        "tcp_flags_out": SYN | ACK | 8 | FIN,
        "tcp_flags_in": SYN | ACK | FIN,
        "ttl_out": 64,
        "ttl_in": 128,
        "syn_out": "64:64240:1460:M,S,T,N,W7",
        "syn_in": "128:64240:0:",
        "end_reason": "fin",
    }


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (b"", "64:64240:0:"),
        (b"\x02\x04\x05\xb4\x01\x03\x03\x08\x01\x01\x04\x02", "64:64240:1460:M,N,W8,N,N,S"),
        (b"\x01" * 40, "64:64240:0:" + ",".join("N" * 28) + "+"),
        (b"\x00\x01\x01\x01", "64:64240:0:E"),
        (b"\x22\x04\x01\x02", "64:64240:0:34"),
        (b"\x02\x00\x01\x01", "64:64240:0:"),
        (b"\x01\x01\x01\x02", "64:64240:0:N,N,N"),
        (b"\x02\x28\x01\x01", "64:64240:0:"),
    ],
)
def test_the_layout_of_a_syn(options: bytes, text: str) -> None:
    core = FlowCore()
    feed(core, tcp_frame(flags=SYN, options=options))
    assert rows(core, final=True)[0]["syn_out"] == text


CONFIGURED = FlowCoreConfig(stream_ports={11_112: 1000}, datagram_ports=frozenset({3702}))


@pytest.mark.parametrize(
    ("frame", "client_port"),
    [
        (tcp_frame(src=80, dst=40_000, flags=SYN), 80),
        (tcp_frame(src=80, dst=40_000, flags=SYN | ACK), 40_000),
        (tcp_frame(src=40_000, dst=80, flags=ACK), 40_000),
        (tcp_frame(src=80, dst=40_000, flags=ACK), 40_000),
        (tcp_frame(src=11_112, dst=40_000, flags=ACK), 40_000),
        (tcp_frame(src=50_000, dst=40_000, flags=ACK), 50_000),
        (tcp_frame(src=80, dst=443, flags=ACK), 80),
        (udp_frame(src=53, dst=40_000), 40_000),
        (udp_frame(src=3702, dst=40_000), 40_000),
        (udp_frame(src=123, dst=123), 123),
        (udp_frame(src=67, dst=68), 68),
        (udp_frame(src=68, dst=67), 68),
    ],
)
def test_who_is_the_client(frame: bytes, client_port: int) -> None:
    core = FlowCore(CONFIGURED)
    feed(core, frame)
    assert rows(core, final=True)[0]["client_port"] == client_port


def test_hosts_without_an_address_are_flows_of_their_own() -> None:
    core = FlowCore()
    for number in range(3):
        discover = ipv4(udp(b"discover", 68, 67), 17, "0.0.0.0", "255.255.255.255")
        feed(core, ethernet(discover, src=f"02:00:00:00:00:{number:02x}", dst="ff:ff:ff:ff:ff:ff"))
    found = rows(core, final=True)
    assert [row["client_ip"] for row in found] == ["0.0.0.0"] * 3
    assert len({row["client_mac"] for row in found}) == 3


def test_silence_ends_a_datagram_flow_before_a_connection() -> None:
    core = FlowCore()
    feed(core, udp_frame(), tcp_frame())
    feed(core, udp_frame(src=1, dst=2), at=121)
    assert [(r["ip_protocol"], r["end_reason"]) for r in rows(core)] == [(17, "idle")]
    feed(core, udp_frame(src=1, dst=2), at=602)
    assert {r["ip_protocol"] for r in rows(core)} == {6, 17}
    assert core.flows_active == 1


def test_a_flow_that_was_silent_for_too_long_begins_anew_under_another_id() -> None:
    core = FlowCore()
    feed(core, udp_frame(), udp_frame(), at=0, step=119)
    feed(core, udp_frame(), at=119 + 121)
    found = rows(core, final=True)
    assert [(r["flow_id"], r["packets_out"], r["end_reason"]) for r in found] == [
        (0, 2, "idle"),
        (1, 1, "end"),
    ]


def test_a_long_flow_is_reported_in_pieces_that_add_up() -> None:
    core = FlowCore()
    for second in range(0, 2000, 50):
        feed(core, udp_frame(b"12"), udp_frame(b"345", back=True), at=second)
    pieces = rows(core, final=True)
    assert [p["end_reason"] for p in pieces] == ["active", "active", "end"]
    assert {p["flow_id"] for p in pieces} == {0}
    assert sum(int(str(p["packets_out"])) for p in pieces) == 40
    assert sum(int(str(p["payload_in"])) for p in pieces) == 120
    starts = [int(str(p["start_ns"])) for p in pieces]
    assert starts == sorted(set(starts))


def test_reset_and_a_new_connection_on_the_same_ports() -> None:
    core = FlowCore()
    feed(core, *handshake(seq=1), tcp_frame(back=True, seq=901, flags=RST), at=0)
    feed(core, *handshake(seq=5_000_000), at=0.5)
    found = rows(core, final=True)
    assert [(r["flow_id"], r["end_reason"]) for r in found] == [(0, "rst"), (1, "end")]


def test_a_syn_sent_again_is_the_same_connection_another_one_is_not() -> None:
    core = FlowCore()
    feed(core, tcp_frame(seq=7, flags=SYN), tcp_frame(seq=7, flags=SYN), step=1)
    assert core.flows_active == core.flows_created == 1
    feed(core, tcp_frame(seq=8_000, flags=SYN), at=3)
    assert core.flows_created == 2
    assert [r["end_reason"] for r in rows(core)] == ["end"]


def test_an_answer_seen_before_its_syn_is_the_same_connection() -> None:
    core = FlowCore()
    syn, answer, last = handshake()
    feed(core, answer, syn, last)
    (row,) = rows(core, final=True)
    assert (row["client_ip"], row["syn_out"], row["packets_in"]) == (CLIENT, "64:64240:1460:M,S,T,N,W7", 1)


def test_a_closed_connection_lingers_for_its_last_acknowledgements() -> None:
    core = FlowCore()
    feed(core, *handshake())
    feed(core, tcp_frame(seq=101, flags=FIN | ACK), tcp_frame(back=True, seq=901, flags=FIN | ACK), at=1)
    feed(core, tcp_frame(seq=102, ack=902), at=1.2)
    feed(core, udp_frame(), at=3)
    assert rows(core) == []
    feed(core, udp_frame(), at=9)
    (row,) = rows(core)
    assert (row["end_reason"], row["packets_out"]) == ("fin", 4)


def test_a_half_closed_connection_goes_on() -> None:
    core = FlowCore()
    feed(core, *handshake(), tcp_frame(seq=101, flags=FIN | ACK))
    feed(core, tcp_frame(b"late", back=True, seq=901), at=60)
    (row,) = rows(core, final=True)
    assert (row["end_reason"], row["payload_in"]) == ("end", 4)


def test_the_flow_silent_longest_makes_room_and_a_closed_one_before_it() -> None:
    core = FlowCore(FlowCoreConfig(max_flows=3))
    feed(core, udp_frame(src=50_001), udp_frame(src=50_002), udp_frame(src=50_003), step=10)
    feed(core, udp_frame(src=50_001), at=30)
    feed(core, udp_frame(src=50_004), at=40)
    assert [(r["client_port"], r["end_reason"]) for r in rows(core)] == [(50_002, "evicted")]
    feed(core, tcp_frame(src=50_005), tcp_frame(src=50_005, flags=RST), at=50)
    assert [(r["client_port"], r["end_reason"]) for r in rows(core)] == [(50_003, "evicted")]
    feed(core, udp_frame(src=50_006), at=51)
    assert [(r["client_port"], r["end_reason"]) for r in rows(core)] == [(50_005, "rst")]
    assert (core.flows_active, core.flows_evicted) == (3, 3)


def test_late_packets_do_not_turn_the_clock_back() -> None:
    core = FlowCore()
    feed(core, udp_frame(src=50_001), at=100)
    feed(core, udp_frame(src=50_002), at=40)
    feed(core, udp_frame(src=50_001), at=99)
    (first, second) = sorted(rows(core, final=True), key=lambda r: str(r["flow_id"]))
    assert (first["start_ns"], first["end_ns"]) == (START + 99 * SECOND, START + 100 * SECOND)
    assert second["start_ns"] == second["end_ns"] == START + 40 * SECOND
    assert (core.first_ns, core.last_ns) == (START + 40 * SECOND, START + 100 * SECOND)


def test_two_clocks_far_apart_end_flows_once_not_with_every_packet() -> None:
    core = FlowCore()
    for number in range(3000):
        feed(core, udp_frame(src=50_000 + number % 2), at=(number % 2) * 7200 + number * 0.001)
    assert [r["packets_out"] for r in rows(core)] == [1]  # the step to the later clock looks like silence
    assert core.flows_created == 3


def test_a_clock_set_back_for_good_goes_on_and_expiry_with_it() -> None:
    core = FlowCore()
    feed(core, udp_frame(src=50_001), at=1_000_000)
    for number in range(2000):
        feed(core, udp_frame(src=50_002), at=number * 0.01)
    assert {r["client_port"] for r in rows(core)} == {50_001, 50_002}
    feed(core, udp_frame(src=50_003), at=20 + 121)
    assert [(r["client_port"], r["end_reason"]) for r in rows(core)] == [(50_002, "idle")]


def test_one_absurd_time_does_not_stop_the_clock() -> None:
    core = FlowCore()
    feed(core, udp_frame(src=50_001), at=0)
    core.packet(2**63 - 1, 1, udp_frame(src=50_009))
    for number in range(2000):
        feed(core, udp_frame(src=50_002), at=1 + number * 0.01)
    core.take_flows()
    feed(core, udp_frame(src=50_003), at=500)
    assert "idle" in {r["end_reason"] for r in rows(core)}


def test_time_can_pass_without_packets() -> None:
    core = FlowCore()
    core.advance(START)
    feed(core, udp_frame())
    core.advance(START + 119 * SECOND)
    assert rows(core) == []
    core.advance(START + 122 * SECOND)
    assert [r["end_reason"] for r in rows(core)] == ["idle"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 7),  # client
            st.booleans(),
            st.sampled_from([ACK, SYN, SYN | ACK, FIN | ACK, RST, None]),
            st.integers(-200, 700),  # seconds since the packet before
            st.integers(0, 30),
        ),
        max_size=120,
    ),
    st.integers(1, 9),
)
def test_whatever_comes_every_packet_is_in_exactly_one_flow(
    steps: list[tuple[int, bool, int | None, int, int]], max_flows: int
) -> None:
    core = FlowCore(FlowCoreConfig(max_flows=max_flows))
    clock = 10_000_000
    found: list[Row] = []
    for client, back, flags, gap, size in steps:
        clock = max(0, clock + gap)
        frame = (
            udp_frame(bytes(size), back=back, src=50_000 + client)
            if flags is None
            else tcp_frame(bytes(size), back=back, src=50_000 + client, flags=flags, seq=client)
        )
        core.packet(clock * SECOND, 1, frame)
        assert core.flows_active <= max_flows
        if size == 7:
            found += rows(core)
    found += rows(core, final=True)
    assert core.flows_active == 0
    counted = sum(int(str(r["packets_out"])) + int(str(r["packets_in"])) for r in found)
    payload = sum(int(str(r["payload_out"])) + int(str(r["payload_in"])) for r in found)
    assert counted == core.parsed == len(steps)
    assert payload == sum(step[4] for step in steps)
    whole = [r["flow_id"] for r in found if r["end_reason"] != "active"]
    assert len(set(whole)) == len(whole) == core.flows_created
    for row in found:
        assert int(str(row["start_ns"])) <= int(str(row["end_ns"]))


def test_more_flows_than_the_table_first_had_room_for() -> None:
    core = FlowCore()
    for number in range(30_000):
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        core.packet(START, 1, ethernet(ipv4(udp(b"x"), 17, address)))
    for number in range(30_000):
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        core.packet(START, 1, ethernet(ipv4(udp(b"x", 53, 40_000), 17, SERVER, address)))
    assert core.flows_active == 30_000
    found = rows(core, final=True)
    assert {(r["packets_out"], r["packets_in"]) for r in found} == {(1, 1)}
    assert len({r["client_ip"] for r in found}) == 30_000


def test_a_syn_flood_is_bounded() -> None:
    core = FlowCore(FlowCoreConfig(max_flows=1000))
    for number in range(20_000):
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        core.packet(START + number, 1, ethernet(ipv4(tcp(flags=SYN, seq=number), 6, address)))
        if number % 5000 == 0:
            core.take_flows()
    assert (core.flows_active, core.flows_evicted) == (1000, 19_000)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_flows": 0},
        {"idle_timeout_s": -1},
        {"payload_packets": 70_000},
        {"stream_ports": {70_000: 1}},
        {"stream_starts": ((b"", 1),)},
        {"stream_starts": ((bytes(33), 1),)},
        {"datagram_ports": frozenset({-1})},
        {"handoff_bytes": 0},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        FlowCoreConfig(**wrong)  # type: ignore[arg-type]


def test_a_packet_larger_than_any_is_refused() -> None:
    with pytest.raises(Exception, match="more than any packet"):
        FlowCore().packet(START, 1, bytes(262_145))


def test_an_impossible_offset_is_a_defect_of_the_caller() -> None:
    from medwarden.flowcore import CaptureReader

    with pytest.raises(InternalError):
        CaptureReader(FlowCore(), "x").feed(b"abc", 4)
