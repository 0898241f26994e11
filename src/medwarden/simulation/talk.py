"""Conversations as a sensor hears them: TCP with its handshake, numbers and losses, UDP, and their sums."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from medwarden.simulation import wire
from medwarden.simulation.ends import MICROSECOND, MILLISECOND, SECOND, Ear, End, LogFields, Path, Session
from medwarden.simulation.systems import System

MSS = 1460
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


class _Sums:
    """Counts both kinds of conversation."""

    __slots__ = (
        "_done",
        "_ear",
        "ended",
        "flags",
        "history",
        "notes",
        "octets",
        "packets",
        "path",
        "payload",
        "start",
    )

    def __init__(self, ear: Ear, path: Path, at: int) -> None:
        self._ear = ear
        self.path = path
        self.start = self.ended = at
        self.packets = [0, 0]
        self.octets = [0, 0]
        self.payload = [0, 0]
        self.flags = [0, 0]
        self.history = ""
        self.notes: list[tuple[str, int, LogFields]] = []
        self._done = False
        if ear.sessions:
            ear.opened(self)

    def end(self) -> int:
        """Hand in the sums; returns when it last was heard."""
        raise NotImplementedError

    def note(self, log: str, at: int, fields: LogFields) -> None:
        """Keep a row of an application log for this conversation."""
        if self._ear.sessions:
            self.notes.append((log, at, fields))

    def _close(self, protocol: int, ports: tuple[int, int], service: str) -> None:
        if not self._ear.sessions or self._done:
            return
        self._done = True
        self._ear.closed(self)
        if not sum(self.packets):
            return
        near, far = self.path.near, self.path.far
        self._ear.session(
            Session(
                self.start,
                self.ended,
                protocol,
                wire.dotted(near.ip),
                wire.dotted(far.ip),
                ports[0],
                ports[1],
                wire.mac_text(near.mac),
                wire.mac_text(far.mac) if far.net else "",
                service,
                (self.packets[0], self.packets[1]),
                (self.octets[0], self.octets[1]),
                (self.payload[0], self.payload[1]),
                self.history,
                (self.flags[0], self.flags[1]),
                self.notes,
            )
        )


class Datagrams(_Sums):
    """A UDP conversation; :meth:`end` hands in its sums."""

    __slots__ = ("at", "ports", "rng", "service")

    def __init__(
        self,
        ear: Ear,
        rng: Random,
        near: End,
        far: End,
        dport: int,
        at: int,
        *,
        sport: int = 0,
        service: str = "",
    ) -> None:
        super().__init__(ear, Path(near, far), at)
        self.ports = (sport or near.port(rng), dport)
        self.rng = rng
        self.at = at
        self.service = service

    def say(self, outward: bool, payload: bytes, after: int = 0) -> int:
        """Send one datagram ``after`` nanoseconds and return when it was heard."""
        self.at += after
        sport, dport = self.ports if outward else self.ports[::-1]
        frame = self.path.udp(outward, sport, dport, payload, self.rng.getrandbits(16))
        self._ear.frame(self.at, frame)
        side = 0 if outward else 1
        self.packets[side] += 1
        self.octets[side] += 28 + len(payload)
        self.payload[side] += len(payload)
        if len(self.history) < 2 and "Dd"[side] not in self.history:
            self.history += "Dd"[side]
        self.ended = self.at
        return self.at

    def ask(self, question: bytes, answer: bytes | None, think: int = 300 * MICROSECOND) -> int:
        """Send a question and, unless None, its answer a round trip later."""
        self.say(True, question)
        if answer is not None:
            self.say(False, answer, self.path.rtt + int(think * (0.6 + self.rng.random())))
        return self.at

    def end(self) -> int:
        """Hand in the sums and return the time of the last datagram."""
        self._close(wire.UDP, self.ports, self.service)
        return self.ended


class Stream(_Sums):
    """A TCP connection that ``near`` opens. Time is :attr:`at`; every call moves it forward."""

    __slots__ = (
        "_acked",
        "_echo",
        "_idents",
        "_next",
        "_stamp_base",
        "_stamps",
        "_unacked",
        "_windows",
        "at",
        "open",
        "ports",
        "rng",
        "service",
    )

    def __init__(
        self,
        ear: Ear,
        rng: Random,
        near: End,
        far: End,
        dport: int,
        at: int,
        *,
        sport: int = 0,
        service: str = "",
    ) -> None:
        super().__init__(ear, Path(near, far), at)
        self.rng = rng
        self.ports = (sport or near.port(rng), dport)
        self.at = at
        self.service = service
        self.open = False
        self._next = [rng.getrandbits(32), rng.getrandbits(32)]
        self._acked = [0, 0]
        self._unacked = [0, 0]
        self._idents = [rng.getrandbits(16), rng.getrandbits(16)]
        self._stamps = near.system.stamps and far.system.stamps
        self._stamp_base = (rng.getrandbits(31), rng.getrandbits(31))
        self._echo = [0, 0]
        self._windows = (self._window(near.system), self._window(far.system))

    def _window(self, system: System) -> int:
        both = self.path.near.system.scale and self.path.far.system.scale
        return 1026 if both and system.scale >= 6 else min(system.window, 65_535)

    def _stamp(self, side: int) -> int:
        return (self._stamp_base[side] + (self.at - self.start) // MILLISECOND) & 0xFFFFFFFF

    def _segment(self, side: int, flags: int, payload: bytes = b"", options: bytes | None = None) -> None:
        if options is None:
            options = b""
            if self._stamps:
                stamp = self._stamp(side)
                options = b"\1\1\x08\x0a" + stamp.to_bytes(4, "big") + self._echo[1 - side].to_bytes(4, "big")
                self._echo[side] = stamp
        window = self.path.far.system.window if side else self.path.near.system.window
        if not flags & SYN:
            window = self._windows[side]
        acknowledged = self._next[1 - side] if flags & ACK else 0
        ident = self._idents[side] = (self._idents[side] + 1) & 0xFFFF
        frame = self.path.tcp(
            side == 0,
            self.ports,
            (self._next[side], acknowledged),
            flags,
            min(window, 65_535),
            options,
            payload,
            ident,
        )
        self._ear.frame(self.at, frame)
        self.ended = self.at
        self.packets[side] += 1
        self.octets[side] += 40 + len(options) + len(payload)
        self.payload[side] += len(payload)
        self.flags[side] |= flags
        if flags & ACK:
            self._unacked[1 - side] = 0
        self._next[side] = (self._next[side] + len(payload) + (1 if flags & (SYN | FIN) else 0)) & 0xFFFFFFFF

    def _heard(self, letter: str) -> None:
        if len(self.history) < 24 and not (self.history.endswith(letter) and letter in "Dd"):
            self.history += letter

    def connect(self) -> Stream:
        """Shake hands (RFC 9293 section 3.5); returns itself."""
        rng, rtt = self.rng, self.path.rtt
        near, far = self.path.near.system, self.path.far.system
        self._echo[0] = self._stamp(0)
        self._segment(0, SYN, options=near.syn_options(self._echo[0], 0))
        self._heard("S")
        if rng.random() < self.path.near.loss:  # the first went lost behind the sensor
            self._next[0] = (self._next[0] - 1) & 0xFFFFFFFF
            self.at += SECOND
            self._segment(0, SYN, options=near.syn_options(self._stamp(0), 0))
            self._heard("T")
        self.at += int(rtt * (0.8 + 0.5 * rng.random()))
        self._segment(1, SYN | ACK, options=self._answer_options(near, far))
        self._heard("h")
        self.at += 30 * MICROSECOND + int(rng.random() * 120_000)
        self._segment(0, ACK)
        self._heard("A")
        self.open = True
        return self

    def _answer_options(self, near: System, far: System) -> bytes:
        """Return the options of a SYN/ACK: only what both sides know (RFC 7323, RFC 2018)."""
        letters = far.options
        self._echo[1] = self._stamp(1)
        if not near.stamps:
            letters = letters.replace("t", "")
        if "w" not in near.options:
            letters = letters.replace("w", "")
        if "s" not in near.options:
            letters = letters.replace("s", "")
        letters = letters.replace("e", "").replace("n", "")
        length = sum({"m": 4, "s": 2, "t": 10, "w": 3}[letter] for letter in letters)
        letters += "n" * (-length % 4)
        fitting = System(id="", name="", options=letters, scale=far.scale)
        return fitting.syn_options(self._echo[1], self._echo[0])

    def refuse(self) -> int:
        """Ask for the connection and be told that nobody listens."""
        self._segment(0, SYN, options=self.path.near.system.syn_options(self._stamp(0), 0))
        self._heard("S")
        self.at += self.path.rtt
        self._next[1] = 0
        self._segment(1, RST | ACK, options=b"")
        self._heard("r")
        return self.end()

    def unanswered(self, tries: int = 3) -> int:
        """Ask for the connection and hear nothing; the pauses double (RFC 6298)."""
        first = self._next[0]
        pause = SECOND
        for _ in range(tries):
            self._next[0] = first
            self._segment(0, SYN, options=self.path.near.system.syn_options(self._stamp(0), 0))
            self._heard("S")
            self.at += pause
            pause *= 2
        return self.end()

    def say(self, outward: bool, payload: bytes, think: int = 200 * MICROSECOND) -> int:
        """Send octets in segments, acknowledged every second one, and return the time after them."""
        side = 0 if outward else 1
        rng = self.rng
        self.at += int(think * (0.5 + rng.random()))
        room = MSS - (12 if self._stamps else 0)
        loss = self.path.near.loss
        for start in range(0, len(payload) or 1, room):
            piece = payload[start : start + room]
            last = start + room >= len(payload)
            self._segment(side, PSH | ACK if last else ACK, piece)
            self._heard("Dd"[side])
            if loss and rng.random() < loss:
                self._again(side, piece)
            self._unacked[side] += 1
            if self._unacked[side] >= 2 and not last:
                self.at += self.path.rtt // 2
                self._segment(1 - side, ACK)
            self.at += 12 * MICROSECOND
        return self.at

    def _again(self, side: int, piece: bytes) -> None:
        """Send a segment again that went lost behind the sensor."""
        self.at += 200 * MILLISECOND
        self._next[side] = (self._next[side] - len(piece)) & 0xFFFFFFFF
        self._segment(side, PSH | ACK, piece)
        self._heard("Tt"[side])

    def settle(self) -> int:
        """Acknowledge what has not been acknowledged: the delayed ACK of a quiet line."""
        for side in (0, 1):
            if self._unacked[side]:
                self.at += 40 * MILLISECOND
                self._segment(1 - side, ACK)
        return self.at

    def exchange(self, turns: Iterable[tuple[bool, bytes]], think: int = MILLISECOND) -> int:
        """Send turns of (outward, octets) one after another."""
        for outward, payload in turns:
            self.say(outward, payload, think + self.path.rtt // 2)
        return self.at

    def leap(self, at: int) -> None:
        """Let time pass until ``at``; what was not acknowledged before is now."""
        self.at = max(self.at, at)
        self.settle()

    def close(self, outward: bool = True) -> int:
        """Close from both sides and hand in the sums; returns the time of the last segment."""
        if not self.open:
            return self.end()
        side = 0 if outward else 1
        self.at += 100 * MICROSECOND
        self._segment(side, FIN | ACK)
        self._heard("Ff"[side])
        self.at += self.path.rtt
        self._segment(1 - side, FIN | ACK)
        self._heard("fF"[side])
        self.at += 50 * MICROSECOND
        self._segment(side, ACK)
        return self.end()

    def reset(self, outward: bool = True) -> int:
        """Break the connection off with RST and hand in the sums."""
        self.at += 100 * MICROSECOND
        self._segment(0 if outward else 1, RST | ACK, options=b"")
        self._heard("R" if outward else "r")
        return self.end()

    def end(self) -> int:
        """Hand in the sums and return the time of the last segment."""
        self.open = False
        self._close(wire.TCP, self.ports, self.service)
        return self.ended
