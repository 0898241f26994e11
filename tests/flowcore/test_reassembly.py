"""Payload hand-off: in order, once, bounded, and honest about what is missing."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.flowcore.packets import (
    ACK,
    CLIENT,
    CLIENT_MAC,
    FIN,
    SERVER,
    SERVER_MAC,
    START,
    SYN,
    ethernet,
    ipv4,
    ipv6,
    tcp_frame,
    udp,
    udp_frame,
)

from medwarden.flowcore import FlowCore, FlowCoreConfig
from medwarden.model.segment import Segment, Transport

PORT = 104
WHOLE = FlowCoreConfig(stream_ports={PORT: 1 << 20})


def connection(core: FlowCore, isn: int = 1000) -> None:
    for frame in (
        tcp_frame(dst=PORT, seq=isn, flags=SYN),
        tcp_frame(dst=PORT, back=True, seq=9000, ack=isn + 1, flags=SYN | ACK),
        tcp_frame(dst=PORT, seq=isn + 1, ack=9001),
    ):
        core.packet(START, 1, frame)


def say(core: FlowCore, payload: bytes, seq: int, **more: int) -> None:
    core.packet(START, 1, tcp_frame(payload, dst=PORT, seq=seq, flags=more.get("flags", ACK)))


def hear(core: FlowCore, ack: int) -> None:
    """An acknowledgement of the server's."""
    core.packet(START, 1, tcp_frame(dst=PORT, back=True, seq=9001, ack=ack))


def joined(segments: list[Segment], from_client: bool = True) -> bytes:
    """Put the direction together, checking that the offsets count what was handed over."""
    text = b""
    for segment in segments:
        if segment.from_client == from_client:
            assert segment.stream_offset == len(text)
            text += segment.payload
    return text


def test_a_segment_says_who_told_whom() -> None:
    core = FlowCore(WHOLE)
    connection(core)
    say(core, b"hello", 1001)
    core.packet(START + 5, 1, tcp_frame(b"welcome", dst=PORT, back=True, seq=9001))
    first, second = core.take_segments()
    assert first == Segment(
        START, 0, Transport.TCP, CLIENT_MAC, SERVER_MAC, CLIENT, SERVER, 40_000, PORT, None, True, b"hello"
    )
    assert second == Segment(
        START + 5,
        0,
        Transport.TCP,
        SERVER_MAC,
        CLIENT_MAC,
        SERVER,
        CLIENT,
        PORT,
        40_000,
        None,
        False,
        b"welcome",
    )
    assert core.take_segments() == []


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_order_with_repeats_and_overlaps_gives_the_stream(data: st.DataObject) -> None:
    text = bytes(random.Random(data.draw(st.integers(0, 99))).randbytes(data.draw(st.integers(1, 400))))
    isn = data.draw(st.sampled_from([0, 1000, 2**32 - 1, 2**32 - 150]))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text)), max_size=12)) | {0, len(text)})
    pieces = list(itertools.pairwise(cuts))
    for _ in range(data.draw(st.integers(0, 6))):
        a = data.draw(st.integers(0, len(text) - 1))
        pieces.append((a, data.draw(st.integers(a + 1, len(text)))))
    core = FlowCore(WHOLE)
    connection(core, isn)
    for a, b in data.draw(st.permutations(pieces)):
        say(core, text[a:b], isn + 1 + a)
    segments = core.take_segments()
    assert joined(segments) == text
    assert not any(s.gap for s in segments)
    assert (core.reassembly_held, core.gaps) == (0, 0)


def test_bytes_seen_first_stand() -> None:
    core = FlowCore(WHOLE)
    connection(core)
    say(core, b"abcd", 1001)
    say(core, b"XXXXefgh", 1001)
    assert joined(core.take_segments()) == b"abcdefgh"


def test_a_keep_alive_and_data_in_the_syn() -> None:
    core = FlowCore(WHOLE)
    core.packet(START, 1, tcp_frame(b"early", dst=PORT, seq=1000, flags=SYN))
    say(core, b"y", 1005)
    say(core, b" bird", 1006, flags=ACK | FIN)
    assert joined(core.take_segments()) == b"early bird"


def test_a_hole_that_the_receiver_acknowledged_was_lost_by_the_capture() -> None:
    core = FlowCore(WHOLE)
    connection(core)
    say(core, b"one", 1001)
    say(core, b"three", 1007)
    assert joined(core.take_segments()) == b"one"
    hear(core, 1004)
    assert core.take_segments() == []
    hear(core, 1012)
    (segment,) = core.take_segments()
    assert (segment.payload, segment.gap, segment.stream_offset) == (b"three", True, 3)
    say(core, b"four", 1012)
    (segment,) = core.take_segments()
    assert (segment.payload, segment.gap) == (b"four", False)


def test_an_acknowledgement_before_the_data_counts_as_well() -> None:
    core = FlowCore(WHOLE)
    connection(core)
    hear(core, 1100)
    say(core, b"late", 1096)
    (segment,) = core.take_segments()
    assert (segment.payload, segment.gap) == (b"late", True)


