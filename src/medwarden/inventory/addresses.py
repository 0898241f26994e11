"""What an address can be, and which device held it when.

Only ARP (RFC 826), neighbour discovery (RFC 4861) and DHCP (RFC 2131) bind an address to an interface;
a frame with a source address only shows that the interface forwarded it. The time to live of a packet
tells the two apart: hosts start it at 64, 128 or 255, every router takes one off.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from enum import StrEnum
from functools import lru_cache

import msgspec

from medwarden.model.inventory_delta import BindingSource

SLACK_NS = 24 * 3600 * 1_000_000_000
"""How long before and after it was last witnessed a binding is still believed: a common DHCP lease."""

_INITIAL_HOP_LIMITS = frozenset({64, 128, 255})
_AMBIGUOUS_HOP_LIMITS = frozenset({*range(9), 30, 32, 60, 100, 150, 200})  # link-local protocols, old stacks
_MOST_CLAIMS = 32
"""An interface that answers ARP for more addresses than this answers for others (proxy ARP)."""


class AddressKind(StrEnum):
    """What an IP address is good for."""

    NONE = "none"  # unspecified: a host that has no address yet
    INTERNAL = "internal"
    LINK_LOCAL = "link_local"
    INTERNET = "internet"
    MULTICAST = "multicast"
    BROADCAST = "broadcast"


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


_PLAIN_IPV4 = re.compile(r"([1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])){3}\Z")
_SPECIAL_FIRST = frozenset({0, 10, 100, 127, 169, 172, 192, 198, 203})
"""First octets below 224 with a block in the IANA IPv4 Special-Purpose Address Registry (RFC 6890)."""


@lru_cache(maxsize=65536)
def _kind(text: str) -> AddressKind:
    plain = _PLAIN_IPV4.match(text)  # most addresses of a hospital's traffic: public, and nothing special
    if plain is not None and (first := int(plain[1])) < 224 and first not in _SPECIAL_FIRST:
        return AddressKind.INTERNET
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return AddressKind.NONE
    if address.is_unspecified:
        return AddressKind.NONE
    if address.is_multicast:
        return AddressKind.MULTICAST
    if text == "255.255.255.255":
        return AddressKind.BROADCAST
    if address.is_link_local:
        return AddressKind.LINK_LOCAL
    if address.is_reserved and address.version == 4:
        return AddressKind.NONE
    return AddressKind.INTERNET if address.is_global else AddressKind.INTERNAL


class AddressPlan:
    """Which addresses are the site's own: private ones (RFC 1918, 4193, 6598) and ``networks`` besides."""

    def __init__(self, networks: tuple[str, ...] = ()) -> None:
        self._networks: tuple[Network, ...] = tuple(ipaddress.ip_network(n, strict=False) for n in networks)

    def kind(self, ip: str | None) -> AddressKind:
        """Return what ``ip`` is; None and text that is no address are NONE."""
        if ip is None:
            return AddressKind.NONE
        kind = _kind(ip)
        if kind is AddressKind.INTERNET and self._networks:
            address = ipaddress.ip_address(ip)
            if any(address in network for network in self._networks):
                return AddressKind.INTERNAL
        return kind


def came_directly(hop_limit: int) -> bool | None:
    """Tell from the hop limit of a packet whether its sender is on this link; None: cannot tell."""
    if hop_limit in _INITIAL_HOP_LIMITS:
        return True
    return None if hop_limit in _AMBIGUOUS_HOP_LIMITS else False


ALWAYS = (-(1 << 63), (1 << 63) - 1)
"""From the first nanosecond to the last."""


class Binding(msgspec.Struct):
    """An address on an interface over time."""

    ip: str
    mac: str
    source: BindingSource
    first_seen: int
    last_seen: int
    current: bool = True

    def covers(self, ts_ns: int) -> bool:
        """Tell whether the binding is believed at that time."""
        return self.first_seen - SLACK_NS <= ts_ns <= self.last_seen + SLACK_NS


