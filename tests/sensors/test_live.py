"""Live capture over a veth pair in a network namespace of its own."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.waiting import PATIENCE, until

from medwarden.flowcore import FlowCore, FlowCoreConfig
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.model.accounting import InputReport
from medwarden.model.segment import Segment
from medwarden.sensors.live import LiveCapture, drop_privileges

CLONE_NEWNET = 0x40000000
HERE = bytes.fromhex("02000000000a")
THERE = bytes.fromhex("02000000000b")


def udp_frame(number: int, tag: int | None = None) -> bytes:
    payload = struct.pack("!I", number)
    udp = struct.pack("!HHHH", 40000 + number % 50, 5555, 8 + len(payload), 0) + payload
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), number & 0xFFFF, 0, 64, 17, 0)
    ip += bytes((10, 9, 0, 1)) + bytes((10, 9, 0, 2))
    shim = b"" if tag is None else struct.pack("!HH", 0x8100, tag)
    return THERE + HERE + shim + b"\x08\x00" + ip + udp


@pytest.fixture
def namespace() -> Iterator[ThreadPoolExecutor]:
    """A thread that lives in a new network namespace with the pair left - right."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("live capture is tested as root with iproute2 at hand")
    thread = ThreadPoolExecutor(max_workers=1)

    def settle_in() -> str | None:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            return os.strerror(ctypes.get_errno())
        for command in (
            "ip link set lo up",
            "ip link add left type veth peer name right",
            "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1",
            "ip link set left up",
            "ip link set right up",
        ):
            done = subprocess.run(command.split(), capture_output=True, text=True)
            if done.returncode and "sysctl" not in command:
                return done.stderr
        return None

    problem = thread.submit(settle_in).result()
    if problem:
        pytest.skip(f"no network namespace here: {problem}")
    yield thread
    thread.shutdown()


def captured(
    namespace: ThreadPoolExecutor,
    send: Callable[[socket.socket], int],
    interface: str = "right",
    blocks: int = 8,
) -> tuple[InputReport, FlowCore, list[Segment], int]:
    """Capture what ``send`` sends into the pair; returns the report, the core, hand-offs, packets sent."""
    core = FlowCore(FlowCoreConfig(datagram_ports=frozenset({5555}), datagram_packets=60_000))
    segments: list[Segment] = []

    def work() -> tuple[InputReport, int]:
        capture = LiveCapture(
            interface, core, lambda full: segments.extend(full.take_segments()), 0.1, blocks=blocks
        )
        runner = ThreadPoolExecutor(max_workers=1)
        running = runner.submit(capture.run)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
            out.bind(("left" if interface != "lo" else "lo", 0))
            sent = send(out)
        time.sleep(0.15)
        capture.stop()
        report = running.result(timeout=PATIENCE)
        runner.shutdown()
        return report, sent

    report, sent = namespace.submit(work).result(timeout=PATIENCE)
    return report, core, segments, sent


def test_every_packet_is_accounted_for(namespace: ThreadPoolExecutor) -> None:
    def send(out: socket.socket) -> int:
        for number in range(20_000):
            out.send(udp_frame(number))
        out.send(THERE + HERE + b"\x08\x00" + b"\x45" * 10)
        return 20_001

    report, core, segments, sent = captured(namespace, send)
    assert report.error is None
    assert report.packets.balanced()
    assert report.packets.read == sent
    if report.packets.dropped == 0:
        assert report.rejected_reasons == {"truncated_ip": 1}
        assert sorted(int.from_bytes(s.payload, "big") for s in segments) == list(range(20_000))
    flows = core.take_flows(final=True)
    assert sum(flows.column("packets_out").to_pylist()) == report.packets.parsed


def test_a_ring_that_overflows_counts_what_the_kernel_dropped(namespace: ThreadPoolExecutor) -> None:
    slow = threading.Event()
    core = FlowCore()

    def work() -> InputReport:
        def on_batch(full: FlowCore) -> None:
            slow.wait(PATIENCE)  # so that what does not fit into the ring is surely dropped
            full.take_segments()

        capture = LiveCapture("right", core, on_batch, 0.01, blocks=1, block_bytes=65_536)
        runner = ThreadPoolExecutor(max_workers=1)
        running = runner.submit(capture.run)
        time.sleep(0.1)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
            out.bind(("left", 0))
            for number in range(5_000):
                out.send(udp_frame(number))
        capture.stop()
        slow.set()
        report = running.result(timeout=PATIENCE)
        runner.shutdown()
        return report

    report = namespace.submit(work).result(timeout=PATIENCE)
    assert report.packets.read == 5_000
    assert report.packets.dropped > 0
    assert report.packets.balanced()


