"""Make the devices of a book one where the linker is certain, for whoever needs no database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


class Gathered(msgspec.Struct, frozen=True):
    """Devices with their verdicts, and the company by which those were told that others tell."""

    devices: tuple[Device, ...]
    company: Company


def joined_devices(book: Book, identify: _Identify) -> Gathered:
    """Return the devices of a book, identified, those certainly one as one. The book is changed.

    They are joined as a house joins them: by what is believed of them, company included.
    """
    alone = {device.id: identify(device) for device in book.devices()}
    together = _together(list(alone.values()), identify)
    heads = _join(book, together.devices)
    if not heads:
        return together
    for device in book.devices():
        if device.id in heads:
            alone[device.id] = identify(device)
        else:  # who talks with a device that was joined talks with the joined one
            before = alone[device.id]
            alone[device.id] = msgspec.structs.replace(before, conversations=device.conversations)
    return _together([alone[device.id] for device in book.devices()], identify)


def in_company(devices: Iterable[Device], identify: _Identify) -> Gathered:
    """Return devices that are not joined, identified: by themselves, then by the company they keep."""
    return _together([identify(device) for device in devices], identify)


def _together(alone: Sequence[Device], identify: _Identify) -> Gathered:
    company = company_of(alone)
    devices = tuple(identify(d, company=company) if company.votes(d) else d for d in alone)
    return Gathered(devices, company)


def _join(book: Book, devices: Sequence[Device]) -> frozenset[str]:
    """Make those of a book one that certainly are; return the ids of devices that are made of several."""
    gateways = frozenset(d.id for d in devices if any((e.field, e.value) == _GATEWAY for e in d.ledger))
    certain = [link for link in links(devices, gateways) if link.certain]
    if not certain:
        return frozenset()
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
    return frozenset(heads)


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