class Bindings:
    """All bindings of a site, by address and by interface. Bounded by addresses, not packets."""

    def __init__(self) -> None:
        self._by_ip: dict[str, list[Binding]] = {}
        self._by_mac: dict[str, dict[str, Binding]] = {}
        self._claims: Counter[tuple[str, bool]] = Counter()  # held on authority, by interface; whether IPv6
        self._answers: Counter[str] = Counter()  # of those, stated in ARP
        self.changed: dict[tuple[str, str], Binding] = {}

    def add(self, ip: str, mac: str, source: BindingSource, first: int, last: int) -> Binding:
        """Take in that ``mac`` had ``ip`` from ``first`` to ``last``; an authoritative word ends others'."""
        binding = self._by_mac.setdefault(mac, {}).get(ip)
        if binding is None:
            binding = Binding(ip, mac, source, first, last)
            self._by_mac[mac][ip] = binding
            self._by_ip.setdefault(ip, []).append(binding)
            self._count(binding)
        else:
            binding.first_seen = min(binding.first_seen, first)
            binding.last_seen = max(binding.last_seen, last)
            if source.authoritative and not binding.source.authoritative:
                binding.source = source
                self._count(binding)
        self.changed[ip, mac] = binding
        self._settle(ip)
        return binding

    def restore(self, binding: Binding) -> None:
        """Take in a binding as it was stored."""
        self._by_mac.setdefault(binding.mac, {})[binding.ip] = binding
        self._by_ip.setdefault(binding.ip, []).append(binding)
        self._count(binding)

    def _count(self, binding: Binding) -> None:
        if binding.source.authoritative:
            self._claims[binding.mac, ":" in binding.ip] += 1
            self._answers[binding.mac] += binding.source is BindingSource.ARP

    def _settle(self, ip: str) -> None:
        bindings = self._by_ip[ip]
        if len(bindings) == 1:
            return
        holder = max(bindings, key=lambda b: (b.source.authoritative, b.last_seen, b.mac))
        for binding in bindings:
            current = binding is holder
            if binding.current is not current:
                binding.current = current
                self.changed[binding.ip, binding.mac] = binding

    def has_claim(self, mac: str, version: int) -> bool:
        """Tell whether the interface holds any address of that IP version on authority."""
        return self._claims[mac, version == 6] > 0

    def get(self, mac: str, ip: str) -> Binding | None:
        """Return the binding of ``ip`` to ``mac``, or None."""
        return self._by_mac.get(mac, {}).get(ip)

    def timeless(self, mac: str | None, ip: str | None) -> bool:
        """Tell whether the holder of a pair of addresses is the same at any time."""
        return ip is None or ip not in self._by_ip or (mac is not None and self.get(mac, ip) is not None)

    def span(self, mac: str | None, ip: str | None) -> tuple[int, int] | None:
        """Return from when to when the holder of a pair of addresses is one, and at other times another.

        None where it changes more often, as more than one interface had the address.
        """
        if self.timeless(mac, ip):
            return ALWAYS
        assert ip is not None
        held = self._by_ip[ip]
        return (held[0].first_seen - SLACK_NS, held[0].last_seen + SLACK_NS) if len(held) == 1 else None

    def proxies(self, mac: str) -> bool:
        """Tell whether the interface claims so many addresses that it must be answering for others."""
        return self._answers[mac] > _MOST_CLAIMS

    def holder(self, ip: str, ts_ns: int, authoritative: bool = False) -> Binding | None:
        """Return who held ``ip`` at ``ts_ns``: the authoritative binding nearest in time, else a seen one.

        Where several hold it at that time, because an address came back to who had it before, the one
        that began last had it in between.
        """
        best: Binding | None = None
        best_rank: tuple[bool, int, int, str] | None = None
        for binding in self._by_ip.get(ip, ()):
            if not binding.covers(ts_ns) or (authoritative and not binding.source.authoritative):
                continue
            distance = max(binding.first_seen - ts_ns, ts_ns - binding.last_seen, 0)
            rank = (binding.source.authoritative, -distance, binding.first_seen, binding.mac)
            if best_rank is None or rank > best_rank:
                best, best_rank = binding, rank
        return best
