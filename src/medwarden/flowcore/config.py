"""What the flow core keeps, for how long, and which payloads it hands off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from medwarden.kernel.errors import ConfigurationError

LONGEST_START = 32
"""Longest prefix, in bytes, by which a stream may be recognised."""


@dataclass(frozen=True)
class FlowCoreConfig:
    """Bounds of the flow core and the payloads wanted from it.

    ``max_flows`` flows are kept at most; the one silent longest makes room. Timeouts are seconds of
    packet time. Of an ordinary flow the first ``payload_packets`` packets with payload, up to
    ``payload_bytes`` bytes, are handed off in each direction. ``stream_ports`` names the TCP server
    ports of which more is wanted, in bytes of each direction, and ``stream_starts`` the prefixes of
    the first payload of either direction that ask for as much on any port. ``datagram_ports`` are UDP
    ports of which every datagram is handed off, up to ``datagram_packets`` per direction and flow, anew
    after each ``active_timeout_s``; the same bound holds for frames of ``ethertypes`` (0: all LLC
    frames; 0x86DD: ICMPv6). ``reassembly_bytes`` bounds the out-of-order TCP data held for all flows,
    ``fragment_bytes`` the IP fragments; past ``handoff_bytes`` the core asks to be drained.

    What is only repeated within ``repeat_s`` seconds is not handed off again: a datagram or frame that
    the same sender sent to the same receiver, where ``datagram_volatile`` names, per port, up to two
    rising ranges of bytes (from, to) that differ between repetitions, such as an id; and a TCP stream
    that opens with the payload with which two others between the same peers opened, where its port is
    among ``opening_ports``, that payload begins with one of ``opening_starts``, or neither port nor
    start asks for more than the first payloads.

    ``seed`` keys the hashes of the tables, so that nobody on the network can aim at one place of them:
    16 secret bytes, or none for random ones. The same seed makes the same input come out the same.

    ``share`` (which, of how many) takes part of the packets, those of other shares only move the clock: what
    two addresses say to each other is one share's. Shares of the same packets have the same seed. Rejected
    packets are counted by share 0.
    """

    max_flows: int = 500_000
    idle_timeout_s: float = 120
    tcp_idle_timeout_s: float = 600
    active_timeout_s: float = 900
    payload_packets: int = 4
    payload_bytes: int = 16_384
    stream_ports: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    stream_starts: tuple[tuple[bytes, int], ...] = ()
    datagram_ports: frozenset[int] = frozenset()
    datagram_packets: int = 64
    datagram_volatile: Mapping[int, tuple[tuple[int, int], ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    repeat_s: float = 60
    opening_ports: frozenset[int] = frozenset()
    opening_starts: frozenset[bytes] = frozenset()
    ethertypes: frozenset[int] = frozenset()
    reassembly_bytes: int = 67_108_864
    fragment_bytes: int = 16_777_216
    handoff_bytes: int = 1_048_576
    seed: bytes = b""
    share: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        """Raise ConfigurationError for a bound that cannot be kept."""
        bounds = {
            "max_flows": (self.max_flows, 1, 100_000_000),
            "idle_timeout_s": (self.idle_timeout_s, 0, 1_000_000),
            "tcp_idle_timeout_s": (self.tcp_idle_timeout_s, 0, 1_000_000),
            "active_timeout_s": (self.active_timeout_s, 0, 1_000_000),
            "repeat_s": (self.repeat_s, 0, 1_000_000),
            "payload_packets": (self.payload_packets, 0, 65_534),
            "payload_bytes": (self.payload_bytes, 0, 2**31 - 1),
            "datagram_packets": (self.datagram_packets, 0, 65_534),
            "reassembly_bytes": (self.reassembly_bytes, 0, 2**40),
            "fragment_bytes": (self.fragment_bytes, 0, 2**40),
            "handoff_bytes": (self.handoff_bytes, 1, 2**31 - 1),
        }
        if len(self.seed) not in (0, 16):
            raise ConfigurationError(f"the seed must have 16 bytes, not {len(self.seed)}")
        if not 0 <= self.share[0] < self.share[1] <= 64 or (self.share[1] > 1 and not self.seed):
            raise ConfigurationError(f"share {self.share} is none of up to 64 that have a seed in common")
        for name, (value, least, most) in bounds.items():
            if not least <= value <= most:
                raise ConfigurationError(f"{name} must be from {least} to {most}, not {value}")
        for port, wanted in self.stream_ports.items():
            if not 0 <= port <= 65_535 or not 0 <= wanted < 2**31:
                raise ConfigurationError(f"stream port {port} with {wanted} bytes cannot be")
        for prefix, wanted in self.stream_starts:
            if not 1 <= len(prefix) <= LONGEST_START or not 0 <= wanted < 2**31:
                raise ConfigurationError(
                    f"a stream start has 1 to {LONGEST_START} bytes, not {len(prefix)}, and wants "
                    f"less than 2 GiB, not {wanted} bytes"
                )
        for port, ranges in self.datagram_volatile.items():
            bounds_of = [bound for pair in ranges for bound in pair]
            if len(ranges) > 2 or not 0 <= port <= 65_535 or bounds_of != sorted(bounds_of):
                raise ConfigurationError(
                    f"the volatile bytes {ranges} of port {port} are not two rising ranges"
                )
            if any(not 0 <= bound <= 65_535 for bound in bounds_of):
                raise ConfigurationError(f"a datagram of port {port} has no bytes {ranges}")
        for number in self.opening_ports | self.datagram_ports | self.ethertypes:
            if not 0 <= number <= 65_535:
                raise ConfigurationError(f"{number} is neither a port nor an ethertype")
