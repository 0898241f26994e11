"""Live capture of one interface through an AF_PACKET receive ring of version 3 (Linux).

Linux Documentation/networking/packet_mmap.rst. The kernel fills blocks of memory shared with this
process; the flow core walks them. What the kernel could not place is counted by it, so that in the
end every packet of the interface is parsed, rejected or dropped.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import pwd
import select
import socket
import struct
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from medwarden.flowcore import FlowCore
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.model.accounting import InputReport, PacketCount

# linux/if_packet.h, asm-generic/socket.h, linux/filter.h
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_RX_RING = 5
_PACKET_STATISTICS = 6
_PACKET_VERSION = 10
_PACKET_FANOUT = 18
_PACKET_IGNORE_OUTGOING = 23
_TPACKET_V3 = 2
_PACKET_MR_PROMISC = 1
_FANOUT_HASH = 0
_FANOUT_IGNORE_OUTGOING = 0x4000
_FANOUT_DEFRAG = 0x8000
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_ETH_P_ALL = 3

_ARPHRD_ETHER, _ARPHRD_LOOPBACK = 1, 772
_LINKTYPE_ETHERNET, _LINKTYPE_RAW = 1, 101
_LINKTYPES = {
    _ARPHRD_ETHER: _LINKTYPE_ETHERNET,
    _ARPHRD_LOOPBACK: _LINKTYPE_ETHERNET,
    512: _LINKTYPE_RAW,  # PPP
    768: _LINKTYPE_RAW,  # IP in IP
    769: _LINKTYPE_RAW,  # IPv6 in IPv6
    776: _LINKTYPE_RAW,  # IPv6 in IPv4
    65534: _LINKTYPE_RAW,  # none: tun, WireGuard
}

_FRAME = 2048
_RETIRE_MS = 50
_SETTLE_S = 2.0


class LiveCapture:
    """Takes the packets of ``interface`` into ``core`` from the moment it is made.

    ``on_batch`` is called when hand-offs or ended flows wait, and at least every
    ``flush_interval_s`` seconds. The ring has ``blocks`` blocks of ``block_bytes`` (a multiple of the
    page size). With ``fanout``, a number that several captures of one interface have in common, the kernel
    gives each conversation to one of them (man 7 packet, PACKET_FANOUT_HASH). Raises ResourceError when there
    is no such interface, no permission, or no memory.
    """

    def __init__(
        self,
        interface: str,
        core: FlowCore,
        on_batch: Callable[[FlowCore], None],
        flush_interval_s: float = 1.0,
        *,
        promiscuous: bool = True,
        block_bytes: int = 1 << 20,
        blocks: int = 32,
        fanout: int | None = None,
    ) -> None:
        if flush_interval_s <= 0:
            raise ConfigurationError(f"a flush interval of {flush_interval_s} s cannot be kept")
        if block_bytes <= 0 or block_bytes % mmap.PAGESIZE or blocks < 1:
            raise ConfigurationError(f"{blocks} ring blocks of {block_bytes} bytes: not whole pages")
        self.interface = interface
        self._core = core
        self._on_batch = on_batch
        self._flush_s = flush_interval_s
        self._before = (core.parsed, core.rejected, core.reasons)
        self._kernel_packets = 0
        self._dropped = 0
        self._block = 0
        self._stopping = False
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        # Not closed before the object goes: a late stop() must not write into a file that took its number.
        weakref.finalize(self, os.close, self._wake)
        self._socket = _packet_socket(interface)
        self._fanout = fanout
        self._ring = self._open_ring(promiscuous, block_bytes, blocks)
        whole = memoryview(self._ring)
        self._blocks = [whole[at * block_bytes : (at + 1) * block_bytes] for at in range(blocks)]
        self._whole = whole

    def _open_ring(self, promiscuous: bool, block_bytes: int, blocks: int) -> mmap.mmap:
        """Set the ring up, then bind: before that, nothing arrives and nothing is counted."""
        packet = self._socket
        try:
            index = _interface_index(self.interface)
            packet.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
            packet.setsockopt(
                _SOL_PACKET,
                _PACKET_RX_RING,
                struct.pack(
                    "=7I",
                    block_bytes,
                    blocks,
                    _FRAME,
                    block_bytes // _FRAME * blocks,
                    _RETIRE_MS,
                    0,
                    0,
                ),
            )
            ring = mmap.mmap(packet.fileno(), block_bytes * blocks)
            if promiscuous:
                packet.setsockopt(
                    _SOL_PACKET, _PACKET_ADD_MEMBERSHIP, struct.pack("=IHH8x", index, _PACKET_MR_PROMISC, 0)
                )
            if self.interface == "lo":  # what goes out of it comes in again
                packet.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            self._bind()
            hardware = packet.getsockname()[3]
            if hardware not in _LINKTYPES:
                raise ResourceError(
                    f"{self.interface}: link type {hardware} is not one that can be captured live"
                )
            self._linktype = _LINKTYPES[hardware]
        except OSError as error:
            packet.close()
            raise ResourceError(
                f"{self.interface}: no receive ring of {block_bytes * blocks} bytes ({error.strerror})"
            ) from error
        except ResourceError:
            packet.close()
            raise
        return ring

    def _bind(self) -> None:
        """Let packets come; of those that a group shares, none before this capture is one of the group."""
        packet = self._socket
        if self._fanout is None:
            packet.bind((self.interface, _ETH_P_ALL))
            return
        self._shut()
        packet.bind((self.interface, _ETH_P_ALL))
        kind = _FANOUT_HASH | _FANOUT_DEFRAG | (_FANOUT_IGNORE_OUTGOING if self.interface == "lo" else 0)
        packet.setsockopt(_SOL_PACKET, _PACKET_FANOUT, struct.pack("=HH", self._fanout & 0xFFFF, kind))
        packet.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)

    def _shut(self) -> None:
        """Let nothing more in."""
        closed = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))  # BPF: return 0
        program = struct.pack("@HP", 1, ctypes.addressof(closed))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)

    def run(self) -> InputReport:
        """Take packets until :meth:`stop`, or until the interface disappears; return the account.

        The report's ``packets.read`` is what the kernel counted on the interface, drops included.
        """
        error: str | None = None
        try:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN | select.POLLERR)
            poll.register(self._wake, select.POLLIN)
            due = time.monotonic() + self._flush_s
            while not self._stopping and error is None:
                ready = poll.poll(max(0.0, due - time.monotonic()) * 1000)
                if any(fd == self._socket.fileno() and event & select.POLLERR for fd, event in ready):
                    error = self._failure()
                self._take_blocks()
                if time.monotonic() >= due:
                    self._core.advance(wall_clock())
                    self._on_batch(self._core)
                    self._count_drops()
                    due = time.monotonic() + self._flush_s
            self._settle()
            self._on_batch(self._core)
            return self._report(error)
        finally:
            self.close()

    def stop(self) -> None:
        """Ask :meth:`run` to take what has arrived and return; safe from threads and signal handlers."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)

    @property
    def packets(self) -> PacketCount:
        """What has been taken so far, and what the kernel had dropped at the last flush."""
        parsed = self._core.parsed - self._before[0]
        rejected = self._core.rejected - self._before[1]
        return PacketCount(parsed + rejected + self._dropped, parsed, rejected, self._dropped)

    def close(self) -> None:
        """Give socket and ring back; may be called more than once."""
        if self._socket.fileno() < 0:
            return
        for block in self._blocks:
            block.release()
        self._whole.release()
        self._ring.close()
        self._socket.close()

    def __enter__(self) -> LiveCapture:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take_blocks(self) -> int:
        """Walk the blocks that are ready, at most once round the ring; return the packets taken."""
        taken = 0
        for _ in range(len(self._blocks)):
            count = self._core.feed_block(self._blocks[self._block], self._linktype)
            if count is None:
                break
            taken += count
            self._block = (self._block + 1) % len(self._blocks)
            if self._core.full:
                self._on_batch(self._core)
        return taken

    def _count_drops(self) -> None:
        """Add the kernel's counters up; reading them sets them to zero. Version 3 counts drops in both."""
        raw = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 12)
        packets, drops, _frozen = struct.unpack("=3I", raw)
        self._kernel_packets += packets
        self._dropped += drops

    def _settle(self) -> None:
        """Let nothing more in, and take what is in the ring to the last packet."""
        self._shut()
        deadline = time.monotonic() + _SETTLE_S
        while True:
            self._count_drops()
            self._take_blocks()
            taken = self._core.parsed + self._core.rejected - self._before[0] - self._before[1]
            if taken >= self._kernel_packets - self._dropped or time.monotonic() > deadline:
                return
            time.sleep(_RETIRE_MS / 1000)

    def _failure(self) -> str | None:
        """Say what ended the capture; an interface that is only down for now ends nothing."""
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        try:
            socket.if_nametoindex(self.interface)
        except OSError:
            return f"{self.interface}: the interface disappeared while it was captured"
        if code not in (0, errno.ENETDOWN):
            return f"{self.interface}: {os.strerror(code)}"
        time.sleep(_RETIRE_MS / 1000)
        return None

    def _report(self, error: str | None) -> InputReport:
        parsed, rejected, reasons = self._before
        core = self._core
        return InputReport(
            path=self.interface,
            format="live",
            packets=PacketCount(
                read=self._kernel_packets,
                parsed=core.parsed - parsed,
                rejected=core.rejected - rejected,
                dropped=self._dropped,
            ),
            first_ns=core.first_ns,
            last_ns=core.last_ns,
            rejected_reasons={
                reason: count - reasons.get(reason, 0)
                for reason, count in core.reasons.items()
                if count > reasons.get(reason, 0)
            },
            error=error,
        )


