"""Which device a host of a scanner's report is: by MAC address, by the address it had then, by its name.

Where these point at different devices none is taken: a wrong device would be patched, the right one not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from medwarden.kernel.clock import NANOSECONDS, iso
from medwarden.model.scan import ScannedHost
from medwarden.store.models import Address, Device, Interface

_AT_ONCE = 400
SLACK_NS = 24 * 3600 * NANOSECONDS
"""So far from a lease's first and last sighting an address is still taken for the device's."""


class Known(msgspec.Struct, frozen=True):
    """The device of a host (empty where it could not be told) and by what, in words."""

    device: str
    how: str


class _Binding(msgspec.Struct, frozen=True):
    device: str
    first_ns: int
    last_ns: int
    current: bool


class HostResolver:
    """Finds the devices of a site by what a report says of hosts; ``hosts`` are all it will be asked for."""

    def __init__(self, tenant: str, site: str, hosts: Sequence[ScannedHost]) -> None:
        self._macs = _by_mac(site, {mac for host in hosts for mac in host.macs})
        self._ips = _by_ip(site, {ip for host in hosts for ip in host.ips})
        self._names = _by_name(tenant, site) if any(host.names for host in hosts) else {}

    def device_of(self, host: ScannedHost) -> Known:
        """Return the device of a host."""
        by_mac = {device for mac in host.macs for device in self._macs.get(mac, ())}
        by_name = self._named(host.names)
        by_ip, when = self._addressed(host)
        if len(by_mac) == 1:
            return Known(next(iter(by_mac)), "by its MAC address")
        if len(by_mac) > 1:
            both = by_mac & (by_ip | by_name)
            if len(both) == 1:
                return Known(next(iter(both)), "by one of its MAC addresses and its address or name")
            return Known("", f"its MAC addresses belong to {len(by_mac)} devices")
        if len(by_ip) == 1:
            device = next(iter(by_ip))
            if by_name and device not in by_name:
                return Known("", f"its address is one device's ({when}), its name another's")
            return Known(device, f"by its address {when}" + (" and its name" if by_name else ""))
        if len(by_ip) > 1:
            both = by_ip & by_name
            if len(both) == 1:
                return Known(next(iter(both)), "by its address and its name")
            return Known("", f"{len(by_ip)} devices had its address {when}")
        if len(by_name) == 1:
            return Known(next(iter(by_name)), "by its name")
        if by_name:
            return Known("", f"{len(by_name)} devices have its name")
        return Known("", "no device here has its address or name")

    def _named(self, names: Iterable[str]) -> set[str]:
        """Return the devices of a name; the whole name counts before its first label."""
        for name in names:
            for tried in (name, name.partition(".")[0]):
                if found := self._names.get(tried):
                    return set(found)
        return set()

    def _addressed(self, host: ScannedHost) -> tuple[set[str], str]:
        """Return the devices that had an address of the host when it was scanned, and when that was."""
        bindings = [binding for ip in host.ips for binding in self._ips.get(ip, ())]
        if not host.seen_ns:
            return {b.device for b in bindings if b.current}, "now (the report does not say when it was made)"
        then = {
            b.device
            for b in bindings
            if b.first_ns - SLACK_NS <= host.seen_ns <= b.last_ns + SLACK_NS
            or (b.current and host.seen_ns >= b.first_ns)
        }
        day = iso(host.seen_ns)[:10]
        if then:
            exact = {
                b.device for b in bindings if b.device in then and b.first_ns <= host.seen_ns <= b.last_ns
            }
            return (exact if len(exact) == 1 else then), f"on {day}"
        return {
            b.device for b in bindings
        }, f"(nobody was heard with it on {day}; it is the device's otherwise)"


def _parts(values: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(values)
    return (ordered[at : at + _AT_ONCE] for at in range(0, len(ordered), _AT_ONCE))


def _by_mac(site: str, macs: set[str]) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for part in _parts(macs):
        rows = Interface.objects.filter(site_id=site, mac__in=part)
        for mac, device in rows.values_list("mac", "device_id"):
            found[mac].add(device)
    return found


def _by_ip(site: str, ips: set[str]) -> dict[str, list[_Binding]]:
    found: defaultdict[str, list[_Binding]] = defaultdict(list)
    for part in _parts(ips):
        rows = Address.objects.filter(site_id=site, ip__in=part)
        for ip, device, first, last, current in rows.values_list(
            "ip", "device_id", "first_seen", "last_seen", "current"
        ):
            found[ip].append(_Binding(device, first, last, current))
    return found


def _by_name(tenant: str, site: str) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    rows = Device.objects.filter(tenant_id=tenant, site_id=site, retired_at=None)
    for device, name, names in rows.values_list("pk", "name", "names").iterator(chunk_size=2000):
        for each in {name, *names} - {None, ""}:
            lower = str(each).lower().strip(".")
            found[lower].add(device)
            found[lower.partition(".")[0]].add(device)
    return found
