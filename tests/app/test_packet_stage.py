"""Packets to batches: facts summed up, flows with their application, nothing asked for twice."""

from __future__ import annotations

import gc
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from medwarden.app.intake import seldom_collecting, take_in
from medwarden.app.packet_stage import PacketStage
from medwarden.model.batch import Batch

KEY = b"k" * 32
SECOND = 10**9
CLIENT, SERVER = b"\x0a\x00\x00\x05", b"\x0a\x00\x00\x09"
HELLO = b"GET / HTTP/1.1\r\nHost: pump-gateway\r\nUser-Agent: PumpAgent/2\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nServer: PumpWeb/1.0\r\nContent-Length: 0\r\n\r\n"


def ethernet(source: int, target: int, kind: int, payload: bytes) -> bytes:
    macs = b"\x02\0\0\0\0" + bytes((target,)) + b"\x02\0\0\0\0" + bytes((source,))
    return macs + struct.pack("!H", kind) + payload


def ip(source: bytes, target: bytes, protocol: int, payload: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0)
    return head + source + target + payload


def udp(port: int, service: int, payload: bytes) -> bytes:
    datagram = struct.pack("!HHHH", port, service, 8 + len(payload), 0) + payload
    return ethernet(5, 9, 0x800, ip(CLIENT, SERVER, 17, datagram))


