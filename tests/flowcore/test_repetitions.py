"""What is handed off no more: flows passed over, datagrams and streams that only repeat others."""

from __future__ import annotations

import pytest
from tests.flowcore.packets import tcp_frame, udp_frame

from medwarden.flowcore import FlowCore, FlowCoreConfig
from medwarden.kernel.errors import ConfigurationError

SECOND = 10**9


def core(**wanted: object) -> FlowCore:
    return FlowCore(FlowCoreConfig(**wanted))  # type: ignore[arg-type]


def said(taking: FlowCore) -> list[bytes]:
    return [segment.payload for segment in taking.take_segments()]


def test_flow_passed_over_is_handed_off_no_more_nor_what_waits_of_it() -> None:
    taking = core(stream_ports={80: 1000})
    for at in range(4):
        taking.packet(at, 1, tcp_frame(b"abcd", seq=4 * at))
    waiting = taking.segments()
    first = next(waiting)
    taking.pass_over(first.flow_id)
    assert list(waiting) == []
    assert taking.segments_passed_over == 3
    taking.packet(9, 1, tcp_frame(b"efgh", seq=16))
    assert said(taking) == []
    assert taking.take_flows(final=True).column("payload_out").to_pylist() == [20]


def test_passing_over_a_flow_frees_what_it_holds_and_leaves_others_alone() -> None:
    taking = core(stream_ports={80: 1000})
    taking.packet(0, 1, tcp_frame(b"abcd", seq=0))
    taking.packet(1, 1, tcp_frame(b"out of order", seq=100))
    taking.packet(2, 1, tcp_frame(b"other", src=40_001))
    assert taking.reassembly_held > 0
    taking.pass_over(0)
    taking.pass_over(12_345)
    assert taking.reassembly_held == 0
    assert said(taking) == [b"other"]


def test_passing_over_a_flow_that_ended_does_not_touch_the_one_in_its_place() -> None:
    taking = core(max_flows=1)
    taking.packet(0, 1, tcp_frame(b"first"))
    taking.packet(1, 1, tcp_frame(b"second", src=40_001))
    taking.pass_over(0)
    taking.packet(2, 1, tcp_frame(b"third", src=40_001, seq=6))
    assert said(taking) == [b"first", b"second", b"third"]


def test_hand_offs_are_taken_once_even_where_taking_stopped_half_way() -> None:
    taking = core()
    for flow in range(3):
        taking.packet(flow, 1, tcp_frame(b"%d" % flow, src=40_000 + flow))
    assert next(taking.segments()).payload == b"0"
    taking.packet(9, 1, tcp_frame(b"3", src=40_003))
    assert said(taking) == [b"1", b"2", b"3"]
    assert said(taking) == []


def test_datagram_said_again_is_handed_off_only_after_a_while() -> None:
    taking = core(datagram_ports=frozenset({161}), repeat_s=60)
    for at in (0, 1, 59, 61, 62):
        taking.packet(at * SECOND, 1, udp_frame(b"same", dst=161, src=40_000 + at))
    assert [segment.ts_ns // SECOND for segment in taking.take_segments()] == [0, 61]
    assert taking.segments_repeated == 3


@pytest.mark.parametrize(
    "other", [{"client": "10.0.0.77"}, {"server": "10.0.0.78"}, {"dst": 162}, {"back": True}]
)
def test_the_same_from_or_to_another_is_no_repetition(other: dict[str, object]) -> None:
    taking = core(datagram_ports=frozenset({161, 162}))
    taking.packet(0, 1, udp_frame(b"same", dst=161))
    taking.packet(1, 1, udp_frame(b"same", **({"dst": 161} | other)))  # type: ignore[arg-type]
    assert said(taking) == [b"same", b"same"]


def test_volatile_bytes_make_no_difference_and_all_others_do() -> None:
    taking = core(datagram_ports=frozenset({53}), datagram_volatile={53: ((0, 2), (6, 8))})
    for payload in (b"abXXXXabYY", b"cdXXXXcdYY", b"cdXXXZcdYY", b"cdXXXXcdYZ", b"a", b"b", b"cdXXXXcdYYY"):
        taking.packet(0, 1, udp_frame(payload, dst=53))
    assert said(taking) == [b"abXXXXabYY", b"cdXXXZcdYY", b"cdXXXXcdYZ", b"a", b"cdXXXXcdYYY"]


def test_datagrams_on_ports_nobody_named_are_not_compared() -> None:
    taking = core(payload_packets=3)
    for at in range(3):
        taking.packet(at, 1, udp_frame(b"same"))
    assert said(taking) == [b"same"] * 3


def opened(taking: FlowCore, count: int, payload: bytes, dst: int = 80) -> int:
    """Open ``count`` streams with the same payload; return how many were handed off."""
    for flow in range(count):
        taking.packet(flow, 1, tcp_frame(payload, dst=dst, src=40_000 + flow))
    return len(taking.take_segments())


def test_streams_that_open_alike_are_handed_off_twice_where_the_opening_tells() -> None:
    assert opened(core(stream_ports={80: 1000}, opening_ports=frozenset({80})), 10, b"GET /") == 2
    assert opened(core(stream_ports={80: 1000}), 10, b"GET /") == 10
    assert opened(core(), 10, b"anything", dst=9_999) == 2
    starts = ((b"GET ", 1000), (b"MSH|", 1000))
    assert opened(core(stream_starts=starts, opening_starts=frozenset({b"GET "})), 10, b"GET /", 9_999) == 2
    assert opened(core(stream_starts=starts, opening_starts=frozenset({b"GET "})), 10, b"MSH|", 9_999) == 10


def test_streams_that_open_as_an_unclaimed_one_are_not_handed_off() -> None:
    taking = core(stream_ports={80: 1000})
    taking.packet(0, 1, tcp_frame(b"riddle"))
    (segment,) = taking.take_segments()
    taking.pass_over(segment.flow_id, True)
    taking.packet(1, 1, tcp_frame(b"riddle", src=40_001))
    taking.packet(2, 1, tcp_frame(b"riddles", src=40_002))
    taking.packet(100 * SECOND, 1, tcp_frame(b"riddle", src=40_003))
    assert said(taking) == [b"riddles", b"riddle"]


@pytest.mark.parametrize(
    "ranges", [((2, 1),), ((0, 2), (1, 3)), ((0, 1), (2, 3), (4, 5)), ((-1, 2),), ((0, 70_000),)]
)
def test_volatile_ranges_that_cannot_be_are_refused(ranges: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ConfigurationError):
        core(datagram_volatile={53: ranges})