def test_a_tag_taken_out_by_the_kernel_is_restored(namespace: ThreadPoolExecutor) -> None:
    def send(out: socket.socket) -> int:
        out.send(udp_frame(1, tag=0x2000 | 321))
        return 1

    report, core, segments, _sent = captured(namespace, send)
    assert report.packets.parsed == 1
    assert [s.vlan for s in segments] == [321]
    assert core.take_flows(final=True).column("vlan").to_pylist() == [321]


def test_loopback_is_seen_once(namespace: ThreadPoolExecutor) -> None:
    def send(out: socket.socket) -> int:
        for number in range(10):
            out.send(udp_frame(number))
        return 10

    report, _core, segments, _sent = captured(namespace, send, interface="lo")
    assert report.packets.read == 10
    assert len(segments) == 10


def test_silent_flows_end_although_no_packet_comes(namespace: ThreadPoolExecutor) -> None:
    core = FlowCore(FlowCoreConfig(idle_timeout_s=0.2))
    ended: list[str] = []

    def work() -> None:
        def on_batch(full: FlowCore) -> None:
            ended.extend(full.take_flows().column("end_reason").to_pylist())

        capture = LiveCapture("right", core, on_batch, 0.1)
        runner = ThreadPoolExecutor(max_workers=1)
        running = runner.submit(capture.run)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as out:
            out.bind(("left", 0))
            out.send(udp_frame(1))
        until(lambda: bool(ended), "the silent flow ends")
        capture.stop()
        running.result(timeout=PATIENCE)
        runner.shutdown()

    namespace.submit(work).result(timeout=PATIENCE)
    assert ended == ["idle"]


def test_an_interface_that_disappears_ends_the_capture_with_a_sentence(namespace: ThreadPoolExecutor) -> None:
    def work() -> InputReport:
        capture = LiveCapture("right", FlowCore(), lambda full: None, 0.1)
        deleter = subprocess.Popen(["sh", "-c", "sleep 0.3; ip link del left"])
        try:
            return capture.run()
        finally:
            deleter.wait(PATIENCE)

    report = namespace.submit(work).result(timeout=PATIENCE)
    assert report.error == "right: the interface disappeared while it was captured"
    assert report.packets.balanced()


def test_no_such_interface_names_those_there_are(namespace: ThreadPoolExecutor) -> None:
    def work() -> None:
        with pytest.raises(ResourceError, match=r"no interface 'eth99'; there are: .*left"):
            LiveCapture("eth99", FlowCore(), lambda full: None)

    namespace.submit(work).result(timeout=PATIENCE)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="flush interval"):
        LiveCapture("lo", FlowCore(), lambda full: None, 0)
    with pytest.raises(ConfigurationError, match="not whole pages"):
        LiveCapture("lo", FlowCore(), lambda full: None, block_bytes=1000)


def test_privileges_are_dropped_for_good_and_the_socket_stays_open() -> None:
    if os.geteuid() != 0:
        pytest.skip("dropping privileges is tested as root")
    script = """
import os
from medwarden.flowcore import FlowCore
from medwarden.kernel.errors import ResourceError
from medwarden.sensors.live import LiveCapture, drop_privileges
capture = LiveCapture("lo", FlowCore(), lambda full: None, 0.05)
drop_privileges("nobody")
print(os.getresuid()[0] != 0, os.getgroups())
try:
    os.setuid(0)
except PermissionError:
    print("for good")
try:
    LiveCapture("lo", FlowCore(), lambda full: None)
except ResourceError as error:
    print(error)
capture.stop()
print(capture.run().packets.balanced())
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=PATIENCE
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "True []",
        "for good",
        "lo: live capture needs CAP_NET_RAW; run as root, or give it to the service",
        "True",
    ]


def test_an_unknown_user_is_the_operators_mistake() -> None:
    with pytest.raises(ConfigurationError, match="no user 'nobody-such'"):
        drop_privileges("nobody-such")
