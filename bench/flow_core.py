"""Measure the flow core against a bare libpcap loop in C and a dpkt loop, on one merged capture.

The capture is made of the sample captures, repeated with other addresses and laid over each other in
time, so that there are as many flows at once as on a busy network. Each engine runs in a process of its
own, in turn; the table shows the median of packets per second of processor time.

    python bench/flow_core.py [--packets 2000000] [--runs 5] [--keep FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPREAD_NS = 600 * 10**9
DPKT_SHARE = 10

LIBPCAP_LOOP = r"""
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>
int main(int argc, char **argv) {
    char why[PCAP_ERRBUF_SIZE];
    struct pcap_pkthdr *header;
    const u_char *data;
    uint64_t packets = 0, sum = 0;
    pcap_t *file = pcap_open_offline(argv[1], why);
    if (!file) { fprintf(stderr, "%s\n", why); return 1; }
    while (pcap_next_ex(file, &header, &data) == 1) {
        packets++;
        if (header->caplen > 13) sum += data[12] + header->len;
    }
    printf("{\"packets\": %llu, \"sum\": %llu}\n", (unsigned long long)packets, (unsigned long long)sum);
    return 0;
}
"""


def shared_captures() -> Path | None:
    """Return the folder of sample captures, or None."""
    folder = Path(os.environ.get("MEDWARDEN_SHARED", ROOT.parent / "shared")) / "captures"
    return folder if folder.is_dir() else None


def ethernet_records(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Give (ns since the first packet, wire length, bytes) of a little-endian Ethernet pcap file."""
    data = path.read_bytes()
    if data[:4] != b"\xd4\xc3\xb2\xa1" or data[20:24] != b"\x01\0\0\0":
        return
    at = 24
    start = None
    while at + 16 <= len(data):
        seconds, micros, captured, wire = struct.unpack_from("<IIII", data, at)
        ts = seconds * 10**9 + micros * 1000
        start = ts if start is None else start
        yield max(ts - start, 0), wire, data[at + 16 : at + 16 + captured]
        at += 16 + captured


def synthetic_records(rng: random.Random) -> Iterator[tuple[int, int, bytes]]:
    """Give one TCP conversation of a handshake, a dozen data packets and an end."""
    ports = struct.pack("!HH", rng.randrange(32768, 61000), rng.choice((80, 104, 443, 2575, 445)))
    addresses = rng.randbytes(8)
    seq = [rng.getrandbits(32), rng.getrandbits(32)]
    steps = [(0, 2, 0), (1, 18, 0), (0, 16, 0)]
    steps += [(rng.randrange(2), 24, rng.choice((60, 400, 1400))) for _ in range(12)]
    steps += [(0, 17, 0), (1, 17, 0)]
    for number, (side, flags, size) in enumerate(steps):
        there, back = (
            (addresses, ports)
            if side == 0
            else (
                addresses[4:] + addresses[:4],
                ports[2:] + ports[:2],
            )
        )
        tcp = back + struct.pack("!IIBBHHH", seq[side], seq[1 - side], 0x50, flags, 64240, 0, 0)
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 40 + size, number, 0x4000, 64, 6, 0) + there
        frame = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\x00" + ip + tcp + bytes(size)
        seq[side] = (seq[side] + size + (1 if flags & 3 else 0)) & 0xFFFFFFFF
        yield number * 10_000_000, len(frame), frame


def readdressed(frame: bytes, turn: int) -> bytes:
    """Return the frame with other IPv4 addresses, the same for the same ``turn``."""
    if turn == 0 or frame[12:14] != b"\x08\x00" or len(frame) < 34:
        return frame
    changed = bytearray(frame)
    for at in (27, 31):  # the second octet: private networks stay private, multicast stays multicast
        if changed[at - 1] < 224:
            changed[at] ^= turn & 0xFF
            changed[at + 1] ^= turn >> 8
    return bytes(changed)


