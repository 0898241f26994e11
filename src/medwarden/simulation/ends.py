"""The ends of conversations, the way between them, and the ear that hears them.

The sensor stands in the network of the side that is named first (``near``). What comes from another network
has been routed: it bears the gateway's interface and a time to live that is one lower.
"""

from __future__ import annotations

from random import Random
from typing import Any, Protocol

import msgspec

from medwarden.simulation import wire
from medwarden.simulation.systems import System

MICROSECOND, MILLISECOND, SECOND, MINUTE, HOUR, DAY = (
    1_000,
    1_000_000,
    1_000_000_000,
    60 * 10**9,
    3600 * 10**9,
    86_400 * 10**9,
)

LogFields = dict[str, Any]


class Session(msgspec.Struct):
    """What a flow came to, as Zeek, Suricata or a NetFlow exporter would sum it up.

    ``near`` opened it; ``far_mac`` is empty beyond the gateway. Counts are of IP packets and octets with
    headers; ``payload`` of the transport's payload. ``history`` follows Zeek's letters. ``notes`` are rows of
    application protocols by log name.
    """

    start: int
    end: int
    protocol: int
    near_ip: str
    far_ip: str
    near_port: int
    far_port: int
    near_mac: str
    far_mac: str
    service: str
    packets: tuple[int, int]
    octets: tuple[int, int]
    payload: tuple[int, int]
    history: str
    flags: tuple[int, int]
    notes: list[tuple[str, int, LogFields]]


class Talk(Protocol):
    """A conversation that can be brought to an end from outside."""

    def end(self) -> int:
        """Hand in the sums; returns when it last was heard."""
        ...


class Ear(Protocol):
    """Where a sensor puts what it hears."""

    sessions: bool
    """Whether sums of flows are wanted."""

    def frame(self, at: int, octets: bytes) -> None:
        """Take a frame heard ``at`` nanoseconds since the epoch."""
        ...

    def opened(self, talk: Talk) -> None:
        """Take note of a conversation that began; asked only where sums are wanted."""
        ...

    def closed(self, talk: Talk) -> None:
        """Forget a conversation that ended."""
        ...

    def session(self, session: Session) -> None:
        """Take the sum of a flow that ended."""
        ...


class End:
    """One interface of a device in a network: what a packet from it carries."""

    __slots__ = ("distance", "gateway", "ip", "loss", "mac", "net", "ports", "system", "vlan")

    def __init__(
        self,
        mac: bytes,
        ip: int,
        system: System,
        *,
        vlan: int = 0,
        net: int = 0,
        gateway: bytes = b"",
        distance: int = 300 * MICROSECOND,
        loss: float = 0.0,
    ) -> None:
        self.mac = mac
        self.ip = ip
        self.system = system
        self.vlan = vlan
        self.net = net
        """Number of the network; two ends with the same number need no router. 0: the Internet."""
        self.gateway = gateway
        self.distance = distance
        self.loss = loss
        self.ports = 0

    def port(self, rng: Random) -> int:
        """Return the next source port: Windows and Linux count or draw from 49152 or 32768 upwards."""
        if not self.ports:
            self.ports = rng.randrange(16_000)
        self.ports = (self.ports + rng.randrange(1, 7)) % 16_000
        return (49_152 if self.system.ttl == 128 else 32_768) + self.ports


class Path:
    """The frames between two ends, as heard beside ``near``."""

    __slots__ = ("_far_head", "_far_ttl", "_near_head", "far", "near", "rtt")

    def __init__(self, near: End, far: End) -> None:
        self.near, self.far = near, far
        direct = near.net == far.net
        far_mac = far.mac if direct else near.gateway
        self._near_head = wire.ethernet(far_mac, near.mac, wire.ETHER_IPV4, near.vlan)
        self._far_head = wire.ethernet(near.mac, far_mac, wire.ETHER_IPV4, near.vlan)
        self._far_ttl = far.system.ttl if direct or not far.net else far.system.ttl - 1
        self.rtt = near.distance + far.distance

    def udp(self, outward: bool, sport: int, dport: int, payload: bytes, ident: int) -> bytes:
        """Return a frame with a datagram from ``near`` (``outward``) or from ``far``."""
        near, far = self.near, self.far
        if outward:
            return self._near_head + wire.udp(
                near.ip, far.ip, sport, dport, payload, ttl=near.system.ttl, ident=ident
            )
        return self._far_head + wire.udp(
            far.ip, near.ip, sport, dport, payload, ttl=self._far_ttl, ident=ident
        )

    def tcp(
        self,
        outward: bool,
        ports: tuple[int, int],
        numbers: tuple[int, int],
        flags: int,
        window: int,
        options: bytes,
        payload: bytes,
        ident: int,
    ) -> bytes:
        """Return a frame with a segment from ``near`` (``outward``) or from ``far``."""
        near, far = self.near, self.far
        if outward:
            return self._near_head + wire.tcp(
                near.ip,
                far.ip,
                ports,
                numbers,
                flags,
                window,
                options,
                payload,
                ttl=near.system.ttl,
                ident=ident,
            )
        return self._far_head + wire.tcp(
            far.ip,
            near.ip,
            (ports[1], ports[0]),
            numbers,
            flags,
            window,
            options,
            payload,
            ttl=self._far_ttl,
            ident=ident,
        )