def tcp(port: int, service: int, flags: int, seq: int, payload: bytes = b"", *, back: bool = False) -> bytes:
    options = b"\x02\x04\x05\xb4\x01\x01\x04\x02" if flags & 2 else b""
    ports = (service, port) if back else (port, service)
    head = struct.pack("!HHIIBBHHH", *ports, seq, 0, (5 + len(options) // 4) << 4, flags, 8192, 0, 0)
    ends = (SERVER, CLIENT) if back else (CLIENT, SERVER)
    macs = (9, 5) if back else (5, 9)
    return ethernet(*macs, 0x800, ip(*ends, 6, head + options + payload))


def conversation(port: int, service: int, *said: bytes) -> Iterator[bytes]:
    """Yield a handshake and what client and server say in turn."""
    yield tcp(port, service, 2, 99)
    yield tcp(port, service, 18, 499, back=True)
    places = [100, 500]
    for turn, payload in enumerate(said):
        side = turn % 2
        yield tcp(port, service, 24, places[side], payload, back=bool(side))
        places[side] += len(payload)


def query(name: bytes, number: int) -> bytes:
    labels = b"".join(bytes((len(label),)) + label for label in name.split(b"."))
    return struct.pack("!HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


def through(frames: list[tuple[int, bytes]], *, final: bool = True) -> tuple[PacketStage, Batch]:
    stage = PacketStage(KEY)
    for ts, frame in frames:
        stage.core.packet(ts, 1, frame)
    return stage, stage.take(final=final)


def told(batch: Batch, field: str) -> set[str]:
    return {fact.evidence.value for fact in batch.facts if fact.evidence.field == field}


def test_facts_are_summed_up_with_first_and_last_time() -> None:
    frames = [
        (at * 1000 * SECOND, udp(40_000 + at, 53, query(b"pacs.hospital.example", at))) for at in range(3)
    ]
    _, batch = through(frames)
    (fact,) = [fact for fact in batch.facts if fact.evidence.field == "dns.query"]
    assert (fact.evidence.value, fact.count) == ("pacs.hospital.example", 3)
    assert (fact.evidence.ts_ns, fact.last_ns) == (0, 2000 * SECOND)


def test_a_repeated_query_is_heard_once_and_its_flow_still_has_a_name() -> None:
    frames = [(at * SECOND, udp(40_000 + at, 53, query(b"pacs.hospital.example", at))) for at in range(20)]
    stage, batch = through(frames)
    assert stage.core.segments_repeated == 19
    assert batch.flows.column("application").to_pylist() == ["dns"] * 20
    assert told(batch, "dns.query") == {"pacs.hospital.example"}


def test_another_name_asked_for_is_no_repetition() -> None:
    frames = [(at, udp(40_000, 53, query(b"host-%d.example" % at, 7))) for at in range(5)]
    _, batch = through(frames)
    assert told(batch, "dns.query") == {f"host-{at}.example" for at in range(5)}


def test_streams_that_open_alike_are_named_after_their_service() -> None:
    frames = [
        (flow * SECOND, frame)
        for flow in range(10)
        for frame in conversation(50_000 + flow, 80, HELLO, ANSWER)
    ]
    stage, batch = through(frames)
    assert batch.flows.column("application").to_pylist() == ["http"] * 10
    assert told(batch, "http.user_agent") == {"PumpAgent/2"}
    assert told(batch, "http.server") == {"PumpWeb/1.0"}
    assert stage.core.segments_repeated == 8


def test_a_new_request_is_heard_however_often_another_was_repeated() -> None:
    frames = [
        (flow * SECOND, frame)
        for flow in range(10)
        for frame in conversation(50_000 + flow, 80, HELLO, ANSWER)
    ]
    changed = HELLO.replace(b"PumpAgent/2", b"PumpAgent/3")
    frames += [(11 * SECOND, frame) for frame in conversation(51_000, 80, changed, ANSWER)]
    _, batch = through(frames)
    assert told(batch, "http.user_agent") == {"PumpAgent/2", "PumpAgent/3"}


@pytest.mark.parametrize("service", [104, 2575])
def test_medical_streams_are_never_taken_for_repetitions(service: int) -> None:
    frames = [
        (flow * SECOND, frame)
        for flow in range(10)
        for frame in conversation(
            50_000 + flow, service, b"\x0bMSH|^~\\&|PUMP|ICU|EHR|H|1||ACK|1|P|2.5\r\x1c\r"
        )
    ]
    stage, batch = through(frames)
    assert stage.core.segments_repeated == 0
    assert batch.flows.column("application").to_pylist() == ["hl7"] * 10


def test_a_stream_that_nobody_knows_is_not_copied_any_more() -> None:
    secret = bytes(range(128, 228))
    chatter = [secret] * 40
    stage, batch = through([(at, frame) for at, frame in enumerate(conversation(50_000, 9_999, *chatter))])
    assert batch.flows.column("application").to_pylist() == [None]
    assert stage.core.segments_handed <= 4


def test_the_tcp_stack_of_a_client_is_one_fact_of_all_its_flows() -> None:
    frames = [
        (flow * SECOND, frame)
        for flow in range(10)
        for frame in conversation(50_000 + flow, 80, HELLO, ANSWER)
    ]
    _, batch = through(frames)
    (fact,) = [fact for fact in batch.facts if fact.evidence.field == "tcp.stack"]
    assert (fact.count, fact.evidence.ip, fact.evidence.mac) == (10, "10.0.0.5", "02:00:00:00:00:05")
    assert (fact.evidence.ts_ns, fact.last_ns) == (0, 9 * SECOND)


def test_the_second_batch_holds_only_what_came_after_the_first() -> None:
    stage, first = through([(0, udp(40_000, 53, query(b"one.example", 1)))], final=False)
    stage.core.packet(SECOND, 1, udp(40_001, 53, query(b"two.example", 1)))
    second = stage.take(final=True)
    assert told(first, "dns.query") == {"one.example"}
    assert told(second, "dns.query") == {"two.example"}
    assert not stage.observer.applications()
    assert stage.take(final=True).empty()


def test_a_capture_file_becomes_batches_with_exact_accounting(tmp_path: Path) -> None:
    path = tmp_path / "ward.pcap"
    frames = [*conversation(50_000, 80, HELLO, ANSWER), b"\x02" * 9]
    records = b"".join(struct.pack("<IIII", 1, 0, len(f), len(f)) + f for f in frames)
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65536, 1) + records)
    batches: list[Batch] = []
    seen: list[int] = []
    report = take_in(path, KEY, batches.append, seen.append)
    assert report.packets.balanced()
    assert (report.packets.read, report.packets.rejected) == (len(frames), 1)
    assert sum(batch.flows.num_rows for batch in batches) == 1
    assert report.error is None


def test_the_collector_is_as_it_was_after_reading() -> None:
    before = gc.get_threshold()
    with pytest.raises(RuntimeError), seldom_collecting():
        assert gc.get_threshold() > before
        raise RuntimeError
    assert gc.get_threshold() == before
