"""Live capture at a steady rate over a veth pair: is every packet accounted for?

A sender in a process of its own puts 256-byte UDP packets of many flows onto one end of the pair with
sendmmsg, at the rate asked for; LiveCapture takes the other end with hand-off. With ``--processes`` it is the
whole sensor that does, into a data folder, with so many processes behind the interface. Needs root.

    python bench/live.py [--rate 100000] [--seconds 60] [--processes 2]
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import multiprocessing
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

CLONE_NEWNET = 0x40000000
BURST = 64
FLOWS = 20_000
LIBC = ctypes.CDLL(None, use_errno=True)


class Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Msghdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.POINTER(Iovec)),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class Mmsghdr(ctypes.Structure):
    _fields_ = (("header", Msghdr), ("length", ctypes.c_uint))


def frame(flow: int) -> bytes:
    payload = bytes(256 - 42)
    udp = struct.pack("!HHHH", 1024 + flow % 50_000, 5000, 8 + len(payload), 0) + payload
    addresses = bytes((10, 1, flow >> 8 & 255, flow & 255, 10, 2, 0, 1))
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + addresses
    return b"\x02\0\0\0\0\x0b\x02\0\0\0\0\x0a\x08\x00" + ip + udp


def bursts() -> tuple[list[ctypes.Array[Mmsghdr]], list[object]]:
    """Prepare the packets of all flows as message vectors, and the memory they point into."""
    made = []
    memory: list[object] = []
    for first in range(0, FLOWS, BURST):
        vector = (Mmsghdr * BURST)()
        for at in range(BURST):
            data = ctypes.create_string_buffer(frame(first + at), 256)
            iov = Iovec(ctypes.addressof(data), 256)
            vector[at].header.iov = ctypes.pointer(iov)
            vector[at].header.iovlen = 1
            memory += (data, iov)
        made.append(vector)
    return made, memory


def send(rate: int, seconds: float) -> int:
    """Send at ``rate`` packets per second until the time is over or SIGTERM; returns how many went out."""
    vectors, _memory = bursts()
    sent = 0
    asked_to_end = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: asked_to_end.set())
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
        out.bind(("left", 0))
        start = time.perf_counter()
        turn = 0
        while (now := time.perf_counter() - start) < seconds and not asked_to_end.is_set():
            if sent > now * rate:
                time.sleep(max((sent - now * rate) / rate, 0.0002))
                continue
            done = LIBC.sendmmsg(out.fileno(), vectors[turn % len(vectors)], BURST, 0)
            if done < 0:
                error = ctypes.get_errno()
                if error in (errno.ENOBUFS, errno.EINTR):  # not sent: the kernel's queue is full
                    time.sleep(0.0002)
                    continue
                raise OSError(error, os.strerror(error))
            sent += done
            turn += 1
    return sent


def resident(process: int) -> int:
    """Return the memory of a process in KiB, 0 when it is gone."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0)


class Sender:
    """A process that sends, in a session of its own: a signal to the whole group is for the sensor alone."""

    def __init__(self, rate: int, seconds: float) -> None:
        arguments = [sys.executable, __file__, "--send", "--rate", str(rate), "--seconds", str(seconds)]
        self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def sends(self) -> bool:
        return self._process.poll() is None

    def end(self) -> int:
        """Let it come to its end and return how many packets went out; says so when it failed."""
        told, _ = self._process.communicate()
        if self._process.returncode != 0:
            raise RuntimeError(f"the sender ended with {self._process.returncode}: nothing to compare with")
        return int(told)

    def stop(self) -> None:
        if self.sends():
            self._process.terminate()


