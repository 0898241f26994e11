"""Frames are right to the last checksum, and TCP counts what it sends."""

from __future__ import annotations

from random import Random

import dpkt
from hypothesis import given
from hypothesis import strategies as st

from medwarden.simulation import wire
from medwarden.simulation.ends import MILLISECOND, SECOND, End, Session, Talk
from medwarden.simulation.systems import SYSTEMS
from medwarden.simulation.talk import Datagrams, Stream

START = 1_772_434_800 * SECOND


class Recorder:
    """An ear that keeps everything."""

    sessions = True

    def __init__(self) -> None:
        self.frames: list[tuple[int, bytes]] = []
        self.heard: list[Session] = []
        self.open: list[Talk] = []

    def frame(self, at: int, octets: bytes) -> None:
        self.frames.append((at, octets))

    def opened(self, talk: Talk) -> None:
        self.open.append(talk)

    def closed(self, talk: Talk) -> None:
        self.open.remove(talk)

    def session(self, session: Session) -> None:
        self.heard.append(session)


def ends(near: str = "windows_10", far: str = "debian_11", loss: float = 0.0) -> tuple[End, End]:
    gateway = bytes.fromhex("001b17000001")
    one = End(
        b"\2\0\0\0\0\1", wire.address("10.1.0.5"), SYSTEMS[near], net=1, vlan=7, gateway=gateway, loss=loss
    )
    two = End(b"\2\0\0\0\0\2", wire.address("10.2.0.9"), SYSTEMS[far], net=2, vlan=8, gateway=gateway)
    return one, two


def right(frame: bytes) -> bool:
    """Tell whether all Internet checksums of a frame are right, by summing everything up."""
    packet = frame[18:] if frame[12:14] == b"\x81\0" else frame[14:]
    source, target, protocol = packet[12:16], packet[16:20], packet[9]
    rest = packet[20 : int.from_bytes(packet[2:4], "big")]
    pseudo = source + target + bytes((0, protocol)) + len(rest).to_bytes(2, "big")
    return wire.checksum(packet[:20]) == 0 and wire.checksum(pseudo + rest) == 0


@given(
    st.binary(max_size=600), st.binary(max_size=4000), st.sampled_from(sorted(SYSTEMS)), st.integers(0, 2**32)
)
def test_a_stream_carries_exactly_what_was_said(
    asked: bytes, answered: bytes, system: str, seed: int
) -> None:
    ear = Recorder()
    stream = Stream(ear, Random(seed), *ends(far=system, loss=0.2), 443, START).connect()
    stream.say(True, asked)
    stream.say(False, answered)
    stream.settle()
    stream.close()
    heard = {True: {}, False: {}}  # type: dict[bool, dict[int, bytes]]
    first = {True: 0, False: 0}
    for _, frame in ear.frames:
        assert right(frame)
        segment = dpkt.ethernet.Ethernet(frame).data.data
        outward = segment.dport == 443
        if segment.flags & dpkt.tcp.TH_SYN:
            first[outward] = segment.seq
        for place, octet in enumerate(segment.data):
            heard[outward][(segment.seq - first[outward] - 1 + place) & 0xFFFFFFFF] = octet.to_bytes(1, "big")
    for outward, said in ((True, asked), (False, answered)):
        assert b"".join(heard[outward][n] for n in range(len(said))) == said
        assert len(heard[outward]) == len(said)
    times = [at for at, _ in ear.frames]
    assert times == sorted(times)
    assert ear.heard[0].payload[0] >= len(asked)
    assert not ear.open


@given(st.sampled_from(sorted(SYSTEMS)), st.sampled_from(sorted(SYSTEMS)))
def test_a_handshake_negotiates_only_what_both_sides_know(near: str, far: str) -> None:
    ear = Recorder()
    Stream(ear, Random(1), *ends(near, far), 80, START).connect()
    segments = [dpkt.ethernet.Ethernet(frame).data.data for _, frame in ear.frames]
    offered = {kind for kind, _ in dpkt.tcp.parse_opts(segments[0].opts)}
    taken = {kind for kind, _ in dpkt.tcp.parse_opts(segments[1].opts)}
    assert all(len(segment.opts) % 4 == 0 for segment in segments)
    assert taken - {0, 1} <= offered - {0, 1}
    assert segments[1].ack == (segments[0].seq + 1) & 0xFFFFFFFF
    assert segments[2].ack == (segments[1].seq + 1) & 0xFFFFFFFF


def test_what_comes_from_another_network_was_forwarded_by_the_gateway() -> None:
    ear = Recorder()
    near, far = ends()
    Stream(ear, Random(1), near, far, 80, START).connect()
    there, back = (dpkt.ethernet.Ethernet(frame) for _, frame in ear.frames[:2])
    assert (there.src, there.dst, there.data.ttl) == (near.mac, near.gateway, 128)
    assert (back.src, back.dst, back.data.ttl) == (near.gateway, near.mac, 63)
    assert {tag.id for tag in there.vlan_tags} == {7}


@given(st.binary(max_size=1000), st.binary(max_size=1000))
def test_datagrams_have_right_checksums_also_where_the_sum_is_zero(asked: bytes, answered: bytes) -> None:
    ear = Recorder()
    talk = Datagrams(ear, Random(2), *ends(), 53, START)
    talk.ask(asked, answered)
    talk.end()
    for _, frame in ear.frames:
        assert right(frame)
        assert dpkt.ethernet.Ethernet(frame).data.data.sum != 0
    assert ear.heard[0].packets == (1, 1)
    assert ear.heard[0].end - ear.heard[0].start < 100 * MILLISECOND


def test_a_connection_may_be_refused_broken_or_never_answered() -> None:
    ear = Recorder()
    Stream(ear, Random(3), *ends(), 1, START).refuse()
    Stream(ear, Random(3), *ends(), 2, START).unanswered(2)
    Stream(ear, Random(3), *ends(), 3, START).connect().reset()
    assert [session.history for session in ear.heard] == ["Sr", "SS", "ShAR"]
