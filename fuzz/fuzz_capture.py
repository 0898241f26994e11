"""Fuzz the capture reader, the flow core and all dissectors behind them: any bytes as a capture file.

    .venv/bin/python fuzz/fuzz_capture.py --seconds 60
    .venv/bin/python fuzz/fuzz_capture.py --replay fuzz/crashes/capture-0123456789abcdef.bin
    .venv/bin/python fuzz/fuzz_capture.py --make-corpus     (seeds anew from tests/dissect/cases)

Held to: every packet is parsed or rejected with its reason, flows hold no packet twice, a file read in
pieces comes to the same as read at once, and what ends a file is one MalformedInput.
"""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Hashable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from fuzz.engine import Finding, Target, command, committed  # noqa: E402
from fuzz.fuzz_dissector import mutate, unpack  # noqa: E402
from tests.flowcore import packets as made  # noqa: E402

from fuzz import engine  # noqa: E402
from medwarden.app.packet_stage import PacketStage  # noqa: E402
from medwarden.dissect.registry import dissectors  # noqa: E402
from medwarden.flowcore import CaptureReader  # noqa: E402
from medwarden.kernel.errors import MalformedInput  # noqa: E402
from medwarden.model.evidence import MAX_VALUE  # noqa: E402
from medwarden.model.segment import Dissector, Transport  # noqa: E402

CORPUS = engine.CORPUS / "capture"
MAX_INPUT = 1 << 15
CUT = 0.5
"""How many captures are read a second time, in pieces; the rest is for more inputs."""
FORMS = ("little", "nanoseconds", "big", "pcapng")
KEY = b"only for the fuzzer............."

Outcome = tuple[int, int, int, int, str, tuple[tuple[str, int], ...], frozenset[tuple[str, str]]]


def run(data: bytes, piece: int) -> Outcome:
    """Read a capture in pieces of ``piece`` bytes; return what was counted and told. Raises Finding."""
    stage = PacketStage(KEY, max_flows=4096)
    reader = CaptureReader(stage.core, "fuzz.pcap")
    held, at, error = bytearray(), 0, ""
    try:
        while True:
            held += data[at : at + piece]
            at += piece
            final = at >= len(data)
            while (used := reader.feed(bytes(held), 0, final)) or stage.core.full:
                del held[:used]
                stage.drain()
            if final:
                break
    except MalformedInput as problem:
        error = problem.reason
    batch = stage.take(final=True)
    core = stage.core
    if reader.packets_read != core.parsed + core.rejected:
        raise Finding(f"{reader.packets_read} packets, {core.parsed} parsed and {core.rejected} rejected")
    if sum(core.reasons.values()) != core.rejected:
        raise Finding(f"{core.rejected} rejected for {core.reasons}")
    if defects := [name for name in stage.observer.malformed if "!" in name]:
        raise Finding(f"defects of dissectors: {defects}")
    batch.flows.validate(full=True)
    counted = sum(sum(batch.flows.column(name).to_pylist()) for name in ("packets_out", "packets_in"))
    if counted > core.parsed:
        raise Finding(f"flows hold {counted} packets of {core.parsed}")
    told = set()
    for fact in batch.facts:
        evidence = fact.evidence
        if not evidence.value or len(evidence.value) > MAX_VALUE or not evidence.value.isprintable():
            raise Finding(f"{evidence.field} has the value {evidence.value!r}")
        told.add((evidence.field, evidence.value))
    reasons = tuple(sorted(core.reasons.items()))
    return reader.packets_read, core.parsed, counted, batch.flows.num_rows, error, reasons, frozenset(told)


def check(data: bytes, chance: random.Random) -> Outcome:
    """Hold one capture to all rules; raises Finding or whatever escaped."""
    whole = run(data, max(len(data), 1))
    if chance.random() < CUT:
        cut = run(data, chance.choice((13, 100, 1000, 4096)))
        if whole != cut:
            raise Finding(f"read in pieces it comes to something else: {whole} and {cut}")
    return whole


