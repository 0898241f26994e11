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
from multiprocessing.reduction import DupFd
from types import TracebackType
from typing import Protocol

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
_TP_STATUS_USER = 1
_BLOCK = struct.Struct("=8xII8xQ")  # of struct tpacket_block_desc: status, packets, sequence number
_NOTE = struct.Struct("=QQ")  # of a block given back: its sequence number, packets taken so far
_RETIRE_MS = 50
_SETTLE_LOOKS = 40
"""Looks in vain, each after ``_RETIRE_MS``, until what the kernel still owes is given up."""


class ReceiveRing:
    """The packets of ``interface`` in memory that the kernel fills, from the moment it is made.

    It may be handed to a process that is started (multiprocessing, spawn), which takes the packets while this
    one keeps the ring: should that process be killed, another goes on where it was, and what it had taken is
    known by a tally that both see. Raises ResourceError when there is no such interface, no permission, or no
    memory.
    """

    def __init__(
        self,
        interface: str,
        *,
        promiscuous: bool = True,
        block_bytes: int = 1 << 20,
        blocks: int = 32,
        fanout: int | None = None,
    ) -> None:
        if block_bytes <= 0 or block_bytes % mmap.PAGESIZE or blocks < 1:
            raise ConfigurationError(f"{blocks} ring blocks of {block_bytes} bytes: not whole pages")
        self.interface = interface
        self.block_bytes = block_bytes
        self.blocks = blocks
        self.socket = _packet_socket(interface)
        self._fanout = fanout
        self._tally = os.memfd_create("medwarden-tally", os.MFD_CLOEXEC)
        os.ftruncate(self._tally, blocks * _NOTE.size)
        self.linktype = self._open(promiscuous)

    def __reduce__(self) -> tuple[object, ...]:
        """Hand socket and tally to a process that is being started."""
        handed = (DupFd(self.socket.fileno()), DupFd(self._tally))
        return _received_ring, (*handed, self.interface, self.block_bytes, self.blocks, self.linktype)

    def _open(self, promiscuous: bool) -> int:
        """Set the ring up, then bind: before that, nothing arrives and nothing is counted."""
        packet, block_bytes, blocks = self.socket, self.block_bytes, self.blocks
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
        except OSError as error:
            self.close()
            raise ResourceError(
                f"{self.interface}: no receive ring of {block_bytes * blocks} bytes ({error.strerror})"
            ) from error
        except ResourceError:
            self.close()
            raise
        return _LINKTYPES[hardware]

    def _bind(self) -> None:
        """Let packets come; of those that a group shares, none before this capture is one of the group."""
        packet = self.socket
        if self._fanout is None:
            packet.bind((self.interface, _ETH_P_ALL))
            return
        self.shut()
        packet.bind((self.interface, _ETH_P_ALL))
        kind = _FANOUT_HASH | _FANOUT_DEFRAG | (_FANOUT_IGNORE_OUTGOING if self.interface == "lo" else 0)
        packet.setsockopt(_SOL_PACKET, _PACKET_FANOUT, struct.pack("=HH", self._fanout & 0xFFFF, kind))
        packet.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)

    def shut(self) -> None:
        """Let nothing more in."""
        closed = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))  # BPF: return 0
        program = struct.pack("@HP", 1, ctypes.addressof(closed))
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)

    def map(self) -> mmap.mmap:
        """Return the ring's memory."""
        return mmap.mmap(self.socket.fileno(), self.block_bytes * self.blocks)

    def map_tally(self) -> mmap.mmap:
        """Return the memory in which is noted, by block, which was given back and what was taken by then."""
        return mmap.mmap(self._tally, self.blocks * _NOTE.size)

    def statistics(self) -> tuple[int, int]:
        """Return what the kernel counted since the last call: packets, and how many of them it dropped."""
        raw = self.socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 12)
        packets, drops, _frozen = struct.unpack("=3I", raw)
        return packets, drops

    def next_block(self, ring: mmap.mmap, tally: mmap.mmap) -> int:
        """Return which block is to be taken next: the oldest that waits, else the one the kernel fills."""
        states = [_BLOCK.unpack_from(ring, at * self.block_bytes) for at in range(self.blocks)]
        waiting = [(state[2], at) for at, state in enumerate(states) if state[0] & _TP_STATUS_USER]
        if waiting:
            return min(waiting)[1]
        newest = max(range(self.blocks), key=lambda at: int(states[at][2]))
        given_back = states[newest][2] == _NOTE.unpack_from(tally, newest * _NOTE.size)[0]
        return (newest + 1) % self.blocks if given_back else newest

    def taken(self) -> int:
        """Return how many packets were taken and their blocks given back since the tally was begun anew."""
        with self.map() as ring, self.map_tally() as tally:
            last = (self.next_block(ring, tally) - 1) % self.blocks
            count: int = _NOTE.unpack_from(tally, last * _NOTE.size)[1]
            return count

    def begin_tally(self) -> None:
        """Forget what the process before had taken."""
        with self.map_tally() as tally:
            tally[:] = bytes(len(tally))

    def close(self) -> None:
        """Give socket and tally back; may be called more than once."""
        self.socket.close()
        tally, self._tally = self._tally, -1
        if tally >= 0:
            os.close(tally)


