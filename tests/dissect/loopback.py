"""Listen on the loopback while real sockets talk, and read what was heard through the real flow core."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path

from medwarden.dissect.observer import Observer
from medwarden.flowcore import CaptureReader, FlowCore, FlowCoreConfig
from medwarden.model.evidence import Evidence

_ETH_P_ALL = 3


class Ear:
    """Every frame on the loopback interface, as a capture file in memory."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.2)
        self._stop = threading.Event()
        self._frames: list[tuple[float, bytes]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._stop.is_set():
            with suppress(TimeoutError):
                frame, address = self._socket.recvfrom(1 << 17)
                # each frame of the loopback is seen leaving and arriving: the first is enough
                if address[2] != socket.PACKET_OUTGOING:
                    self._frames.append((time.time(), frame))

    def close(self) -> bytes:
        """Stop listening and return the capture (libpcap, Ethernet)."""
        self._stop.set()
        self._thread.join(10)
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
    return facts, set(observer.applications().values()), dict(observer.malformed)
