"""Capture files fed from memory: every format, any cut, any damage."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.flowcore.packets import (
    ACK,
    SECOND,
    START,
    SYN,
    block,
    enhanced,
    ethernet,
    interface,
    ipv4,
    ipv6,
    option,
    pcap,
    section,
    tcp_frame,
    udp,
    udp_frame,
)

from medwarden.flowcore import CaptureReader, FlowCore, FlowCoreConfig
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment

CONFIG = FlowCoreConfig(stream_ports={80: 100_000}, ethertypes=frozenset({0x0806}))
Taken = tuple[FlowCore, CaptureReader, list[Segment], str | None]


def read(data: bytes, step: int | None = None, config: FlowCoreConfig = CONFIG) -> Taken:
    """Feed ``data`` whole or ``step`` bytes at a time, keeping what was not consumed as a caller would."""
    core = FlowCore(config)
    reader = CaptureReader(core, "some.pcap")
    segments: list[Segment] = []
    held = b""
    try:
        for at in range(0, max(len(data), 1), step or max(len(data), 1)):
            piece = data[at : at + (step or len(data))]
            held += piece
            used = reader.feed(held)
            held = held[used:]
            segments += core.take_segments()
        while True:
            used = reader.feed(held, 0, True)
            held = held[used:]
            segments += core.take_segments()
            if used == 0 and not core.full:
                return core, reader, segments, None
    except MalformedInput as error:
        segments += core.take_segments()
        return core, reader, segments, str(error)


FRAMES = [
    tcp_frame(seq=99, flags=SYN),
    tcp_frame(b"GET / HTTP/1.1\r\n", seq=100, flags=ACK),
    ethernet(ipv6(udp(b"six"), 17), 0x86DD),
    udp_frame(b"data"),
    b"\xff" * 5,
]
RECORDS = [(START + number * 1_234_567_000, frame) for number, frame in enumerate(FRAMES)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34])
def test_pcap_in_both_orders_and_all_its_magics(order: str, magic: int) -> None:
    core, reader, segments, error = read(pcap(RECORDS, order=order, magic=magic))
    assert error is None
    assert (reader.format, reader.packets_read, core.parsed, core.rejected) == ("pcap", 5, 4, 1)
    assert [s.ts_ns for s in segments] == [RECORDS[1][0], RECORDS[2][0], RECORDS[3][0]]
    assert (reader.first_ns, reader.last_ns) == (RECORDS[0][0], RECORDS[4][0])


def test_nanoseconds_are_kept() -> None:
    core, _reader, segments, _error = read(pcap([(START + 123_456_789, FRAMES[3])], magic=0xA1B23C4D))
    assert segments[0].ts_ns == START + 123_456_789
    assert core.last_ns == START + 123_456_789


def test_link_type_with_an_fcs_length_in_its_upper_bits() -> None:
    core, _, _, error = read(pcap(RECORDS[:1], linktype=0x14000001))
    assert (core.parsed, error) == (1, None)


def test_snaplen_keeps_what_was_on_the_wire() -> None:
    core, *_ = read(pcap([(START, tcp_frame(bytes(500)))], cut=60))
    assert core.take_flows(final=True).column("payload_out").to_pylist() == [500]


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_with_its_blocks(order: str) -> None:
    simple = block(3, struct.pack(order + "I", len(FRAMES[3])) + FRAMES[3], order)
    obsolete_head = struct.pack(order + "HHIIII", 0, 0, 0, 5_000_000, len(FRAMES[3]), len(FRAMES[3]))
    statistics = struct.pack(order + "III", 0, 0, 0) + option(5, struct.pack(order + "Q", 17), order)
    data = (
        section(order)
        + interface(1, b"", order)
        + block(0x0BAD, b"who knows", order)
        + enhanced(1_000_000, FRAMES[3], 0, order)
        + simple
        + block(2, obsolete_head + FRAMES[3], order)
        + block(5, statistics, order)
    )
    core, reader, segments, error = read(data)
    assert error is None
    assert (reader.format, reader.packets_read, core.parsed, reader.dropped) == ("pcapng", 3, 3, 17)
    assert [s.ts_ns for s in segments] == [SECOND, SECOND, 5 * SECOND]


@pytest.mark.parametrize(
    ("options", "ticks", "expected"),
    [
        (b"", 1_500_000, 1_500_000_000),
        (option(9, b"\x09"), 1_500_000_001, 1_500_000_001),
        (option(9, b"\x03"), 1_500, 1_500_000_000),
        (option(9, b"\x00"), 7, 7_000_000_000),
        (option(9, b"\x0c"), 1_500_000_000_999, 1_500_000_000),
        (option(9, b"\x8a"), 1536, 1_500_000_000),
        (option(9, b"\x80"), 3, 3_000_000_000),
        (option(14, struct.pack("<q", 10)), 1_000_000, 11_000_000_000),
        (option(14, struct.pack("<q", -1)), 1_500_000, 500_000_000),
        (option(2, b"eth0") + option(9, b"\x09") + option(0, b""), 5, 5),
    ],
)
def test_pcapng_time_resolution_and_offset(options: bytes, ticks: int, expected: int) -> None:
    _, _, segments, error = read(section() + interface(1, options) + enhanced(ticks, FRAMES[3]))
    assert error is None
    assert segments[0].ts_ns == expected


def test_several_sections_and_interfaces_with_their_own_link_types_and_orders() -> None:
    raw = ipv4(udp(b"raw"), 17)
    cooked = struct.pack("!HHH", 0, 1, 6) + bytes(8) + b"\x08\x00" + raw
    data = (
        section("<")
        + interface(101)
        + interface(113)
        + enhanced(1, raw, 0)
        + enhanced(2, cooked, 1)
        + section(">")
        + interface(1, b"", ">")
        + enhanced(3, ethernet(raw), 0, ">")
    )
    core, reader, segments, error = read(data)
    assert (error, reader.packets_read, core.parsed) == (None, 3, 3)
    assert [s.payload for s in segments] == [b"raw"] * 3


GOOD = pcap(RECORDS)
NEXT = section() + interface()


@pytest.mark.parametrize(
    ("data", "packets", "byte", "words"),
    [
        (b"", 0, 0, "an empty file"),
        (b"\xd4\xc3", 0, 0, "only 2 bytes, too few for a capture file"),
        (GOOD[:20], 0, 0, "only 20 bytes, too few for a capture file"),
        (b"date,src,dst\n", 0, 0, "neither a pcap nor a pcapng file: it begins with 0x64617465"),
        (struct.pack("<IHH", 0xA1B2C3D4, 3, 0) + bytes(16), 0, 0, "pcap version 3, of which only 2 is known"),
        (GOOD[:-3], 4, 323, "the file ends inside a packet record, of which 18 bytes are there"),
        (
            pcap(RECORDS[:1])[:24] + b"\0" * 200,
            0,
            24,
            "zeroes where a packet record should be; the file was cut, or never written, from here",
        ),
        (
            pcap(RECORDS[:1]) + struct.pack("<IIII", 1, 1, 0xFFFFFFFF, 60),
            1,
            94,
            "a packet record claims 4294967295 bytes, more than any packet has",
        ),
        (section()[:8], 0, 0, "the file ends inside a packet record, of which 8 bytes are there"),
        (section()[:8] + b"what" + section()[12:], 0, 0, "a section whose byte order mark is 0x77686174"),
        (NEXT + struct.pack("<II", 6, 13) + bytes(20), 0, 48, "a block claims 13 bytes, which cannot be"),
        (
            NEXT + struct.pack("<II", 6, 1 << 30) + bytes(20),
            0,
            48,
            "a block claims 1073741824 bytes, which cannot be",
        ),
        (
            NEXT + enhanced(1, FRAMES[3])[:-4] + b"\1\0\0\0",
            0,
            48,
            "a block that ends with another length (1) than it begins with",
        ),
        (
            NEXT + enhanced(1, FRAMES[3], which=3),
            0,
            48,
            "a packet of interface 3, which the section did not describe",
        ),
        (
            section() + block(3, b"\4\0\0\0abcd"),
            0,
            28,
            "a packet of interface 0, which the section did not describe",
        ),
        (NEXT + block(6, bytes(12)), 0, 48, "a block of 24 bytes, too short for its kind"),
        (
            NEXT + block(6, struct.pack("<IIIII", 0, 0, 1, 99, 99) + bytes(8)),
            0,
            48,
            "a packet of 99 bytes in a block that is too short for it",
        ),
    ],
)
def test_damage_is_named_with_its_place_and_what_was_before_it_is_kept(
    data: bytes, packets: int, byte: int, words: str
) -> None:
    core, reader, _segments, said = read(data)
    assert said == f"some.pcap, byte {byte}: {words}"
    assert reader.packets_read == core.parsed + core.rejected == packets


def test_damage_is_final() -> None:
    reader = CaptureReader(FlowCore(), "some.pcap")
    for data in (b"not a capture", GOOD):
        with pytest.raises(MalformedInput, match="byte 0: neither a pcap nor a pcapng"):
            reader.feed(data)


def test_impossible_times_reject_the_packet_and_are_named_once() -> None:
    huge = section() + interface() + enhanced(2**64 - 1, FRAMES[3]) + enhanced(5, FRAMES[3])
    core, reader, segments, error = read(huge)
    assert error is None
    assert core.reasons == {"bad_time": 1}
    assert str(reader.fault) == "some.pcap, byte 48: a packet whose time cannot be"
    assert len(segments) == 1
    negative = section() + interface(1, option(14, struct.pack("<q", -100))) + enhanced(5, FRAMES[3])
    assert read(negative)[0].reasons == {"bad_time": 1}
    fraction = pcap([])[:24] + struct.pack("<IIII", 5, 1_000_000, 14, 14) + bytes(14)
    assert read(fraction)[0].reasons == {"bad_time": 1}


def state(taken: Taken) -> object:
    core, reader, segments, error = taken
    rows = sorted(core.take_flows(final=True).to_pylist(), key=str)
    return (
        rows, segments + core.take_segments(), error, core.parsed, core.rejected, core.reasons,
        reader.packets_read, reader.position, reader.format, str(reader.fault), reader.dropped,
    )  # fmt: skip


NG = (
    section(">") + interface(1, option(9, b"\x09", ">"), ">") + enhanced(START, FRAMES[1], 0, ">")
    + block(5, bytes(12), ">") + section() + interface(101) + enhanced(7, ipv4(udp(b"x"), 17))
)  # fmt: skip


@pytest.mark.parametrize("data", [GOOD, NG, GOOD[:-7], NG[:-5], b"", b"text that is no capture"])
@pytest.mark.parametrize("step", [1, 7, 64])
def test_fed_byte_by_byte_is_fed_whole(data: bytes, step: int) -> None:
    assert state(read(data, step)) == state(read(data))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([GOOD, NG, pcap(RECORDS, order=">", magic=0xA1B2CD34)]),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=8),
    st.integers(0, 600),
    st.sampled_from([1, 13, 200]),
)
def test_any_mutation_is_accounted_for_however_it_is_fed(
    data: bytes, changes: list[tuple[int, int]], length: int, step: int
) -> None:
    mutated = bytearray(data)
    for at, value in changes:
        mutated[at % len(mutated)] = value
    piece = bytes(mutated[:length]) if length % 3 == 0 else bytes(mutated)
    whole = read(piece)
    core, reader, _segments, error = whole
    assert reader.packets_read == core.parsed + core.rejected == core.parsed + sum(core.reasons.values())
    assert error is None or error.startswith("some.pcap, byte ")
    assert state(whole) == state(read(piece, step))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([0, 1, 9, 12, 101, 104, 108, 113, 228, 229, 276]),
    st.binary(max_size=120),
    st.sampled_from(
        [b"", FRAMES[1], FRAMES[2], FRAMES[1][14:], ethernet(b"", 0x8100), ethernet(ipv4(b"", 47)),
         ethernet(ipv4(udp(b"", 9, 4789), 17)), ethernet(ipv6(b"", 0), 0x86DD), ethernet(b"", 0x8847)]
    ),
    st.integers(0, 80),
)  # fmt: skip
def test_random_bytes_are_parsed_or_rejected(linktype: int, noise: bytes, head: bytes, cut: int) -> None:
    core = FlowCore(CONFIG)
    for data in (head + noise, head[:cut] + noise, noise + head):
        core.packet(START, linktype, data, len(data) + cut)
    assert core.parsed + core.rejected == 3
    assert sum(core.reasons.values()) == core.rejected
    batch = core.take_flows(final=True)
    batch.validate(full=True)
    counted = batch.to_pydict()
    assert sum(counted["packets_out"]) + sum(counted["packets_in"]) == core.parsed
    core.take_segments()


def test_a_full_arena_stops_the_feeding_and_drained_it_goes_on() -> None:
    data = pcap([(START, udp_frame(bytes(500), src=20_000 + n)) for n in range(200)])
    _, reader, segments, error = read(data, config=FlowCoreConfig(handoff_bytes=2000))
    assert (error, reader.packets_read, len(segments)) == (None, 200, 200)
    undrained = FlowCore(FlowCoreConfig(handoff_bytes=2000))
    whole = CaptureReader(undrained, "x")
    at = calls = 0
    while at < len(data):
        at += whole.feed(data, at, True)
        calls += 1
    assert calls < 12
    assert len(undrained.take_segments()) == 200