def test_a_connection_seen_from_its_middle_starts_at_its_first_byte() -> None:
    core = FlowCore(WHOLE)
    say(core, b"middle", 77_000)
    say(core, b" and end", 77_006)
    segments = core.take_segments()
    assert joined(segments) == b"middle and end"
    assert [s.gap for s in segments] == [False, False]


def test_what_is_still_held_comes_out_when_the_flow_ends() -> None:
    core = FlowCore(WHOLE)
    connection(core)
    say(core, b"second", 1011)
    say(core, b"fourth", 1031)
    assert core.take_segments() == []
    assert core.reassembly_held > 0
    core.take_flows(final=True)
    assert [(s.payload, s.gap) for s in core.take_segments()] == [(b"second", True), (b"fourth", True)]
    assert core.reassembly_held == 0


def test_a_payload_cut_by_the_capture_is_followed_by_a_gap() -> None:
    core = FlowCore(WHOLE)
    connection(core)
    frame = tcp_frame(b"0123456789", dst=PORT, seq=1001)
    core.packet(START, 1, frame[:-6], len(frame))
    say(core, b"next", 1011)
    assert [(s.payload, s.gap) for s in core.take_segments()] == [(b"0123", False), (b"next", True)]


def test_ordinary_flows_are_handed_off_in_their_first_packets_only() -> None:
    core = FlowCore(FlowCoreConfig(payload_packets=2, payload_bytes=100))
    for number in range(5):
        core.packet(START, 1, tcp_frame(b"ab", seq=number * 2))
        core.packet(START, 1, tcp_frame(bytes(90), back=True, seq=number * 90))
        core.packet(START, 1, udp_frame(b"u"))
    segments = core.take_segments()
    assert joined([s for s in segments if s.transport == Transport.TCP]) == b"abab"
    assert [len(s.payload) for s in segments if not s.from_client] == [90, 10]
    assert len([s for s in segments if s.transport == Transport.UDP]) == 2


def test_a_stream_is_handed_off_up_to_its_budget() -> None:
    core = FlowCore(FlowCoreConfig(stream_ports={PORT: 250}))
    connection(core)
    for number in range(10):
        say(core, bytes([number]) * 40, 1001 + number * 40)
    assert len(joined(core.take_segments())) == 250
    say(core, b"ahead of the rest", 9_999)
    assert core.reassembly_held == 0


def test_a_stream_on_any_port_is_known_by_its_start() -> None:
    starts = ((b"\x16\x03", 500), (b"SSH-", 300), (b"SSH-2", 400))
    core = FlowCore(FlowCoreConfig(payload_packets=1, stream_starts=starts))
    for port, first in ((1, b"\x16\x03\x01"), (2, b"SSH-2.0"), (3, b"\x16\x04"), (4, b"SSH")):
        core.packet(START, 1, tcp_frame(first, dst=7000 + port, seq=0))
        for number in range(20):
            at = len(first) + 50 * number
            core.packet(START, 1, tcp_frame(bytes(50), dst=7000 + port, seq=at))
            core.packet(START, 1, tcp_frame(bytes(50), dst=7000 + port, back=True, seq=50 * number))
    sizes: dict[tuple[int, bool], int] = {}
    for s in core.take_segments():
        key = (s.dst_port if s.from_client else s.src_port, s.from_client)
        sizes[key] = sizes.get(key, 0) + len(s.payload)
    assert sizes == {
        (7001, True): 500, (7001, False): 500, (7002, True): 400, (7002, False): 400,
        (7003, True): 2, (7003, False): 50, (7004, True): 3, (7004, False): 50,
    }  # fmt: skip


def test_every_datagram_of_a_datagram_port_up_to_the_bound_and_again_after_a_while() -> None:
    config = FlowCoreConfig(datagram_ports=frozenset({67, 5353}), datagram_packets=5, payload_packets=1)
    core = FlowCore(config)
    for number in range(20):
        core.packet(START, 1, udp_frame(bytes([number]), src=5353, dst=5353))
    assert [s.payload[0] for s in core.take_segments()] == [0, 1, 2, 3, 4]
    for second in range(100, 1000, 100):
        core.packet(START + second * 10**9, 1, udp_frame(b"again", src=5353, dst=5353))
    assert {s.payload for s in core.take_segments()} == set()
    core.packet(START + 1000 * 10**9, 1, udp_frame(b"renewed", src=5353, dst=5353))
    assert [s.payload for s in core.take_segments()] == [b"renewed"]