def frames_of(member: type[Dissector], data: bytes) -> Iterator[bytes]:
    """Yield the packets of a conversation of the dissector's corpus, with a handshake where it is TCP."""
    manifest = member.manifest
    port = (manifest.ports or (4000,))[0]
    seqs, begun = {True: 1, False: 1}, False
    for flags, payload in unpack(data):
        back = not flags & 1
        transport = manifest.transports[(flags >> 1) % len(manifest.transports)]
        if transport is Transport.ETHERNET:
            ethertype = (manifest.ethertypes or (0x0806,))[0]
            if ethertype == 0:
                yield made.ethernet(payload[:1400], len(payload[:1400]))
            elif ethertype == 0x86DD:
                yield made.ethernet(made.ipv6(payload[:1400], 58), 0x86DD)
            else:
                yield made.ethernet(payload[:1400], ethertype)
        elif transport is Transport.UDP:
            yield made.udp_frame(payload[:1400], back=back, dst=port)
        else:
            if not begun:
                begun = True
                yield made.tcp_frame(dst=port, flags=made.SYN, seq=0, options=made.LINUX_SYN)
                yield made.tcp_frame(dst=port, flags=made.SYN | made.ACK, seq=0, ack=1, back=True)
            for start in range(0, len(payload), 1400):
                part = payload[start : start + 1400]
                yield made.tcp_frame(part, dst=port, back=back, seq=seqs[back], ack=seqs[not back])
                seqs[back] += len(part)


def capture_of(frames: list[bytes], form: str) -> bytes:
    """Return the packets as a capture file of one of :data:`FORMS`."""
    if form == "pcapng":
        blocks = [made.enhanced(1_700_000_000_000_000 + n, frame) for n, frame in enumerate(frames)]
        return made.section() + made.interface() + b"".join(blocks)
    order = ">" if form == "big" else "<"
    magic = 0xA1B23C4D if form == "nanoseconds" else 0xA1B2C3D4
    records = [
        struct.pack(order + "IIII", 1_700_000_000, n, len(frame), len(frame)) + frame
        for n, frame in enumerate(frames)
    ]
    return struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65_535, 1) + b"".join(records)


def odd_frames() -> list[bytes]:
    """Return packets that only the flow core cares for: tags, fragments, extension headers, ICMP."""
    inner = made.udp(b"x" * 64)
    return [
        made.ethernet(made.ipv4(inner, 17), tags=((0x8100, 7),)),
        made.ethernet(made.ipv4(inner, 17), tags=((0x88A8, 7), (0x8100, 9))),
        made.ethernet(made.ipv4(inner[:32], 17, ident=9, fragment=0x2000)),
        made.ethernet(made.ipv4(inner[32:], 17, ident=9, fragment=4)),
        made.ethernet(made.ipv4(inner, 17, options=b"\x94\x04\0\0")),
        made.ethernet(made.ipv6(b"\x11\x00" + bytes(6) + inner, 0), 0x86DD),
        made.ethernet(made.ipv6(b"\x11\x00\x00\x01\0\0\0\7" + inner[:32], 44), 0x86DD),
        made.ethernet(made.ipv4(b"\x08\0" + bytes(6), 1)),
        made.ethernet(made.ipv4(b"\x45" + made.ipv4(inner, 17), 47)),
        made.tcp_frame(b"late", seq=5000),
        made.tcp_frame(flags=made.RST, seq=1),
    ]


def make_corpus() -> int:
    """Write one capture for each dissector from its first seeds, and one of odd packets; return how many."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    (CORPUS / "packets.bin").write_bytes(capture_of(odd_frames(), "pcapng"))
    number = 0
    for number, member in enumerate(dissectors(), 1):
        frames: list[bytes] = []
        for path in sorted((engine.CORPUS / member.manifest.name).glob("*.bin")):
            frames += frames_of(member, path.read_bytes())
            if sum(map(len, frames)) > 2_000:
                break
        form = FORMS[number % len(FORMS)]
        (CORPUS / f"{member.manifest.name}.bin").write_bytes(capture_of(frames, form)[:MAX_INPUT])
    return number + 1


def signature(data: bytes, chance: random.Random) -> Hashable:
    """Return what makes an input new: how it ended, why packets were rejected, which fields it tells."""
    came = check(data, chance)
    return came[4], tuple(reason for reason, _ in came[5]), frozenset(field for field, _ in came[6])


def targets() -> dict[str, Target]:
    """Return the one target; single dissectors, which have their own, are not part of its code."""
    roots = (
        "medwarden.app.packet_stage",
        "medwarden.flowcore._core",
        "medwarden.dissect._core",
        "medwarden.dissect.observer",
        "medwarden.dissect.recall",
    )
    return {
        "capture": Target(
            "capture",
            roots,
            signature,
            lambda: committed("capture"),
            lambda data, pool, chance: mutate(data, pool, chance, MAX_INPUT),
            make_corpus,
        )
    }


if __name__ == "__main__":
    sys.exit(command(targets(), __doc__ or ""))
