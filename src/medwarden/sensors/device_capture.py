"""Record the packets of one device into a ring of pcapng files, within limits of time, size and number.

AF_PACKET socket with a kernel filter (:mod:`medwarden.sensors.packet_filter`); the kernel's own time of each
packet (SO_TIMESTAMPNS); VLAN tags that the network card took off are put back (PACKET_AUXDATA). pcapng after
draft-ietf-opsawg-pcapng. When the ring is full the oldest file goes.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec

from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.sensors.packet_filter import device_filter, packed_filter

_SOL_PACKET = 263
_ADD_MEMBERSHIP, _STATISTICS, _AUXDATA, _IGNORE_OUTGOING = 1, 6, 8, 23
_PROMISCUOUS = 1
_ATTACH_FILTER = 26
_TIMESTAMP_NS = 35  # SO_TIMESTAMPNS
_RECEIVE_FORCE = 33  # SO_RCVBUFFORCE
_ALL = 3
_VLAN_VALID, _TPID_VALID = 0x10, 0x40
_MOST_PACKET = 262_144
_BUFFER = 8 << 20
_MEBIBYTE = 1 << 20
_KEPT_FREE = 64 * _MEBIBYTE
"""Bytes of the disk that a capture leaves to others."""


class CaptureLimits(msgspec.Struct, frozen=True):
    """Bounds of a capture; the first that is reached ends it, but ``megabytes`` only turn the ring.

    ``megabytes`` is the size of the whole ring, ``files`` of how many files it is made.
    """

    seconds: float = 60.0
    megabytes: int = 100
    packets: int | None = None
    files: int = 4


class Captured(msgspec.Struct):
    """What a capture came to so far; ``ended_by`` is time, packets, stopped, disk, interface or empty."""

    packets: int = 0
    dropped: int = 0
    bytes: int = 0
    files: list[str] = msgspec.field(default_factory=list)
    ended_by: str = ""
    error: str = ""


class DeviceCapture:
    """Captures from the moment it is made; :meth:`run` takes packets until a limit or a stop.

    ``folder`` is made with the rights of its owner alone. Raises ConfigurationError for limits that
    cannot be, ResourceError where there is no interface, permission or space.
    """

    def __init__(
        self,
        interface: str,
        macs: tuple[str, ...],
        ips: tuple[str, ...],
        folder: Path,
        limits: CaptureLimits,
        *,
        comment: str = "",
    ) -> None:
        if limits.seconds <= 0 or limits.megabytes < 1 or limits.files < 1 or (limits.packets or 1) < 1:
            raise ConfigurationError("seconds, megabytes, files and packets of a capture are 1 or more")
        self._program = device_filter(macs, ips)
        self._interface = interface
        self._limits = limits
        self.captured = Captured()
        self._folder = folder
        self._file: _Ring | None = None
        self._stopping = False
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if free_bytes(folder) < limits.megabytes * _MEBIBYTE + _KEPT_FREE:
            raise ResourceError(f"{folder}: not enough free space for {limits.megabytes} MiB")
        self._socket = self._open()
        self._ring = _Ring(folder, interface, limits, comment, self.captured)

    def _open(self) -> socket.socket:
        """Set the filter before binding: no packet of another device ever reaches this process."""
        try:
            line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        except PermissionError as error:
            raise ResourceError(f"{self._interface}: capturing needs CAP_NET_RAW; run as root") from error
        try:
            index = socket.if_nametoindex(self._interface)
            fprog, kept = packed_filter(self._program)
            line.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, fprog)
            del kept
            line.setsockopt(_SOL_PACKET, _AUXDATA, 1)
            line.setsockopt(socket.SOL_SOCKET, _TIMESTAMP_NS, 1)
            line.setsockopt(socket.SOL_SOCKET, _RECEIVE_FORCE, _BUFFER)
            if self._interface == "lo":
                line.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
            line.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, struct.pack("=IHH8x", index, _PROMISCUOUS, 0))
            line.bind((self._interface, _ALL))
        except OSError as error:
            line.close()
            raise ResourceError(f"{self._interface}: cannot be captured ({error.strerror})") from error
        line.setblocking(False)
        return line

    def run(self, stopped: Callable[[], bool] = lambda: False, *, look_every_s: float = 0.5) -> Captured:
        """Take packets until a limit is reached, :meth:`stop` was called or ``stopped`` says so."""
        done = self.captured
        deadline = time.monotonic() + self._limits.seconds
        look = 0.0
        try:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN | select.POLLERR)
            while not done.ended_by:
                now = time.monotonic()
                if now >= deadline:
                    done.ended_by = "time"
                elif self._stopping:
                    done.ended_by = "stopped"
                elif now >= look:
                    look = now + look_every_s
                    done.ended_by = self._looked(stopped)
                else:
                    poll.poll(max(0.0, min(deadline, look) - now) * 1000)
                    self._take(deadline)
            self._take(deadline)
            self._count_drops()
        except OSError as error:
            done.ended_by, done.error = "disk", f"{self._folder}: {error.strerror}"
        finally:
            self.close()
        return done

    def _looked(self, stopped: Callable[[], bool]) -> str:
        self._count_drops()
        self._ring.flush()
        if stopped():
            return "stopped"
        if free_bytes(self._folder) < _KEPT_FREE:
            self.captured.error = f"{self._folder}: the disk is nearly full"
            return "disk"
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        try:
            socket.if_nametoindex(self._interface)
        except OSError:
            self.captured.error = f"{self._interface}: the interface disappeared"
            return "interface"
        if code:
            self.captured.error = f"{self._interface}: {os.strerror(code)}"
        return ""

    def _take(self, deadline: float) -> None:
        """Take what has arrived, one packet after the other, looking at the clock now and then."""
        done, most = self.captured, self._limits.packets
        for number in range(100_000):
            if done.ended_by == "packets" or (number % 256 == 255 and time.monotonic() > deadline + 1):
                return
            try:
                data, extra, flags, _ = self._socket.recvmsg(_MOST_PACKET, 256, socket.MSG_TRUNC)
            except BlockingIOError:
                return
            except OSError:
                return  # the interface went down; the next look says so where it is gone
            del flags
            ts_ns, packet, length = _stamped(data, extra)
            self._ring.write(ts_ns, packet, length)
            done.packets += 1
            done.bytes += len(packet)
            if most is not None and done.packets >= most:
                done.ended_by = "packets"

    def stop(self) -> None:
        """Ask :meth:`run` to return soon; safe from threads and signal handlers."""
        self._stopping = True

    def _count_drops(self) -> None:
        raw = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 8)
        self.captured.dropped += struct.unpack("=2I", raw)[1]

    def close(self) -> None:
        """Give socket and file back; may be called more than once."""
        self._socket.close()
        self._ring.close()

    def __enter__(self) -> DeviceCapture:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _stamped(data: bytes, extra: list[tuple[int, int, bytes]]) -> tuple[int, bytes, int]:
    """Return time, bytes and length on the wire of a packet, with the VLAN tag the card took off."""
    ts_ns, length = wall_clock(), len(data)
    for level, kind, value in extra:
        if level == socket.SOL_SOCKET and kind == _TIMESTAMP_NS and len(value) >= 16:
            seconds, nanoseconds = struct.unpack_from("@qq", value)
            ts_ns = seconds * 1_000_000_000 + nanoseconds
        elif level == _SOL_PACKET and kind == _AUXDATA and len(value) >= 20:
            status, length, _snap, _mac, _net, tci, tpid = struct.unpack_from("=IIIHHHH", value)
            if status & _VLAN_VALID:
                tag = struct.pack(">HH", tpid if status & _TPID_VALID else 0x8100, tci)
                data, length = data[:12] + tag + data[12:], length + 4
    return ts_ns, data, max(length, len(data))


def free_bytes(folder: Path) -> int:
    """Return how many bytes the disk of ``folder`` has left for us."""
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


class _Ring:
    """Files of one capture, each a pcapng by itself; the oldest goes when the ring is full."""

    def __init__(
        self, folder: Path, interface: str, limits: CaptureLimits, comment: str, done: Captured
    ) -> None:
        self._folder, self._interface, self._comment = folder, interface, comment
        self._most_files = limits.files
        self._most_bytes = max(limits.megabytes * _MEBIBYTE // limits.files, 65_536)
        self._done = done
        self._number = 0
        self._written = 0
        self._file: BinaryIO = self._next()

    def _next(self) -> BinaryIO:
        name = f"{self._number:05d}.pcapng"
        self._number += 1
        descriptor = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        file = os.fdopen(descriptor, "wb")
        head = _section(self._comment) + _interface(self._interface)
        file.write(head)
        self._written = len(head)
        self._done.files.append(name)
        while len(self._done.files) > self._most_files:
            (self._folder / self._done.files.pop(0)).unlink(missing_ok=True)
        return file

    def write(self, ts_ns: int, data: bytes, length: int) -> None:
        """Write one packet, in the next file where this one is full."""
        block = _block(6, struct.pack("<IIIII", 0, ts_ns >> 32, ts_ns & 0xFFFFFFFF, len(data), length) + data)
        if self._written + len(block) > self._most_bytes:
            self._file.close()
            self._file = self._next()
        self._file.write(block)
        self._written += len(block)

    def flush(self) -> None:
        """Bring what was written to where others can read it."""
        if not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        """End the present file."""
        self._file.close()


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + size + body + size


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _section(comment: str) -> bytes:
    options = _option(1, comment.encode()[:1000]) + _option(4, b"medwarden") + bytes(4)
    return _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options)


def _interface(name: str) -> bytes:
    options = _option(2, name.encode()) + _option(9, b"\x09") + bytes(4)  # nanoseconds
    return _block(1, struct.pack("<HHI", 1, 0, _MOST_PACKET) + options)
