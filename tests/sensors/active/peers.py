"""Peers for probers on loopback, good and bad, and permits to talk to them."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.operations.wards import device
from tests.waiting import PATIENCE

from medwarden.kernel.clock import wall_clock
from medwarden.model.segment import Transport
from medwarden.operations.in_use import InUse, Use
from medwarden.operations.interlock import Grant, Registry, Request, decide
from medwarden.operations.permit import Permit, Target
from medwarden.sensors.active.prober import Prober
from medwarden.sensors.active.registry import probers

TcpTalk = Callable[[socket.socket, threading.Event], None]
UdpTalk = Callable[[socket.socket, bytes, tuple[str, int], threading.Event], None]


def permit(prober: Prober, port: int, *, now: int | None = None) -> Permit:
    """Return what the interlock gives for an idle printer on loopback."""
    at = wall_clock() if now is None else now
    printer = device(ip="127.0.0.1", last_seen=at)
    grant = Grant("g", "main", "127.0.0.0/8", frozenset(probers()), "nina", "test", 0)
    made = decide(
        Request(prober.manifest.action, Target("main", "127.0.0.1", port), (printer,), False),
        Registry(grants=(grant,)),
        {printer.id: InUse(Use.NO, "test", None, at)},
        None,
        at,
    )
    assert isinstance(made, Permit), made
    return made


@contextmanager
def tcp_peer(talk: TcpTalk) -> Iterator[tuple[int, list[float]]]:
    """Serve one behaviour on a loopback port; yield the port and the times of connections."""
    over, visits = threading.Event(), list[float]()
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.05)

    def serve() -> None:
        while True:
            ending = over.is_set()  # who came before that is still met
            try:
                line, _ = server.accept()
            except TimeoutError:
                if ending:
                    return
                continue
            visits.append(time.monotonic())
            with line, suppress(OSError):
                line.settimeout(PATIENCE)
                talk(line, over)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1], visits
    finally:
        over.set()
        thread.join()
        server.close()


@contextmanager
def udp_peer(talk: UdpTalk) -> Iterator[tuple[int, list[bytes]]]:
    """Serve one behaviour on a loopback port; yield the port and the datagrams that came."""
    over, heard = threading.Event(), list[bytes]()
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.bind(("127.0.0.1", 0))
    line.settimeout(0.05)

    def serve() -> None:
        while True:
            ending = over.is_set()  # what came before that is still heard
            try:
                data, sender = line.recvfrom(65_535)
            except TimeoutError:
                if ending:
                    return
                continue
            except OSError:
                continue
            heard.append(data)
            with suppress(OSError):
                talk(line, data, sender, over)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield line.getsockname()[1], heard
    finally:
        over.set()
        thread.join()
        line.close()


def reset(line: socket.socket, _over: threading.Event) -> None:
    line.recv(1)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(line: socket.socket, over: threading.Event) -> None:
    over.wait(PATIENCE)


def hang_up(line: socket.socket, _over: threading.Event) -> None:
    line.recv(65_535)


def saying(data: bytes) -> TcpTalk:
    def talk(line: socket.socket, over: threading.Event) -> None:
        line.recv(65_535)
        line.sendall(data)
        over.wait(PATIENCE)

    return talk


def dripping(data: bytes) -> TcpTalk:
    def talk(line: socket.socket, over: threading.Event) -> None:
        line.recv(65_535)
        for at in range(len(data)):
            line.sendall(data[at : at + 1])
            if over.wait(0.3):
                return
        over.wait(PATIENCE)

    return talk


def endless(start: bytes) -> TcpTalk:
    def talk(line: socket.socket, over: threading.Event) -> None:
        line.recv(65_535)
        line.sendall(start)
        while not over.is_set():
            line.sendall(b"A: " + b"x" * 1_000 + b"\r\n")

    return talk


def datagrams(*answers: bytes) -> UdpTalk:
    def talk(line: socket.socket, _data: bytes, sender: tuple[str, int], _over: threading.Event) -> None:
        for answer in answers:
            line.sendto(answer, sender)

    return talk


def flood(data: bytes) -> UdpTalk:
    def talk(line: socket.socket, _data: bytes, sender: tuple[str, int], over: threading.Event) -> None:
        until = time.monotonic() + 3
        while not over.is_set() and time.monotonic() < until:
            line.sendto(data, sender)

    return talk


# The beginning of a right answer of each stream protocol, which then goes on and never ends.
STARTS = {
    "dicom_echo": b"\x02\x00\x00\x00\x3f\xf0" + bytes(64),
    "http_head": b"HTTP/1.1 200 OK\r\n",
    "smb_negotiate": b"\x00\x00\x3f\xf0\xfeSMB" + bytes(64),
    "tls_hello": b"\x16\x03\x03\x40\x00\x02\x00\x3f\xf0" + bytes(64),
}


def streams() -> list[str]:
    return [name for name, p in probers().items() if p.manifest.transport is Transport.TCP]


def packets() -> list[str]:
    return [name for name, p in probers().items() if p.manifest.transport is Transport.UDP]
