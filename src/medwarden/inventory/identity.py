"""Which device said it: evidence and flows to devices with stable ids, over time and address changes.

A device is known by the MAC address of its interface; where none can be seen (behind a router, in logs,
in captures of the IP layer) by its internal IP address. Addresses on the internet are peers, never
devices; group addresses are nobody. An interface that forwards for others is a gateway: what is seen
behind it belongs to the addresses, not to the gateway. When a binding shows that an IP-only device sits
on a known interface, the two become one.

The resolver is pure: it takes batches, and :meth:`Resolver.delta` says what changed. What one round
holds may come in any order: bindings are learnt from the whole round before anything is attributed.
Memory goes with devices and their distinct facts, not with packets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pyarrow as pa

from medwarden.inventory.addresses import (
    AddressKind,
    AddressPlan,
    Binding,
    Bindings,
    came_directly,
)
from medwarden.inventory.flood import LISTED, MOST_INTERFACES, SAID_IN_A_FLOOD, Doorkeeper
from medwarden.inventory.sightings import (
    Fact,
    FactKey,
    Known,
    Pair,
    Sighting,
    add_fact,
    device_change,
    interface_change,
    is_interface,
    known_again,
    pair_order,
)
from medwarden.inventory.traffic import Endpoint, FlowGroup, Traffic, distinct_ends, group_flows
from medwarden.kernel.ids import stable_id
from medwarden.knowledge.oui import is_group, is_virtual_router
from medwarden.model.evidence import Evidence
from medwarden.model.inventory_delta import (
    AddressChange,
    BindingSource,
    InventoryDelta,
    KeyKind,
    LedgerIncrement,
    Merge,
)

_CLAIMS = {
    "arp.ip": BindingSource.ARP,
    "ndp.ip": BindingSource.NDP,
    "dhcp.address": BindingSource.DHCP,
    "dhcpv6.address": BindingSource.DHCP,
}
"""Facts whose value is an address that the interface holds on authority."""

_HEARSAY = frozenset({"dns.name"})
"""Facts somebody else told about an address; they name a device but do not prove that there is one."""

_RESOLVED = "dns.resolved"
_IS_GATEWAY: FactKey = ("", "resolver", "flow.gateway", "yes")
"""The fact the resolver itself finds: the device forwards for others."""

MOST_VALUES = 64
"""Distinct values kept per device and field; a device that asks for more names tells nothing new."""
_MOST_NAMES = 200_000
_MOST_UNCLAIMED = 8
"""Addresses seen behind one interface that nothing bound to it; with more of them it must be a gateway."""


class Resolver:
    """Identity of the devices of one site.

    ``networks`` are prefixes of public addresses that the site uses for itself. Sites have resolvers of
    their own, so networks may overlap.
    """

    def __init__(self, site: str = "default", networks: tuple[str, ...] = ()) -> None:
        self.site = site
        self._plan = AddressPlan(networks)
        self._bindings = Bindings()
        self._by_mac: dict[str, Known] = {}
        self._by_ip: dict[str, Known] = {}
        self._gone: dict[str, str] = {}
        self._traffic = Traffic()
        self._names: dict[str, str] = {}
        self._hearsay: dict[str, dict[FactKey, Fact]] = {}
        self._unclaimed: dict[tuple[str, AddressKind, bool], set[str]] = {}
        self._door = Doorkeeper()
        self._begin()

    def _begin(self) -> None:
        self._facts: dict[Pair, dict[FactKey, Fact]] = {}
        self._sightings: dict[Pair, Sighting] = {}
        self._claimed: list[tuple[str, str, BindingSource, int, int]] = []
        self._away: frozenset[str] = frozenset()
        self._groups: list[FlowGroup] = []
        self._told: set[str] = set()
        self._touched: dict[str, Known] = {}
        self._merges: list[Merge] = []
        self._ignored: Counter[str] = Counter()

    # -- input

    def evidence(self, batch: Iterable[Evidence], sensor: str = "") -> None:
        """Take in facts as they were heard by ``sensor``."""
        self.counted_evidence(((fact, fact.ts_ns, 1) for fact in batch), sensor)

    def counted_evidence(self, batch: Iterable[tuple[Evidence, int, int]], sensor: str = "") -> None:
        """Take in facts with the time they were last heard and how often, as a sensor sums them up."""
        speakers: dict[Pair, Pair | None] = {}
        for fact, last_ns, count in batch:
            said_by = (fact.mac, fact.ip)
            if said_by not in speakers:
                speakers[said_by] = self._speaker(*said_by)
            if (speaker := speakers[said_by]) is None:
                self._ignored["said by or to a group address"] += count
                continue
            mac, ip = speaker
            claim = _CLAIMS.get(fact.field)
            if claim is not None and mac is not None:
                self._claimed.append((mac, fact.value, claim, fact.ts_ns, last_ns))
            if fact.field == _RESOLVED:
                self._remember_name(fact.value)
                continue
            key = (sensor, fact.source, fact.field, fact.value)
            heard = Fact(fact.ts_ns, last_ns, count)
            if fact.field in _HEARSAY and mac is None and ip is not None:
                add_fact(self._hearsay.setdefault(ip, {}), key, heard)
                self._told.add(ip)
            elif mac is None and ip is None:
                self._ignored["without an address"] += count
            else:
                add_fact(self._facts.setdefault((mac, ip), {}), key, heard)
                self._see(mac, ip, fact.ts_ns, last_ns, None, fact.vlan, True)

    def _speaker(self, mac: str | None, ip: str | None) -> Pair | None:
        """Return the addresses that can be a device's, None where one of them is a group's."""
        kind = self._plan.kind(ip)
        if kind in (AddressKind.MULTICAST, AddressKind.BROADCAST) or not is_interface(mac, or_none=True):
            return None
        return mac, None if kind is AddressKind.NONE else ip

    def flows(self, table: pa.Table) -> None:
        """Take in flow records (FLOW_SCHEMA; a column ``application`` may be there)."""
        for group in group_flows(table):
            self._groups.append(group)
            for mac, ip, packets, hops, outward in (
                (group.client_mac, group.client_ip, group.packets_out, group.client_hops, False),
                (group.server_mac, group.server_ip, group.packets_in, group.server_hops, True),
            ):
                if packets and is_interface(mac, or_none=True):
                    direct = came_directly(hops)
                    self._see(mac, ip, group.first_seen, group.last_seen, direct, group.vlan, True)
                elif outward and is_interface(mac) and self._plan.kind(ip) is AddressKind.INTERNET:
                    self._see(mac, ip, group.first_seen, group.last_seen, False, group.vlan, False)

    def _claim(self, mac: str, ip: str, source: BindingSource, first: int, last: int) -> None:
        usable = self._plan.kind(ip) in (AddressKind.INTERNAL, AddressKind.LINK_LOCAL, AddressKind.INTERNET)
        if usable and not self._bindings.proxies(mac):
            self._bindings.add(ip, mac, source, first, last)

    def _remember_name(self, value: str) -> None:
        name, _, ip = value.rpartition("=")
        if name:
            self._names.pop(ip, None)
            self._names[ip] = name
            if len(self._names) > _MOST_NAMES:
                del self._names[next(iter(self._names))]

    def _see(
        self,
        mac: str | None,
        ip: str | None,
        first: int,
        last: int,
        direct: bool | None,
        vlan: int | None,
        spoke: bool,
    ) -> None:
        sighting = self._sightings.get((mac, ip))
        if sighting is None and self._plan.kind(ip) is AddressKind.NONE:
            sighting = self._sightings.get((mac, ip := None))
        if sighting is None:
            sighting = self._sightings[mac, ip] = Sighting(first, last)
        sighting.first_seen = min(sighting.first_seen, first)
        sighting.last_seen = max(sighting.last_seen, last)
        sighting.spoke |= spoke
        if direct is not None and sighting.direct is not True:
            sighting.direct = direct
        if vlan is not None:
            sighting.vlans.add(vlan)

    # -- conclusions

    def delta(self) -> InventoryDelta:
        """Return what changed since the last call, and begin a new round."""
        self._away, unheard = self._door.turn_away(self._sightings, self._facts, self._by_mac.keys())
        if unheard:
            self._ignored[SAID_IN_A_FLOOD] += unheard
        for claim in self._claimed:
            if claim[0] not in self._away:
                self._claim(*claim)
        self._learn_gateways()
        self._learn_bindings()
        self._merge()
        ledger = self._ledger()
        for group in self._groups:
            self._traffic.add(
                group,
                self._endpoint(group.client_mac, group.client_ip, group.first_seen, group.packets_out > 0),
                self._endpoint(group.server_mac, group.server_ip, group.first_seen, group.packets_in > 0),
            )
        addresses = self._address_changes()
        delta = InventoryDelta(
            site=self.site,
            devices=tuple(device_change(self.site, known) for _, known in sorted(self._touched.items())),
            interfaces=tuple(
                interface_change(known)
                for _, known in sorted(self._touched.items())
                if known.kind is KeyKind.MAC
            ),
            addresses=addresses,
            ledger=ledger,
            services=self._traffic.services(),
            conversations=self._traffic.conversations(self._names.get),
            activity=self._traffic.activity(),
            merges=tuple(self._merges),
            ignored=dict(self._ignored),
        )
        for known in self._touched.values():
            known.announced = True
        self._traffic.clear()
        self._begin()
        return delta

    def _learn_gateways(self) -> None:
        """Mark interfaces that forward: for the internet, with a lowered hop limit, or for many addresses."""
        for (mac, ip), sighting in sorted(self._sightings.items(), key=pair_order):
            if mac is None or ip is None:
                continue
            kind = self._plan.kind(ip)
            binding = self._bindings.get(mac, ip)
            if kind is AddressKind.LINK_LOCAL or (binding is not None and binding.source.authoritative):
                continue
            elsewhere = self._bindings.holder(ip, sighting.last_seen, authoritative=True)
            forwards = sighting.direct is False or (kind is AddressKind.INTERNAL and elsewhere is not None)
            if (
                binding is None
                and not forwards
                and (kind is AddressKind.INTERNET or sighting.direct is not True)
            ):
                # Where a NAT starts the hop limit anew, the number of addresses still gives it away.
                unclaimed = self._unclaimed.setdefault((mac, kind, ":" in ip), set())
                most = 1 if kind is AddressKind.INTERNET and ":" not in ip else _MOST_UNCLAIMED
                if len(unclaimed) <= most:
                    unclaimed.add(ip)
                forwards = len(unclaimed) > most
            if forwards:
                self._device_of_mac(mac, sighting).gateway = True

    def _learn_bindings(self) -> None:
        for (mac, ip), sighting in sorted(self._sightings.items(), key=pair_order):
            if mac is None or ip is None or not sighting.spoke:
                continue
            binding = self._bindings.get(mac, ip)
            if binding is not None or self._owns(mac, ip, sighting):
                self._bindings.add(ip, mac, BindingSource.SEEN, sighting.first_seen, sighting.last_seen)

    def _owns(self, mac: str, ip: str, sighting: Sighting) -> bool:
        """Tell whether an address seen behind an interface is its own, though nothing bound it."""
        kind = self._plan.kind(ip)
        if kind is AddressKind.LINK_LOCAL:
            return True
        if (
            sighting.direct is False
            or self._bindings.holder(ip, sighting.last_seen, authoritative=True) is not None
        ):
            return False
        known = self._by_mac.get(mac)
        forwards = known is not None and known.gateway
        claimed = self._bindings.has_claim(mac, 6 if ":" in ip else 4)
        if kind is AddressKind.INTERNET:
            return sighting.direct is True and not forwards and (not claimed or ":" in ip)
        return sighting.direct is True or not (forwards or claimed or is_virtual_router(mac))

    def _merge(self) -> None:
        """Join IP-only devices to the interfaces that turn out to hold their address."""
        for ip in sorted({ip for ip, _ in self._bindings.changed} & self._by_ip.keys()):
            known = self._by_ip[ip]
            binding = self._bindings.holder(ip, known.last_seen)
            if binding is None:
                continue
            kept = self._device(KeyKind.MAC, binding.mac, binding.first_seen, binding.last_seen)
            del self._by_ip[ip]
            self._touched.pop(known.id, None)
            if known.announced:
                self._gone[known.id] = kept.id
                reason = f"{ip} is held by {binding.mac} ({binding.source.value})"
                self._merges.append(Merge(known.id, kept.id, binding.last_seen, reason))
                self._traffic.rename(known.id, kept.id)
                kept.first_seen = min(kept.first_seen, known.first_seen)
                kept.vlans |= known.vlans

    def _ledger(self) -> tuple[LedgerIncrement, ...]:
        increments: dict[tuple[str, FactKey], Fact] = {}
        for (mac, ip), sighting in sorted(self._sightings.items(), key=pair_order):
            if mac is not None:
                self._device_of_mac(mac, sighting)
            owner = self._owner(mac, ip, sighting.last_seen, sighting.first_seen if sighting.spoke else None)
            facts = self._facts.get((mac, ip), {})
            if owner is None:
                if facts:
                    self._ignored["said on the internet"] += sum(fact.count for fact in facts.values())
                continue
            self._touch(owner, sighting.first_seen, sighting.last_seen)
            owner.vlans |= sighting.vlans
            self._enter(owner, facts, increments)
        reachable = {ip for ip, _ in self._bindings.changed} | self._told
        reachable |= {known.key for known in self._touched.values() if known.kind is KeyKind.IP}
        for ip in sorted(reachable & self._hearsay.keys()):
            last = max(fact.last_seen for fact in self._hearsay[ip].values())
            owner = self._owner(None, ip, last, None)
            if owner is not None:
                self._touched[owner.id] = owner
                self._enter(owner, self._hearsay.pop(ip), increments)
        if len(self._hearsay) > _MOST_NAMES:
            self._ignored["told of addresses that never spoke"] += len(self._hearsay)
            self._hearsay.clear()
        for known in self._touched.values():
            if known.gateway and not known.told_gateway:
                known.told_gateway = True
                increments[known.id, _IS_GATEWAY] = Fact(known.first_seen, known.last_seen, 1)
        return tuple(
            LedgerIncrement(device, *key, fact.first_seen, fact.last_seen, fact.count)
            for (device, key), fact in sorted(increments.items())
        )

    def _enter(
        self, owner: Known, facts: dict[FactKey, Fact], increments: dict[tuple[str, FactKey], Fact]
    ) -> None:
        # Only where some values must be left out does it matter which come first.
        fullest = max(map(len, owner.values.values()), default=0)
        for key in sorted(facts) if len(facts) + fullest > MOST_VALUES else facts:
            fact = facts[key]
            values = owner.values.setdefault(key[2], set())
            mark = hash(key)
            if mark not in values:
                if len(values) >= MOST_VALUES:
                    self._ignored["one of too many values of one field"] += fact.count
                    continue
                values.add(mark)
            add_fact(increments, (owner.id, key), fact)

    # -- who is it

    def _owner(self, mac: str | None, ip: str | None, ts_ns: int, create_from: int | None) -> Known | None:
        """Return the device behind a pair of addresses; an IP-only one is made where ``create_from`` says."""
        if ip is None:
            return None if mac is None else self._by_mac.get(mac)
        if mac is not None and self._bindings.get(mac, ip) is not None:
            return self._by_mac.get(mac)
        binding = self._bindings.holder(ip, ts_ns)
        if binding is not None:
            known = self._by_mac.get(binding.mac)
            return known or self._device(KeyKind.MAC, binding.mac, binding.first_seen, binding.last_seen)
        if self._plan.kind(ip) not in (AddressKind.INTERNAL, AddressKind.LINK_LOCAL):
            return None
        if create_from is None or (len(self._by_ip) >= MOST_INTERFACES and ip not in self._by_ip):
            return self._by_ip.get(ip)
        return self._device(KeyKind.IP, ip, create_from, ts_ns)

    def _device_of_mac(self, mac: str, sighting: Sighting) -> Known:
        known = self._device(KeyKind.MAC, mac, sighting.first_seen, sighting.last_seen)
        known.vlans |= sighting.vlans
        return known

    def _device(self, kind: KeyKind, key: str, first: int, last: int) -> Known:
        table = self._by_mac if kind is KeyKind.MAC else self._by_ip
        known = table.get(key)
        if known is None:
            number, device_id = 0, stable_id("d", self.site, key)
            while device_id in self._gone:  # the address was merged away before and is somebody else's now
                number += 1
                device_id = stable_id("d", self.site, key, str(number))
            known = table[key] = Known(device_id, kind, key, first, last)
            known.gateway = kind is KeyKind.MAC and is_virtual_router(key)
        self._touch(known, first, last)
        return known

    def _touch(self, known: Known, first: int, last: int) -> None:
        known.first_seen = min(known.first_seen, first)
        known.last_seen = max(known.last_seen, last)
        self._touched[known.id] = known

    def _endpoint(self, mac: str | None, ip: str | None, ts_ns: int, spoke: bool) -> Endpoint:
        kind = self._plan.kind(ip)
        if mac is not None and is_group(mac) and kind is not AddressKind.MULTICAST:
            kind = AddressKind.BROADCAST
        if kind in (AddressKind.MULTICAST, AddressKind.BROADCAST) or mac in self._away:
            return Endpoint(None, ip, kind)
        if not is_interface(mac):
            mac = None
        owner = self._owner(mac, None if kind is AddressKind.NONE else ip, ts_ns, ts_ns if spoke else None)
        return Endpoint(None if owner is None else owner.id, ip, kind)

    def owner(self, mac: str | None, ip: str | None, ts_ns: int) -> str | None:
        """Return the id of the device that has these addresses at ``ts_ns`` as far as known, or None."""
        return self._endpoint(mac, ip, ts_ns, False).device

    def device_columns(self, table: pa.Table) -> tuple[pa.Array, pa.Array]:
        """Return the columns ``client_device`` and ``server_device`` for flow records of ``table``."""
        columns = []
        for side in ("client", "server"):
            ends, places = distinct_ends(table, side, self._bindings.span)
            columns.append(pa.array(self.owners(ends), pa.string()).take(places))
        return columns[0], columns[1]

    def owners(self, pairs: Iterable[tuple[str | None, str | None, int]]) -> list[str | None]:
        """Return :meth:`owner` of each, asking only once where the time makes no difference."""
        known: dict[tuple[str | None, str | None, bool], str | None] = {}
        owners: list[str | None] = []
        for mac, ip, ts_ns in pairs:
            if (span := self._bindings.span(mac, ip)) is None:
                owners.append(self.owner(mac, ip, ts_ns))
                continue
            then = (mac, ip, span[0] <= ts_ns <= span[1])
            if then not in known:
                known[then] = self.owner(mac, ip, ts_ns)
            owners.append(known[then])
        return owners

    # -- output

    def _address_changes(self) -> tuple[AddressChange, ...]:
        changes = []
        for _, binding in sorted(self._bindings.changed.items()):
            known = self._device(KeyKind.MAC, binding.mac, binding.first_seen, binding.last_seen)
            changes.append(
                AddressChange(
                    device=known.id,
                    mac=binding.mac,
                    ip=binding.ip,
                    source=binding.source,
                    current=binding.current,
                    first_seen=binding.first_seen,
                    last_seen=binding.last_seen,
                )
            )
        self._bindings.changed.clear()
        changes += [
            AddressChange(
                known.id, None, known.key, BindingSource.SEEN, True, known.first_seen, known.last_seen
            )
            for _, known in sorted(self._touched.items())
            if known.kind is KeyKind.IP
        ]
        return tuple(changes)

    def restore(self, stored: InventoryDelta) -> None:
        """Take over what was stored: a delta that holds all devices, interfaces, addresses, services, merges.

        Facts of it count towards the bound of values per field and tell who is listed; traffic is not needed.
        """
        self._gone.update({merge.gone: merge.kept for merge in stored.merges})
        macs = {interface.device: interface.mac for interface in stored.interfaces}
        ips = {address.device: address.ip for address in stored.addresses if address.mac is None}
        listed = {fact.device for fact in stored.ledger if fact.field == LISTED}
        for device in stored.devices:
            key = macs.get(device.id) if device.kind is KeyKind.MAC else ips.get(device.id)
            if key is None:
                continue
            table = self._by_mac if device.kind is KeyKind.MAC else self._by_ip
            self._door.restore(device, listed=device.id in listed)
            table[key] = known_again(device, key)
        for address in stored.addresses:
            if address.mac is not None:
                self._bindings.restore(
                    Binding(
                        address.ip,
                        address.mac,
                        address.source,
                        address.first_seen,
                        address.last_seen,
                        address.current,
                    )
                )
        known_by_id = {known.id: known for table in (self._by_mac, self._by_ip) for known in table.values()}
        for fact in stored.ledger:
            mark = hash((fact.sensor, fact.source, fact.field, fact.value))
            if fact.device in known_by_id:
                known_by_id[fact.device].values.setdefault(fact.field, set()).add(mark)
        for service in stored.services:
            self._traffic.restore_service(service)
