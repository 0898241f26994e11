"""Measure what a second process brings when one capture is read: one process against two shares.

Prints processor seconds of one process and of each share, each measured in a process of its own with start-up
left out and in turn, the least of the runs; how much of that is the core's, which passes over the packets of
other shares; what putting their batches together costs the process that stores; and the time by the clock of
one and of both (which only means something on a machine with two idle processors). Services
are dealt out to the shares, since equal payloads are of one service; one that is too much for a process is
divided by pairs of addresses, and then each finds out for itself what its payloads come to.

    python bench/processes.py CAPTURE [--processes 2] [--runs 3]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent / "src")]

import engines  # noqa: E402

KEY = b"\0" * 32
HEAD_PACKETS = 200


def nowhere(_batch: object) -> None:
    """Let it go."""


def core_seconds(capture: Path, share: tuple[int, int]) -> float:
    """Return what the core alone spends on its share: its flows, and the packets of others passed over."""
    from medwarden.app.packet_stage import PacketStage
    from medwarden.app.share_plan import plan_shares
    from medwarden.flowcore import FlowCore
    from medwarden.sensors.capture_file import read_capture

    def discard(core: FlowCore) -> None:
        core.discard_segments()

    stage = PacketStage(KEY, share=share)
    if share[1] > 1:
        plan = plan_shares(capture, KEY, share[1])
        stage.core.deal(plan.services, plan.parts)
    begin = time.process_time()
    read_capture(capture, stage.core, on_batch=discard)
    return time.process_time() - begin


def read_share(capture: Path, head: Path, share: tuple[int, int]) -> tuple[float, float, list[bytearray]]:
    """Return the processor seconds of a share and of its core, and its batches as they are sent."""
    from medwarden.app.intake import take_in
    from medwarden.app.share_plan import plan_shares
    from medwarden.app.shares import pack

    take_in(head, KEY, nowhere)  # warm
    core = core_seconds(capture, share)
    packed: list[bytearray] = []
    plan = plan_shares(capture, KEY, share[1])  # the storing process's to find out
    begin = time.process_time()
    if share[1] == 1:
        take_in(capture, KEY, nowhere)
    else:
        take_in(capture, KEY, lambda batch: packed.append(pack(batch)), share=share, plan=plan)
    return time.process_time() - begin, core, packed


def in_own_process(capture: Path, head: Path, share: tuple[int, int]) -> tuple[float, float, list[bytearray]]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(read_share, capture, head, share).result()


def clock(read: Callable[[], object]) -> float:
    begin = time.perf_counter()
    read()
    return time.perf_counter() - begin


def by_the_clock(capture: Path, head: Path, count: int) -> tuple[float, float]:
    """Return the seconds of one process and of ``count`` together, start-up taken off."""
    from medwarden.app.intake import take_in
    from medwarden.app.shares import take_in_shares

    alone = clock(lambda: take_in(capture, KEY, nowhere))
    both = clock(lambda: take_in_shares(capture, KEY, nowhere, count))
    return alone, both - clock(lambda: take_in_shares(head, KEY, nowhere, count))


def planning(capture: Path, count: int) -> float:
    from medwarden.app.share_plan import plan_shares

    begin = time.process_time()
    plan_shares(capture, KEY, count)
    return time.process_time() - begin


def put_together(packed: Sequence[list[bytearray]]) -> float:
    from medwarden.app.shares import unpack

    begin = time.process_time()
    for together in zip(*packed, strict=False):
        unpack(together)
    return time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    capture, count = options.capture, options.processes
    shares = [(0, 1), *((at, count) for at in range(count))]
    whole = dict.fromkeys(shares, float("inf"))
    core = dict(whole)
    packed: dict[tuple[int, int], list[bytearray]] = {}
    with tempfile.TemporaryDirectory(prefix="medwarden-bench-") as folder:
        head = Path(folder) / "head.pcap"
        engines.head_of(capture, head, HEAD_PACKETS)
        for _ in range(options.runs):
            for share in shares:
                seconds, of_core, packed[share] = in_own_process(capture, head, share)
                whole[share], core[share] = min(whole[share], seconds), min(core[share], of_core)
        plan = min(planning(capture, count) for _ in range(options.runs + 1))
        joined = put_together([packed[share] for share in shares[1:]])
        alone, both = by_the_clock(capture, head, count)
    one, slowest = whole[shares[0]], max(whole[share] for share in shares[1:])
    parts = ", ".join(f"{whole[share]:.2f} ({core[share]:.2f})" for share in shares[1:])
    print(f"one process           {one:6.2f} ({core[shares[0]]:.2f}) processor seconds (of them the core's)")
    print(f"each of {count} shares      {parts} processor seconds")
    print(f"planning              {plan:6.2f} processor seconds, while the shares start")
    print(f"putting them together {joined:6.2f} processor seconds")
    print(f"by processor time     {one / slowest:6.2f} x one, where another processor puts them together")
    print(f"by the clock          {alone / both:6.2f} x one ({alone:.2f} s against {both:.2f} s)")


if __name__ == "__main__":
    main()
