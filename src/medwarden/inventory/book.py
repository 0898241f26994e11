"""An inventory in memory: deltas added up to devices, for whoever needs no database.

``medwarden assess`` and ``medwarden score`` work on a book; the store keeps the same sums in rows. The
rules of adding are those of :class:`~medwarden.model.inventory_delta.InventoryDelta`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TypeVar

import msgspec

from medwarden.model.device import Conversation, Device, Service
from medwarden.model.evidence import LedgerEntry
from medwarden.model.inventory_delta import (
    AddressChange,
    ConversationIncrement,
    DeviceChange,
    InventoryDelta,
    LedgerIncrement,
    Merge,
    ServiceIncrement,
)

MOST_CONVERSATIONS = 5000
"""Conversations of one device that it is judged by, the latest first; pages read further ones."""

_Key = tuple[str | int | None, ...]
_Sum = TypeVar("_Sum", LedgerIncrement, ServiceIncrement, ConversationIncrement)


class _Page:
    """What the book knows of one device."""

    def __init__(self, change: DeviceChange) -> None:
        self.change = change
        self.macs: dict[str, int] = {}
        self.addresses: dict[str, AddressChange] = {}
        self.ledger: dict[_Key, LedgerIncrement] = {}
        self.services: dict[_Key, ServiceIncrement] = {}
        self.conversations: dict[_Key, ConversationIncrement] = {}


class Book:
    """Devices of one site, added up from deltas in the order they were made."""

    def __init__(self, site: str = "default") -> None:
        self.site = site
        self._pages: dict[str, _Page] = {}

    def __len__(self) -> int:
        return len(self._pages)

    def apply(self, delta: InventoryDelta) -> None:
        """Add one delta. Raises KeyError when it speaks of a device that no delta announced."""
        for merge in delta.merges:
            self._merge(merge)
        for change in delta.devices:
            page = self._pages.get(change.id)
            if page is None:
                self._pages[change.id] = _Page(change)
            else:
                page.change = msgspec.structs.replace(
                    change,
                    first_seen=min(page.change.first_seen, change.first_seen),
                    last_seen=max(page.change.last_seen, change.last_seen),
                )
        for interface in delta.interfaces:
            self._pages[interface.device].macs[interface.mac] = interface.last_seen
        for address in delta.addresses:
            self._pages[address.device].addresses[address.ip] = address
        for fact in delta.ledger:
            _add(self._pages[fact.device].ledger, (fact.sensor, fact.source, fact.field, fact.value), fact)
        for service in delta.services:
            _add(self._pages[service.device].services, (service.transport, service.port), service)
        for talk in delta.conversations:
            key = (talk.role, talk.peer_device, talk.peer_ip, talk.transport, talk.port)
            _add(self._pages[talk.device].conversations, key, talk)

    def devices(self) -> Iterator[Device]:
        """Yield every device as heard, without verdicts, by first appearance and id."""
        for page in sorted(self._pages.values(), key=lambda p: (p.change.first_seen, p.change.id)):
            yield self._device(page)

    def _merge(self, merge: Merge) -> None:
        gone = self._pages.pop(merge.gone, None)
        if gone is None:
            return
        kept = self._pages.get(merge.kept)
        if kept is None:
            kept = self._pages[merge.kept] = _Page(msgspec.structs.replace(gone.change, id=merge.kept))
        kept.macs = gone.macs | kept.macs
        kept.addresses = gone.addresses | kept.addresses
        for key, fact in gone.ledger.items():
            _add(kept.ledger, key, msgspec.structs.replace(fact, device=merge.kept))
        for key, service in gone.services.items():
            _add(kept.services, key, msgspec.structs.replace(service, device=merge.kept))
        for key, talk in gone.conversations.items():
            _add(kept.conversations, key, msgspec.structs.replace(talk, device=merge.kept))
        for page in self._pages.values():
            _redirect(page.conversations, merge)

    def _device(self, page: _Page) -> Device:
        change = page.change
        current = sorted(
            page.addresses.values(), key=lambda a: (not a.current, ":" in a.ip, -a.last_seen, a.ip)
        )
        ledger = sorted(page.ledger.values(), key=lambda f: (f.field, -f.count, f.value, f.sensor))
        return Device(
            id=change.id,
            site=change.site,
            macs=tuple(sorted(page.macs)),
            ips=tuple(a.ip for a in current),
            vlans=change.vlans,
            first_seen=change.first_seen,
            last_seen=change.last_seen,
            ledger=tuple(
                LedgerEntry(f.source, f.field, f.value, f.sensor, f.first_seen, f.last_seen, f.count)
                for f in ledger
            ),
            services=tuple(
                Service(
                    s.transport, s.port, s.application, s.first_seen, s.last_seen, s.clients, s.flows, s.bytes
                )
                for _, s in sorted(page.services.items(), key=lambda item: (item[1].transport, item[1].port))
            ),
            conversations=tuple(
                msgspec.convert(msgspec.structs.asdict(talk), Conversation)
                for talk in sorted(_looked_at(page.conversations.values()), key=_talk_order)
            ),
        )


def _looked_at(talks: Collection[ConversationIncrement]) -> Collection[ConversationIncrement]:
    """Return the conversations that a device is judged by, which are those that the store loads with it."""
    if len(talks) <= MOST_CONVERSATIONS:
        return talks
    return sorted(
        talks,
        key=lambda t: (-t.last_seen, t.role, t.peer_device or "", t.peer_ip or "", t.transport, t.port),
    )[:MOST_CONVERSATIONS]


def _talk_order(talk: ConversationIncrement) -> tuple[int, str, str, str, int]:
    volume = talk.bytes_sent + talk.bytes_received
    return (-volume, talk.peer_device or "", talk.peer_ip or "", talk.transport, talk.port)


def _add(sums: dict[_Key, _Sum], key: _Key, more: _Sum) -> None:
    """Fold one increment into what is there: counts add, times widen, the rest is replaced."""
    known = sums.get(key)
    if known is None:
        sums[key] = more
        return
    changed: dict[str, object] = {
        "first_seen": min(known.first_seen, more.first_seen),
        "last_seen": max(known.last_seen, more.last_seen),
    }
    for name in ("count", "flows", "packets", "bytes", "bytes_sent", "bytes_received"):
        if hasattr(more, name):
            changed[name] = getattr(known, name) + getattr(more, name)
    if isinstance(known, ConversationIncrement):
        changed["established"] = known.established or getattr(more, "established", False)
    if getattr(more, "application", "") is None:
        changed["application"] = getattr(known, "application", None)
    if isinstance(known, ServiceIncrement):
        changed["clients"] = max(known.clients, getattr(more, "clients", 0))
    sums[key] = msgspec.structs.replace(more, **changed)


def _redirect(talks: dict[_Key, ConversationIncrement], merge: Merge) -> None:
    """Let conversations with the device that is gone be conversations with the one that is kept."""
    for key in [k for k, talk in talks.items() if talk.peer_device == merge.gone]:
        talk = msgspec.structs.replace(talks.pop(key), peer_device=merge.kept)
        _add(talks, (talk.role, talk.peer_device, talk.peer_ip, talk.transport, talk.port), talk)
