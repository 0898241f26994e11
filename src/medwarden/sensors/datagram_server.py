"""Receive datagrams of exporters and syslog senders on one UDP port (Linux).

A thread takes as many datagrams as wait with each wake. What the kernel had to drop because the receive
buffer was full it counts itself (``sk_drops``, read with SO_MEMINFO: what SO_RXQ_OVFL tells with the next
datagram, but also when there is none).
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import threading

from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import ResourceError
from medwarden.sensors.reception import Reception

RECEIVE_BUFFER = 16 << 20
_MOST_PER_WAKE = 512
_SO_MEMINFO = 55  # include/uapi/asm-generic/socket.h; nine counters, the last is SK_MEMINFO_DROPS
_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33
_MEMINFO = struct.Struct("=9I")
_LARGEST = 65536
_WAKE_MS = 500


class DatagramServer:
    """Hands every datagram that arrives at ``host``:``port`` to ``reception`` from :meth:`start` on.

    Port 0 takes any free one; :attr:`address` says which. Raises ResourceError where the port cannot be
    had.
    """

    def __init__(self, host: str, port: int, reception: Reception, *, clock: Clock = wall_clock) -> None:
        self.reception = reception
        self._clock = clock
        self._drops = 0
        self._stopping = threading.Event()
        self.error: BaseException | None = None
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            self._enlarge()
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise ResourceError(f"udp {host}:{port} cannot be listened on ({error.strerror})") from error
        bound = self._socket.getsockname()
        self.address: tuple[str, int] = (bound[0], bound[1])
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name=f"udp-{self.address[1]}", daemon=True)

    def _enlarge(self) -> None:
        """Ask for a buffer that holds seconds of a busy exporter; root gets it whatever the limit."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)

    def start(self) -> None:
        """Begin to take datagrams."""
        self._thread.start()

    def stop(self) -> None:
        """Let nothing more in, take what has arrived, and end the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            os.eventfd_write(self._wake, 1)
            self._thread.join()
        if self._socket.fileno() >= 0:
            self._socket.close()
            os.close(self._wake)

    def _run(self) -> None:
        try:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            poll.register(self._wake, select.POLLIN)
            while not self._stopping.is_set():
                poll.poll(_WAKE_MS)
                self._drain(_MOST_PER_WAKE)
                self._count_drops()
            self._close_door()
            while self._drain(_MOST_PER_WAKE):
                pass
        except BaseException as error:  # noqa: BLE001 - kept for whoever asks: the thread cannot raise it
            self.error = error

    def _drain(self, most: int) -> int:
        """Take up to ``most`` datagrams that wait; return how many there were."""
        receive, take = self._socket.recvfrom, self.reception.receive
        for taken in range(most):
            try:
                octets, sender = receive(_LARGEST)
            except BlockingIOError:
                return taken
            except ConnectionError:  # an ICMP error about something we sent; we send nothing, but be safe
                continue
            take(sender[0], octets, self._clock())
        return most

    def _count_drops(self) -> None:
        raw = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        drops = _MEMINFO.unpack(raw)[8]
        new = (drops - self._drops) & 0xFFFFFFFF
        if new:
            self._drops = drops
            self.reception.drop("dropped by the kernel: receive buffer full", new)

    def _close_door(self) -> None:
        """Count the kernel's drops a last time, then have it refuse what still comes."""
        self._count_drops()
        closed = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))  # BPF: return 0
        program = struct.pack("@HP", 1, ctypes.addressof(closed))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
