"""Listen on the loopback while real sockets talk, and read what was heard through the real flow core.

What other tests say to each other on the same loopback would be heard, too, and be taken for malformed: who
talks and who listens is :func:`apart`, in a network namespace of their own.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.telling import tell
from tests.waiting import PATIENCE

from medwarden.dissect.observer import Observer
from medwarden.flowcore import CaptureReader, FlowCore, FlowCoreConfig
from medwarden.model.evidence import Evidence

_ETH_P_ALL = 3
_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_IFF_UP, _IFF_MULTICAST = 0x1, 0x1000
_SO_RCVBUFFORCE = 33


@contextmanager
def apart() -> Iterator[ThreadPoolExecutor]:
    """Yield a thread in a network namespace of its own, with nothing but the loopback; skip without root.

    Sockets and programs that are begun in it see that loopback alone.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        problem = thread.submit(_settle_in).result()
        if problem:
            pytest.skip(f"no network namespace can be made here: {problem}")
        yield thread


def _settle_in() -> str:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        return os.strerror(ctypes.get_errno())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(line, _SIOCGIFFLAGS, asked))[1]
        told = struct.pack("16sh14x", b"lo", flags | _IFF_UP | _IFF_MULTICAST)
        fcntl.ioctl(line, _SIOCSIFFLAGS, told)
    return ""


class Ear:
    """Every frame on the loopback interface, as a capture file in memory."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 26)
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.2)
        self._stop = threading.Event()
        self._frames: list[tuple[float, bytes]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            ending = self._stop.is_set()  # what was said before that is still heard
            try:
                frame, address = self._socket.recvfrom(1 << 17)
            except TimeoutError:
                if ending:
                    return
                continue
            # each frame of the loopback is seen leaving and arriving: the first is enough
            if address[2] != socket.PACKET_OUTGOING:
                self._frames.append((time.time(), frame))

    def close(self) -> bytes:
        """Stop listening and return the capture (libpcap, Ethernet)."""
        self._stop.set()
        self._thread.join(PATIENCE)
        self._socket.close()
        head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)
        records = (
            struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(frame), len(frame)) + frame
            for at, frame in self._frames
        )
        return head + b"".join(records)


def heard(capture: bytes, tmp_path: Path) -> tuple[list[Evidence], set[str], dict[str, int]]:
    """Return facts, applications and malformed counts of a capture."""
    path = tmp_path / "loopback.pcap"
    path.write_bytes(capture)
    observer = Observer(b"k" * 32)
    interest = observer.core_interest
    core = FlowCore(
        FlowCoreConfig(
            stream_ports=interest.stream_ports,
            stream_starts=interest.stream_starts,
            datagram_ports=interest.datagram_ports,
            ethertypes=interest.ethertypes,
        )
    )
    reader = CaptureReader(core, path.name)
    at = 0
    while at < len(capture):
        at += reader.feed(capture, at, final=True)
    core.take_flows(final=True)
    facts = [fact for segment in core.take_segments() for fact in observer.observe(segment)]
    tell("heard", lambda: "\n".join(sorted({f"{fact.ip} {fact.field} = {fact.value}" for fact in facts})))
    return facts, set(observer.applications().values()), dict(observer.malformed)