def make_capture(target: Path, packets: int) -> tuple[int, int]:
    """Write the merged capture; returns packets and bytes of packets in it."""
    rng = random.Random(7)
    body = bytearray()
    times = array("q")
    places = array("q")
    folder = shared_captures()
    sources: list[Callable[[], Iterator[tuple[int, int, bytes]]]]
    if folder is None:
        sources = [lambda: synthetic_records(rng)] * 1000
    else:
        files = sorted(p for p in folder.rglob("*") if p.suffix in (".pcap", ".cap"))
        sources = [lambda path=path: ethernet_records(path) for path in files]
    turn = 0
    while len(times) < packets:
        for source in sources:
            offset = rng.randrange(SPREAD_NS)
            for ts, wire, frame in source():
                times.append(offset + min(ts, SPREAD_NS))
                places.append(len(body))
                body += struct.pack("<II", len(frame), wire) + readdressed(frame, turn)
            if len(times) >= packets:
                break
        turn += 1
    total = 0
    with target.open("wb", buffering=1 << 20) as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for index in sorted(range(len(times)), key=times.__getitem__):
            place = places[index]
            captured = int.from_bytes(body[place : place + 4], "little")
            micros = 1_700_000_000_000_000 + times[index] // 1000
            out.write(struct.pack("<II", micros // 10**6, micros % 10**6))
            out.write(memoryview(body)[place : place + 8 + captured])
            total += captured
    return len(times), total


def run_core(path: Path, *, segments: bool, wanted: bool) -> dict[str, int]:
    """Read the capture through the flow core; ``segments`` makes the hand-offs Python objects."""
    from medwarden.flowcore import CaptureReader, FlowCore, FlowCoreConfig
    from medwarden.sensors.capture_file import read_capture

    config = FlowCoreConfig(
        payload_packets=4 if wanted else 0,
        stream_ports={80: 16384, 104: 65536, 443: 16384, 2575: 65536, 11112: 65536} if wanted else {},
        datagram_ports=frozenset({53, 67, 68, 161, 1900, 3702, 5353}) if wanted else frozenset(),
        ethertypes=frozenset({0, 0x0806, 0x86DD, 0x888E, 0x88CC}) if wanted else frozenset(),
    )
    core = FlowCore(config)
    taken = [0, 0]

    def drain(full: FlowCore) -> None:
        taken[0] += len(full.take_segments()) if segments else full.discard_segments()
        taken[1] += full.take_flows().num_rows

    report = read_capture(path, core, on_batch=drain)
    taken[1] += core.take_flows(final=True).num_rows
    assert report.packets.balanced()
    assert CaptureReader is not None
    return {"packets": report.packets.read, "segments": core.segments_handed, "flows": taken[1]}


def run_dpkt(path: Path) -> dict[str, int]:
    """Count flows with dpkt on the first part of the capture, as a script would."""
    import dpkt

    flows: dict[tuple[object, ...], int] = {}
    packets = 0
    limit = int(os.environ["BENCH_PACKETS"]) // DPKT_SHARE
    with path.open("rb") as file:
        for _ts, data in dpkt.pcap.Reader(file):
            packets += 1
            if packets > limit:
                break
            try:
                ip = dpkt.ethernet.Ethernet(data).data
            except dpkt.UnpackError:
                continue
            if isinstance(ip, dpkt.ip.IP | dpkt.ip6.IP6):
                ports = (getattr(ip.data, "sport", 0), getattr(ip.data, "dport", 0))
                ends = sorted(((ip.src, ports[0]), (ip.dst, ports[1])))
                key = (ends[0], ends[1], ip.p)
                flows[key] = flows.get(key, 0) + 1
    return {"packets": packets, "flows": len(flows)}


ENGINES: dict[str, Callable[[Path], dict[str, int]]] = {
    "flow core, flows only": lambda p: run_core(p, segments=False, wanted=False),
    "flow core with hand-off": lambda p: run_core(p, segments=False, wanted=True),
    "flow core, hand-off as Segments": lambda p: run_core(p, segments=True, wanted=True),
    "dpkt loop with flow dict": run_dpkt,
}


def measured(command: list[str], environment: dict[str, str]) -> tuple[float, dict[str, int]]:
    """Run a command; returns its processor seconds and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, json.loads(done.stdout)


def compare(capture: Path, packets: int, runs: int, workshop: Path) -> dict[str, list[float]]:
    """Run every engine ``runs`` times in turn; returns millions of packets per processor second."""
    loop = workshop / "libpcap_loop"
    source = workshop / "libpcap_loop.c"
    source.write_text(LIBPCAP_LOOP)
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        sys.exit("no C compiler: apt install gcc libpcap-dev")
    subprocess.run([compiler, "-O3", "-o", str(loop), str(source), "-lpcap"], check=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "BENCH_PACKETS": str(packets)}
    commands = {"libpcap loop in C": [str(loop), str(capture)]}
    for name in ENGINES:
        commands[name] = [sys.executable, __file__, "--engine", name, "--keep", str(capture)]
    idle = statistics.median(
        measured([sys.executable, __file__, "--engine", "nothing"], environment)[0] for _ in range(3)
    )
    rates: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            seconds, result = measured(command, environment)
            start_up = 0.0 if name == "libpcap loop in C" else idle
            rates[name].append(result["packets"] / max(seconds - start_up, 1e-6) / 1e6)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--packets", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="make the capture here, or use the one that is")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        engine = ENGINES.get(options.engine)
        if engine is None:  # what starting and importing costs
            import medwarden.sensors.capture_file  # noqa: F401
        print(json.dumps(engine(options.keep) if engine else {}))
        return
    with tempfile.TemporaryDirectory() as workshop:
        capture = options.keep or Path(workshop) / "merged.pcap"
        if not capture.exists():
            packets, size = make_capture(capture, options.packets)
            print(f"{packets} packets, mean {size / packets:.0f} bytes")
        rates = compare(capture, options.packets, options.runs, Path(workshop))
    base = statistics.median(rates["libpcap loop in C"])
    print(f"{'engine':34} {'M packets per CPU-second':>26} {'of libpcap':>11}")
    for name, values in rates.items():
        median = statistics.median(values)
        print(f"{name:34} {median:>26.3f} {median / base:>11.3f}")


if __name__ == "__main__":
    main()
