"""What was read before is told without reading it again, and comes to the very same."""

from __future__ import annotations

import gc
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medwarden.app.packet_stage import PacketStage

KEY = b"k" * 32
SECOND = 10**9
LARGEST = 120_000  # bytes of a capture that is repeated here

REQUEST = b"GET /status HTTP/1.1\r\nHost: pump-gateway\r\nUser-Agent: PumpAgent/2\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nServer: PumpWeb/1.0\r\nContent-Length: 5\r\n\r\nabcde"
LATER = b"HTTP/1.1 404 Not Found\r\nServer: PumpWeb/2.0\r\nContent-Length: 0\r\n\r\n"
BROKEN = b"HTTP/1.1 200 OK\r\nContent-Length: minus\r\n\r\n"
BANNER = b"SSH-2.0-OpenSSH_9.6\r\n"


def hello(name: bytes, random: bytes, share: bytes) -> bytes:
    """Return a ClientHello with a server name, a key share and a reserved (GREASE) value."""
    sni = struct.pack("!HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    grease = bytes((0x0A | random[0] & 0xF0,)) * 2
    extensions = sni + struct.pack("!HH", 51, len(share)) + share + grease + b"\0\0"
    body = b"\3\3" + random + b"\x20" + random[::-1] + b"\0\4" + grease + b"\x13\1" + b"\1\0"
    body += struct.pack("!H", len(extensions)) + extensions
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return b"\x16\3\1" + struct.pack("!H", len(message)) + message


def frame(client: int, server: int, protocol: int, payload: bytes, *, back: bool) -> bytes:
    ends = [b"\x0a\x01\x00" + bytes((client,)), b"\x0a\x02\x00" + bytes((server,))]
    macs = [b"\x02\0\0\0\0" + bytes((client,)), b"\x02\0\0\0\1" + bytes((server,))]
    if back:
        ends.reverse()
        macs.reverse()
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0)
    return macs[1] + macs[0] + b"\x08\0" + head + ends[0] + ends[1] + payload


def conversation(client: int, server: int, port: int, said: Sequence[tuple[bool, bytes]]) -> Iterator[bytes]:
    """Yield a handshake and what each side (False: the client) says."""
    places = [100, 500]

    def packet(side: bool, flags: int, payload: bytes = b"") -> bytes:
        ports = (port, 40_000) if side else (40_000, port)
        tcp = struct.pack("!HHIIBBHHH", *ports, places[side], places[not side], 5 << 4, flags, 8192, 0, 0)
        made = frame(client, server, 6, tcp + payload, back=side)
        places[side] += len(payload) + (1 if flags & 3 else 0)
        return made

    yield packet(False, 2)
    yield packet(True, 18)
    for side, payload in said:
        yield packet(side, 24, payload)


def outcome(frames: Iterable[tuple[int, bytes]], *, recall: bool) -> tuple[dict[str, object], int]:
    """Return all that frames come to, in a form that can be compared, and how often nothing was read."""
    stage = PacketStage(KEY, recall=recall)
    for ts, data in frames:
        stage.core.packet(ts, 1, data)
        if stage.core.full:
            stage.drain()
    batch = stage.take(final=True)
    result: dict[str, object] = {
        "facts": {(f.evidence, f.last_ns, f.count) for f in batch.facts},
        "flows": batch.flows.to_pylist(),
        "malformed": dict(stage.observer.malformed),
        "wanted": (stage.core.segments_handed, stage.core.segments_passed_over, stage.core.segments_repeated),
    }
    return result, stage.router.recalled


def both(frames: Sequence[tuple[int, bytes]]) -> int:
    """Compare with and without recalling; return how often nothing was read."""
    without, none = outcome(frames, recall=False)
    recalled, times = outcome(frames, recall=True)
    assert recalled == without
    assert none == 0
    return times


def timed(conversations: Iterable[Iterable[bytes]]) -> list[tuple[int, bytes]]:
    frames = [data for said in conversations for data in said]
    return [(1_700_000_000 * SECOND + at * 1_000_000, data) for at, data in enumerate(frames)]


def test_equal_conversation_of_others_is_not_read_again() -> None:
    said = [(False, REQUEST), (True, ANSWER)]
    frames = timed(conversation(client, 9, 80, said) for client in range(1, 30))
    assert both(frames) == 28 * 2


def test_conversation_that_leaves_what_is_known_is_read_from_its_beginning() -> None:
    first = [(False, POST), (False, b"x" * 30), (False, b"y" * 10), (True, ANSWER)]
    other = [(False, POST), (False, b"x" * 30), (False, b"z" * 10), (True, ANSWER), (True, LATER)]
    frames = timed(conversation(at + 1, 9, 80, said) for at, said in enumerate([first, first, other, other]))
    assert both(frames) > 0


def test_hello_with_another_random_is_the_same_hello() -> None:
    hellos = [hello(b"update.example.com", bytes((n * 7,)) * 32, bytes((n,)) * 40) for n in range(20)]
    frames = timed(conversation(n + 1, 9, 443, [(False, one)]) for n, one in enumerate(hellos))
    assert both(frames) == 19
    result, _ = outcome(frames, recall=True)
    facts = result["facts"]
    assert isinstance(facts, set)
    assert sum(fact[0].field == "tls.sni" for fact in facts) == 20


def test_hello_to_another_name_is_another() -> None:
    hellos = [hello(b"host%d.example.com" % n, bytes(32), bytes(40)) for n in range(9)]
    frames = timed(conversation(n + 1, 9, 443, [(False, one)]) for n, one in enumerate(hellos))
    assert both(frames) == 0


