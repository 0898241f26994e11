"""Measure what a second process brings when one capture is read: one process against two shares.

Prints processor seconds of one process and of each share, what putting their batches together costs the
process that stores, and the time by the clock of one and of both, start-up taken off (which only means
something on a machine with two idle processors). Each share finds out for itself what payloads come to, so a
capture of many equal ones gains less from a second process than one of different ones.

    python bench/processes.py CAPTURE [--processes 2]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

KEY = b"\0" * 32
HEAD_PACKETS = 200


def main() -> None:
    import engines
    from medwarden.app.intake import Sink, take_in
    from medwarden.app.shares import pack, take_in_shares, unpack
    from medwarden.model.batch import Batch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("capture", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    capture, count = options.capture, options.processes

    def nowhere(_batch: Batch) -> None:
        """Let it go."""

    def clock(read: Callable[[Path, Sink], object], path: Path) -> float:
        begin = time.perf_counter()
        read(path, nowhere)
        return time.perf_counter() - begin

    with tempfile.TemporaryDirectory(prefix="medwarden-bench-") as folder:
        head = Path(folder) / "head.pcap"
        engines.head_of(capture, head, HEAD_PACKETS)
        take_in(head, KEY, nowhere)  # warm
        shares: list[float] = []
        packed: list[list[bytes]] = []
        for at in range(count):
            begin = time.process_time()
            batches: list[Batch] = []
            take_in(capture, KEY, batches.append, share=(at, count))
            packed.append([pack(batch) for batch in batches])
            shares.append(time.process_time() - begin)
        begin = time.process_time()
        take_in(capture, KEY, nowhere)
        one = time.process_time() - begin
        begin = time.process_time()
        for together in zip(*packed, strict=False):
            unpack(together)
        joined = time.process_time() - begin
        alone = clock(lambda path, sink: take_in(path, KEY, sink), capture)
        both = clock(lambda path, sink: take_in_shares(path, KEY, sink, count), capture)
        both -= clock(lambda path, sink: take_in_shares(path, KEY, sink, count), head)
    print(f"one process           {one:6.2f} processor seconds")
    print(f"each of {count} shares      {', '.join(f'{share:.2f}' for share in shares)} processor seconds")
    print(f"putting them together {joined:6.2f} processor seconds")
    print(f"by processor time     {one / max(shares):6.2f} x one, where another processor puts them together")
    print(f"by the clock          {alone / both:6.2f} x one ({alone:.2f} s against {both:.2f} s)")


if __name__ == "__main__":
    main()