class _Handed(Protocol):
    def detach(self) -> int: ...


def _received_ring(
    handed: _Handed, tally: _Handed, interface: str, block_bytes: int, blocks: int, linktype: int
) -> ReceiveRing:
    ring = ReceiveRing.__new__(ReceiveRing)
    ring.interface, ring.block_bytes, ring.blocks, ring.linktype = interface, block_bytes, blocks, linktype
    ring.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0, fileno=handed.detach())
    ring._fanout, ring._tally = None, tally.detach()
    return ring


class LiveCapture:
    """Takes the packets of ``interface`` into ``core`` from the moment it is made.

    ``on_batch`` is called when hand-offs or ended flows wait, and at least every
    ``flush_interval_s`` seconds. The ring has ``blocks`` blocks of ``block_bytes`` (a multiple of the
    page size). With ``fanout``, a number that several captures of one interface have in common, the kernel
    gives each conversation to one of them (man 7 packet, PACKET_FANOUT_HASH). A ``ring`` that was handed to
    this process is taken instead; what the kernel dropped of it, who keeps it counts. Raises ResourceError
    when there is no such interface, no permission, or no memory.
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
        ring: ReceiveRing | None = None,
    ) -> None:
        if flush_interval_s <= 0:
            raise ConfigurationError(f"a flush interval of {flush_interval_s} s cannot be kept")
        self.interface = interface
        self._core = core
        self._on_batch = on_batch
        self._flush_s = flush_interval_s
        self._before = (core.parsed, core.rejected, core.reasons)
        self._kernel_packets = 0
        self._dropped = 0
        self._stopping = False
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        # Not closed before the object goes: a late stop() must not write into a file that took its number.
        weakref.finalize(self, os.close, self._wake)
        self._counts = ring is None
        if ring is None:
            ring = ReceiveRing(
                interface, promiscuous=promiscuous, block_bytes=block_bytes, blocks=blocks, fanout=fanout
            )
        self._receive = ring
        self._socket = ring.socket
        self._ring, self._tally = ring.map(), ring.map_tally()
        whole, notes = memoryview(self._ring), memoryview(self._tally)
        size = ring.block_bytes
        self._blocks = [whole[at * size : (at + 1) * size] for at in range(ring.blocks)]
        self._notes = [notes[at * _NOTE.size : (at + 1) * _NOTE.size] for at in range(ring.blocks)]
        self._views = (whole, notes)
        self._block = 0 if self._counts else ring.next_block(self._ring, self._tally)

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
        for view in (*self._blocks, *self._notes, *self._views):
            view.release()
        self._ring.close()
        self._tally.close()
        self._receive.close()

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
            at = self._block
            count = self._core.feed_block(self._blocks[at], self._receive.linktype, self._notes[at])
            if count is None:
                break
            taken += count
            self._block = (self._block + 1) % len(self._blocks)
            if self._core.full:
                self._on_batch(self._core)
        return taken

    def _count_drops(self) -> None:
        """Add the kernel's counters up; reading them sets them to zero. Version 3 counts drops in both."""
        if not self._counts:
            return
        packets, drops = self._receive.statistics()
        self._kernel_packets += packets
        self._dropped += drops

    def _settle(self) -> None:
        """Let nothing more in, and take what is in the ring to the last packet.

        Looks are counted and not seconds: on a busy machine, or behind a slow store, the time may be over
        before the kernel has handed on the block that it was filling.
        """
        self._receive.shut()
        if not self._counts:
            self._empty()
            return
        vain = 0
        while vain < _SETTLE_LOOKS:
            self._count_drops()
            vain = 0 if self._take_blocks() else vain + 1
            taken = self._core.parsed + self._core.rejected - self._before[0] - self._before[1]
            if taken >= self._kernel_packets - self._dropped:
                return
            time.sleep(_RETIRE_MS / 1000)

    def _empty(self) -> None:
        """Take blocks until the one that comes next has stayed empty for as long as it is held back."""
        still = vain = 0
        while still < 3 and vain < _SETTLE_LOOKS:
            time.sleep(_RETIRE_MS / 1000)
            taken = self._take_blocks()
            vain = 0 if taken else vain + 1
            _status, packets, number = _BLOCK.unpack_from(self._blocks[self._block])
            stale = number == _NOTE.unpack_from(self._notes[self._block])[0]  # taken, not yet filled again
            still = 0 if taken or (packets and not stale) else still + 1

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
                read=self._kernel_packets if self._counts else self.packets.read,
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
