"""Make the devices of a book one where the linker is certain, for whoever needs no database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from medwarden.inventory.book import Book
from medwarden.inventory.company import Company, company_of
from medwarden.inventory.grouping import Action, Decision, Grouping
from medwarden.inventory.linking import links
from medwarden.model.device import Device
from medwarden.model.inventory_delta import DeviceChange, InventoryDelta, KeyKind, Merge

_GATEWAY = ("flow.gateway", "yes")


class _Identify(Protocol):
    """Gives a device its verdicts, with or without the company it keeps."""

    def __call__(self, device: Device, *, company: Company | None = None) -> Device: ...


def joined_devices(book: Book, identify: _Identify) -> list[Device]:
    """Return the devices of a book, identified, those certainly one as one.

    ``identify`` gives a device its verdicts: once by itself, and again where the company it keeps tells
    something. The book is changed.
    """
    return _beside_others(_by_themselves(book, identify), identify)


def in_company(devices: Iterable[Device], identify: _Identify) -> list[Device]:
    """Return devices that are not joined, identified: by themselves, then by the company they keep."""
    return _beside_others([identify(device) for device in devices], identify)


def _beside_others(found: list[Device], identify: _Identify) -> list[Device]:
    company = company_of(found)
    return [identify(d, company=company) if company.votes(d) else d for d in found]


def _by_themselves(book: Book, identify: _Identify) -> list[Device]:
    devices = [identify(device) for device in book.devices()]
    gateways = frozenset(d.id for d in devices if any((e.field, e.value) == _GATEWAY for e in d.ledger))
    certain = [link for link in links(devices, gateways) if link.certain]
    if not certain:
        return devices
    grouping = Grouping(
        Decision(number, Action.JOIN, (link.left,), (link.right,), automatic=True)
        for number, link in enumerate(certain)
    )
    by_id = {device.id: device for device in devices}
    composed = grouping.composed()
    heads = sorted(set(composed.values()))
    book.apply(
        InventoryDelta(
            site=book.site,
            devices=tuple(_one([by_id[i] for i in grouping.members(head)], head, gateways) for head in heads),
            merges=tuple(
                Merge(identity, head, by_id[identity].last_seen, "they state the same identifier")
                for identity, head in sorted(composed.items())
                if identity != head
            ),
        )
    )
    fresh = set(heads)
    return [identify(device) if device.id in fresh else by_id[device.id] for device in _shown(book, by_id)]


def _shown(book: Book, known: dict[str, Device]) -> list[Device]:
    """Return the devices of the book; who talks with a device that was joined talks with the joined one."""
    shown = []
    for device in book.devices():
        before = known[device.id]
        known[device.id] = msgspec.structs.replace(before, conversations=device.conversations)
        shown.append(device)
    return shown


def _one(members: list[Device], head: str, gateways: frozenset[str]) -> DeviceChange:
    return DeviceChange(
        id=head,
        site=members[0].site,
        kind=KeyKind.MAC,
        new=False,
        gateway=any(member.id in gateways for member in members),
        first_seen=min(member.first_seen for member in members),
        last_seen=max(member.last_seen for member in members),
        vlans=tuple(sorted({vlan for member in members for vlan in member.vlans})),
    )