def test_faults_are_counted_for_each_who_repeats_them() -> None:
    said = [(False, REQUEST), (True, BROKEN), (True, ANSWER)]
    frames = timed(conversation(client, 9, 80, said) for client in range(1, 10))
    assert both(frames) > 0
    result, _ = outcome(frames, recall=True)
    assert result["malformed"] == {"http": 9}


def test_where_nothing_repeats_only_what_comes_again_is_learnt() -> None:
    """Cross the window after which learning is judged, then repeat one conversation."""
    different = [
        conversation(n % 200 + 1, n // 200, 80, [(False, REQUEST.replace(b"/status", b"/%d" % n))])
        for n in range(4200)
    ]
    equal = [conversation(n + 1, 77, 80, [(False, REQUEST), (True, ANSWER)]) for n in range(12)]
    assert both(timed([*different, *equal])) == 10 * 2  # the first is let pass, the second learnt


def test_what_is_remembered_is_bounded_and_forgetting_it_loses_nothing() -> None:
    """Say twice what fills the memory; then let every conversation be answered."""
    opening = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 59840\r\n\r\n"
    said: list[list[bytes]] = []
    for n in range(620):
        bodies = [(False, struct.pack("!II", n, at) * 187) for at in range(40)]
        for twice in range(2):
            whole = [(False, opening), *bodies, (True, ANSWER)]
            said.append(list(conversation(n % 250 + 1, 3 + n // 250 + 10 * twice, 80, whole)))
    frames = timed([*(one[:-1] for one in said), [one[-1] for one in said]])
    assert sum(len(data) for _, data in frames) > 2 * 32 * 1024 * 1024
    assert both(frames) > 620 * 10
    result, _ = outcome(frames, recall=True)
    facts = result["facts"]
    assert isinstance(facts, set)
    assert sum(fact[2] for fact in facts if fact[0].field == "http.server") == 2 * 620


def test_what_is_forgotten_takes_nothing_from_the_next_capture() -> None:
    """Remember one capture after another while nobody collects garbage."""
    opening = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 59840\r\n\r\n"
    captures: list[list[tuple[int, bytes]]] = []
    for capture in range(3):
        said = []
        for n in range(300):
            whole = [(False, opening % (300 * capture + n)), *[(False, struct.pack("!I", n) * 374)] * 40]
            said += [conversation(n % 250 + 1, 3 + n // 250 + 10 * twice, 80, whole) for twice in range(2)]
        captures.append(timed(said))
    gc.collect()
    gc.disable()
    try:
        times = [outcome(frames, recall=True)[1] for frames in captures]
    finally:
        gc.enable()
    assert times[0] > 300 * 10
    assert times == times[:1] * 3


PIECES = (REQUEST, POST, ANSWER, LATER, BROKEN, BANNER, b"x" * 40, b"", hello(b"a.b", bytes(32), b"k" * 8))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from((80, 443, 22, 9999, 104)),
            st.lists(st.tuples(st.booleans(), st.sampled_from(PIECES)), max_size=6),
        ),
        max_size=12,
    )
)
def test_any_conversations_come_to_the_same(told: list[tuple[int, list[tuple[bool, bytes]]]]) -> None:
    both(timed(conversation(at % 200 + 1, 9, port, said) for at, (port, said) in enumerate(told)))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from((53, 123, 1900, 5353, 9999)), st.sampled_from(range(6))), max_size=30)
)
def test_any_datagrams_come_to_the_same(told: list[tuple[int, int]]) -> None:
    query = struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\4pump\5local\0\0\1\0\1"
    payloads = (
        query,
        b"\0\1" + query[2:],
        query[:20],
        bytes((0x1B,)) + bytes(47),
        b"M-SEARCH * HTTP/1.1\r\n\r\n",
        b"?",
    )
    frames = []
    for at, (port, which) in enumerate(told):
        datagram = struct.pack("!HHHH", 50_000, port, 8 + len(payloads[which]), 0) + payloads[which]
        frames.append([frame(at % 5 + 1, 9, 17, datagram, back=False)])
    both(timed(frames))


def records(path: Path) -> Iterator[tuple[int, bytes]]:
    """Give (time, bytes) of a little-endian Ethernet capture in microseconds."""
    data = path.read_bytes()
    if data[:4] != b"\xd4\xc3\xb2\xa1" or data[20:24] != b"\1\0\0\0":
        return
    at = 24
    while at + 16 <= len(data):
        seconds, micros, captured, _ = struct.unpack_from("<IIII", data, at)
        yield seconds * SECOND + micros * 1000, data[at + 16 : at + 16 + captured]
        at += 16 + captured


def elsewhere(data: bytes, turn: int) -> bytes:
    """Return an IPv4 frame as between other addresses."""
    if data[12:14] != b"\x08\0" or len(data) < 34:
        return data
    changed = bytearray(data)
    for at in (27, 31):
        if changed[at - 1] < 224:
            changed[at] ^= turn
    return bytes(changed)


@pytest.mark.parametrize("share", range(4))
def test_real_captures_come_to_the_same_from_other_addresses(shared: Path, share: int) -> None:
    files = sorted(p for p in (shared / "captures").rglob("*.pcap") if p.stat().st_size < LARGEST)[share::4]
    frames: list[tuple[int, bytes]] = []
    now = 1_700_000_000 * SECOND
    for path in files[::2]:
        taken = list(records(path))
        for turn in range(3):
            frames += [
                (now + min(max(ts - taken[0][0], 0), 60 * SECOND), elsewhere(data, turn))
                for ts, data in taken
            ]
        now += SECOND
    assert both(frames) > len(frames) // 200