@pytest.mark.parametrize("hole_first", [True, False])
def test_endless_data_out_of_order_is_bounded(hole_first: bool) -> None:
    core = FlowCore(FlowCoreConfig(stream_ports={PORT: 1 << 30}, reassembly_bytes=1 << 20))
    handed = 0
    for client in range(200):
        for number in range(200):
            at = 10 + number * 1010 if hole_first else 2**31 - 2000 - number * 1010
            core.packet(START, 1, tcp_frame(bytes(1000), dst=PORT, src=1024 + client, seq=0, flags=SYN))
            core.packet(START, 1, tcp_frame(bytes(1000), dst=PORT, src=1024 + client, seq=2000 + at))
            assert core.reassembly_held <= 1 << 20
        handed += len(core.take_segments())
    assert handed > 0
    core.take_flows(final=True)
    assert core.reassembly_held == 0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.booleans(),
            st.sampled_from([ACK, SYN, SYN | ACK, FIN | ACK, 4, ACK]),
            st.one_of(st.integers(0, 3000), st.integers(0, 2**32 - 1)),
            st.one_of(st.integers(0, 3000), st.integers(0, 2**32 - 1)),
            st.integers(0, 1400),
        ),
        max_size=150,
    ),
    st.sampled_from([0, 200, 5000, 1 << 20]),
    st.sampled_from([0, 1, 1000, 100_000]),
)
def test_hostile_sequence_numbers_never_break_the_bounds(
    steps: list[tuple[int, bool, int, int, int, int]], bound: int, wanted: int
) -> None:
    core = FlowCore(FlowCoreConfig(stream_ports={PORT: wanted}, reassembly_bytes=bound, payload_packets=3))
    sizes: dict[tuple[int, bool], int] = {}
    for client, back, flags, seq, ack, size in steps:
        core.packet(
            START,
            1,
            tcp_frame(bytes(size), src=5000 + client, dst=PORT, back=back, flags=flags, seq=seq, ack=ack),
        )
        assert core.reassembly_held <= bound
    core.take_flows(final=True)
    for segment in core.take_segments():
        key = (segment.flow_id, segment.from_client)
        assert segment.stream_offset == sizes.get(key, 0)
        assert segment.payload
        sizes[key] = sizes.get(key, 0) + len(segment.payload)
    assert core.reassembly_held == 0
    assert all(size <= max(wanted, 16_384) for size in sizes.values())


def fragments_of(datagram: bytes, size: int, six: bool = False, ident: int = 7) -> list[bytes]:
    frames = []
    for at in range(0, len(datagram), size):
        part = datagram[at : at + size]
        more = at + size < len(datagram)
        if six:
            head = bytes((17, 0)) + (at | more).to_bytes(2, "big") + ident.to_bytes(4, "big")
            frames.append(ethernet(ipv6(head + part, 44), 0x86DD))
        else:
            field = at // 8 | (0x2000 if more else 0)
            frames.append(ethernet(ipv4(part, 17, ident=ident, fragment=field)))
    return frames


@pytest.mark.parametrize("six", [False, True])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_fragments_in_any_order_give_the_datagram(six: bool, data: st.DataObject) -> None:
    text = random.Random(5).randbytes(data.draw(st.integers(100, 3000)))
    frames = fragments_of(udp(text, 5000, 69), data.draw(st.sampled_from([64, 200, 1000])), six)
    first = data.draw(st.booleans())
    order = data.draw(st.permutations(frames[1:] if first else frames))
    core = FlowCore()
    for frame in ([frames[0]] if first else []) + list(order):
        core.packet(START, 1, frame)
    (segment,) = core.take_segments()
    assert (segment.payload, segment.src_port, segment.dst_port) == (text, 5000, 69)
    assert core.fragments_held == 0
    if first:  # the ports are known to every fragment after the first
        (row,) = core.take_flows(final=True).to_pylist()
        assert (row["server_port"], row["packets_out"]) == (69, len(frames))


def test_overlapping_fragments_are_given_up_but_counted() -> None:
    core = FlowCore()
    one, two = fragments_of(udp(bytes(100), 5000, 69), 64)
    teardrop = ethernet(ipv4(bytes(40), 17, ident=7, fragment=3))
    for frame in (one, teardrop, two):
        core.packet(START, 1, frame)
    assert core.take_segments() == []
    assert (core.parsed, core.fragments_seen, core.fragments_dropped, core.fragments_held) == (3, 3, 1, 0)


def test_a_hole_is_not_filled_by_bytes_beyond_the_end() -> None:
    core = FlowCore()
    datagram = udp(bytes(40), 5000, 69)
    for offset, part, more in ((0, datagram[:8], True), (12, bytes(8), True), (2, bytes(8), False)):
        field = offset | (0x2000 if more else 0)
        core.packet(START, 1, ethernet(ipv4(part, 17, ident=9, fragment=field)))
    assert core.take_segments() == []
    assert core.fragments_reassembled == 0


def test_endless_fragments_are_bounded() -> None:
    core = FlowCore(FlowCoreConfig(fragment_bytes=100_000))
    for number in range(20_000):
        frame = ethernet(ipv4(bytes(1000), 17, ident=number & 0xFFFF, fragment=0x2000 | 1))
        core.packet(START, 1, frame)
        assert core.fragments_held <= 100_000
    assert core.fragments_dropped > 19_000
    assert core.parsed == 20_000


def test_a_core_that_is_never_drained_hands_off_all_the_same() -> None:
    core = FlowCore(FlowCoreConfig(handoff_bytes=1))
    for number in range(100):
        core.packet(START, 1, udp_frame(bytes([number]), src=50_000 + number))
    assert core.full
    assert [s.payload[0] for s in core.take_segments()] == list(range(100))
    assert not core.full