def drop_privileges(user: str) -> None:
    """Become ``user`` for good, with no other groups; open sockets stay open.

    Raises ConfigurationError for a user that does not exist and ResourceError where this process may
    not change its user, or could change back.
    """
    try:
        account = pwd.getpwnam(user)
    except KeyError as error:
        raise ConfigurationError(f"there is no user {user!r} to run as") from error
    if os.getresuid() == (account.pw_uid,) * 3:
        return
    try:
        os.setgroups([])
        os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
        os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    except PermissionError as error:
        raise ResourceError(f"only root can go on as {user}: start as root, or as {user}") from error
    if account.pw_uid == 0:
        return
    try:
        os.setuid(0)
    except PermissionError:
        return
    raise ResourceError(f"running as {user} could be undone; refusing to go on")


@contextmanager
def acting_as(user: str | None) -> Iterator[None]:
    """Act as ``user`` meanwhile, and as root again afterwards; None changes nothing.

    What is made before :func:`drop_privileges` must be made like this, or the user could not open it.
    Raises ConfigurationError for a user that does not exist and ResourceError where this is not root.
    """
    if user is None:
        yield
        return
    try:
        account = pwd.getpwnam(user)
    except KeyError as error:
        raise ConfigurationError(f"there is no user {user!r} to run as") from error
    user_id, group_id = os.geteuid(), os.getegid()
    try:
        os.setegid(account.pw_gid)
        os.seteuid(account.pw_uid)
    except PermissionError as error:
        raise ResourceError(f"only root can go on as {user}: start as root, or as {user}") from error
    try:
        yield
    finally:
        os.seteuid(user_id)
        os.setegid(group_id)


def _packet_socket(interface: str) -> socket.socket:
    try:
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    except PermissionError as error:
        raise ResourceError(
            f"{interface}: live capture needs CAP_NET_RAW; run as root, or give it to the service"
        ) from error


def _interface_index(interface: str) -> int:
    try:
        return socket.if_nametoindex(interface)
    except OSError as error:
        there = ", ".join(name for _, name in socket.if_nameindex())
        raise ResourceError(f"no interface {interface!r}; there are: {there}") from error
