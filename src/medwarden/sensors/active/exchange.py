"""The only place of active query that opens a socket, and only against a permit.

An exchange is bounded on every side: seconds to connect, seconds in all, bytes to hear, one connection
at a time to a device. Nothing is ever tried twice and no socket may broadcast (it is never asked to).
"""

from __future__ import annotations

import errno
import select
import socket
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from types import TracebackType

import msgspec

from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import ResourceError
from medwarden.model.segment import Transport
from medwarden.operations.permit import Action, NotPermitted, Permit, Target


class Outcome(StrEnum):
    """What came of a probe, in one word."""

    ANSWERED = "answered"
    SILENT = "silent"  # nothing came in time
    INCOMPLETE = "incomplete"  # something came, but not all of it in time
    CLOSED = "closed"  # the port is closed
    RESET = "reset"  # the peer broke the connection off
    UNREACHABLE = "unreachable"  # the network says that there is no way
    MALFORMED = "malformed"  # the answer is not of this protocol
    EXCESSIVE = "excessive"  # the answer has no end, or none within what is heard


class Limits(msgspec.Struct, frozen=True):
    """How long and how much one probe may take; ``source_*`` bind our end where they are given."""

    connect_s: float = 2.0
    total_s: float = 4.0
    most_bytes: int = 32_768
    source_ip: str = ""
    source_port: int = 0


class Piece(msgspec.Struct, frozen=True):
    """What was said at once: when, by us (``ours``) or by the device."""

    ts_ns: int
    ours: bool
    data: bytes


class Ended(Exception):
    """An exchange is over before the answer was complete; ``outcome`` says how."""

    def __init__(self, outcome: Outcome, words: str) -> None:
        self.outcome = outcome
        super().__init__(words)


_UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})
_talking: set[tuple[str, str]] = set()
_turn = threading.Lock()


class Exchange:
    """One conversation with one device, opened with a permit that covers exactly this.

    Raises NotPermitted from the constructor, before any socket exists, where the permit does not cover
    the action and target, or the device is being talked to already. Use as a context manager.
    """

    def __init__(
        self,
        permit: Permit,
        action: Action,
        aimed: Target,
        transport: Transport,
        limits: Limits,
        clock: Clock = wall_clock,
    ) -> None:
        permit.redeem(action, aimed, clock())
        self._device = (aimed.site, aimed.ip)
        with _turn:
            if self._device in _talking:
                raise NotPermitted(f"{aimed.ip} is being talked to already: one connection at a time")
            _talking.add(self._device)
        self._aimed = aimed
        self.limits = limits
        self._clock = clock
        self._stream = transport is Transport.TCP
        self._socket: socket.socket | None = None
        self._deadline = time.monotonic() + limits.total_s
        self.pieces: list[Piece] = []
        self.local: tuple[str, int] = ("", 0)

    def __enter__(self) -> Exchange:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket and let others talk to the device; may be called more than once."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        with _turn:
            _talking.discard(self._device)

    @property
    def host(self) -> str:
        """Return the address of the device as it is written in a URL."""
        return f"[{self._aimed.ip}]" if ":" in self._aimed.ip else self._aimed.ip

    @property
    def sent(self) -> int:
        """Bytes of payload that we sent."""
        return sum(len(piece.data) for piece in self.pieces if piece.ours)

    @property
    def received(self) -> int:
        """Bytes of payload that were heard."""
        return sum(len(piece.data) for piece in self.pieces if not piece.ours)

    def open(self) -> None:
        """Connect. Raises Ended where the device does not take the connection."""
        ip = self._aimed.ip
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        kind = socket.SOCK_STREAM if self._stream else socket.SOCK_DGRAM
        line = self._socket = socket.socket(family, kind | socket.SOCK_CLOEXEC)
        line.settimeout(min(self.limits.connect_s, self._left()))
        try:
            if self.limits.source_ip or self.limits.source_port:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                line.bind((self.limits.source_ip, self.limits.source_port))
        except OSError as error:
            raise ResourceError(
                f"the source {self.limits.source_ip}:{self.limits.source_port} cannot be used "
                f"({error.strerror}): name an address of this machine and a free port"
            ) from error
        try:
            # A connected datagram socket hears nobody but this peer, and hears that its port is closed.
            line.connect((ip, self._aimed.port))
        except OSError as error:
            raise self._ended(error) from error
        self.local = line.getsockname()[:2]

    def say(self, data: bytes) -> None:
        """Send ``data`` once. Raises Ended where the connection broke."""
        line = self._line()
        line.settimeout(self._left())
        self.pieces.append(Piece(self._clock(), True, data))
        try:
            line.sendall(data)
        except OSError as error:
            raise self._ended(error) from error

    def hear(self, complete: Callable[[bytes], bool], within_s: float | None = None) -> bytes:
        """Return what the device says until ``complete`` says that it is all; datagrams come one by one.

        Raises Ended when it does not become complete in time, ends early, or exceeds the bound, and what
        ``complete`` raises.
        """
        heard = b""
        until = self._deadline if within_s is None else min(self._deadline, time.monotonic() + within_s)
        while True:
            piece = self._receive(until, bool(heard))
            if self._stream:
                heard += piece
            else:
                heard = piece
            if complete(heard):
                return heard
            if self.received >= self.limits.most_bytes:
                raise self._excessive()

    def _receive(self, until: float, begun: bool) -> bytes:
        line = self._line()
        silent = Ended(Outcome.INCOMPLETE, "the answer did not end in time") if begun else None
        silent = silent or Ended(Outcome.SILENT, "no answer in time")
        wait = until - time.monotonic()
        if wait <= 0:
            raise silent
        poll = select.poll()
        poll.register(line, select.POLLIN)
        if not poll.poll(wait * 1000):
            raise silent
        room = self.limits.most_bytes - self.received
        if room <= 0:
            raise self._excessive()
        try:
            piece = line.recv(min(room, 65_535) if self._stream else 65_535)
        except OSError as error:
            raise self._ended(error) from error
        if self._stream and not piece:
            word = Outcome.INCOMPLETE if begun else Outcome.RESET
            raise Ended(word, "the device ended the connection")
        self.pieces.append(Piece(self._clock(), False, piece))
        return piece

    def _line(self) -> socket.socket:
        if self._socket is None:
            raise NotPermitted("the exchange is not open")
        return self._socket

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Ended(Outcome.INCOMPLETE if self.received else Outcome.SILENT, "the time is over")
        return left

    def _excessive(self) -> Ended:
        return Ended(Outcome.EXCESSIVE, f"the answer has no end within {self.limits.most_bytes} bytes")

    @staticmethod
    def _ended(error: OSError) -> Ended:
        if isinstance(error, TimeoutError):
            return Ended(Outcome.SILENT, "no answer in time")
        if isinstance(error, ConnectionRefusedError):
            return Ended(Outcome.CLOSED, "the port is closed")
        if isinstance(error, ConnectionResetError | BrokenPipeError):
            return Ended(Outcome.RESET, "the device broke the connection off")
        if error.errno in _UNREACHABLE:
            return Ended(Outcome.UNREACHABLE, f"no way to it ({error.strerror})")
        if isinstance(error, PermissionError):
            return Ended(Outcome.UNREACHABLE, "this machine may not send there")
        return Ended(Outcome.UNREACHABLE, error.strerror or str(error))