def whole_sensor(processes: int, rate: int, seconds: float) -> int:
    """Let the sensor listen with several processes; returns the exit status."""
    from medwarden.app.fanout import listen_in_processes

    senders: list[Sender] = []
    sizes: list[list[int]] = []
    heard = threading.Event()

    def feed() -> None:
        sender = Sender(rate, seconds)
        senders.append(sender)
        hearing = [p.pid for p in multiprocessing.active_children() if p.pid is not None]
        while sender.sends():
            if heard.wait(seconds / 20):  # the sensor has ended before
                return
            sizes.append([resident(pid) for pid in (os.getpid(), *hearing)])
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    feeder = threading.Thread(target=feed)
    with tempfile.TemporaryDirectory(prefix="medwarden-bench-") as folder:
        try:
            reports = listen_in_processes(
                Path(folder) / "home", ["right"], processes=processes, on_ready=lambda _: feeder.start()
            )
        finally:
            heard.set()
            if feeder.ident is not None:
                feeder.join()
            early = any(sender.sends() for sender in senders)
            for sender in senders:
                sender.stop()
    if early or not senders:
        sys.exit("the sensor was ended before everything was sent: nothing to compare with")
    sent = senders[0].end()
    busy = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(f"sent       {sent:>12,}  ({sent / seconds:,.0f} packets/s for {seconds:.0f} s)")
    for report in reports:
        count = report.packets
        print(
            f"{report.path}: read {count.read:,} parsed {count.parsed:,} rejected {count.rejected:,} "
            f"dropped {count.dropped:,}{' ' + report.error if report.error else ''}"
        )
    print(f"processor  {sum(b.ru_utime + b.ru_stime for b in busy):>12.2f}  seconds with sender and start-up")
    for at in (len(sizes) // 4, len(sizes) // 2, len(sizes) - 2):
        print("memory     " + "  ".join(f"{size / 1024:,.0f} MiB" for size in sizes[at]))
    read = sum(report.packets.read for report in reports)
    exact = read == sent and all(r.packets.balanced() and r.error is None for r in reports)
    print("exact" if exact else f"NOT EXACT: {read:,} read")
    return 0 if exact else 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rate", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=0)
    parser.add_argument("--send", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        print(send(options.rate, options.seconds))
        return
    from medwarden.flowcore import FlowCore, FlowCoreConfig
    from medwarden.sensors.live import LiveCapture

    if LIBC.unshare(CLONE_NEWNET) != 0:
        sys.exit("a network namespace needs root")
    for command in (
        "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
        "ip link add left type veth peer name right",
        "ip link set left up",
        "ip link set right up",
    ):
        subprocess.run(command.split(), check=True)
    if options.processes:
        sys.exit(whole_sensor(options.processes, options.rate, options.seconds))
    core = FlowCore(FlowCoreConfig(idle_timeout_s=5))
    segments = flows = 0

    def on_batch(full: FlowCore) -> None:
        nonlocal segments, flows
        segments += len(full.take_segments())
        flows += full.take_flows().num_rows

    capture = LiveCapture("right", core, on_batch)
    sender = Sender(options.rate, options.seconds)
    sent: list[int] = []

    def finish() -> None:
        try:
            sent.append(sender.end())
        finally:
            capture.stop()

    threading.Thread(target=finish).start()
    before = time.process_time()
    report = capture.run()
    busy = time.process_time() - before
    flows += core.take_flows(final=True).num_rows
    count = report.packets
    if not sent:
        sys.exit(1)
    print(
        f"sent       {sent[0]:>12,}  ({sent[0] / options.seconds:,.0f} packets/s for {options.seconds:.0f} s)"
    )
    print(f"read       {count.read:>12,}")
    print(f"parsed     {count.parsed:>12,}")
    print(f"rejected   {count.rejected:>12,}")
    print(f"dropped    {count.dropped:>12,}")
    print(f"hand-offs  {segments:>12,}")
    print(f"flows      {flows:>12,}")
    print(f"processor  {busy:>12.2f}  seconds of capture, {100 * busy / options.seconds:.1f} % of one core")
    print(f"memory     {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>12,.0f}  MiB at most")
    exact = count.balanced() and count.read == sent[0] and report.error is None
    print("exact" if exact else f"NOT EXACT {report.error or ''}")
    sys.exit(0 if exact else 1)


if __name__ == "__main__":
    main()
